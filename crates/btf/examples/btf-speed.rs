//! Nanoseconds of looking types up by name: `btf-speed FILE ROUNDS NAME…`, a line for each measure, for `bench/btf.py`.
//! Each round parses the bytes anew and finds the structs of all the names; then they are found again, warm.

use std::time::Instant;
use whistler_btf::{Btf, TypeKind};

fn main() {
    let mut args = std::env::args().skip(1);
    let usage = "btf-speed FILE ROUNDS NAME…";
    let bytes: std::sync::Arc<[u8]> = std::fs::read(args.next().expect(usage)).expect("BTF").into();
    let rounds: usize = args.next().and_then(|n| n.parse().ok()).expect(usage);
    let names: Vec<String> = args.collect();
    let mut sum = 0u64;
    for _ in 0..rounds {
        let start = Instant::now();
        let btf = Btf::parse(bytes.clone()).expect("BTF");
        let parsed = start.elapsed();
        let mut find = || {
            let start = Instant::now();
            for name in &names {
                sum += u64::from(btf.find(name, TypeKind::Struct).expect("BTF").expect("the struct").0);
            }
            start.elapsed().as_nanos()
        };
        let (cold, again) = (find(), find());
        for _ in 0..50 {
            find();
        }
        println!("{} {cold} {again} {} {sum}", parsed.as_nanos(), find());
    }
}
