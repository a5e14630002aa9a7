#!/usr/bin/env python3
"""Runs every benchmark on the real erl and on Enigma alternately and prints medians and ratios.

usage: run.py ENIGMA [--rounds N] [--cold] [--warm] [--cpu] [--no-jit] [--only NAME]...
       run.py ENIGMA --erlc [...]: erlc.py instead

cold: a whole process from its start to its end, one run of the program in it; Enigma without the cache of compiled
code, and with one that earlier runs have filled. warm: one run inside a VM that has run the program for a while.
--cold and --warm: only these; --cpu: cold times are what all threads of the process used, for busy machines;
--no-jit: warm runs of the interpreter alone. A ratio is Enigma's median over erl's: below 1 Enigma is faster.
"""
import math, os, resource, statistics, subprocess, sys, tempfile, time

import erlc

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(os.path.dirname(HERE), "_out")
CPU = "fib tak nqueens sum sieve lists tuples trees maps big_maps floats mandelbrot nbody spectral fannkuch matrix bignum binaries bit_parse json strings exceptions funs sort sha".split()


COUNTS_CPU = "--cpu" in sys.argv


def clock():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime if COUNTS_CPU else time.monotonic()


def timed(command):
    begin = clock()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    return clock() - begin, done


def run(vm, name, how):
    wall, done = timed(vm + ["-noshell", "-pa", OUT, "-eval", "bench:%s(%s)." % (how, name)])
    if done.returncode != 0:
        raise RuntimeError("%s on %s: %s" % (name, vm[0], done.stderr[-300:] or done.stdout[-300:]))
    return wall * 1000 if how == "run" else int(done.stdout.split()[-1]) / 1000


class Bench:
    """Columns: label, command, how, and the column that the ratio is taken of."""

    def __init__(self, enigma, kinds, cache):
        cached = [enigma, "--jit-cache", cache]
        self.columns = []
        if "cold" in kinds:
            self.columns += [("erl", ["erl"], "run", None), ("no cache", [enigma, "--jit-cache", "off"], "run", "erl"),
                             ("cached", cached, "run", "erl")]
        if "no-jit" in kinds:
            self.columns += [("erl", ["erl"], "warm", None), ("no JIT", [enigma, "--no-jit"], "warm", "erl")]
        if "warm" in kinds:
            self.columns += [("erl warm", ["erl"], "warm", None), ("warm", [enigma, "--jit-cache", "off"], "warm", "erl warm")]
        self.cached = cached if "cold" in kinds else None
        self.ratios = {label: {} for label, _, _, base in self.columns if base}
        cells = ["%10s" % label + ("%7s" % "ratio" if base else "") for label, _, _, base in self.columns]
        print("%-12s%s" % ("ms", "".join(cells)), flush=True)

    def fill(self, run):
        """The first runs end while much is still being compiled: until three in a row have found nothing to add."""
        kept, idle = -1, 0
        for _ in range(12):
            run()
            count = sum(len(files) for _, _, files in os.walk(self.cached[-1]))
            kept, idle = count, idle + 1 if count == kept else 0
            if idle == 3:
                break

    def line(self, name, measure, rounds):
        times = {label: [] for label, _, _, _ in self.columns}
        try:
            if self.cached:
                self.fill(lambda: measure(self.cached, "run"))
            for _ in range(rounds):
                for label, command, how, _ in self.columns:
                    times[label].append(measure(command, how))
        except (RuntimeError, ValueError, IndexError, subprocess.TimeoutExpired) as problem:
            return print("%-12s failed: %s" % (name, problem), flush=True)
        medians = {label: statistics.median(values) for label, values in times.items()}
        text = "%-12s" % name
        for label, _, _, base in self.columns:
            text += "%10.1f" % medians[label]
            if base:
                ratio = medians[label] / medians[base]
                self.ratios[label][name] = ratio
                text += "%7.2f" % ratio
        print(text, flush=True)


def main():
    arguments = sys.argv[1:]
    enigma = os.path.abspath(arguments.pop(0))
    if "--erlc" in arguments:
        return erlc.main([enigma] + [a for a in arguments if a != "--erlc"])
    rounds, only, kinds = 5, [], []
    while arguments:
        flag = arguments.pop(0)
        if flag in ("--warm", "--cold", "--no-jit"):
            kinds.append(flag[2:])
            continue
        if flag == "--cpu":
            continue
        value = arguments.pop(0)
        if flag == "--rounds":
            rounds = int(value)
        else:
            only.append(value)
    kinds = kinds or ["cold", "warm"]
    os.makedirs(OUT, exist_ok=True)
    subprocess.run(["erlc", "-o", OUT, os.path.join(HERE, "bench.erl")], check=True)
    listing = subprocess.run(["erl", "-noshell", "-pa", OUT, "-eval", 'io:format("~p", [bench:names()]), halt().'],
                             capture_output=True, text=True, check=True).stdout
    names = only or [n.strip() for n in listing.strip("[]\n").split(",")]
    with tempfile.TemporaryDirectory() as cache:
        if not only and "cold" in kinds:
            Bench(enigma, ["cold"], cache).line(
                "start-up", lambda vm, _: timed(vm + ["-noshell", "-eval", "halt()."])[0] * 1000, rounds * 2)
        bench = Bench(enigma, kinds, cache)
        for name in names:
            bench.line(name, lambda vm, how: run(vm, name, how), rounds)
    for label, ratios in bench.ratios.items():
        cpu = [ratios[n] for n in ratios if n in CPU]
        if cpu:
            mean = math.exp(sum(map(math.log, cpu)) / len(cpu))
            print("%s: geometric mean of %d CPU-bound programs: %.2f" % (label, len(cpu), mean))


if __name__ == "__main__":
    main()
