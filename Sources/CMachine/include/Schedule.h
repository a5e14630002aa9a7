// Schedule.h: layouts of the run queues, timer wheels and scheduler threads (Machine/Scheduler, Machine/Timers).
#pragma once
#include "Layout.h"

#pragma clang assume_nonnull begin

enum { timerLevels = 8, timerSlots = 64, priorityCount = 4 };

/// Timers of one scheduler: level n has slots of 64^n ticks. Everything is protected by `lock`.
typedef struct TimerWheel {
    Lock lock;
    uint32_t index;      // of the scheduler
    uint64_t elapsed;    // ticks handled so far
    uint64_t count;      // nodes linked
    uint64_t next;       // tick of the next slot that needs work, UINT64_MAX if none; also read without the lock
    uint64_t occupied[timerLevels];
    TimerNode *_Nullable first[timerLevels * timerSlots];
    TimerNode *_Nullable last[timerLevels * timerSlots];
    // Timers that have references, by reference (Machine/Timers/ReferenceTimers.swift)
    void *_Nullable *_Nullable buckets;
    uint64_t bucketCount;
    uint64_t namedCount;
} TimerWheel;

/// Runnable processes in order of arrival, by priority. Everything is protected by `lock`.
typedef struct RunQueue {
    Lock lock;
    uint32_t length;    // of all priorities; also read without the lock, as a hint
    uint32_t lowSkips;  // how often low was passed over
    uint32_t highRuns;
    Process *_Nullable first[priorityCount];
    Process *_Nullable last[priorityCount];
    uint32_t counts[priorityCount];
} RunQueue;

/// One thread that runs processes. Apart from the queue, the wheel and `sleeping` it belongs to its thread.
typedef struct Scheduler {
    RunQueue queue;
    TimerWheel timers;
    Context *context;
    uint32_t sleeping;   // futex: 1 while the thread sleeps or is about to; atomic
    uint32_t index;
    uint32_t isDirty;    // 0 normal, 1 dirty CPU, 2 dirty I/O
    uint32_t stealFrom;
    uint64_t nextReference;  // counter of make_ref
    uint64_t nextUnique;     // counter of unique_integer
    uint64_t reductions;     // run by this thread; relaxed reads by others
    uint64_t switches;
    uint64_t activeSince;    // ns, 0 while it sleeps; relaxed reads by others
    uint64_t activeTime;     // ns; relaxed reads by others
    uint32_t isBetween;      // 1 while it handles the signals of a process that it has not yet entered
    uint32_t resting;        // 1 while it is beyond the schedulers online and runs nothing; atomic
    uint64_t collections;    // garbage collections of processes it ran, and words they freed; relaxed reads by others
    uint64_t reclaimed;
    uint64_t stateTime[4];   // ns by Microstate, while they are counted; relaxed reads by others
    uint64_t slices;         // odd while the thread runs Erlang code; its thread stores with release, others read
    uint64_t padding[7];
} Scheduler;

#pragma clang assume_nonnull end
