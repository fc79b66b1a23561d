package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"unsafe"

	"use/torture"
)

func hex(p unsafe.Pointer, n uintptr) {
	fmt.Printf("%x\n", unsafe.Slice((*byte)(p), n))
}

// be gives the number whose bytes in memory are n's, big end first.
func be16(n uint16) uint16 { var b [2]byte; binary.BigEndian.PutUint16(b[:], n); return binary.LittleEndian.Uint16(b[:]) }
func be32(n uint32) uint32 { var b [4]byte; binary.BigEndian.PutUint32(b[:], n); return binary.LittleEndian.Uint32(b[:]) }
func be64(n uint64) uint64 { var b [8]byte; binary.BigEndian.PutUint64(b[:], n); return binary.LittleEndian.Uint64(b[:]) }

func main() {
	f := torture.Flags{Kind: 1}
	f.SetLow(5)
	f.SetHigh(17)
	f.SetWide(300)
	f.SetMore(77)
	f.SetTail(3735928559)
	hex(unsafe.Pointer(&f), unsafe.Sizeof(f))
	w := torture.WirePacked{Kind: 2}
	w.SetLen(258)
	w.SetSeq(3)
	w.SetId(4)
	w.SetDelta(-2)
	hex(unsafe.Pointer(&w), unsafe.Sizeof(w))
	v := torture.Wire{Kind: 2, Len: be16(258), Seq: be32(3), Id: be64(4)}
	hex(unsafe.Pointer(&v), unsafe.Sizeof(v))
	b := torture.BitMix{C: 513}
	b.SetA(1)
	b.SetB(1000000)
	b.SetD(-11)
	hex(unsafe.Pointer(&b), unsafe.Sizeof(b))
	a := torture.PackedAligned{A: 1}
	a.SetB(2)
	a.SetC(3)
	hex(unsafe.Pointer(&a), unsafe.Sizeof(a))
	good := torture.Limit == 100 && torture.Negative == -7 && uint64(torture.Largest) == 18446744073709551615 &&
		torture.VerdictRedirect == 4 && torture.LevelLow == -1 && torture.MapPoints == "points" &&
		f.Wide() == 300 && b.D() == -11 && w.Delta() == -2 && w.Len() == 258
	if !good {
		os.Exit(1)
	}
}
