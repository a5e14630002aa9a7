#!/usr/bin/env python3
"""Runs every benchmark on the real erl and on Enigma alternately and prints medians and ratios.

usage: run.py ENIGMA [--rounds N] [--warm] [--only NAME]...

--warm: each program runs for a while in its VM before it is timed.

Times are taken inside the VM (one run of the program in a fresh VM); start-up to halt() is the wall time of a whole
process. A ratio is Enigma's median over erl's: below 1 Enigma is faster.
"""
import math, os, statistics, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(os.path.dirname(HERE), "_out")
CPU = "fib tak nqueens sum sieve lists tuples trees maps big_maps floats mandelbrot nbody spectral fannkuch matrix bignum binaries bit_parse json strings exceptions funs sort sha".split()


def timed(command):
    begin = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    return time.monotonic() - begin, done


def measure(vm, name, how="run"):
    wall, done = timed(vm + ["-noshell", "-pa", OUT, "-eval", "bench:%s(%s)." % (how, name)])
    if done.returncode != 0:
        raise RuntimeError("%s on %s: %s" % (name, vm[0], done.stderr[-300:] or done.stdout[-300:]))
    return int(done.stdout.split()[-1]) / 1000


def main():
    arguments = sys.argv[1:]
    enigma = [os.path.abspath(arguments.pop(0))]
    rounds, only, how = 5, [], "run"
    while arguments:
        flag = arguments.pop(0)
        if flag == "--warm":
            how = "warm"
            continue
        value = arguments.pop(0)
        if flag == "--rounds":
            rounds = int(value)
        else:
            only.append(value)
    os.makedirs(OUT, exist_ok=True)
    subprocess.run(["erlc", "-o", OUT, os.path.join(HERE, "bench.erl")], check=True)
    listing = subprocess.run(["erl", "-noshell", "-pa", OUT, "-eval", 'io:format("~p", [bench:names()]), halt().'],
                             capture_output=True, text=True, check=True).stdout
    names = only or [n.strip() for n in listing.strip("[]\n").split(",")]
    print("%-12s %10s %10s %7s" % ("program", "erl ms", "enigma ms", "ratio"))
    ratios = {}
    if not only and how == "run":
        starts = {"erl": [], "enigma": []}
        for _ in range(rounds * 2):
            for label, vm in (("erl", ["erl"]), ("enigma", enigma)):
                starts[label].append(timed(vm + ["-noshell", "-eval", "halt()."])[0] * 1000)
        report("start-up", statistics.median(starts["erl"]), statistics.median(starts["enigma"]))
    for name in names:
        times = {"erl": [], "enigma": []}
        try:
            for _ in range(rounds):
                times["erl"].append(measure(["erl"], name, how))
                times["enigma"].append(measure(enigma, name, how))
        except (RuntimeError, ValueError, IndexError, subprocess.TimeoutExpired) as problem:
            print("%-12s failed: %s" % (name, problem), flush=True)
            continue
        ratios[name] = report(name, statistics.median(times["erl"]), statistics.median(times["enigma"]))
    cpu = [ratios[n] for n in ratios if n in CPU]
    if cpu:
        print("geometric mean of %d CPU-bound programs: %.2f" % (len(cpu), math.exp(sum(map(math.log, cpu)) / len(cpu))))


def report(name, real, ours):
    bar = "#" * min(60, round(ours / real * 10))
    print("%-12s %10.1f %10.1f %7.2f %s" % (name, real, ours, ours / real, bar), flush=True)
    return ours / real


if __name__ == "__main__":
    main()
