#!/usr/bin/env python3
"""Feeds damaged files and damaged external terms to Enigma: nothing may crash or hang it.

usage: fuzz.py ENIGMA [--files N] [--code N] [--terms N] [--from N]

otp/fuzz/beam_fuzz.erl damages .beam files, term_fuzz.erl external terms. Every mutant has a number, from which it is
made again. Mutants that load are called; --code makes N more in which only instructions are changed. What external terms decode to is compared with the real erl; for files only survival counts, because
OTP's loader crashes on some of them.
"""
import argparse, concurrent.futures, glob, os, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FUZZ = os.path.join(ROOT, "otp", "fuzz")
# Pure modules, which nothing that runs here needs, and our own tests.
OTP_FILES = "array gb_trees gb_sets dict orddict queue proplists sofs digraph_utils calendar eval_bits random".split()
OWN_FILES = "control_tests bits_tests map_tests zlib_tests".split()
BATCH = 2500
LIMIT = 300


def compile_all(out):
    own = [os.path.join(ROOT, "otp", "tests", f + ".erl") for f in OWN_FILES]
    subprocess.run(["erlc", "-o", out] + glob.glob(os.path.join(FUZZ, "*.erl")) + own, check=True)
    stdlib = glob.glob("/usr/lib/erlang/lib/stdlib-*/ebin")[0]
    return [os.path.join(stdlib, f + ".beam") for f in OTP_FILES] + [os.path.join(out, f + ".beam") for f in OWN_FILES]


def run(vm, out, module, arguments):
    """Lines by number, and how it ended: None is well."""
    line = [vm, "-noshell", "-pa", out, "-run", module, "main"] + [str(a) for a in arguments]
    environment = dict(os.environ, ERL_CRASH_DUMP=os.path.join(out, "dump"))
    try:
        done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, env=environment)
        text, ending = done.stdout, "exit %d %s" % (done.returncode, done.stderr.decode("utf-8", "replace")[-300:])
    except subprocess.TimeoutExpired as over:
        text, ending = over.stdout or b"", "hangs"
    lines = text.decode("utf-8", "replace").splitlines()
    if lines and lines[-1] == "end":
        ending = None
    return dict(l.split(" ", 1) for l in lines if l[:1].isdigit() and " " in l), ending


def check_files(enigma, out, files, kind, first, last):
    lines, ending = run(enigma, out, "beam_fuzz", [kind, first, last] + files)
    if ending:
        return ["beam_fuzz %s: %s, after mutant %s" % (kind, ending, max(map(int, lines), default=first - 1))], lines
    return [], lines


def check_rules(enigma, out):
    """Functions made by hand that break one rule each."""
    lines, ending = run(enigma, out, "bad_code", ["all"])
    problems = ["bad_code %s: %s" % (n, line) for n, line in lines.items() if not line.endswith(" ok")]
    return problems + (["bad_code %s after %d" % (ending, len(lines))] if ending else []), lines


def check_terms(enigma, out, first, last):
    have, ending = run(enigma, out, "term_fuzz", [first, last])
    if ending:
        return ["term_fuzz %s, after mutant %s" % (ending, max(map(int, have), default=first - 1))], have
    want, ending = run("erl", out, "term_fuzz", [first, last])
    if ending:
        return ["erl itself: term_fuzz %s, after mutant %d" % (ending, max(map(int, want), default=first - 1))], have
    wrong = [n for n in want if want[n] != have.get(n) and not want[n].endswith("lenient")]
    return ["term %s decodes to something else" % n for n in wrong], have


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("enigma")
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--code", type=int, default=3000)
    parser.add_argument("--terms", type=int, default=50000)
    parser.add_argument("--from", type=int, default=1, dest="first")
    options = parser.parse_args()
    enigma = os.path.abspath(options.enigma)
    problems, endings = [], {}
    with tempfile.TemporaryDirectory() as out, concurrent.futures.ThreadPoolExecutor(2) as pool:
        files = compile_all(out)

        def ranges(count):
            return [(n, min(n + BATCH, options.first + count) - 1)
                    for n in range(options.first, options.first + count, BATCH)]
        loading = [pool.submit(check_files, enigma, out, files, "any", a, b) for a, b in ranges(options.files)]
        loading += [pool.submit(check_files, enigma, out, files, "code", a, b) for a, b in ranges(options.code)]
        decoding = [pool.submit(check_terms, enigma, out, a, b) for a, b in ranges(options.terms)]
        for job in loading:
            wrong, lines = job.result()
            problems += wrong
            for ending in lines.values():
                endings[ending.split()[0]] = endings.get(ending.split()[0], 0) + 1
        wrong, rules = check_rules(enigma, out)
        problems += wrong
        decoded = 0
        for job in decoding:
            wrong, lines = job.result()
            problems += wrong
            decoded += len(lines)
    for problem in problems[:20]:
        print(problem)
    print("%d damaged files: %s" % (sum(endings.values()), ", ".join("%d %s" % (n, e) for e, n in endings.items())))
    print("%d functions that break rules" % len(rules))
    print("%d damaged terms" % decoded)
    print("%d problems" % len(problems))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
