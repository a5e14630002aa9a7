// CMachine.c: the slow halves of the locks of Atomics.h.
#include "CMachine.h"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void vm_futex_wait(uint32_t *word, uint32_t expected, int64_t nanoseconds) {
    struct timespec limit = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, nanoseconds < 0 ? NULL : &limit, NULL, 0);
}

void vm_futex_wake(uint32_t *word, int count) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

bool vm_barrier_everywhere(void) {
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0) return true;
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0
        && syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

void vm_lock_slow(Lock *lock) {
    // A short spin first: most critical sections are a few stores.
    for (int i = 0; i < 100; i++) {
        if (vm_load_acquire32(&lock->state) == 0 && vm_try_lock(lock)) return;
        vm_pause();
    }
    while (__atomic_exchange_n(&lock->state, 2, __ATOMIC_ACQUIRE) != 0) vm_futex_wait(&lock->state, 2, -1);
}

void vm_unlock_slow(Lock *lock) { vm_futex_wake(&lock->state, 1); }

__typeof__(vm_memory_counts[0][0]) vm_memory_counts[memoryKindCount][memoryStripes];

int64_t vm_counted_memory(long kind) {
    int64_t sum = 0;
    for (int i = 0; i < memoryStripes; i++) sum += __atomic_load_n(&vm_memory_counts[kind][i].bytes, __ATOMIC_RELAXED);
    return sum;
}

void vm_allocated_memory(size_t *used, size_t *held) {
    struct mallinfo2 info = mallinfo2();
    *used = info.uordblks + info.hblkhd;
    *held = info.arena + info.hblkhd;
}

void vm_tune_allocator(void) {
    mallopt(M_MMAP_THRESHOLD, 256 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

int vm_start_thread(void *(*body)(void *), void *argument, size_t stackSize) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stackSize);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int result = pthread_create(&thread, &attributes, body, argument);
    pthread_attr_destroy(&attributes);
    return result;
}
