#!/usr/bin/env python3
"""Makes lan.pcap: real traffic of two network namespaces that this script joins by two TAP devices (needs root).

Everything but the ICMP echo requests and the DNS messages is made by the kernel's own stack: ARP, neighbour discovery,
TCP over IPv4 and IPv6 (curl against Python's web server), UDP with IPv4 options and IPv6 extension headers, fragments.
"""
import ctypes, fcntl, os, select, socket, struct, subprocess, sys, threading, time

NS = ["wh-cap-a", "wh-cap-b"]
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000


def run(*words, **more):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


def enter(ns):
    if ctypes.CDLL(None, use_errno=True).setns(ns, 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")


def tap(ns):
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open("/var/run/netns/" + ns, os.O_RDONLY)
    enter(there)
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"lan", IFF_TAP | IFF_NO_PI))
    enter(here)
    return fd


def bridge(fds, packets, stop):
    while not stop.is_set():
        ready, _, _ = select.select(fds, [], [], 0.05)
        for fd in ready:
            frame = os.read(fd, 65536)
            packets.append((time.time(), frame))
            os.write(fds[1 - fds.index(fd)], frame)


CLIENT = r"""
import socket, struct, time
def checksum(b):
    s = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    while s > 65535: s = (s & 65535) + (s >> 16)
    return s ^ 65535
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b"plain", ("10.7.0.2", 7000))
s.sendto(b"long " * 500, ("10.7.0.2", 7000))
s.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, bytes([148, 4, 0, 0]))
s.sendto(b"router alert", ("10.7.0.2", 7000))
t = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
t.sendto(b"plain six", ("fd07::2", 7000))
t.sendto(b"long6" * 500, ("fd07::2", 7000))
padn = bytes([0, 0, 1, 4, 0, 0, 0, 0])
t.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_HOPOPTS, padn)
t.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, padn)
t.sendto(b"extended", ("fd07::2", 7000))
r = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
echo = struct.pack("!BBHHH", 8, 0, 0, 77, 1) + b"whistler"
r.sendto(echo[:2] + struct.pack("!H", checksum(echo)) + echo[4:], ("10.7.0.2", 0))
r6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
r6.sendto(struct.pack("!BBHHH", 128, 0, 0, 78, 1) + b"whistler", ("fd07::2", 0))
q = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
q.sendto(bytes.fromhex("1234010000010000000000000765 78616d706c6503636f6d0000010001".replace(" ", "")), ("10.7.0.2", 53))
q.settimeout(2)
q.recv(512)
"""
SERVER = r"""
import socket
for family, address in ((socket.AF_INET, "10.7.0.2"), (socket.AF_INET6, "fd07::2")):
    s = socket.socket(family, socket.SOCK_DGRAM); s.bind((address, 7000)); globals()[address] = s
d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); d.bind(("10.7.0.2", 53))
q, who = d.recvfrom(512)
d.sendto(q[:2] + bytes.fromhex("81800001000100000000") + q[12:] + bytes.fromhex("c00c000100010000003c0004c0000201"), who)
"""


def main(out):
    children = []
    for ns in NS:
        run("ip", "netns", "add", ns)
    try:
        fds = [tap(ns) for ns in NS]
        packets, stop = [], threading.Event()
        for i, ns in enumerate(NS, 1):
            inside = ("ip", "-n", ns)
            run(*inside, "link", "set", "lan", "address", "02:00:00:00:07:0%d" % i)
            run(*inside, "link", "set", "lo", "up")
            run(*inside, "addr", "add", "10.7.0.%d/24" % i, "dev", "lan")
            run(*inside, "addr", "add", "fd07::%d/64" % i, "dev", "lan", "nodad")
            run(*inside, "link", "set", "lan", "up")
        thread = threading.Thread(target=bridge, args=(fds, packets, stop))
        thread.start()
        time.sleep(0.5)
        inside = [("ip", "netns", "exec", ns) for ns in NS]
        quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        children.append(subprocess.Popen([*inside[1], sys.executable, "-m", "http.server", "--bind", "::", "8080"], cwd=os.path.dirname(os.path.abspath(__file__)), **quiet))
        children.append(subprocess.Popen([*inside[1], sys.executable, "-c", SERVER], **quiet))
        time.sleep(1.5)
        for url in ("http://10.7.0.2:8080/nothing", "http://[fd07::2]:8080/nothing"):
            run(*inside[0], "curl", "-s", "-g", url)
        run(*inside[0], sys.executable, "-c", CLIENT)
        time.sleep(0.5)
        stop.set()
        thread.join()
    finally:
        for child in children:
            child.terminate()
            child.wait()
        for ns in NS:
            subprocess.run(["ip", "netns", "del", ns])
    with open(out, "wb") as f:
        f.write(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for when, frame in packets:
            f.write(struct.pack("<IIII", int(when), int(when % 1 * 1e6), len(frame), len(frame)) + frame)
    print(len(packets), "packets")


main(sys.argv[1] if len(sys.argv) > 1 else "lan.pcap")
