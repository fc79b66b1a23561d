//! Foreign bytes: made from good ones, and asked everything.

use whistler_btf::{Btf, BtfBuilder, CoreKind, CoreReloc, describe, resolve};

/// Asks everything of everything; the answers may be errors.
#[allow(dead_code, reason = "not every test has bytes that nobody parsed")]
pub fn exercise(bytes: Vec<u8>) {
    if let Ok(btf) = Btf::parse(bytes) {
        ask(&btf);
    }
}

/// The same of BTF that was parsed, alone or on a base.
pub fn ask(btf: &Btf) {
    let btf = btf.clone();
    let Ok(ids) = btf.own_ids() else { return };
    for id in ids.take(60) {
        let Ok(t) = btf.ty(id) else { continue };
        let _ = btf.find(t.name, t.kind());
        let _ = (btf.size_of(id), btf.align_of(id), btf.strip(id), btf.pointer_depth(id), btf.is_signed(id));
        let _ = (btf.find_member(id, "y"), btf.flat_members(id), btf.c_definition(id), btf.find_flavours(t.name));
        let _ = (btf.lisp_definition(id), btf.c_header(id));
        let _ = (BtfBuilder::new().import(&btf, id), BtfBuilder::new().picture(&btf, id, &["y", "x"]));
        for kind in CoreKind::ALL {
            for access in ["0", "0:0", "0:3:1", "0:2:0", "1:1"] {
                let r = CoreReloc { insn_off: 0, type_id: id, access: access.into(), kind };
                let _ = (resolve(&btf, &r, &btf), describe(&btf, &r));
            }
        }
    }
    if let Ok(mut all) = BtfBuilder::from_btf(&btf) {
        let _ = (all.dedup(), all.append(&btf), all.dedup());
    }
    let _ = (btf.find_composite("node"), btf.find_all("int"), btf.for_each_name(|_, _, _| {}));
}

/// Numbers that a seed gives.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below.max(1)
    }

    pub fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..1 + self.next(4) {
            let at = self.next(bytes.len());
            match self.next(4) {
                0 => bytes[at] = self.next(256) as u8,
                1 => bytes[at] ^= 1 << self.next(8),
                2 => {
                    let word = [0u32, 1, 0xffff, u32::MAX, 0x7fff_ffff][self.next(5)].to_le_bytes();
                    let at = at & !3;
                    for (b, w) in bytes[at..].iter_mut().zip(word) {
                        *b = w;
                    }
                }
                _ if self.next(8) == 0 => bytes.truncate(at + 1),
                _ => {
                    // Small numbers make ids that exist: cycles.
                    let at = at & !3;
                    bytes[at] = self.next(40) as u8;
                }
            }
        }
    }
}
