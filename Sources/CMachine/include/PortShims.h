// PortShims.h: system interfaces that Swift's Glibc does not have (GNU extensions, variadic functions, macros).
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#pragma clang assume_nonnull begin

enum { pollInput = 1, pollOutput = 2, pollFailure = 4 };
enum { pollAdd = 1, pollChange = 2, pollRemove = 3 };

/// An event of a poll set: what was watched, and bits of pollInput...
typedef struct PollEvent {
    uint64_t data;
    uint32_t events;
} PollEvent;

/// A new epoll set, or negative with errno.
int vm_poll_create(void);
/// Adds, changes or removes a descriptor; `events` are bits of pollInput and pollOutput. 0, or -1 with errno.
int vm_poll_control(int set, int operation, int descriptor, uint32_t events, uint64_t data);
/// Waits at most `milliseconds` (negative: for ever); answers how many of `limit` (at most 64) events there are.
int vm_poll_wait(int set, PollEvent *events, int limit, int milliseconds);

/// A pipe whose ends no child inherits: `ends[0]` reads, `ends[1]` writes. 0, or -1 with errno.
int vm_pipe(int *ends, bool nonBlocking);
/// A descriptor that becomes readable when the child process ends; negative if the system has none.
int vm_pidfd_open(int pid);
/// Columns that a character takes, negative if unknown; by the locale.
int vm_character_width(uint32_t character);

/// How a child process is started: in a session of its own, with default signals.
typedef struct ChildSetup {
    const char *file;
    char *_Nullable const *_Nonnull arguments;
    char *_Nullable const *_Nonnull environment;
    const char *_Nullable directory;
    int input;         // descriptor that the child reads, -1: none
    int inputTarget;   // the number it has in the child
    int output;
    int outputTarget;
    int errors;        // descriptor that becomes 2, -1: as it is
    int firstClosed;   // descriptors from here on are closed in the child
} ChildSetup;

/// Starts a child process; 0, or the error number, also of errors that happen in the child before it runs the file.
int vm_spawn(pid_t *pid, const ChildSetup *setup);

#pragma clang assume_nonnull end
