// Native.c: see Native.h.
#include "Native.h"

static CollectFunction collectWords;

void vm_native_boot(CollectFunction collect) { collectWords = collect; }

static inline void save(Context *c, uint64_t *e, uint64_t *hp, int64_t reductions) {
    Process *process = c->process;
    process->stackTop = e;
    process->heap.top = hp;
    process->heap.limit = e - stackReserve;
    process->sliceReductions = reductions;
}

CodePointer vm_native_slow(Context *c, CodePointer pc, uint64_t *e, uint64_t *hp, int64_t reductions, SlowFunction slow) {
    save(c, e, hp, reductions);
    return slow(c, pc);
}

CodePointer vm_native_collect(Context *c, long words, uint64_t *e, uint64_t *hp, int64_t reductions, long live) {
    save(c, e, hp, reductions);
    return collectWords(c, words, live);
}

uint64_t vm_native_slow_address(void) { return (uint64_t)&vm_native_slow; }
uint64_t vm_native_collect_address(void) { return (uint64_t)&vm_native_collect; }
