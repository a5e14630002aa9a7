#!/usr/bin/env python3
"""Drives the Erlang shell in a pseudo-terminal, on the real erl and on Enigma, and compares the transcripts.

usage: terminal.py ENIGMA [--flags "FLAGS"]... [--only NAME,...] [--show]

A session is a list of steps: wait until the output since the last step matches a pattern, then type. The transcripts
must be equal byte for byte, but for the banner, pids, references and times. With several --flags every session runs on
Enigma with each of them. A session that differs is repeated with longer pauses between keys, since what a busy machine
prints late ends up elsewhere. All sessions share a cache of compiled code, which is
filled first where --jit-eager makes starts long. Last line: `N passed, M failed`.
"""
import concurrent.futures, os, pty, re, select, signal, struct, subprocess, sys, tempfile, termios, fcntl, time

PROMPT = rb"\d+> $"
MENU = rb"istribution[\r\n]+$"
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
    "kill and yank": [(PROMPT, b"foo bar baz" + b"\x17" + b"\x17" + b"\x19" + b"\x01" + b"[" + b"\x05" + b"].\r"), (PROMPT, b"abc def" + b"\x01" + b"\x0b" + b"\x19\x19" + b"\x15" + b"ok.\r"), (PROMPT, b"ab" + b"\x14" + b".\r"), (PROMPT, b"one two" + b"\x1bb" + b"\x1bd" + b"x" + b"\x01" + b"\x04" + b".\r")],
    "search": [(PROMPT, b"first_atom.\r"), (PROMPT, b"{second, tuple}.\r"), (PROMPT, b"\x12first"), (rb"first", b"\r"), (PROMPT, b"ok.\r")],
    "wide": [(PROMPT, b"\"" + b"0123456789" * 10 + b"\".\r"), (PROMPT, b"A = \"" + b"abcdefgh" * 12 + HOME + b"B = " + b"\x05" + RUBOUT * 3 + b"\".\r"), (PROMPT, UP + LEFT * 3 + RUBOUT * 2 + b"\r")],
    "unicode editing": [(PROMPT, "\"åäö".encode() + LEFT + LEFT + "λ€".encode() + RUBOUT + HOME + b"{" + b"\x05" + "é\"}.\r".encode()), (PROMPT, UP + b"\r"), (PROMPT, "'grüße'.\r".encode()), (PROMPT, "<<\"日本\"/utf8>>.\r".encode())],
    "window": [(PROMPT, b"{io:columns(), io:rows()}.\r"), (PROMPT, (40, 120)), (rb"", b"{io:columns(), io:rows()}.\r"), (PROMPT, b"lists:seq(1,60).\r"), (PROMPT, (10, 30)), (rb"", b"\"abcdefghijklmnopqrstuvwxyz0123456789\".\r")],
    "break": [(PROMPT, b"\x03"), (MENU, b"v\r"), (rb"13\.1\.5[\r\n]+$", b"ok.\r"), (PROMPT, b"\x03"), (MENU, b"x\r"), (MENU, b"c\r"), (rb"c[\r\n]+$", b"still.\r"), (PROMPT, b"\x03"), (MENU, b"d\r"), (rb"no_distribution[\r\n]+$", b"1.\r")],
    "break processes": [(PROMPT, b"\x03"), (MENU, b"k\r"), (rb"eturn:[\r\n]+$", b"n\r"), (rb"eturn:[\r\n]+$", b"r\r"), (rb"r[\r\n]+$", b"2.\r")],
    "break lists": [(PROMPT, b"\x03"), (MENU, b"p\r"), (rb"tty_sl.*Queue: \d+[\r\n]+$", b"1.\r"), (PROMPT, b"\x03"), (MENU, b"l\r"), (rb"[\r\n]$", b"2.\r"), (PROMPT, b"\x03"), (MENU, b"i\r"), (rb"[\r\n]$", b"3.\r"), (PROMPT, b"\x03"), (MENU, b"D\r"), (rb"[\r\n]$", b"4.\r"), (PROMPT, b"\x03"), (MENU, b"o\r"), (rb"Queue: \d+[\r\n]+$", b"5.\r")],
    "break abort": [(PROMPT, b"ok.\r"), (PROMPT, b"\x03"), (MENU, b"a\r"), None],
    "break dump": [(PROMPT, b"\x03"), (MENU, b"A\r"), None],
    "halt": [(PROMPT, b"io:format(\"x~n\"), halt(\"a slogan\").\r"), None],
    "display": [(PROMPT, b"erlang:display({a, \"b\"}).\r"), (PROMPT, b"io:format(\"a\\tb~nc\").\r")],
    "interrupt": [["+Bc"], (PROMPT, b"timer:sleep(60000).\r"), (rb"", b"\x03"), (rb"> $", b"ok.\r")],
    "ignored": [["+Bi"], (PROMPT, b"\x03"), (rb"", b"ok.\r")],
    "oldshell": [["-oldshell"], (PROMPT, b"1+1.\r"), (PROMPT, b"foo(.\r"), (PROMPT, b"X = \"a\\tb\".\r")],
    "system": [(PROMPT, b"i().\r"), (PROMPT, b"regs().\r"), (PROMPT, b"bt(self()).\r"), (PROMPT, b"h().\r")],
    "commands": [(PROMPT, b"f(), b().\r"), (PROMPT, b"X = [1,2,3].\r"), (PROMPT, b"rr(file).\r"), (PROMPT, b"#file_info{size=3}.\r"), (PROMPT, b"lists:seq(1,200).\r")],
}
CACHE = tempfile.TemporaryDirectory()
MODULE = "-module(shellmod).\n-export([f/1, g/1]).\nf(0) -> 1;\nf(N) -> N * f(N - 1).\ng(a) -> ok.\n"


