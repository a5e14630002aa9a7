#!/usr/bin/env python3
"""Proves from the binary that the interpreter's handlers stay lean.

usage: check_hot.py ENIGMA

Every handler h_NAME that has a fast path may neither push nor call, nor reach Swift's reference counting, exclusivity
checks or once-guards. A handler without a fast path (and the out-of-line half s_NAME of one) may call its own slow
function once, and nothing else. Exit code 1 names the handlers that do more.
"""
import re, subprocess, sys

FORBIDDEN = re.compile(r"swift_(retain|release|beginAccess|once|allocError|bridgeObject)")


def main():
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", sys.argv[1]], capture_output=True, text=True, check=True).stdout
    name, bad, seen = None, {}, 0
    calls = {}
    for line in text.splitlines():
        head = re.match(r"^[0-9a-f]+ <([hs]_\w+)>:$", line)
        if head or line.endswith(">:"):
            name = head.group(1) if head else None
            seen += 1 if head else 0
            continue
        if not name:
            continue
        instruction = line.split("\t")[-1].strip()
        if FORBIDDEN.search(instruction):
            bad.setdefault(name, []).append(instruction)
        if instruction.startswith("call"):
            calls.setdefault(name, []).append(instruction)
    for handler, found in calls.items():
        # The linker folds slow functions of the same body, so the name may be another instruction's.
        others = [c for c in found if not re.search(r"<(c_)?slow_\w+>", c)]
        if others or len(found) > 1:
            bad.setdefault(handler, []).extend(others or found)
    print("%d handlers" % seen)
    for handler in sorted(bad):
        print("%s: %s" % (handler, "; ".join(bad[handler][:3])))
    if seen < 100:
        print("too few handlers found: is the binary stripped?")
    print("check-hot: %d handlers break the rule" % len(bad))
    sys.exit(1 if bad or seen < 100 else 0)


if __name__ == "__main__":
    main()
