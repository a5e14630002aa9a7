#!/usr/bin/env python3
"""The cache of compiled code: the same results whatever is in it, and second runs that do without LLVM.

usage: cache.py ENIGMA

Runs one program with an empty cache, a filled one, damaged, foreign and old entries, several VMs at once, a changed
module, and a cache filled by `enigma precompile`; output must be that of the real erl each time.
Last line: `N passed, M failed`.
"""
import os, re, shutil, subprocess, sys, tempfile

PROGRAM = r"""
-module(cached).
-export([main/1]).

main(Pause) ->
    Sums = [work(N) || N <- lists:seq(1, ROUNDS)],
    io:format("~w~n~p~n", [erlang:phash2(Sums), lists:nth(7, Sums)]),
    receive after Pause -> halt(0) end.

work(N) ->
    L = numbers(100, N, []),
    {sum(L, 0), [kind(A) || A <- [plum_a, plum_c, plum_i, plum_z, error, 17, [], plum_b]], big(N), shape({square, N}),
     floats(N, 0.5), caught(N rem 3), bits(<<N:32, "abc", 7:3, 1:5>>, 0), found(#{plum_a => N, plum_q => 2}),
     lists:map(adder(N), [1, 2, 3]), constant(N rem 2), CHANGED}.

numbers(0, _, Acc) -> Acc;
numbers(N, Seed, Acc) -> numbers(N - 1, Seed, [(N * Seed) rem 97 | Acc]).

sum([H | T], S) -> sum(T, S + H);
sum([], S) -> S.

kind(plum_a) -> 1; kind(plum_b) -> 2; kind(plum_c) -> 3; kind(plum_d) -> 4; kind(plum_e) -> 5; kind(plum_f) -> 6;
kind(plum_g) -> 7; kind(plum_h) -> 8; kind(plum_i) -> 9; kind(error) -> 10; kind(17) -> 11; kind([]) -> 12;
kind(_) -> none.

big(N) when N band 1 =:= 0 -> N * 123456789012345678901234567890;
big(N) -> case N + 1152921504606846976 of 1152921504606846977 -> one; X -> X end.

shape({square, N}) -> {plum_s, N * N};
shape({circle, N}) -> {plum_c, N * 3}.

floats(0, X) -> X;
floats(N, X) when N > 50 -> floats(50, X);
floats(N, X) -> floats(N - 1, X * 1.01 + 0.25).

caught(N) -> try thrown(N) catch throw:{plum_t, X} -> X; error:E -> E after ok end.
thrown(0) -> throw({plum_t, 5});
thrown(1) -> erlang:error(plum_e);
thrown(N) -> N.

bits(<<A:8, Rest/binary>>, S) -> bits(Rest, S * 3 + A);
bits(<<>>, S) -> S rem 1000003.

found(#{plum_a := A, plum_q := Q}) -> A + Q;
found(_) -> none.

adder(N) -> fun(X) -> X + N end.

constant(0) -> {"a list", <<"bytes">>, #{plum_k => [1, 2]}, 1.5};
constant(1) -> [plum_x, {plum_y, "b"}].
"""
# A hot function, called so often; then the program ends, or waits until it has native code.
SHORT = r"""
-module(short).
-export([main/2]).

main(Calls, Next) ->
    io:format("~w~n", [loop(Calls, 0)]),
    Next =:= wait andalso wait(erlang:monotonic_time(second) + 100),
    halt(0).

loop(0, Sum) -> Sum;
loop(N, Sum) -> loop(N - 1, hot(N, Sum)).

hot(N, Sum) when N rem 3 =:= 0 -> other(Sum + N);
hot(N, Sum) -> Sum + N * 2.

other(X) -> (X * 7) rem 1000003.

wait(End) ->
    case apply(enigma_jit, info, [{short, loop, 2}]) of
        #{state := compiled} -> ok;
        _ -> erlang:monotonic_time(second) < End andalso begin timer:sleep(20), wait(End) end
    end.
"""
FIGURES = re.compile(r"jit: cache: (\d+) units fetched in \d+ us, (\d+) entries refused, (\d+) units kept; LLVM (not )?loaded")
# Milliseconds that runs go on for in turn, until the compile thread has done what a case is about: however busy the machine is.
PAUSES = [500, 500, 1000, 1000, 2000, 4000, 8000, 16000, 32000]
NEVER = ["--jit-threshold", "1000000000"]
SOON = ["--jit-threshold", "200"]


