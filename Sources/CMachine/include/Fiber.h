// Fiber.h: a stack of its own for a native function that gives its thread back in the middle (Machine/Native).
//
// A fiber is run by one thread at a time, which waits in vm_fiber_run until the body ends or pauses in vm_breathe. The
// next run may be on another thread.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

typedef struct Fiber Fiber;

/// A fiber that will call `body(argument)`. `reductions` is the counter that vm_breathe charges. Null: no memory.
Fiber *_Nullable vm_fiber_make(void (*body)(void *), void *argument, int64_t *reductions);

/// Runs the fiber until its body has ended (true) or pauses (false).
bool vm_fiber_run(Fiber *fiber);

/// From now on vm_breathe answers false and does not pause: the body ends soon, its result is not wanted.
void vm_fiber_cancel(Fiber *fiber);

/// What vm_breathe has charged so far.
int64_t vm_fiber_charged(const Fiber *fiber);

/// Requires: the body has ended or was never run.
void vm_fiber_free(Fiber *fiber);

/// Called by native code every so often: charges `work` reductions, and pauses when they are used up. False: give up, the
/// process is ending. Outside a fiber it does nothing and answers true. Requires: no lock is held, no term under
/// construction has words that are not written yet if anything but its own process can reach them.
bool vm_breathe(int64_t work);

/// Between vm_hold(1) and vm_hold(-1) vm_breathe does not pause: a lock is held.
void vm_hold(int change);

/// Whether the caller runs on a fiber.
bool vm_on_fiber(void);

#pragma clang assume_nonnull end
