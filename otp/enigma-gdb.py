"""Erlang stacks in gdb, for a VM started with --jit-gdb:

    gdb -p PID -x otp/enigma-gdb.py

`erlang-threads` prints the native frames of each thread that runs Erlang code (the innermost is the Erlang function, if
it is compiled) and the Erlang frames of its process. Needs the living program: it calls a function in it.
"""
import gdb

POINTERS = {
    "x86-64": "rax rbx rcx rdx rsi rdi rbp r8 r9 r10 r11 r12 r13 r14 r15".split(),
    "aarch64": ["x%d" % n for n in range(31)],
}


def registers(frame):
    for kind, names in POINTERS.items():
        if kind in frame.architecture().name():
            return [int(frame.read_register(name)) & (1 << 64) - 1 for name in names]
    return []


def erlang_stack():
    """The frames above the stack pointer of the thread's process: whichever register holds it, it is the highest address
    among them from which a proper stack leads to the end."""
    frame, seen = gdb.newest_frame(), set()
    for _ in range(8):
        if frame is None:
            break
        seen.update(registers(frame))
        frame = frame.older()
    for address in sorted(seen, reverse=True):
        if address > 4096 and address & 7 == 0:
            text = gdb.parse_and_eval("((char *(*)(unsigned long))enigma_stack_text)(%d)" % address)
            if int(text) != 0:
                return text.string(errors="replace")
    return None


class ErlangThreads(gdb.Command):
    def __init__(self):
        super().__init__("erlang-threads", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        gdb.execute("set scheduler-locking on")
        for thread in sorted(gdb.selected_inferior().threads(), key=lambda t: t.num):
            thread.switch()
            stack = erlang_stack()
            if stack:
                print("thread %d" % thread.num)
                gdb.execute("bt 12")
                print(stack)
        gdb.execute("set scheduler-locking replay")


ErlangThreads()
