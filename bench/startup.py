#!/usr/bin/env python3
"""CPU time, wall time and memory of short runs of whistler, beside those of /bin/true.

    bench/startup.py [BINARY] [RUNS]

The binary is target/release/whistler unless given. Medians over the runs; CPU time is user + system, of the
whole process. What /bin/true needs is the cost of starting any process here and is part of every line.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def run(command):
    """Seconds of wall time and of CPU time that a command takes."""
    start = time.perf_counter()
    to_null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)]
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=to_null)
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    if status != 0:
        sys.exit(f"{' '.join(command)}: ended with status {status}")
    return wall, used.ru_utime + used.ru_stime


def memory(command):
    """KiB of memory that a command has at most. By GNU time, because what a process was before it became the
    command (here: a Python) counts, too."""
    tool = shutil.which("time")
    if not tool:
        return None
    said = subprocess.run([tool, "-f", "%M", *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return int(said.stderr.split()[-1])


def main():
    binary = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "target/release/whistler"))
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as scratch:
        commands = {
            "/bin/true": ["/bin/true"],
            "whistler -e '(+ 1 2)'": [binary, "-e", "(+ 1 2)"],
            "whistler compile examples/syn-limit.lisp": [
                binary, "compile", "examples/syn-limit.lisp", "-o", os.path.join(scratch, "out.o")
            ],
        }
        print(f"{'':42} {'CPU ms':>8} {'least':>7} {'wall ms':>8} {'least':>7} {'MB':>6}   (medians of {runs})")
        for name, command in commands.items():
            taken = [run(command) for _ in range(runs)]
            walls, cpus = zip(*taken)
            peak = memory(command)
            print(
                f"{name:42} {statistics.median(cpus) * 1e3:8.2f} {min(cpus) * 1e3:7.2f}"
                f" {statistics.median(walls) * 1e3:8.2f} {min(walls) * 1e3:7.2f}"
                f" {peak / 1024 if peak else float('nan'):6.1f}"
            )
    print(f"{os.path.getsize(binary) / 1e6:.2f} MB on disk")


main()
