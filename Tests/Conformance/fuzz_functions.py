#!/usr/bin/env python3
"""Runs random Erlang functions on the real erl and on Enigma in several modes and compares what they give.

usage: fuzz_functions.py ENIGMA [--functions N] [--seed N] [--modes NAME,...] [--batch N] [--keep FOLDER]

otp/fuzz/fuzz_gen.erl writes modules of functions, which the real compiler compiles once; otp/fuzz/fuzz_run.erl calls
each function 90 times and prints a hash of results, exceptions, stack traces and messages. Between the modes of Enigma
the reductions must be equal too. A difference is printed with the function, the arguments and both results, the first of
a batch with a smaller module (otp/fuzz/fuzz_shrink.erl) too; its module stays in the folder of --keep, and comes again
from the same seed. What differs from run to run (the shape of a large map, and so the reductions of a merge, depends on the
numbers of atoms; erl has bugs of its own) is no difference. Last line: `N functions, M differ`.
"""
import argparse, concurrent.futures, glob, os, shutil, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# Functions written; of them about so many are legal and run.
PER_MODULE, RUN_OF_MODULE = 25, 17
# Where reductions are compared: one scheduler, since they depend on when messages arrive, and a heap so large that it is
# never collected, nor for binaries, since collections count and native code makes less garbage.
ONE = ["+S", "1"]
COUNTED = {"no-jit", "jit", "exit-stress"}
LARGE, SMALL = "4000000", "233"
HOT = ["--jit-only", "fz_", "--jit-wait", "--jit-threshold", "10"] + ONE
# Flags, and in which of the batches: every which one, and the first.
MODES = {
    "no-jit": (["--no-jit"] + ONE, 1, 0),
    "jit": (HOT, 1, 0),
    "eager": (["--jit-only", "fz_", "--jit-eager"] + ONE, 8, 0),
    "exit-stress": (HOT + ["--jit-exit-stress"], 4, 3),
    "S2": (["--jit-only", "fz_", "--jit-threshold", "10", "+S", "2"], 4, 1),
    "gc-stress": (HOT + ["--gc-stress"], 8, 2),
    "exit-gc-stress": (HOT + ["--jit-exit-stress", "--gc-stress"], 16, 1),
}
LIMIT = 600


def run(command, folder, words):
    """Standard output, and how it ended: None is well."""
    line = command + ["-noshell", "-pa", folder, "-run"] + words
    env = dict(os.environ, ERL_CRASH_DUMP=os.path.join(folder, "dump"))
    try:
        done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, env=env)
    except subprocess.TimeoutExpired as over:
        return (over.stdout or b"").decode("utf-8", "replace"), "hangs"
    ending = None if done.returncode == 0 else "exit %d %s" % (done.returncode, done.stderr.decode("utf-8", "replace")[-400:])
    return done.stdout.decode("utf-8", "replace"), ending


def table(text):
    """{function: (hash, reductions)}"""
    rows = {}
    for line in text.splitlines():
        parts = line.split(" ", 1)
        if ":" in parts[0] and len(parts) == 2:
            rows[parts[0]] = tuple(parts[1].rsplit(" ", 1))
    return rows


def first_difference(enigma, flags, folder, name, with_reductions):
    """The first call of a function that differs, on both sides."""
    module, function = name.split(":")
    words = ["fuzz_run", "show", LARGE if with_reductions else SMALL, module, function]
    left = run([enigma, "--no-jit"] + ONE if with_reductions else ["erl"], folder, words)[0].splitlines()
    right, ending = run([enigma, "--jit-cache", "off"] + flags, folder, words)
    right = right.splitlines()
    cut = (lambda l: l) if with_reductions else (lambda l: l.rsplit(" ", 1)[0])
    for index in range(1, len(left), 2):
        if index >= len(right) or cut(left[index]) != cut(right[index]):
            return "    arguments %s\n    want %s\n    have %s" % (
                left[index - 1], left[index].strip(), right[index].strip() if index < len(right) else ending)
    return "    not seen again"


def smaller(enigma, flags, folder, name):
    """The module of a function that differs, made small."""
    module, function = name.split(":")
    command = " ".join([enigma, "--jit-cache", "off"] + flags)
    return run(["erl"], folder, ["fuzz_shrink", "main", folder, SMALL, module, function, command])[0]


