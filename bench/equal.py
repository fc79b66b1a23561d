#!/usr/bin/env python3
"""As root: that programs/*.lisp do what c/*.bpf.c do, in this machine's kernel.

    bench/equal.py [BINARY] [NAME…]

The binary is target/release/whistler unless given. For both targets of size.py each program and clang's object get the
same inputs (harness/equiv.py), and ours the assertions of harness/check.py. Exit status 1 when one differs.
"""

import os
import subprocess
import sys
import tempfile

import size


def judge(name, isa, objects):
    """Whether one object is equal to clang's; says what the harness says."""
    mine, theirs = os.path.join(objects, isa, name + ".o"), os.path.join(size.HERE, "clang/v3", name + ".o")
    done = subprocess.run([sys.executable, "-B", "equiv.py", theirs, mine], cwd=os.path.join(size.HERE, "harness"),
                          capture_output=True, text=True)
    said = (done.stdout + done.stderr).strip().splitlines() or ["nothing said"]
    print(f"{name} {isa}: {said[-1] if done.returncode == 0 else 'NOT EQUAL'}", flush=True)
    if done.returncode != 0:
        print("\n".join(said[-20:]))
    return done.returncode == 0


def main():
    args = sys.argv[1:]
    known = size.names()
    rest = [a for a in args if a not in known]
    names = [a for a in args if a in known] or known
    binary = os.path.abspath(rest[0]) if rest else os.path.join(size.HERE, "../target/release/whistler")
    with tempfile.TemporaryDirectory() as to:
        size.compile_all(binary, to, names)
        good = [judge(name, isa, to) for name in names for isa in size.TARGETS]
        for isa in size.TARGETS:
            done = subprocess.run([sys.executable, "-B", "check.py", os.path.join(to, isa), *names],
                                  cwd=os.path.join(size.HERE, "harness"))
            good.append(done.returncode == 0)
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
