// Fiber.c: fibers on ucontext. Stacks are mapped with a guard page and kept in a pool. A switch costs a microsecond, once
// in a slice of 4000 reductions.
#define _GNU_SOURCE
#include "Fiber.h"
#include "CMachine.h"
#include <sys/mman.h>
#include <ucontext.h>

enum { fiberStack = 256 << 10, guardSize = 4096, pooledFibers = 64 };

/// Stands at the high end of its mapping, above the stack.
struct Fiber {
    ucontext_t native;  // where the body stands
    ucontext_t runner;  // where the thread that runs it goes on
    void (*body)(void *);
    void *argument;
    int64_t *reductions;
    int64_t charged;
    int held;
    bool isCancelled;
    bool isDone;
    struct Fiber *next;
};

/// The fiber this thread runs. Read only in functions that are not inlined: a body may go on in another thread.
static _Thread_local Fiber *running;

static Lock poolLock;
static Fiber *pool;       // poolLock
static uint32_t pooled;   // poolLock

static void enter(unsigned high, unsigned low) {
    Fiber *fiber = (Fiber *)(((uintptr_t)high << 32) | low);
    fiber->body(fiber->argument);
    fiber->isDone = true;
}

static char *mapping(Fiber *fiber) { return (char *)(fiber + 1) - fiberStack; }

static Fiber *take(void) {
    vm_lock(&poolLock);
    Fiber *fiber = pool;
    if (fiber) {
        pool = fiber->next;
        pooled--;
    }
    vm_unlock(&poolLock);
    if (fiber) return fiber;
    char *base = mmap(NULL, fiberStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) return NULL;
    if (mprotect(base, guardSize, PROT_NONE) != 0) {
        munmap(base, fiberStack);
        return NULL;
    }
    return (Fiber *)(base + fiberStack) - 1;
}

Fiber *vm_fiber_make(void (*body)(void *), void *argument, int64_t *reductions) {
    Fiber *fiber = take();
    if (!fiber) return NULL;
    fiber->body = body;
    fiber->argument = argument;
    fiber->reductions = reductions;
    fiber->charged = 0;
    fiber->held = 0;
    fiber->isCancelled = false;
    fiber->isDone = false;
    fiber->next = NULL;
    getcontext(&fiber->native);
    fiber->native.uc_stack.ss_sp = mapping(fiber) + guardSize;
    fiber->native.uc_stack.ss_size = (size_t)((char *)fiber - mapping(fiber) - guardSize) & ~(size_t)63;
    fiber->native.uc_link = &fiber->runner;
    uintptr_t address = (uintptr_t)fiber;
    makecontext(&fiber->native, (void (*)(void))enter, 2, (unsigned)(address >> 32), (unsigned)address);
    return fiber;
}

__attribute__((noinline)) bool vm_fiber_run(Fiber *fiber) {
    running = fiber;
    swapcontext(&fiber->runner, &fiber->native);
    // The runner's frame never changes its thread.
    running = NULL;
    return fiber->isDone;
}

void vm_fiber_cancel(Fiber *fiber) { fiber->isCancelled = true; }

int64_t vm_fiber_charged(const Fiber *fiber) { return fiber->charged; }

void vm_fiber_free(Fiber *fiber) {
    vm_lock(&poolLock);
    bool keep = pooled < pooledFibers;
    if (keep) {
        fiber->next = pool;
        pool = fiber;
        pooled++;
    }
    vm_unlock(&poolLock);
    if (!keep) munmap(mapping(fiber), fiberStack);
}

__attribute__((noinline)) bool vm_breathe(int64_t work) {
    Fiber *fiber = running;
    if (!fiber) return true;
    if (fiber->isCancelled) return false;
    fiber->charged += work;
    *fiber->reductions -= work;
    if (*fiber->reductions <= 0 && fiber->held == 0) swapcontext(&fiber->native, &fiber->runner);
    return !fiber->isCancelled;
}

__attribute__((noinline)) void vm_hold(int change) {
    if (running) running->held += change;
}

__attribute__((noinline)) bool vm_on_fiber(void) { return running != NULL; }
