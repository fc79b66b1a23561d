import torture_bpf as t


def show(v):
    print(bytes(v).hex())


f = t.Flags(kind=1, tail=3735928559)
f.low, f.high, f.wide, f.more = 5, 17, 300, 77
show(f)
show(t.WirePacked(kind=2, len=258, seq=3, id=4, delta=-2))
show(t.Wire(kind=2, len=258, seq=3, id=4))
b = t.BitMix(c=513)
b.a, b.b, b.d = 1, 1000000, -11
show(b)
show(t.PackedAligned(a=1, b=2, c=3))
assert (t.LIMIT, t.NEGATIVE, t.LARGEST, t.SMALLEST) == (100, -7, 2**64 - 1, -(2**63))
assert t.Verdict.VERDICT_REDIRECT == 4 and t.Level.LEVEL_LOW == -1
assert t.MAP_POINTS.name == "points" and t.MAP_POINTS.key is t.Point
assert f.wide == 300 and b.d == -11