class Run:
    def __init__(self, output, figures):
        self.output = output
        found = FIGURES.search(figures)
        if not found:
            raise RuntimeError("no figures in %r" % figures[-300:])
        self.fetched, self.refused, self.kept = (int(found.group(i)) for i in (1, 2, 3))
        self.isLoaded = found.group(4) is None


class Suite:
    def __init__(self, enigma, scratch):
        self.enigma = os.path.abspath(enigma)
        self.scratch = scratch
        self.cache = os.path.join(scratch, "cache")
        self.passed = self.failed = 0
        self.code = self.compile("same")
        self.expected = self.real(self.code)

    def compile(self, mark, rounds=6000):
        folder = os.path.join(self.scratch, "code_" + mark)
        os.makedirs(folder)
        source = os.path.join(folder, "cached.erl")
        with open(source, "w") as file:
            file.write(PROGRAM.replace("CHANGED", mark).replace("ROUNDS", str(rounds)))
        subprocess.run(["erlc", "-o", folder, source], check=True)
        return folder

    def real(self, code):
        return subprocess.run(["erl", "-noshell", "-pa", code, "-eval", "cached:main(0)."], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=True, timeout=120).stdout

    def start(self, flags, cache=None, code=None, pause=0):
        command = [self.enigma, "--jit-stats", "--jit-cache", cache or self.cache] + flags
        return subprocess.Popen(command + ["-noshell", "-pa", code or self.code, "-eval", "cached:main(%d)." % pause],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, process):
        output, errors = process.communicate(timeout=300)
        if process.returncode != 0:
            raise RuntimeError("exit %d: %s" % (process.returncode, errors[-500:]))
        return Run(output, errors)

    def run(self, flags, cache=None, code=None, pause=0):
        return self.finish(self.start(flags, cache, code, pause))

    def until(self, name, isDone, flags):
        """Runs until the compile thread is done. Answers the last run."""
        for pause in PAUSES:
            run = self.run(flags, pause=pause)
            if run.output != self.expected or isDone(run):
                break
        self.same(name, run)
        return run

    def check(self, name, condition, detail=""):
        if condition:
            self.passed += 1
        else:
            self.failed += 1
            print("FAILED %s %s" % (name, detail), flush=True)

    def same(self, name, run, expected=None):
        self.check(name + ": output", run.output == (expected or self.expected), repr(run.output[:300]))

    def entries(self):
        found = []
        for folder, _, names in os.walk(self.cache):
            found += [os.path.join(folder, name) for name in names if name.endswith(".unit")]
        return sorted(found)

    def fill(self, isEmpty=True):
        if isEmpty:
            shutil.rmtree(self.cache, ignore_errors=True)
        # Until the program's own functions are there.
        for pause in PAUSES:
            run = self.run(SOON, pause=pause)
            if len(self.entries()) >= 5:
                break
        return run

    # Cases

    def cold_and_warm(self):
        shutil.rmtree(self.cache, ignore_errors=True)
        cold = self.run(SOON)
        self.same("cold", cold)
        self.check("cold: fetched", cold.fetched == 0, str(vars(cold)))
        filled = self.fill()
        self.same("filled", filled)
        self.check("entries", len(self.entries()) >= 5)
        self.warm("warm")
        self.same("warm, collecting always", self.run(NEVER + ["--gc-stress", "+S", "1"]))
        off = self.run(NEVER, cache="off")
        self.same("off", off)
        self.check("off: figures", off.fetched == 0 and off.kept == 0)

    def warm(self, name):
        """A function that loses its bets is compiled again without them, if the program goes on for long enough."""
        run = self.until(name, lambda run: not run.isLoaded, NEVER)
        self.check(name + ": fetched", run.fetched > 0 and run.refused == 0, str(vars(run)))
        self.check(name + ": without LLVM", not run.isLoaded, str(vars(run)))

    def damage(self):
        def flip(place):
            def change(data):
                index = int(place * (len(data) - 1))
                return data[:index] + bytes([data[index] ^ 0x10]) + data[index + 1:]
            return change
        changes = {"first byte": flip(0), "in the middle": flip(0.5), "near the end": flip(0.98), "half": lambda d: d[:len(d) // 2],
                   "short": lambda d: d[:20], "empty": lambda d: b"", "longer": lambda d: d + b"x"}
        for name, change in changes.items():
            self.fill()
            for path in self.entries():
                with open(path, "rb") as file:
                    data = file.read()
                with open(path, "wb") as file:
                    file.write(change(data))
            run = self.run(NEVER)
            self.same(name, run)
            self.check(name + ": figures", run.fetched == 0 and (run.refused > 0 or name == "empty"), str(vars(run)))
            # The program may end before its functions are compiled again.
            again = self.until(name + ", again", lambda run: run.fetched > 0, NEVER)
            self.check(name + ": replaced", again.fetched > 0, str(vars(again)))

    def foreign(self):
        self.fill()
        entries = self.entries()
        contents = []
        for path in entries:
            with open(path, "rb") as file:
                contents.append(file.read())
        for path, data in zip(entries, contents[1:] + contents[:1]):
            with open(path, "wb") as file:
                file.write(data)
        self.same("each entry under the name of another", self.run(NEVER))

    def together(self):
        shutil.rmtree(self.cache, ignore_errors=True)
        for turn in range(2):
            for run in [self.finish(p) for p in [self.start(SOON, pause=1500) for _ in range(3)]]:
                self.same("three at once, turn %d" % turn, run)
        self.fill(isEmpty=False)
        run = self.run(NEVER)
        self.check("after three at once", run.fetched > 0 and run.refused == 0, str(vars(run)))
        # What a VM that ended while it wrote has left goes some time.
        left = os.path.join(os.path.dirname(self.entries()[0]), ".1-1")
        for path in self.entries() + [left]:
            with open(path, "wb"):
                os.utime(path, (1, 1))
        for pause in PAUSES:
            self.run(SOON, pause=pause)
            if not os.path.exists(left):
                break
        self.check("temporary file", not os.path.exists(left))

    def changed(self):
        self.fill()
        code = self.compile("other")
        self.same("changed module", self.run(SOON, code=code), self.real(code))
        self.same("unchanged module", self.run(NEVER))

    def precompiled(self):
        shutil.rmtree(self.cache, ignore_errors=True)
        files = [os.path.join(self.code, "cached.beam")]
        done = subprocess.run([self.enigma, "precompile", "--jit-cache", self.cache] + files, capture_output=True, text=True, timeout=300)
        self.check("precompile", done.returncode == 0 and re.search(r"cached: \d+ units kept\n", done.stdout) is not None,
                   done.stdout + done.stderr)
        self.warm("precompiled")
        # Modules whose memory comes after each other's.
        folder = os.path.join(self.scratch, "several")
        os.makedirs(folder)
        names = ["several%d" % number for number in range(12)]
        for number, name in enumerate(names):
            body = "".join("f%d(X, [Y | T]) -> f%d(X + Y, T);\nf%d(X, []) -> {%s, X}.\n" % (i, i, i, name) for i in range(number + 2))
            with open(os.path.join(folder, name + ".erl"), "w") as file:
                file.write("-module(%s).\n-compile([export_all, nowarn_export_all]).\n%s" % (name, body))
        subprocess.run(["erlc"] + [name + ".erl" for name in names], cwd=folder, check=True)
        done = subprocess.run([self.enigma, "precompile", "--jit-cache", self.cache] + [name + ".beam" for name in names],
                              cwd=folder, capture_output=True, text=True, timeout=300)
        expected = sorted("%s: %d units kept" % (name, number + 4) for number, name in enumerate(names))
        self.check("several modules", done.returncode == 0 and sorted(done.stdout.split("\n"))[1:] == expected, done.stdout + done.stderr)
        missing = subprocess.run([self.enigma, "precompile", "nosuchapp"], capture_output=True, text=True, timeout=60)
        self.check("precompile of nothing", missing.returncode == 1 and "nosuchapp" in missing.stderr)

    def places(self):
        self.same("no directory can be made", self.run(SOON, cache="/proc/nowhere/cache"))
        self.fill()
        [key] = [os.path.join(self.cache, n) for n in os.listdir(self.cache) if n != ".swept"]
        os.chmod(key, 0o777)
        run = self.run(NEVER)
        self.same("others may write", run)
        self.check("others may write: figures", run.fetched == 0 and run.kept == 0, str(vars(run)))
        os.chmod(key, 0o700)

    def wanted(self):
        """A program that is always over too soon gets its native code all the same, in one of the next runs."""
        shutil.rmtree(self.cache, ignore_errors=True)
        folder = os.path.join(self.scratch, "short")
        os.makedirs(folder)
        with open(os.path.join(folder, "short.erl"), "w") as file:
            file.write(SHORT)
        subprocess.run(["erlc", "short.erl"], cwd=folder, check=True)
        real = subprocess.run(["erl", "-noshell", "-pa", folder, "-eval",
                               'io:format("~.16b~n", [binary:decode_unsigned(short:module_info(md5))]), short:main(20000, halt).'],
                              capture_output=True, text=True, check=True, timeout=120).stdout.split()
        # Fewer calls than the threshold, but enough for what is wanted.
        few = subprocess.run(["erl", "-noshell", "-pa", folder, "-eval", "short:main(150, halt)."],
                             capture_output=True, text=True, check=True, timeout=120).stdout.split()
        def start(calls, next):
            command = [self.enigma, "--jit-stats", "--jit-threshold", "200", "--jit-cache", self.cache, "-noshell", "-pa", folder]
            return self.finish(subprocess.Popen(command + ["-eval", "short:main(%d, %s)." % (calls, next)], stdin=subprocess.DEVNULL,
                                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        def entries(suffix):
            return [n for path, _, names in os.walk(self.cache) if path.endswith(real[0].zfill(32)) for n in names if n.endswith(suffix)]
        run = start(20000, "halt")
        self.check("too short: output", run.output.split() == real[1:], run.output)
        # On a busy machine it may have been long enough.
        isEarly = len(entries(".unit")) == 0
        self.check("too short: noted", entries(".wanted") or not isEarly, str(vars(run)))
        run = start(150, "wait")
        self.check("wanted: output", run.output.split() == few, run.output)
        self.check("wanted: compiled", entries(".unit") and run.kept + run.fetched > 0, str(vars(run)))
        run = start(150, "wait")
        isGone = not entries(".wanted") or not isEarly
        self.check("wanted: fetched", run.output.split() == few and run.fetched > 0 and isGone, str((vars(run), entries(""))))
        # Names that nobody has written.
        [place] = [path for path, _, _ in os.walk(self.cache) if path.endswith(real[0].zfill(32))]
        for name in entries(".unit"):
            os.unlink(os.path.join(place, name))
        for name in ("zz-0", "0-", "ffffffff-1", "-3", "1--2", "0-99999999999999999999", "7fffffffffffffff-0", "-", "", "1-1-1", "+1-+1"):
            with open(os.path.join(place, name + ".wanted"), "w") as file:
                file.write("what nobody reads")
        for number in range(12):
            os.mkdir(os.path.join(place, "%x-0.wanted" % number))
        for next in ("halt", "wait", "wait"):
            run = start(150, next)
            self.check("damaged notes, then %s" % next, run.output.split() == few, run.output)
        self.check("damaged notes: compiled", run.fetched > 0 and entries(".unit"), str(vars(run)))

    def bounded(self):
        shutil.rmtree(self.cache, ignore_errors=True)
        old = os.path.join(self.cache, "0" * 32, "1" * 32)
        os.makedirs(old, mode=0o700)
        for number in range(40):
            path = os.path.join(old, "%x.unit" % number)
            with open(path, "wb") as file:
                file.write(b"x" * 65536)
            os.utime(path, (1, 1))
        run = self.until("limit", lambda run: run.kept > 0, SOON + ["--jit-cache-limit", "1"])
        size = sum((os.path.getsize(path) + 4095) & ~4095 for path in self.entries())
        self.check("limit: size", run.kept > 0 and size <= 1 << 20, str(size))


def main():
    with tempfile.TemporaryDirectory() as scratch:
        suite = Suite(sys.argv[1], scratch)
        for case in (suite.cold_and_warm, suite.damage, suite.foreign, suite.together, suite.changed, suite.precompiled,
                     suite.places, suite.wanted, suite.bounded):
            if len(sys.argv) > 2 and case.__name__ not in sys.argv[2:]:
                continue
            try:
                case()
            except (RuntimeError, ValueError, subprocess.SubprocessError) as problem:
                suite.check(case.__name__, False, str(problem))
        print("%d passed, %d failed" % (suite.passed, suite.failed))
        sys.exit(1 if suite.failed else 0)


if __name__ == "__main__":
    main()
