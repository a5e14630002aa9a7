#!/usr/bin/env python3
"""Compiles all of stdlib in one `erlc` run, on the real erl and on Enigma alternately; prints medians and ratios.

usage: erlc.py ENIGMA [--rounds N] [--only MODULE]... [--column LABEL]... [--flags FLAGS]

Columns: erl; no cache: the JIT from nothing; cached: with a cache that two runs have filled; precompiled: with one that
`enigma precompile compiler stdlib` has filled; no JIT.
wall is the time from start to end, CPU what all threads of the process used: on a busy machine, look at that.
"""
import glob, os, resource, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
ERLC = os.path.join(os.path.dirname(HERE), "bin", "erlc")


def erlang_lib(application):
    found = glob.glob("/usr/lib/erlang/lib/%s-[0-9]*" % application)
    if not found:
        raise SystemExit("erlc.py: %s is not installed" % application)
    return found[0]


def sources(only):
    folder = os.path.join(erlang_lib("stdlib"), "src")
    files = sorted(glob.glob(folder + "/*.erl"))
    if not files:
        raise SystemExit("erlc.py: stdlib's sources are not installed (erlang-src)")
    return [f for f in files if not only or os.path.basename(f)[:-4] in only]


class Column:
    def __init__(self, label, command):
        self.label, self.command, self.wall, self.cpu = label, command, [], []

    def run(self, files, keep=True):
        with tempfile.TemporaryDirectory() as out:
            includes = ["-I", erlang_lib("stdlib") + "/include", "-I", erlang_lib("kernel") + "/include"]
            before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            done = subprocess.run(self.command + ["-o", out] + includes + files, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=1800)
            wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
            if done.returncode != 0 or len(os.listdir(out)) != len(files):
                raise SystemExit("erlc.py: %s: %s" % (self.label, (done.stdout + done.stderr)[-500:]))
        if keep:
            self.wall.append(wall)
            self.cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def enigma_erlc(enigma, flags):
    """erlc's launcher with another emulator: variables are words of a shell."""
    return ["env", "ERLC_EMULATOR=%s %s" % (enigma, flags), ERLC]


def main(arguments):
    enigma = os.path.abspath(arguments.pop(0))
    rounds, only, wanted, flags = 3, [], [], ""
    while arguments:
        flag, value = arguments.pop(0), arguments.pop(0)
        if flag == "--rounds":
            rounds = int(value)
        elif flag == "--column":
            wanted.append(value)
        elif flag == "--flags":
            flags = value
        else:
            only.append(value)
    files = sources(only)
    with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as full:
        cached = Column("cached", enigma_erlc(enigma, "--jit-cache %s %s" % (cache, flags)))
        precompiled = Column("precompiled", enigma_erlc(enigma, "--jit-cache %s %s" % (full, flags)))
        columns = [Column("erl", ["/usr/bin/erlc"]), Column("no cache", enigma_erlc(enigma, "--jit-cache off " + flags)), cached,
                   precompiled, Column("no JIT", enigma_erlc(enigma, "--no-jit " + flags))]
        columns = [c for c in columns if not wanted or c.label in wanted]
        if cached in columns:
            for _ in range(2):
                cached.run(files, keep=False)
        if precompiled in columns:
            subprocess.run([enigma, "precompile", "--jit-cache", full, "compiler", "stdlib"], check=True, stdout=subprocess.DEVNULL)
        for _ in range(rounds):
            for column in columns:
                column.run(files)
    print("erlc of %d modules of stdlib, %d rounds, load average %.1f" % (len(files), rounds, os.getloadavg()[0]))
    base = columns[0]
    for column in columns:
        wall, cpu = statistics.median(column.wall), statistics.median(column.cpu)
        print("%-11s wall %7.2f s%7.2f   CPU %7.2f s%7.2f" % (
            column.label, wall, wall / statistics.median(base.wall), cpu, cpu / statistics.median(base.cpu)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
