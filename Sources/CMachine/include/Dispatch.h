// Dispatch.h: the glue between handlers: one signature, entered and left by tail calls (jit-notes/dispatch.md).
//
// A handler is a C function whose fast path is a Swift function, inlined here; the slow path is another Swift
// function, called out of line with the machine registers stored in the process, so that it may collect, raise or
// switch processes. It answers where to continue.
#pragma once
#include "Layout.h"

#pragma clang assume_nonnull begin

#define VM_ARGUMENTS Context *c, CodePointer pc, uint64_t *e, uint64_t *hp, int64_t reductions
#define VM_PASS c, pc, e, hp, reductions
#define VM_REFERENCES                                                                                                \
    Context *c, CodePointer _Nonnull *_Nonnull pc, uint64_t *_Nonnull *_Nonnull e, uint64_t *_Nonnull *_Nonnull hp, \
        int64_t *reductions
#define VM_ADDRESSES c, &pc, &e, &hp, &reductions
#define VM_CONVENTION __attribute__((preserve_none))
#define VM_TAIL __attribute__((musttail)) return

typedef VM_CONVENTION void (*Handler)(VM_ARGUMENTS);

#define VM_DISPATCH VM_TAIL((Handler)*pc)(VM_PASS)

/// Stores the machine registers where run-time functions expect them.
#define VM_SAVE                                        \
    Process *process = c->process;                     \
    process->stackTop = e;                             \
    process->heap.top = hp;                            \
    process->heap.limit = e - stackReserve;            \
    process->sliceReductions = reductions

#define VM_RELOAD                         \
    process = c->process;                 \
    e = process->stackTop;                \
    hp = (uint64_t *)process->heap.top;   \
    reductions = process->sliceReductions

#define HANDLER_PURE(NAME)                                       \
    void fast_##NAME(VM_REFERENCES);                             \
    VM_CONVENTION static inline void h_##NAME(VM_ARGUMENTS) {    \
        [[clang::always_inline]] fast_##NAME(VM_ADDRESSES);      \
        VM_DISPATCH;                                             \
    }

#define HANDLER_SLOW(NAME)                                                         \
    CodePointer slow_##NAME(Context *c, CodePointer pc);                           \
    VM_CONVENTION __attribute__((noinline)) static void h_##NAME(VM_ARGUMENTS) {   \
        VM_SAVE;                                                                   \
        pc = slow_##NAME(c, pc);                                                   \
        VM_RELOAD;                                                                 \
        VM_DISPATCH;                                                               \
    }

#define HANDLER_FAST(NAME)                                                         \
    _Bool fast_##NAME(VM_REFERENCES);                                              \
    CodePointer slow_##NAME(Context *c, CodePointer pc);                           \
    VM_CONVENTION __attribute__((noinline)) static void s_##NAME(VM_ARGUMENTS) {   \
        VM_SAVE;                                                                   \
        pc = slow_##NAME(c, pc);                                                   \
        VM_RELOAD;                                                                 \
        VM_DISPATCH;                                                               \
    }                                                                              \
    VM_CONVENTION static inline void h_##NAME(VM_ARGUMENTS) {                      \
        _Bool done;                                                                \
        [[clang::always_inline]] done = fast_##NAME(VM_ADDRESSES);                 \
        if (__builtin_expect(!done, 0)) VM_TAIL s_##NAME(VM_PASS);                 \
        VM_DISPATCH;                                                               \
    }

/// Leaves Erlang code: whoever placed this word has stored the registers in the process.
VM_CONVENTION static inline void h_exit(VM_ARGUMENTS) {}

static inline void vm_enter(VM_ARGUMENTS) { ((Handler)*pc)(VM_PASS); }

#pragma clang assume_nonnull end

#include "Handlers.inc"
