#!/usr/bin/env python3
"""Time from starting `whistler run examples/exec-snoop.lisp` until its program is attached. As root, with strace.

    bench/attach.py [BINARY] [RUNS]

The program counts as attached when the system call that enables its event returns; the time that strace adds is
part of the result. Beside it: what of that the kernel spent on checking the program (BPF_PROG_LOAD).
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
CALLS = "execve,bpf,perf_event_open,ioctl"


def once(binary, log):
    """Seconds until attached, seconds in BPF_PROG_LOAD of the program itself."""
    command = ["strace", "-f", "-ttt", "-T", "-e", f"trace={CALLS}", "-o", log]
    command += [binary, "run", "--seconds", "0", "examples/exec-snoop.lisp"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    start = attached = loading = None
    with open(log, encoding="utf-8") as lines:
        for line in lines:
            at = float(line.split()[1])  # after the thread
            took = re.search(r"<([0-9.]+)>$", line)
            took = float(took.group(1)) if took else 0.0
            if start is None:
                start = at
            elif "BPF_PROG_TYPE_TRACEPOINT" in line and loading is None:
                loading = took
            elif "PERF_EVENT_IOC_ENABLE" in line:
                attached = at + took
    if attached is None:
        sys.exit("it was never attached (root is needed)")
    return attached - start, loading or 0.0


def main():
    binary = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "target/release/whistler"))
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with tempfile.TemporaryDirectory() as scratch:
        taken = [once(binary, os.path.join(scratch, "log")) for _ in range(runs)]
    for what, times in zip(("attached after", "of that, loaded by the kernel in"), zip(*taken)):
        print(f"{what}: {statistics.median(times) * 1e3:.1f} ms (least {min(times) * 1e3:.1f}, {runs} runs)")


main()
