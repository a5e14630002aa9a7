// Native.h: C functions that native code calls with the machine registers in its hands: they store them in the process
// first, so that the code around a call stays small.
#pragma once
#include "Layout.h"

#pragma clang assume_nonnull begin

typedef CodePointer _Nonnull (*_Nonnull SlowFunction)(Context *c, CodePointer pc);

CodePointer vm_native_slow(Context *c, CodePointer pc, uint64_t *e, uint64_t *hp, int64_t reductions, SlowFunction slow);
CodePointer _Nullable vm_native_collect(Context *c, long words, uint64_t *e, uint64_t *hp, int64_t reductions, long live);

/// Says what collects: null means go on, anything else is where the process ends. Once, at boot.
typedef CodePointer _Nullable (*_Nonnull CollectFunction)(Context *c, long words, long live);
void vm_native_boot(CollectFunction collect);

uint64_t vm_native_slow_address(void);
uint64_t vm_native_collect_address(void);

#pragma clang assume_nonnull end