class Batch:
    def __init__(self, enigma, seed, first, modules, modes, keep):
        self.enigma, self.seed, self.first, self.modules, self.modes, self.keep = enigma, seed, first, modules, modes, keep
        self.problems, self.count = [], 0

    def check(self, tools):
        folder = tempfile.mkdtemp(prefix="fuzz")
        for beam in glob.glob(os.path.join(tools, "*.beam")):
            shutil.copy(beam, folder)
        try:
            self.check_in(folder)
        finally:
            shutil.rmtree(folder)
        return self

    def check_in(self, folder):
        last = self.first + self.modules - 1
        out, ending = run(["erl"], folder, ["fuzz_gen", "main", str(self.seed), str(self.first), str(last), str(PER_MODULE), folder])
        if ending:
            self.problems.append("the generator: %s %s" % (ending, out[-400:]))
            return
        names = ["fz_%d_%d" % (self.seed, i) for i in range(self.first, last + 1)]
        names = [n for n in names if os.path.exists(os.path.join(folder, n + ".beam"))]
        def words(mode):
            return ["fuzz_run", "main", LARGE if mode in COUNTED else SMALL] + names
        text, ending = run(["erl"], folder, words("erl"))
        want = table(text)
        self.count = len(want)
        if ending:
            # It has bugs of its own; what it printed before counts.
            print("erl itself: %s after %s" % (ending.split("\n")[0][:200], list(want)[-1:]), flush=True)
        reductions = None
        bad = set()
        for mode in self.modes:
            flags, every, first = MODES[mode]
            if (self.first // self.modules) % every != first:
                continue
            text, ending = run([self.enigma, "--jit-cache", "off"] + flags, folder, words(mode))
            have = table(text)
            if ending:
                self.problems.append("%s: %s after %s" % (mode, ending, list(have)[-1:]))
                bad.update(names)
            wrong = [n for n in want if n in have and have[n][0] != want[n][0]]
            if wrong:
                wrong = self.certain(folder, wrong, want, words("erl"))
            for name in wrong[:5]:
                self.problems.append("%s %s\n%s" % (mode, name, first_difference(self.enigma, flags, folder, name, False)))
            if wrong and not bad:
                self.problems[-1] += "\n" + smaller(self.enigma, flags, folder, wrong[:5][-1])
            if mode in COUNTED:
                if reductions is None:
                    reductions = have
                counted = [n for n in have if n in reductions and have[n][1] != reductions[n][1] and n not in wrong]
                counted = self.steady(folder, counted, words(mode), flags, reductions, have)
                for name in counted[:5]:
                    self.problems.append("%s %s: reductions\n%s" % (mode, name, first_difference(self.enigma, flags, folder, name, True)))
                wrong += counted
            bad.update(n.split(":")[0] for n in wrong)
        self.keep_modules(folder, bad)

    def certain(self, folder, functions, want, words):
        """Those of the functions for which erl gives the same once more."""
        again = table(run(["erl"], folder, words)[0])
        unsteady = [n for n in functions if again.get(n, (None,))[0] != want[n][0]]
        if unsteady:
            print("erl itself gives two results: %s" % " ".join(unsteady), flush=True)
        return [n for n in functions if n not in unsteady]

    def steady(self, folder, functions, words, flags, left, right):
        """Those of the functions that never cost the same in both tiers, in some more runs of each."""
        seen = {n: ({left[n][1]}, {right[n][1]}) for n in functions}
        for _ in range(4 if functions else 0):
            for side, mode in enumerate((["--no-jit"] + ONE, flags)):
                have = table(run([self.enigma, "--jit-cache", "off"] + mode, folder, words)[0])
                for name in functions:
                    seen[name][side].add(have.get(name, (None, None))[1])
        return [n for n in functions if not seen[n][0] & seen[n][1]]

    def keep_modules(self, folder, bad):
        if self.keep:
            for name in bad:
                for ending in (".erl", ".beam"):
                    shutil.copy(os.path.join(folder, name + ending), self.keep)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("enigma")
    parser.add_argument("--functions", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--batch", type=int, help="modules in one run")
    parser.add_argument("--first", type=int, default=0, help="batch to begin with")
    parser.add_argument("--keep")
    options = parser.parse_args()
    enigma = os.path.abspath(options.enigma)
    if options.keep:
        os.makedirs(options.keep, exist_ok=True)
    functions = differ = shown = 0
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as tools, concurrent.futures.ThreadPoolExecutor(2) as pool:
        subprocess.run(["erlc", "-o", tools] + [os.path.join(ROOT, "otp", "fuzz", f + ".erl") for f in ("fuzz_gen", "fuzz_run", "fuzz_shrink")], check=True)
        modes = options.modes.split(",")
        # Small enough for a batch in each mode.
        size = options.batch or (16 if options.functions > 2000 else 4)
        number = options.first
        waiting = []
        while functions < options.functions:
            while len(waiting) < 4 and functions + len(waiting) * size * RUN_OF_MODULE < options.functions:
                batch = Batch(enigma, options.seed, number * size, size, modes, options.keep)
                waiting.append(pool.submit(batch.check, tools))
                number += 1
            batch = waiting.pop(0).result()
            functions += batch.count
            differ += len(batch.problems)
            for problem in batch.problems:
                print("seed %d, batch %d: %s" % (options.seed, batch.first // size, problem), flush=True)
            if not batch.count:
                sys.exit("nothing ran")
            if functions // 1000 > shown:
                shown = functions // 1000
                print("%d functions, %d differ, %d s" % (functions, differ, time.monotonic() - start), flush=True)
        pool.shutdown(cancel_futures=True)
    print("%d functions, %d differ" % (functions, differ))
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
