//! What several tests need: a kernel's types, small and made by hand.
#![allow(dead_code)]

use std::sync::Arc;

use whistler_btf::{
    Btf, BtfBuilder, MemberDef, TracepointField, TracepointFieldKind as Kind, TracepointFormat, TypeSource,
    TypeSourceError, int_encoding,
};

/// A kernel with `task_struct`, `mm_struct`, one tracepoint, and what controls TCP's congestion.
pub struct SmallKernel(Btf);

impl SmallKernel {
    pub fn new() -> SmallKernel {
        let mut b = BtfBuilder::new();
        let int = b.int("int", 4, int_encoding::SIGNED);
        let ulong = b.int("unsigned long", 8, 0);
        let chr = b.int("char", 1, 0);
        let comm = b.array(chr, 16);
        let task = b.reserve_struct("task_struct");
        let task_ptr = b.ptr(task);
        let mm = b.structure("mm_struct", 64, &[MemberDef::at("total_vm", ulong, 24)]);
        let mm_ptr = b.ptr(mm);
        let inner = b.structure("", 8, &[MemberDef::at("on_cpu", int, 0), MemberDef::at("cpu", int, 4)]);
        let info = b.structure("thread_info", 16, &[MemberDef::at("flags", ulong, 0), MemberDef::at("status", int, 8)]);
        b.define(
            task,
            256,
            &[
                MemberDef::at("thread_info", info, 0),
                MemberDef::at("", inner, 40),
                MemberDef::at("mm", mm_ptr, 64),
                MemberDef::at("pid", int, 100),
                MemberDef::at("tgid", int, 104),
                MemberDef::at("real_parent", task_ptr, 112),
                MemberDef::at("comm", comm, 200),
            ],
        );
        congestion(&mut b);
        SmallKernel(Btf::parse(b.to_bytes()).expect("made just now"))
    }
}

/// `tcp_congestion_ops` and the fields of sockets that its programs use.
fn congestion(b: &mut BtfBuilder) {
    let (u32_, u64_) = (b.int("unsigned int", 4, 0), b.int("unsigned long long", 8, 0));
    let sock = b.structure("sock", 64, &[MemberDef::at("sk_rcvbuf", u32_, 16)]);
    let room = b.array(u64_, 13);
    b.structure("inet_connection_sock", 256, &[MemberDef::at("icsk_ca_priv", room, 144)]);
    let fields = ["snd_cwnd", "snd_cwnd_cnt", "snd_ssthresh", "prior_cwnd", "max_packets_out"];
    let mut members: Vec<MemberDef<'_>> =
        fields.iter().enumerate().map(|(i, name)| MemberDef::at(name, u32_, 300 + 4 * i as u32)).collect();
    members.push(MemberDef { bits: 1, ..MemberDef::at("is_cwnd_limited", u32_, 340) });
    b.structure("tcp_sock", 400, &members);
    let sk = b.ptr(sock);
    let one = b.func_proto(u32_, &[("", sk)]);
    let nothing = b.func_proto(whistler_btf::TypeId(0), &[("", sk)]);
    let acks = b.func_proto(whistler_btf::TypeId(0), &[("", sk), ("", u32_), ("", u32_)]);
    let (one, nothing, acks) = (b.ptr(one), b.ptr(nothing), b.ptr(acks));
    let chr = b.int("char", 1, 0);
    let name = b.array(chr, 16);
    let members = [
        MemberDef::at("ssthresh", one, 0),
        MemberDef::at("cong_avoid", acks, 8),
        MemberDef::at("undo_cwnd", one, 16),
        MemberDef::at("name", name, 24),
        MemberDef::at("init", nothing, 40),
    ];
    let ops = b.structure("tcp_congestion_ops", 64, &members);
    b.structure("bpf_struct_ops_tcp_congestion_ops", 128, &[MemberDef::at("data", ops, 64)]);
}

impl TypeSource for SmallKernel {
    fn btf(&self) -> Option<&Btf> {
        Some(&self.0)
    }

    fn btf_problem(&self) -> Option<String> {
        None
    }

    fn tracepoint(&self, category: &str, event: &str) -> Result<Arc<TracepointFormat>, TypeSourceError> {
        if (category, event) != ("sched", "sched_process_exec") {
            return Err(TypeSourceError::NoTracepoint {
                category: category.into(),
                event: event.into(),
                near: vec!["sched/sched_process_exec".into()],
            });
        }
        let field = |name: &str, c_type: &str, offset, size, signed, kind| TracepointField {
            name: name.into(),
            c_type: c_type.into(),
            offset,
            size,
            signed,
            kind,
        };
        Ok(Arc::new(TracepointFormat {
            category: category.into(),
            name: event.into(),
            id: 0,
            fields: vec![
                field("common_type", "unsigned short", 0, 2, false, Kind::Scalar),
                field("filename", "__data_loc char[]", 8, 4, false, Kind::DataLoc),
                field("pid", "pid_t", 12, 4, true, Kind::Scalar),
                field("old_pid", "pid_t", 16, 4, true, Kind::Scalar),
            ],
            from_types: None,
        }))
    }

    fn kernel_version(&self) -> Option<(u16, u16)> {
        None
    }
}
