#!/usr/bin/env python3
"""Where compiling a file spends its time: medians of `whistler compile --timings` over many runs.

    bench/stages.py [FILE] [BINARY] [RUNS]

examples/syn-limit.lisp, target/release/whistler and 100 runs unless given.
"""

import os
import statistics
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def main():
    given = sys.argv[1:] + [None] * 3
    source = os.path.abspath(given[0] or os.path.join(ROOT, "examples/syn-limit.lisp"))
    binary = os.path.abspath(given[1] or os.path.join(ROOT, "target/release/whistler"))
    runs = int(given[2] or 100)
    stages = {}
    for _ in range(runs):
        command = [binary, "compile", "--timings", "-o", os.devnull, source]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
        for line in said.splitlines():
            time, unit, stage = line.split(maxsplit=2)
            if unit == "µs":
                stages.setdefault(stage, []).append(float(time))
    print(f"µs, median and least of {runs}: {os.path.basename(source)}")
    for stage, times in stages.items():
        print(f"{statistics.median(times):8.1f} {min(times):8.1f}  {stage}")


main()
