#!/usr/bin/env python3
"""What knowing the kernel's types costs, in a fresh process and against libbpf.

    bench/btf.py [BINARY] [RUNS]

The binary is target/release/whistler unless given. First, (import-kernel-struct task_struct pid) beside (+ 1 2) in
processes of their own, in turns: with the kernel's BTF mapped; read from sysfs, as on kernels that can't map theirs
(--btf names that file, and files that are named are read); and read from a saved copy. Then looking structs up by name, by crate `btf` (its example btf-speed,
built here) and by libbpf (btf-libbpf.c, compiled here with cc and the installed libbpf), in turns on the same bytes.
With --check the targets are asserted: less than 3 ms and 10 MB added, less than 50 µs for a warm lookup.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
VMLINUX = "/sys/kernel/btf/vmlinux"
IMPORT = "(import-kernel-struct task_struct pid)"
# Structs from all over the kernel; the last ones are rarely used.
NAMES = "task_struct sk_buff sock file inode bpf_prog cgroup net_device tcp_sock nf_conn xdp_buff io_kiocb".split()
MOST_MS, MOST_MB, MOST_WARM_US = 3.0, 10.0, 50.0


def taken_by(command):
    """Milliseconds from starting a command to its end, and of CPU time."""
    start = time.perf_counter()
    to_null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)]
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=to_null)
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    if status != 0:
        sys.exit(f"{' '.join(command)}: ended with status {status}")
    return wall * 1e3, (used.ru_utime + used.ru_stime) * 1e3


def memory(command):
    """MB that a command has in memory at most, by GNU time."""
    tool = shutil.which("time") or sys.exit("GNU time is missing: apt-get install time")
    said = subprocess.run([tool, "-f", "%M", *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return int(said.stderr.split()[-1]) / 1024


def processes(binary, saved, runs):
    """Prints what the import adds to a process; the least wall and CPU time and the memory added by each way."""
    ways = {
        "(+ 1 2)": [binary, "-e", "(+ 1 2)"],
        f"{IMPORT}, mapped": [binary, "-e", IMPORT],
        f"{IMPORT}, sysfs read": [binary, "--btf", VMLINUX, "-e", IMPORT],
        f"{IMPORT}, copy read": [binary, "--btf", saved, "-e", IMPORT],
    }
    taken = {name: [] for name in ways}
    for _ in range(runs):
        for name, command in ways.items():
            taken[name].append(taken_by(command))
    head = f"{'wall ms':>8} {'least':>7} {'CPU ms':>7} {'MB':>6}"
    print(f"{'':52} {head}   added: {head}   ({runs} runs)")
    base, added = None, []
    for name, command in ways.items():
        walls, cpus = zip(*taken[name])
        seen = statistics.median(walls), min(walls), min(cpus), memory(command)
        line = f"{name:52} " + "{:8.2f} {:7.2f} {:7.2f} {:6.1f}".format(*seen)
        if base:
            more = [a - b for a, b in zip(seen, base)]
            added.append(more[1:])
            line += "          " + "{:8.2f} {:7.2f} {:7.2f} {:6.1f}".format(*more)
        base = base or seen
        print(line, flush=True)
    return added


def lookups(saved, scratch, rounds):
    """Prints our and libbpf's times for the same lookups; our warm lookup in µs."""
    theirs = os.path.join(scratch, "btf-libbpf")
    subprocess.run(["cc", "-O2", os.path.join(ROOT, "bench/btf-libbpf.c"), "-lbpf", "-o", theirs], check=True)
    cargo = ["cargo", "build", "--quiet", "--release", "-p", "whistler-btf", "--example", "btf-speed"]
    subprocess.run(cargo, cwd=ROOT, check=True)
    ours = os.path.join(ROOT, os.environ.get("CARGO_TARGET_DIR", "target"), "release/examples/btf-speed")

    def once(tool, names):
        said = subprocess.run([tool, saved, "3", *names], check=True, stdout=subprocess.PIPE, text=True).stdout
        rows = [[int(n) / 1e3 for n in line.split()[:4]] for line in said.splitlines()]
        # [parse, parse + first lookups, a lookup again, a lookup warm] of the best round
        per = [[r[0], r[0] + r[1], r[2] / len(names), r[3] / len(names)] for r in rows]
        return [min(column) for column in zip(*per)]

    print(f"\n{'µs, medians':48} {'ours':>9} {'libbpf':>9} {'libbpf/ours':>12}   ({rounds} rounds)")
    warm = 0
    for title, names in (("task_struct", NAMES[:1]), (f"{len(NAMES)} structs", NAMES)):
        rows = [(once(ours, names), once(theirs, names)) for _ in range(rounds)]
        mine, their = [[statistics.median(c) for c in zip(*side)] for side in zip(*rows)]
        for i, what in enumerate(["parse", "parse and first lookups", "one lookup after that", "one lookup, warm"]):
            print(f"{title + ': ' + what:48} {mine[i]:9.2f} {their[i]:9.2f} {their[i] / mine[i]:12.1f}")
        warm = max(warm, mine[2], mine[3])
    return warm


def main():
    args = [a for a in sys.argv[1:] if a != "--check"]
    binary = os.path.abspath(args[0] if args else os.path.join(ROOT, "target/release/whistler"))
    runs = int(args[1]) if len(args) > 1 else 60
    with tempfile.TemporaryDirectory() as scratch:
        saved = shutil.copyfile(VMLINUX, os.path.join(scratch, "vmlinux"))
        print(f"{os.path.getsize(saved) / 1e6:.1f} MB of BTF")
        added = processes(binary, saved, runs)
        warm = lookups(saved, scratch, max(runs // 10, 3))
    if "--check" in sys.argv[1:]:
        # The least of many runs is what the work takes when nothing else runs.
        slow = [ms for ms, _, mb in added if ms >= MOST_MS or mb >= MOST_MB]
        if slow or warm >= MOST_WARM_US:
            sys.exit(f"too slow or too large: added {added} (ms, CPU ms, MB), a warm lookup {warm:.1f} µs")


main()
