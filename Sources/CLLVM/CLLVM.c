// CLLVM.c: the slots behind LLVM's functions. The stubs are hidden, so that they never stand in for libLLVM's own.
#define _GNU_SOURCE
#include "CLLVM.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__x86_64__)
#define JUMP(NAME) "jmpq *llvm_slot_" #NAME "(%rip)\n"
#elif defined(__aarch64__)
#define JUMP(NAME)                                                    \
    "adrp x16, llvm_slot_" #NAME "\n"                                 \
    "ldr x16, [x16, :lo12:llvm_slot_" #NAME "]\n"                     \
    "br x16\n"
#endif

#define LLVM_FUNCTION(NAME)                                                                        \
    __attribute__((visibility("hidden"), used)) void *llvm_slot_##NAME;                            \
    __asm__(".text\n.globl " #NAME "\n.hidden " #NAME "\n.type " #NAME ", @function\n" #NAME ":\n" \
            JUMP(NAME));
#include "include/LLVMFunctions.inc"
#undef LLVM_FUNCTION

static const char *const places[] = {
#if defined(__x86_64__)
    "/usr/lib/x86_64-linux-gnu/libLLVM.so.19.1",
#elif defined(__aarch64__)
    "/usr/lib/aarch64-linux-gnu/libLLVM.so.19.1",
#endif
    "/usr/lib/llvm-19/lib/libLLVM.so.19.1", "/usr/lib/llvm-19/lib/libLLVM.so.1", "/usr/lib64/libLLVM.so.19.1",
    "libLLVM.so.19.1", "libLLVM-19.so.1", "libLLVM-19.so",
};

const char *llvm_file(void) {
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++)
        if (places[i][0] == '/' && access(places[i], R_OK) == 0) return places[i];
    return NULL;
}

/// Ends the program before libLLVM's destructors run: a compile thread may still be inside it.
static void leave(int status, void *unused) {
    fflush(NULL);
    _exit(status);
}

const char *llvm_bind(void) {
    static char problem[200];
    void *library = NULL;
    for (unsigned i = 0; i < sizeof places / sizeof *places && !library; i++) library = dlopen(places[i], RTLD_NOW | RTLD_LOCAL);
    if (!library) return "libLLVM 19 is not installed";
#define LLVM_FUNCTION(NAME)                                                \
    if (!(llvm_slot_##NAME = dlsym(library, #NAME))) {                     \
        snprintf(problem, sizeof problem, "libLLVM has no %s", #NAME);     \
        return problem;                                                    \
    }
#include "include/LLVMFunctions.inc"
#undef LLVM_FUNCTION
    on_exit(leave, NULL);
    return NULL;
}

const char *llvm_library_of(uint64_t address) {
    Dl_info info;
    return dladdr((void *)address, &info) ? info.dli_fname : NULL;
}

// gdb's interface for compilers at run time: it stops in the function, and reads the list.

typedef struct JITEntry {
    struct JITEntry *next, *previous;
    const char *file;
    uint64_t size;
} JITEntry;

struct {
    uint32_t version;
    uint32_t action;  // 1: `relevant` was added, 2: it goes
    JITEntry *relevant, *first;
} __jit_debug_descriptor = {1, 0, NULL, NULL};

__attribute__((noinline)) void __jit_debug_register_code(void) { __asm__ volatile("" ::: "memory"); }

static void announce(uint32_t action, JITEntry *entry) {
    __jit_debug_descriptor.relevant = entry;
    __jit_debug_descriptor.action = action;
    __jit_debug_register_code();
}

void *jit_debug_register(const void *file, uint64_t size) {
    JITEntry *entry = calloc(1, sizeof *entry);
    if (!entry) return NULL;
    entry->file = file;
    entry->size = size;
    entry->next = __jit_debug_descriptor.first;
    if (entry->next) entry->next->previous = entry;
    __jit_debug_descriptor.first = entry;
    announce(1, entry);
    return entry;
}

void jit_debug_unregister(void *which) {
    JITEntry *entry = which;
    if (entry->next) entry->next->previous = entry->previous;
    if (entry->previous) {
        entry->previous->next = entry->next;
    } else {
        __jit_debug_descriptor.first = entry->next;
    }
    announce(2, entry);
    free(entry);
}
