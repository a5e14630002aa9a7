#!/usr/bin/env python3
"""Runs the Erlang test modules of otp/tests on the real erl and on Enigma and compares their lines.

usage: run.py ENIGMA [--full] [--module NAME]... [--mode NAME]...

Each mode is a set of flags for Enigma; without --mode those run that are not marked as slow, with --full all. Prints a
table of modules by modes, every difference, and a last line `N passed, M failed`. Exit code 1 if anything failed.

A module with a difference runs once more on both VMs: a test that differs again has failed, one that does not is printed
as unsteady, and more than UNSTEADY of those fail the run. A VM that crashes or hangs has failed the first time.

otp/expectations/known-differences.txt names the tests that are known to differ (with the reason): they are counted
apart, and one that is equal in every mode run fails, so that the list shrinks as Enigma gets better.
"""
import os, re, shutil, subprocess, sys, tempfile, concurrent.futures

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TESTS = os.path.join(ROOT, "otp", "tests")


class Mode:
    """together: all modules in one VM, because its start takes long. slow: only with --full."""
    def __init__(self, *flags, together=False, slow=False, limit=300):
        self.flags, self.together, self.slow = list(flags), together, slow
        self.limit = 1500 if together else limit


OUT = os.path.join(ROOT, "otp", "_out")
# Everything is compiled: the cache is used with the default flags alone, and one for the modes that compile everything.
COLD = ["--jit-cache", "off"]
EAGER = ["--jit-cache", os.path.join(OUT, "cache", "eager"), "--jit-eager"]
EARLY = COLD + ["--jit-threshold", "20"]
STRESS = ["--gc-stress", "+S", "1"]
MODES = {
    "default": Mode(),
    "S1": Mode("+S", "1"),
    "S2": Mode("+S", "2", slow=True),
    "no-jit": Mode("--no-jit"),
    "no-jit-S2": Mode("--no-jit", "+S", "2", slow=True),
    "gc-stress": Mode("--no-jit", *STRESS, limit=900),
    "gc-stress-S2": Mode("--gc-stress", "+S", "2", limit=600, slow=True),
    "jit-early": Mode(*EARLY, together=True),
    "jit-early-S1": Mode(*EARLY, "+S", "1", together=True, slow=True),
    "jit-early-stress": Mode(*EARLY, *STRESS, together=True, slow=True),
    "jit-eager": Mode(*EAGER, "+S", "2", together=True, slow=True),
    "jit-eager-S1": Mode(*EAGER, "+S", "1", together=True, slow=True),
    "jit-eager-stress": Mode(*EAGER, *STRESS, together=True, slow=True),
    "jit-eager-stress-S2": Mode(*EAGER, "--gc-stress", "+S", "2", together=True, slow=True),
    "jit-exit-stress": Mode(*EARLY, "--jit-exit-stress", "+S", "2", together=True, slow=True),
    "jit-exit-stress-S1": Mode(*EARLY, "--jit-exit-stress", "+S", "1", together=True, slow=True),
    "jit-exit-gc-stress": Mode(*EARLY, "--jit-exit-stress", *STRESS, together=True, slow=True),
}
UNSTEADY = 3
ENDED = "#ended "
# Programs that take a VM's time alone are left out where all modules run in one; reports of the logger show what ran
# before, so those modules have a VM of their own.
NOT_TOGETHER = {"memory_tests", "scale_tests"}
ALONE = {"gen_tests", "port_tests", "process_tests"}
# Not under stress: how large heaps are depends on when they are collected; large numbers of things take too long.
# The traces of collections are others too, and functions that are hot on purpose collect millions of times.
NOT_UNDER_STRESS = {"memory_tests", "scale_tests", "trace_tests", "jit_tests", "jit_exception_tests", "jit_shape_tests",
                    "latency_tests", "monitor_tests"}


def compile_tests(out):
    sources = sorted(os.path.join(TESTS, f) for f in os.listdir(TESTS) if f.endswith(".erl"))
    subprocess.run(["erlc", "-W0", "-o", out] + sources, check=True)
    return [os.path.basename(s)[:-4] for s in sources]


def run(command, modules, out, limit=180):
    """Lines by module on one VM; a last one with ENDED says how it ended if that was not exit code 0."""
    lines = run_lines(command, modules, out, limit)
    if len(modules) == 1:
        return {modules[0]: lines}
    table, module = {m: [ENDED + "before"] for m in modules}, modules[0]
    for line in lines:
        if line.startswith("#module "):
            module = line.split()[1]
            table[module] = []
        else:
            table[module].append(line)
    return table


def run_lines(command, modules, out, limit):
    with tempfile.TemporaryDirectory() as scratch:
        env = dict(os.environ, ENIGMA_TEST_TMP=scratch, ENIGMA_TEST_SECONDS=str(limit * 2 // 5),
                   XDG_CACHE_HOME=os.path.join(out, "cache"), ERL_CRASH_DUMP=os.path.join(scratch, "dump"))
        line = command + ["-noshell", "-pa", out, "-eval", "harness:main([%s])." % ",".join(modules)]
        try:
            done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit, env=env)
        except subprocess.TimeoutExpired as over:
            return (over.stdout or b"").decode("utf-8", "replace").splitlines() + [ENDED + "by its time limit"]
        lines = done.stdout.decode("utf-8", "replace").splitlines()
        if done.returncode != 0:
            lines.append(ENDED + "with %d %s" % (done.returncode, done.stderr.decode("utf-8", "replace")[-300:]))
        return lines


