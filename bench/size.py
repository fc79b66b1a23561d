#!/usr/bin/env python3
"""Slots (8-byte units of code) of programs/*.lisp beside those of clang 22 for c/*.bpf.c.

    bench/size.py [--floor] [BINARY]

The binary is target/release/whistler unless given. Each program is compiled for kernel 6.1 with instruction set v3
and for kernel 6.18 with v4; clang's objects lie in clang/ (clang.sh makes them). With --floor it is an error, and
the exit status 1, when a figure is above its limit: TOTAL and EACH below, of the v3 ratios.
"""

import glob
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "harness"))

from bpfobj import Obj  # noqa: E402

TARGETS = {"v3": "6.1/v3", "v4": "6.18/v4"}
TOTAL = 0.90
EACH = 1.10


def names():
    """The programs that exist in both languages."""
    both = [{os.path.basename(f).split(".")[0] for f in glob.glob(os.path.join(HERE, p))} for p in ("c/*.c", "programs/*.lisp")]
    return sorted(both[0] & both[1])


def compile_all(binary, to, which):
    """Compiles those programs for each target into TO/v3 and TO/v4."""
    for isa, target in TARGETS.items():
        os.makedirs(os.path.join(to, isa), exist_ok=True)
        for name in which:
            source, out = os.path.join(HERE, "programs", name + ".lisp"), os.path.join(to, isa, name + ".o")
            done = subprocess.run([binary, "compile", source, "--target", target, "-o", out], capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"{name} for {target}:\n{done.stderr}")


def slots(path):
    """Slots of all programs in an object, subprograms included."""
    o = Obj(path)
    return sum(o.count(p)[0] for p in o.progs)


def table(objects):
    """Prints the table; returns the v3 ratios, with that of the total under None."""
    ratios, total = {}, [0] * 4
    print(f"{'':20} {'ours v3':>8} {'ours v4':>8} {'clang v3':>9} {'clang v4':>9} {'v3':>6} {'v4':>6}")
    for name in names() + [None]:
        if name:
            row = [slots(os.path.join(d, isa, name + ".o")) for d in (objects, os.path.join(HERE, "clang")) for isa in TARGETS]
            total = [a + b for a, b in zip(total, row)]
        else:
            row = total
        v3, v4 = row[0] / row[2], row[1] / row[3]
        ratios[name] = v3
        print(f"{name or 'total':20} {row[0]:8} {row[1]:8} {row[2]:9} {row[3]:9} {v3:6.2f} {v4:6.2f}")
    return ratios


def above_floor(ratios):
    """What is above its limit, as sentences."""
    return [f"{n or 'the total'} is {r:.2f} of clang's size, above {EACH if n else TOTAL}" for n, r in ratios.items()
            if r > (EACH if n else TOTAL)]


def main():
    import tempfile

    args = [a for a in sys.argv[1:] if a != "--floor"]
    binary = os.path.abspath(args[0]) if args else os.path.join(HERE, "../target/release/whistler")
    with tempfile.TemporaryDirectory() as to:
        compile_all(binary, to, names())
        ratios = table(to)
    if "--floor" in sys.argv:
        wrong = above_floor(ratios)
        print("\n".join(wrong), end="\n" if wrong else "")
        sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
