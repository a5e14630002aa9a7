#!/usr/bin/env python3
"""Drives the Erlang shell in a pseudo-terminal, on the real erl and on Enigma, and compares the transcripts.

usage: terminal.py ENIGMA [--flags "FLAGS"] [--show]

A session is a list of steps: wait until the output since the last step matches a pattern, then type. The transcripts
must be equal byte for byte, but for the banner, pids, references and times. Last line: `N passed, M failed`.
"""
import os, pty, re, select, signal, struct, subprocess, sys, tempfile, termios, fcntl, time

PROMPT = rb"\d+> $"
UP, LEFT, HOME, RUBOUT = b"\x1b[A", b"\x1b[D", b"\x01", b"\x7f"

SESSIONS = {
    "arithmetic": [(PROMPT, b"1+1.\r"), (PROMPT, b"X = 7 * 6.\r"), (PROMPT, b"X / 4.\r"), (PROMPT, b"2#101 + 16#ff.\r")],
    "completion": [(PROMPT, b"lists:so\t"), (rb"sort", b"rt([3,1,2]).\r"), (PROMPT, b"lists:keys\t"), (PROMPT[:-1], b"ort(1,[]).\r")],
    "editing": [(PROMPT, b"abc" + LEFT + LEFT + b"X" + HOME + b"{" + b"\x05" + b"}.\r"), (PROMPT, b"foo(" + RUBOUT * 4 + b"ok.\r")],
    "history": [(PROMPT, b"a.\r"), (PROMPT, b"b.\r"), (PROMPT, UP + UP + b"\r"), (PROMPT, UP + b"\r"), (PROMPT, b"v(1).\r")],
    "multi-line": [(PROMPT, b"F = fun(0) -> zero;\r"), (rb"\.\. $|> $", b"(N) when N > 0 -> {pos,\r"), (rb"\.\. $|> $", b"N} end.\r"), (PROMPT, b"{F(0), F(3)}.\r")],
    "unicode": [(PROMPT, "\"åäö λ\".\r".encode()), (PROMPT, b"io:format(\"~ts~n\", [[955, 8364]]).\r"), (PROMPT, b"<<\"\xc3\xa5\"/utf8>>.\r")],
    "compile": [(PROMPT, b"c(shellmod).\r"), (PROMPT, b"shellmod:f(20).\r"), (PROMPT, b"l(shellmod).\r")],
    "errors": [(PROMPT, b"1/0.\r"), (PROMPT, b"shellmod:g(x).\r"), (PROMPT, b"catch throw(x).\r"), (PROMPT, b"foo bar.\r"), (PROMPT, b"no:such(1).\r"), (PROMPT, b"exit(bye).\r")],
    "processes": [(PROMPT, b"self() ! hello, flush().\r"), (PROMPT, b"P = spawn(fun() -> receive X -> exit(X) end end), is_process_alive(P).\r"), (PROMPT, b"monitor(process, P), P ! done, timer:sleep(50), flush().\r")],
    "jobs": [(PROMPT, b"A = 1.\r"), (PROMPT, b"\x07"), (rb" --> $", b"j\r"), (rb" --> $", b"s\r"), (rb" --> $", b"c\r"), (rb"> $", b"\r"), (rb"> $", b"1.\r")],
    "commands": [(PROMPT, b"f(), b().\r"), (PROMPT, b"X = [1,2,3].\r"), (PROMPT, b"rr(file).\r"), (PROMPT, b"#file_info{size=3}.\r"), (PROMPT, b"lists:seq(1,200).\r")],
}
MODULE = "-module(shellmod).\n-export([f/1, g/1]).\nf(0) -> 1;\nf(N) -> N * f(N - 1).\ng(a) -> ok.\n"


class Session:
    def __init__(self, command, folder):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            env = dict(os.environ, TERM="xterm", HOME=folder, LC_ALL="C.UTF-8", ERL_CRASH_DUMP="/dev/null")
            os.execvpe(command[0], command, env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.output = b""
        self.mark = 0

    def read(self, seconds):
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.output += data
        return bool(data)

    def expect(self, pattern, seconds=30):
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            if re.search(pattern, self.output[self.mark:]):
                while self.read(0.15):
                    pass
                return True
            self.read(0.1)
        return False

    def type(self, keys):
        # group drops what was typed together with a history key, so each of those goes alone.
        self.mark = len(self.output)
        for piece in re.split(rb"(\x1b\[[A-D])", keys):
            if piece:
                os.write(self.fd, piece)
                while self.read(0.15):
                    pass

    def close(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def transcript(command, steps):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "shellmod.erl"), "w") as file:
            file.write(MODULE)
        session = Session(command, folder)
        try:
            for pattern, keys in steps + [(rb"> $", b"q().\r")]:
                if not session.expect(pattern):
                    return session.output + b"\n*** no match for %r" % pattern
                session.type(keys)
            limit = time.monotonic() + 10
            while time.monotonic() < limit and session.read(2):
                pass
        finally:
            session.close()
        return session.output


def normalise(output):
    text = output.decode("utf-8", "replace")
    text = re.sub(r"^.*?(?=1> )", "", text, count=1, flags=re.S)
    text = re.sub(r"<0\.\d+\.\d+>", "<pid>", text)
    return re.sub(r"#Ref<[\d.]+>", "<ref>", text)


def main():
    arguments = sys.argv[1:]
    enigma = [os.path.abspath(arguments.pop(0))]
    show = "--show" in arguments
    only = arguments[arguments.index("--only") + 1].split(",") if "--only" in arguments else []
    if "--flags" in arguments:
        enigma += arguments[arguments.index("--flags") + 1].split()
    passed = failed = 0
    for name, steps in SESSIONS.items():
        if only and name not in only:
            continue
        want, got = normalise(transcript(["erl"], steps)), normalise(transcript(enigma, steps))
        if want == got:
            passed += 1
        else:
            failed += 1
        print("terminal %-12s %s" % (name, "equal" if want == got else "DIFFERS"), flush=True)
        if show or want != got:
            print("--- erl\n%r\n--- enigma\n%r" % (want, got))
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
