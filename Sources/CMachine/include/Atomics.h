// Atomics.h: the atomic accesses and locks of the machine, on plain fields, so that Swift can import the layouts.
#pragma once
#include <stdbool.h>
#include "Layout.h"

#pragma clang assume_nonnull begin

static inline uint64_t vm_load_acquire(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline uint64_t vm_load_relaxed(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline void vm_store_release(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
static inline void vm_store_relaxed(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
static inline uint64_t vm_fetch_add(uint64_t *p, uint64_t v) { return __atomic_fetch_add(p, v, __ATOMIC_ACQ_REL); }
static inline uint64_t vm_fetch_sub(uint64_t *p, uint64_t v) { return __atomic_fetch_sub(p, v, __ATOMIC_ACQ_REL); }
static inline uint64_t vm_exchange(uint64_t *p, uint64_t v) { return __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL); }
/// Stores `desired` if `*p` is `expected`; answers the value seen (equal to `expected` when the store was made).
static inline uint64_t vm_compare_exchange(uint64_t *p, uint64_t expected, uint64_t desired) {
    __atomic_compare_exchange_n(p, &expected, desired, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    return expected;
}
static inline uint32_t vm_load_acquire32(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline void vm_store_release32(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
static inline uint32_t vm_fetch_add32(uint32_t *p, uint32_t v) { return __atomic_fetch_add(p, v, __ATOMIC_ACQ_REL); }
static inline uint32_t vm_fetch_sub32(uint32_t *p, uint32_t v) { return __atomic_fetch_sub(p, v, __ATOMIC_ACQ_REL); }
static inline uint32_t vm_fetch_or32(uint32_t *p, uint32_t v) { return __atomic_fetch_or(p, v, __ATOMIC_ACQ_REL); }
static inline uint32_t vm_fetch_and32(uint32_t *p, uint32_t v) { return __atomic_fetch_and(p, v, __ATOMIC_ACQ_REL); }
static inline uint32_t vm_compare_exchange32(uint32_t *p, uint32_t expected, uint32_t desired) {
    __atomic_compare_exchange_n(p, &expected, desired, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    return expected;
}
static inline const void *_Nullable vm_load_pointer(const void *_Nullable const *_Nonnull p) {
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}
static inline void vm_store_pointer(void *p, const void *_Nullable v) {
    __atomic_store_n((const void **)p, v, __ATOMIC_RELEASE);
}
static inline void vm_pause(void) { __builtin_ia32_pause(); }

void vm_lock_slow(Lock *lock);
void vm_unlock_slow(Lock *lock);
static inline void vm_lock(Lock *lock) {
    if (__builtin_expect(vm_compare_exchange32(&lock->state, 0, 1) != 0, 0)) vm_lock_slow(lock);
}
static inline bool vm_try_lock(Lock *lock) { return vm_compare_exchange32(&lock->state, 0, 1) == 0; }
static inline void vm_unlock(Lock *lock) {
    if (__builtin_expect(__atomic_exchange_n(&lock->state, 0, __ATOMIC_RELEASE) == 2, 0)) vm_unlock_slow(lock);
}
/// A full memory barrier on every thread of the process that runs. False: the system has none.
bool vm_barrier_everywhere(void);

/// Sleeps while `*word` is `expected`, at most `nanoseconds` (negative: for ever); may wake early.
void vm_futex_wait(uint32_t *word, uint32_t expected, int64_t nanoseconds);
/// Wakes up to `count` threads that sleep on `word`.
void vm_futex_wake(uint32_t *word, int count);

/// What erlang:memory/0 tells apart. Bytes are counted in stripes by address, so that threads rarely meet.
enum { processMemory, binaryMemory, memoryKindCount, memoryStripes = 16 };
extern struct { _Alignas(64) int64_t bytes; } vm_memory_counts[memoryKindCount][memoryStripes];  // atomic, relaxed
static inline void vm_count_memory(long kind, const void *block, int64_t bytes) {
    __atomic_fetch_add(&vm_memory_counts[kind][(uintptr_t)block >> 12 & (memoryStripes - 1)].bytes, bytes, __ATOMIC_RELAXED);
}
int64_t vm_counted_memory(long kind);
/// Bytes taken from malloc, and what malloc holds of the system's memory for them.
void vm_allocated_memory(size_t *used, size_t *held);

/// Process blocks come and go: keeps their memory in the allocator instead of mapping it anew for each.
void vm_tune_allocator(void);
/// Starts a detached thread; 0 or an errno.
int vm_start_thread(void *_Nullable (*_Nonnull body)(void *_Nullable), void *argument, size_t stackSize);

#pragma clang assume_nonnull end
