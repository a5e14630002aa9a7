// PortShims.c: see PortShims.h.
#define _GNU_SOURCE
#define _XOPEN_SOURCE 700
#include "PortShims.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <wchar.h>

int vm_poll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int vm_poll_control(int set, int operation, int descriptor, uint32_t events, uint64_t data) {
    static const int operations[] = {0, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL};
    struct epoll_event event = {0};
    if (events & pollInput) event.events |= EPOLLIN;
    if (events & pollOutput) event.events |= EPOLLOUT;
    event.data.u64 = data;
    return epoll_ctl(set, operations[operation & 3], descriptor, &event);
}

int vm_poll_wait(int set, PollEvent *events, int limit, int milliseconds) {
    struct epoll_event found[64];
    int count = epoll_wait(set, found, limit < 64 ? limit : 64, milliseconds);
    for (int i = 0; i < count; i++) {
        events[i].data = found[i].data.u64;
        events[i].events = 0;
        if (found[i].events & EPOLLIN) events[i].events |= pollInput;
        if (found[i].events & EPOLLOUT) events[i].events |= pollOutput;
        if (found[i].events & (EPOLLERR | EPOLLHUP)) events[i].events |= pollFailure;
    }
    return count;
}

int vm_pipe(int *ends, bool nonBlocking) { return pipe2(ends, O_CLOEXEC | (nonBlocking ? O_NONBLOCK : 0)); }

int vm_pidfd_open(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int vm_character_width(uint32_t character) { return wcwidth((wchar_t)character); }

int vm_spawn(pid_t *pid, const ChildSetup *setup) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t signals;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    if (setup->input >= 0) posix_spawn_file_actions_adddup2(&actions, setup->input, setup->inputTarget);
    if (setup->output >= 0) posix_spawn_file_actions_adddup2(&actions, setup->output, setup->outputTarget);
    if (setup->errors >= 0) posix_spawn_file_actions_adddup2(&actions, setup->errors, 2);
    posix_spawn_file_actions_addclosefrom_np(&actions, setup->firstClosed);
    if (setup->directory) posix_spawn_file_actions_addchdir_np(&actions, setup->directory);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    int error = posix_spawn(pid, setup->file, &actions, &attributes, setup->arguments, setup->environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}
