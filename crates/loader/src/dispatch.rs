//! Exchanging a program under links that the kernel can't update: a stub is attached instead, which
//! goes on into whatever program stands in the one slot of its program array.
//!
//! Invariant: the slot holds programs of the stub's type, attach type and target only, as the kernel
//! demands; an empty slot means that the stub returns its fallback.

use std::os::fd::AsFd;
use std::sync::Arc;

use whistler_isa::{AttachType, Insn, MapType, ProgType, op};
use whistler_sys::bpf::{AttachBtf, MapCreate, ProgLoad};
use whistler_sys::{Errno, MapFd, SysError};

use crate::error::LoadError;
use crate::program::Program;

/// BPF_FUNC_tail_call.
const TAIL_CALL: i32 = 12;

/// A stub to attach, and the program it goes on into.
#[derive(Debug)]
pub struct DispatchSlot {
    array: MapFd,
    stub: Arc<Program>,
}

/// What a program of a kind returns to change nothing.
pub(crate) fn neutral(prog_type: ProgType, attach: Option<AttachType>) -> i32 {
    match prog_type {
        // XDP_PASS; TC_ACT_UNSPEC, which asks the next one; NF_ACCEPT and the cgroup kinds' "allow"
        ProgType::Xdp => 2,
        ProgType::SchedCls | ProgType::SchedAct => -1,
        ProgType::SkLookup | ProgType::SkMsg | ProgType::SkSkb | ProgType::SkReuseport | ProgType::Netfilter => 1,
        ProgType::SocketFilter => -1,
        _ if attach.is_some_and(|a| a.kernel_name().starts_with("BPF_CGROUP_")) => 1,
        t if t.keyword().starts_with("cgroup") || t == ProgType::SockOps => 1,
        _ => 0,
    }
}

impl DispatchSlot {
    /// A stub that can stand for this program and go on into it or into others loaded alike; the slot
    /// is empty. `fallback` is what is returned meanwhile (`None`: what changes nothing).
    ///
    /// Fails for sleepable programs: they can't be gone into.
    pub fn new(like: &Program, fallback: Option<i32>) -> Result<DispatchSlot, LoadError> {
        if like.sleepable {
            let cause = SysError { call: "tail call", errno: Errno::EOPNOTSUPP };
            return Err(LoadError::Sys(cause));
        }
        let request = MapCreate {
            map_type: MapType::ProgArray.number(),
            key_size: 4,
            value_size: 4,
            max_entries: 1,
            name: "dispatch",
            ..MapCreate::default()
        };
        let array = MapFd::create(&request)?;
        let fallback = fallback.unwrap_or_else(|| neutral(like.prog_type, like.attach_type));
        let fd = std::os::fd::AsRawFd::as_raw_fd(&array.as_fd());
        let [low, high] = Insn::ld_imm64(2, op::PSEUDO_MAP_FD, u64::from(fd as u32));
        let insns = [
            low,
            high,
            Insn::new(op::ALU64 | op::MOV | op::K, 3, 0, 0, 0),
            Insn::new(op::JMP | op::CALL, 0, 0, 0, TAIL_CALL),
            Insn::new(op::ALU64 | op::MOV | op::K, 0, 0, 0, fallback),
            Insn::new(op::JMP | op::EXIT, 0, 0, 0, 0),
        ];
        let attach_btf = match &like.attach_btf {
            None => AttachBtf::None,
            Some((None, id)) => AttachBtf::Vmlinux(*id),
            Some((Some(module), id)) => AttachBtf::Module(module.as_fd(), *id),
        };
        let load = ProgLoad {
            prog_type: like.prog_type.number(),
            expected_attach_type: like.attach_type.map_or(0, AttachType::number),
            insns: &Insn::encode_all(&insns),
            license: c"GPL",
            name: &like.name,
            attach_btf,
            ..ProgLoad::default()
        };
        let loaded = load.load().map_err(|e| LoadError::Sys(e.error))?;
        let attach_btf = match &like.attach_btf {
            Some((Some(module), id)) => {
                let copy = module.try_clone().map_err(|e| SysError { call: "dup", errno: e.into() })?;
                Some((Some(copy), *id))
            }
            Some((None, id)) => Some((None, *id)),
            None => None,
        };
        let stub = Program {
            name: like.name.clone(),
            fd: loaded.fd,
            prog_type: like.prog_type,
            attach_type: like.attach_type,
            section: like.section.clone(),
            insn_count: insns.len(),
            log: String::new(),
            sleepable: false,
            attach_btf,
        };
        Ok(DispatchSlot { array, stub: Arc::new(stub) })
    }

    /// The program to attach.
    pub fn stub(&self) -> &Arc<Program> {
        &self.stub
    }

    /// Puts a program into the slot, at once: every event goes into the old one or the new one. The
    /// kernel keeps the program alive while it is there.
    pub fn set(&self, program: &Program) -> Result<(), SysError> {
        self.array.update_fd(&[0; 4], program.as_fd(), 0)
    }

    /// Empties the slot.
    pub fn clear(&self) -> Result<(), SysError> {
        self.array.delete(&[0; 4]).map(|_| ())
    }
}
