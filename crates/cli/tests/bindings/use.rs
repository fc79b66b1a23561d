#[path = "torture_bpf.rs"]
#[allow(dead_code)]
mod torture;
use torture::*;

fn hex<T: Copy>(v: &T) {
    let bytes = unsafe { std::slice::from_raw_parts(std::ptr::from_ref(v).cast::<u8>(), size_of::<T>()) };
    println!("{}", bytes.iter().map(|b| format!("{b:02x}")).collect::<String>());
}

fn zeroed<T: Copy>() -> T {
    unsafe { std::mem::zeroed() }
}

fn main() {
    let mut f: Flags = zeroed();
    f.kind = 1;
    f.set_low(5);
    f.set_high(17);
    f.set_wide(300);
    f.set_more(77);
    f.tail = 3735928559;
    hex(&f);
    let w = WirePacked { kind: 2, len: 258u16.to_be(), seq: 3, id: 4u64.to_be(), delta: -2 };
    hex(&w);
    let mut v: Wire = zeroed();
    v.kind = 2;
    v.len = 258u16.to_be();
    v.seq = 3u32.to_be();
    v.id = 4u64.to_be();
    hex(&v);
    let mut b: BitMix = zeroed();
    b.set_a(1);
    b.set_b(1000000);
    b.c = 513;
    b.set_d(-11);
    hex(&b);
    let mut a: PackedAligned = zeroed();
    a.a = 1;
    a.set_b(2);
    a.set_c(3);
    hex(&a);
    assert!(LIMIT == 100 && NEGATIVE == -7 && LARGEST == u64::MAX && SMALLEST == i64::MIN);
    assert!(VERDICT_REDIRECT == 4 && LEVEL_LOW == -1 && MAP_POINTS == "points");
    assert!(f.wide() == 300 && b.d() == -11);
}