class Session:
    def __init__(self, command, folder, pause):
        self.pause = pause
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            env = dict(os.environ, TERM="xterm", HOME=folder, LC_ALL="C.UTF-8", ERL_CRASH_DUMP="/dev/null", XDG_CACHE_HOME=CACHE.name)
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

    def settle(self):
        """Reads until nothing has come for a while."""
        while self.read(self.pause):
            pass

    def expect(self, pattern, seconds=60):
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            if re.search(pattern, self.output[self.mark:], re.S):
                self.settle()
                return True
            self.read(0.1)
        return False

    def type(self, keys):
        # group drops what was typed together with a history key, so each of those goes alone.
        self.mark = len(self.output)
        if isinstance(keys, tuple):
            fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", keys[0], keys[1], 0, 0))
            self.settle()
            return
        for piece in re.split(rb"(\x1b\[[A-D]|[\x01-\x08\x0b\x0e-\x1a]|\x1b[a-z])", keys):
            if piece:
                os.write(self.fd, piece)
                self.settle()

    def close(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def transcript(command, steps, pause=0.15):
    if isinstance(steps[0], list):
        command, steps = command + steps[0], steps[1:]
    # None: the VM ends by itself.
    steps = steps[:-1] if steps[-1] is None else steps + [(rb"> $", b"q().\r")]
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "shellmod.erl"), "w") as file:
            file.write(MODULE)
        session = Session(command, folder, pause)
        try:
            for pattern, keys in steps:
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
    text = re.sub(r"#Ref<[\d.]+>", "<ref>", text)
    text = re.sub(r"#Port<[\d.]+>", "<port>", text)
    text = re.sub(r"0x[0-9a-fA-F]+", "<address>", text)
    if "BREAK" in text and re.search("=proc:|=memory|=ets:|Current code", text):
        text = normalise_break(text)
    if "Heap" in text and "Reds" in text:
        text = normalise_processes(text)
    return text


def normalise_break(text):
    """Lists of the break menu. How many processes, modules and tables there are and all figures are each VM's own, so
    what stays is the kinds of lines, each once, in order of appearance."""
    text = re.sub(r"\r+\n", "\n", text)
    text = re.sub(r"^=(hash_table|index_table|alloc).*?(?=^\d+> |^\d+\.$)", "", text, flags=re.S | re.M)
    kinds = []
    for line in text.split("\n"):
        # Stacks, objects of tables and how full they are.
        if re.match(r"y\(|<address>|\d+: \[|Chain|Buckets|Ordered|Link list|Message queue:|Last calls|Current call", line):
            continue
        line = re.sub(r"^\S+ \d+$", "MODULE SIZE", line)
        line = re.sub(r"^=(proc|ets|port):.*", r"=\1", line)
        kinds.append(re.sub(r"^([A-Za-z_+ ]+): .*", r"\1", line))
    return "\n".join(dict.fromkeys(kinds))


def normalise_processes(text):
    """The tables of i(): figures may differ, and stacks are as deep as the compiler makes them."""
    return re.sub(r" +\d+", " *", text)


def compare(enigma, steps):
    """Both transcripts; a difference counts when it stays with slower typing."""
    for pause in (0.15, 0.4, 1.0):
        want, got = normalise(transcript(["erl"], steps, pause)), normalise(transcript(enigma, steps, pause))
        if want == got:
            break
    return want, got


def main():
    arguments = sys.argv[1:]
    enigma = os.path.abspath(arguments.pop(0))
    show = "--show" in arguments
    only = arguments[arguments.index("--only") + 1].split(",") if "--only" in arguments else []
    flags = [arguments[i + 1] for i, word in enumerate(arguments) if word == "--flags"] or [""]
    passed = failed = 0
    runs = [(name, f) for f in flags for name in SESSIONS if not only or name in only]
    for flag in flags:
        if "--jit-eager" in flag:
            transcript([enigma] + flag.split(), SESSIONS["errors"])
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = pool.map(lambda run: compare([enigma] + run[1].split(), SESSIONS[run[0]]), runs)
        for (name, flag), (want, got) in zip(runs, results):
            if want == got:
                passed += 1
            else:
                failed += 1
            print("terminal %-16s %-18s %s" % (name, flag, "equal" if want == got else "DIFFERS"), flush=True)
            if show or want != got:
                print("--- erl\n%r\n--- enigma\n%r" % (want, got))
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