def known_differences():
    """Test names of the list; `*` at the end of a name stands for the rest."""
    names = []
    with open(os.path.join(ROOT, "otp", "expectations", "known-differences.txt")) as file:
        for line in file:
            name = line.split("#")[0].strip()
            if name:
                names.append(name)
    return names


def differences(module, expected, got):
    """Pairs of lines that differ, by test name, and the number of equal ones. What a module prints besides its
    outcomes (reports of the logger, say) counts as one more test, `MODULE:output`."""
    def by_name(lines):
        table = {}
        for line in lines:
            name = line.split(" ", 1)[0]
            if not name.startswith(module + ":"):
                name = module + ":output"
                line = re.sub(r"\d\d?-\w+-\d+::[\d:.]+|<0\.\d+\.\d+>", "*", line)
            table.setdefault(name, []).append(line)
        return table
    want, have = by_name(expected), by_name(got)
    wrong = [(n, want.get(n), have.get(n)) for n in dict.fromkeys(list(want) + list(have)) if want.get(n) != have.get(n)]
    return wrong, len(want) - sum(1 for n, w, _ in wrong if w)


def repeat(enigma, mode, module, out, real, wrong):
    """Differences that come again in a second run on both VMs, and the others."""
    want = run(["erl"], [module], out)[module]
    have = run([enigma] + MODES[mode].flags, [module], out, MODES[mode].limit)[module]
    again = {name for name, _, _ in differences(module, want, have)[0]}
    for name, first, second in differences(module, real, want)[0]:
        print("  the real erl gives two outcomes of %s\n    %s\n    %s" % ((name,) + excerpts(str(first), str(second))))
        again.discard(name)
    return [w for w in wrong if w[0] in again], [w for w in wrong if w[0] not in again]


def excerpts(want, have, width=600):
    """The parts of two texts around their first difference."""
    same = len(os.path.commonprefix([want, have]))
    start = max(0, same - width // 2) if same > width // 2 else 0
    return want[start:start + width], have[start:start + width]


def split(name, modules):
    """The runs of a mode: (mode, modules)."""
    if "stress" in name and "exit-stress" not in name:
        modules = [m for m in modules if m not in NOT_UNDER_STRESS]
    if not MODES[name].together:
        return [(name, [m]) for m in modules]
    modules = [m for m in modules if m not in NOT_TOGETHER]
    together = [m for m in modules if m not in ALONE]
    return ([(name, together)] if together else []) + [(name, [m]) for m in modules if m in ALONE]


def main():
    arguments = sys.argv[1:]
    enigma = os.path.abspath(arguments.pop(0))
    modules, modes, full = [], [], "--full" in arguments
    if full:
        arguments.remove("--full")
    while arguments:
        flag, value = arguments.pop(0), arguments.pop(0)
        (modules if flag == "--module" else modes).append(value)
    out = OUT
    os.makedirs(out, exist_ok=True)
    # Each run compiles everything anew.
    shutil.rmtree(os.path.join(out, "cache"), ignore_errors=True)
    every = [m for m in compile_tests(out) if m.endswith("_tests")]
    modules = modules or every
    modes = modes or [name for name, mode in MODES.items() if full or not mode.slow]
    known = known_differences()
    seen = set()
    passed = failed = expected = unsteady = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        real = {}
        for lines in pool.map(lambda m: run(["erl"], [m], out), modules):
            real.update(lines)
        jobs = [job for name in modes for job in split(name, modules)]
        results = pool.map(lambda job: run([enigma] + MODES[job[0]].flags, job[1], out, MODES[job[0]].limit), jobs)
        for (mode, _), table in zip(jobs, results):
            for module, lines in table.items():
                wrong, right = differences(module, real[module], lines)
                passed += right
                listed = [w for w in wrong if w[0] in known]
                seen.update(w[0] for w in listed)
                expected += len(listed)
                wrong, once = [w for w in wrong if w[0] not in known], []
                if wrong and not any(line.startswith(ENDED) for line in lines):
                    wrong, once = repeat(enigma, mode, module, out, real[module], wrong)
                failed += len(wrong)
                unsteady += len(once)
                print("%-18s %-20s %4d equal %4d differ" % (mode, module, right, len(wrong)), flush=True)
                for note, (name, want, have) in [("", w) for w in wrong[:20]] + [("unsteady ", w) for w in once[:20]]:
                    print("  %s%s\n    erl    %s\n    enigma %s" % ((note, name) + excerpts(str(want), str(have))))
    stale = [n for n in known if n not in seen and n.split(":")[0] in modules]
    for name in stale:
        print("no longer differs, take it off the list: %s" % name)
    failed += len(stale)
    failed += unsteady if unsteady > UNSTEADY else 0
    print("%d known differences, %d unsteady tests" % (expected, unsteady))
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
