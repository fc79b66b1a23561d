//! The helpers the reference knows: those whose answers a test can fix.

use super::eval::{Exit, Fault, Reserved, Run};
use super::world::{E2BIG, EAGAIN, EINVAL, World};
use crate::hir::{Callback, Expr, ExprKind, MapId};

impl Run<'_> {
    /// Calls helper `id` with evaluated arguments; `exprs` tells which are maps.
    pub(super) fn helper(&mut self, id: u32, exprs: &[Expr], args: &[i64]) -> Result<i64, Fault> {
        let arg = |i: usize| args.get(i).copied().unwrap_or(0);
        // By name, or what a lookup in a map of maps gave.
        let map_of = |w: &World| match exprs.first().map(|e| &e.kind) {
            Some(ExprKind::Map(id)) => Ok(*id),
            _ => w.of_handle(arg(0)).ok_or_else(|| Fault(format!("the first argument of helper {id} is not a map"))),
        };
        let first = map_of(self.world);
        let map = || first.clone();
        let w = &mut *self.world;
        Ok(match id {
            1 => self.map_lookup(map()?, arg(1))?,
            2 => self.map_update(map()?, arg(1), arg(2), arg(3))?,
            3 => self.map_delete(map()?, arg(1))?,
            // Locks: nobody else is there.
            93 | 94 => 0,
            5 | 125 => {
                w.clock += 1;
                w.clock as i64
            }
            // A number that no test may depend on.
            7 => 0x5eed_5eed,
            8 => i64::from(w.cpu),
            14 => w.pid_tgid as i64,
            15 => w.uid_gid as i64,
            87 => {
                let (line, flags) = (map()?, arg(2) as u64);
                let value = self.bytes(arg(1), self.world.value_size(line) as i64)?;
                if self.world.is_bloom(line) {
                    return Ok(self.world.add_seen(line, value, flags));
                }
                self.world.push(line, value, flags)
            }
            89 if w.is_bloom(map()?) => {
                let filter = map()?;
                let value = self.bytes(arg(1), self.world.value_size(filter) as i64)?;
                self.world.seen(filter, &value)
            }
            88 | 89 => {
                let (value, error) = w.next(map()?, id == 88);
                match w.memory.write(arg(1) as u64, value.len()) {
                    Some(to) => to.copy_from_slice(&value),
                    None => return Err(Fault(format!("write of {} bytes at {:#x}", value.len(), arg(1)))),
                }
                error
            }
            130 => {
                let ring = map()?;
                let bytes = self.bytes(arg(1), arg(2))?;
                let ring = &mut self.world.maps[ring.0 as usize];
                match ring.reserve(bytes.len()) {
                    Some(at) => {
                        ring.records[at] = Some(bytes);
                        0
                    }
                    None => EAGAIN,
                }
            }
            131 => {
                let (ring, size) = (map()?, arg(1));
                let Ok(len) = usize::try_from(size) else { return Ok(0) };
                let Some(at) = w.maps[ring.0 as usize].reserve(len) else { return Ok(0) };
                let address = w.memory.add(vec![0; len], true);
                self.reserved.push(Reserved { address, ring, at, len });
                address as i64
            }
            132 | 133 => {
                self.record_end(arg(0) as u64, id == 132)?;
                0
            }
            169 => self.timer_init(arg(0), arg(2))?,
            170 => self.timer_function(arg(0)),
            171 => self.timer_start(arg(0), arg(2)),
            172 => self.timer_cancel(arg(0)),
            // There is one processor.
            195 if arg(2) & 0xffff_ffff != i64::from(w.cpu) => 0,
            195 => self.map_lookup(map()?, arg(1))?,
            197 => self.dynptr_of(arg(0), arg(1), arg(2), arg(3)),
            198 => self.dynptr_reserve(map()?, arg(1), arg(2), arg(3)),
            199 | 200 => match self.dynptr_end(arg(0)) {
                Some(record) => {
                    self.record_end(record, id == 199)?;
                    0
                }
                None => 0,
            },
            201 => self.dynptr_read(arg(0), arg(1), arg(2), arg(3))?,
            202 => self.dynptr_write(arg(0), arg(1), arg(2), arg(3))?,
            203 => self.dynptr_data(arg(0), arg(1), arg(2)),
            _ => return Err(Fault(format!("the reference does not know helper {id}"))),
        })
    }

    /// A record is submitted or discarded.
    fn record_end(&mut self, address: u64, submitted: bool) -> Result<(), Fault> {
        let Some(at) = self.reserved.iter().position(|r| r.address == address) else {
            return Err(Fault("a record is submitted that is not reserved".into()));
        };
        let Reserved { ring, at, len, .. } = self.reserved.remove(at);
        if submitted {
            let bytes = self.bytes(address as i64, len as i64)?;
            self.world.maps[ring.0 as usize].records[at] = Some(bytes);
        }
        self.world.memory.end(address);
        Ok(())
    }

    /// Calls a kernel function: those that only mark a region, and the comparison of strings.
    pub(super) fn kfunc(&mut self, name: &str, args: &[i64]) -> Result<i64, Fault> {
        let arg = |i: usize| args.get(i).copied().unwrap_or(0);
        Ok(match name {
            "bpf_local_irq_save" | "bpf_local_irq_restore" | "bpf_res_spin_lock" | "bpf_res_spin_unlock" => 0,
            "bpf_dynptr_from_xdp" | "bpf_dynptr_from_skb" => self.dynptr_of_packet(arg(1), arg(2)),
            "bpf_dynptr_size" => self.dynptr_size(arg(0)),
            "bpf_dynptr_is_null" => self.dynptr_is_null(arg(0)),
            "bpf_dynptr_adjust" => self.dynptr_adjust(arg(0), arg(1), arg(2)),
            "bpf_iter_bits_new" => self.bits(arg(0), arg(1), arg(2))?,
            "bpf_iter_bits_next" => match self.world.iterators.get_mut(&arg(0)).and_then(Vec::pop) {
                Some(bit) => self.world.memory.add((bit as u32).to_le_bytes().to_vec(), false) as i64,
                None => 0,
            },
            "bpf_iter_bits_destroy" => {
                self.world.iterators.remove(&arg(0));
                0
            }
            "bpf_rcu_read_lock" | "bpf_rcu_read_unlock" | "bpf_preempt_disable" | "bpf_preempt_enable" => 0,
            "bpf_strcmp" => {
                let (a, b) = (self.text(args.first())?, self.text(args.get(1))?);
                match a.cmp(&b) {
                    std::cmp::Ordering::Less => -1,
                    std::cmp::Ordering::Equal => 0,
                    std::cmp::Ordering::Greater => 1,
                }
            }
            "bpf_strlen" => self.text(args.first())?.len() as i64,
            _ => return Err(Fault(format!("the reference does not know the kernel function {name}"))),
        })
    }

    /// An iterator over the bits that are set in some words; the last it gives comes first.
    fn bits(&mut self, iterator: i64, from: i64, words: i64) -> Result<i64, Fault> {
        let bytes = self.bytes(from, 8 * (words & 0xffff_ffff))?;
        let set = |i: &usize| bytes[i / 8] >> (i % 8) & 1 == 1;
        let bits = (0..8 * bytes.len()).filter(set).map(|i| i as i64).rev().collect();
        self.world.iterators.insert(iterator, bits);
        Ok(0)
    }

    /// The bytes from an address up to a zero.
    fn text(&self, address: Option<&i64>) -> Result<Vec<u8>, Fault> {
        let start = address.copied().unwrap_or(0);
        let mut out = Vec::new();
        loop {
            match self.bytes(start.wrapping_add(out.len() as i64), 1)?.first() {
                None | Some(0) => return Ok(out),
                Some(b) => out.push(*b),
            }
        }
    }

    /// Calls helper `id`, which calls back.
    pub(super) fn with_callback(
        &mut self,
        id: u32,
        exprs: &[Expr],
        args: &[i64],
        callback: &Callback,
    ) -> Result<i64, Exit> {
        /// What `bpf_loop` refuses to go beyond.
        const MOST: i64 = 1 << 23;
        match (id, exprs.first().map(|e| &e.kind)) {
            (164, Some(ExprKind::Map(map))) => {
                let mut visited = 0;
                for key in self.world.keys(*map) {
                    // An earlier call may have removed it.
                    let value = self.world.lookup(*map, &key) as i64;
                    if value == 0 {
                        continue;
                    }
                    let key = self.world.memory.add(key, false) as i64;
                    visited += 1;
                    if self.call_back(callback, &[0, key, value])? != 0 {
                        break;
                    }
                }
                Ok(visited)
            }
            (181, _) => {
                let count = args.first().map_or(0, |n| n & 0xffff_ffff);
                if count > MOST {
                    return Ok(E2BIG);
                }
                for i in 0..count {
                    if self.call_back(callback, &[i])? != 0 {
                        return Ok(i + 1);
                    }
                }
                Ok(count)
            }
            _ => Err(Fault(format!("the reference does not know helper {id}")).into()),
        }
    }

    pub(super) fn map_lookup(&mut self, map: MapId, key: i64) -> Result<i64, Fault> {
        let key = self.bytes(key, self.world.key_size(map) as i64)?;
        Ok(self.world.lookup(map, &key) as i64)
    }

    pub(super) fn map_update(&mut self, map: MapId, key: i64, value: i64, flags: i64) -> Result<i64, Fault> {
        let key = self.bytes(key, self.world.key_size(map) as i64)?;
        let value = self.bytes(value, self.world.value_size(map) as i64)?;
        Ok(self.world.update(map, key, value, flags as u64))
    }

    pub(super) fn map_delete(&mut self, map: MapId, key: i64) -> Result<i64, Fault> {
        let key = self.bytes(key, self.world.key_size(map) as i64)?;
        Ok(self.world.delete(map, &key))
    }

    /// The bytes at an address.
    pub(super) fn bytes(&self, address: i64, len: i64) -> Result<Vec<u8>, Fault> {
        let n = usize::try_from(len).map_err(|_| Fault(format!("length {len} (error {EINVAL})")))?;
        let bytes = self.world.memory.read(address as u64, n);
        bytes.map(<[u8]>::to_vec).ok_or_else(|| Fault(format!("read of {n} bytes at {address:#x}")))
    }
}
