//! What a program's hook passes to it, by the kernel's own types. Invariant: names and types are those of the BTF given;
//! where it does not know the hook, the answer says so and guesses nothing.

use whistler_btf::{Btf, Kind, TypeId, TypeKind, TypeSource};
use whistler_isa::{AttachType, ProgType};

use crate::hir::ProgramInfo;
use crate::kernel::{size_of, strip};

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg {
    /// The kernel's name; empty where BTF has none.
    pub name: String,
    /// The kernel's type.
    pub ty: TypeId,
    /// Its first 8-byte slot among the arguments.
    pub slot: u32,
    /// Whether the kernel may pass null.
    pub nullable: bool,
}

/// How the arguments reach the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As 64-bit words of the context, typed for the verifier (fentry, fexit, `tp_btf`, LSM, struct_ops).
    Typed,
    /// As 64-bit words of the context that are numbers for the verifier (raw tracepoints).
    Words,
    /// As members of a struct of the kernel that the context is (iterators).
    Members,
    /// In the registers that the probed function was called with.
    Registers,
    /// Not any more: the function has returned.
    Gone,
}

/// What a hook passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The function, tracepoint or iterator.
    pub name: String,
    /// In order.
    pub args: Vec<Arg>,
    /// The 8-byte slots that they take.
    pub slots: u32,
    /// What the function yields; `None` for nothing.
    pub ret: Option<TypeId>,
    /// How they come.
    pub way: Way,
    /// Whether the function's result lies behind the arguments (fexit, fmod_ret, LSM).
    pub result: bool,
}

impl Hook {
    /// The argument of this name; `-` and `_` are the same letter.
    pub fn arg(&self, name: &str) -> Option<&Arg> {
        self.args.iter().find(|a| whistler_isa::same_name(&a.name, name))
    }

    /// The hook of a program.
    ///
    /// # Errors
    /// A sentence: the program's kind passes no arguments that BTF could name, or the kernel has no such hook.
    pub fn of(btf: &Btf, program: &ProgramInfo) -> Result<Hook, String> {
        let (head, target) = program.section.split_once('/').unwrap_or((&program.section, ""));
        let named = || match target {
            "" => Err(format!("the section `{}` names no target", program.section)),
            t => Ok(t.split('+').next().unwrap_or(t)),
        };
        match (program.prog_type, program.attach_type) {
            (ProgType::Tracing, Some(AttachType::TraceRawTp)) => tracepoint(btf, named()?, Way::Typed),
            (ProgType::RawTracepoint | ProgType::RawTracepointWritable, _) => tracepoint(btf, named()?, Way::Words),
            (ProgType::Tracing, Some(AttachType::TraceIter)) => iterator(btf, named()?),
            (ProgType::Tracing, Some(kind)) => {
                let hook = function(btf, named()?, named()?, Way::Typed)?;
                Ok(Hook { result: kind != AttachType::TraceFentry, ..hook })
            }
            (ProgType::Lsm, _) => {
                let name = named()?;
                let hook = function(btf, &format!("bpf_lsm_{name}"), name, Way::Typed)?;
                Ok(Hook { result: true, ..hook })
            }
            (ProgType::StructOps, _) => match &program.member {
                Some(member) => Hook::member(btf, member),
                None => Err("which member of a struct of operations it is, nothing says".to_string()),
            },
            (ProgType::Kprobe, _) if head.starts_with('u') => {
                Err("the types of a user program's functions are not in the kernel's BTF".to_string())
            }
            (ProgType::Kprobe, _) => {
                let way = if head.contains("ret") { Way::Gone } else { Way::Registers };
                function(btf, named()?, named()?, way)
            }
            _ => Err(format!("programs of type :{} have no named arguments", program.prog_type.keyword())),
        }
    }
}

impl Hook {
    /// A member of a struct of operations.
    ///
    /// # Errors
    /// A sentence: the kernel's types have no such struct, or the member is no function.
    pub fn member(btf: &Btf, member: &crate::hir::OpsMember) -> Result<Hook, String> {
        use crate::decl::struct_ops::{function, kernel_struct};
        let found = kernel_struct(btf, &member.of).and_then(|id| {
            let m = btf.ty(id).ok()?.composite()?.members().find(|m| m.name == &*member.name)?;
            let Kind::FuncProto(proto) = btf.ty(function(btf, m.ty)?).ok()?.get() else { return None };
            Some(proto)
        });
        let name = format!("{} of {}", member.name, member.of);
        let proto = found.ok_or_else(|| format!("the kernel's BTF has no function {name}"))?;
        let mut hook = laid_out_as(btf, proto, 0, &name, Way::Typed);
        name_args(btf, member, &mut hook.args);
        Ok(hook)
    }
}

/// Marks of the kernel's: the argument may be null; it is a reference that the program has to give back.
const NULLABLE: &str = "__nullable";
const REFERENCE: &str = "__ref";

/// The type of a pointer to a function names no parameters. Their names stand at the function that the kernel has in
/// the member's place where no program is (`STRUCT__MEMBER`), or in our table; else a parameter is named as the struct
/// it points to, or by its number.
fn name_args(btf: &Btf, member: &crate::hir::OpsMember, args: &mut [Arg]) {
    let stub = function_proto(btf, &format!("{}__{}", member.of, member.name));
    let stub: Vec<String> = stub.into_iter().flat_map(|p| p.params().map(|p| p.name.to_string())).collect();
    let row = whistler_isa::struct_ops::by_name(&member.of).and_then(|r| r.params_of(&member.name, args.len()));
    let structs: Vec<Option<String>> = args.iter().map(|a| pointee_name(btf, a.ty)).collect();
    for (i, arg) in args.iter_mut().enumerate().filter(|(_, a)| a.name.is_empty()) {
        let from_stub = stub.get(i).filter(|n| stub.len() == structs.len() && !n.is_empty()).cloned();
        let from_row = row.and_then(|r| r.get(i)).map(|n| n.to_string());
        let alone = structs[i].clone().filter(|n| structs.iter().flatten().filter(|s| *s == n).count() == 1);
        let name = from_row.or(from_stub).or(alone).unwrap_or_else(|| format!("arg{i}"));
        // What the kernel says of a parameter stands behind its name.
        arg.nullable = name.ends_with(NULLABLE);
        arg.name = name.trim_end_matches(NULLABLE).trim_end_matches(REFERENCE).to_string();
    }
}

fn pointee_name(btf: &Btf, id: TypeId) -> Option<String> {
    let Kind::Ptr(to) = btf.ty(strip(btf, id)).ok()?.get() else { return None };
    let t = btf.ty(strip(btf, to)).ok()?;
    (matches!(t.kind(), TypeKind::Struct | TypeKind::Union) && !t.name.is_empty()).then(|| t.name.to_string())
}

/// Category and event of the tracepoint whose records a program gets, by its section.
pub fn record(program: &ProgramInfo) -> Option<(&str, &str)> {
    let (_, event) = program.section.split_once('/').filter(|_| program.prog_type == ProgType::Tracepoint)?;
    event.split_once('/')
}

/// Whether BTF tells if there is the hook of such programs, and the program's section gives a name.
pub fn is_named_in_btf(program: &ProgramInfo) -> bool {
    let by_name = match program.prog_type {
        ProgType::Tracing => program.attach_type.is_some_and(|a| a != AttachType::TraceIter),
        ProgType::Lsm | ProgType::RawTracepoint | ProgType::RawTracepointWritable => true,
        _ => false,
    };
    by_name && program.section.contains('/')
}

/// Whether a module has the hook: one whose types can be read, or the one that the section names (`fentry/MODULE:FUNCTION`),
/// whose types nobody has.
pub fn is_of_module(types: &dyn TypeSource, program: &ProgramInfo) -> bool {
    if program.prog_type == ProgType::Lsm {
        return false;
    }
    let (head, target) = program.section.split_once('/').unwrap_or((&program.section, ""));
    let (module, target) = target.split_once(':').map_or((None, target), |(module, name)| (Some(module), name));
    let known = types.modules();
    match module {
        Some(m) if !known.iter().any(|k| whistler_isa::same_name(k, m)) => return true,
        _ => {}
    }
    let program = ProgramInfo { section: format!("{head}/{target}"), ..program.clone() };
    let asked = known.iter().filter(|k| module.is_none_or(|m| whistler_isa::same_name(k, m)));
    asked.filter_map(|m| types.module_btf(m)).any(|btf| Hook::of(&btf, &program).is_ok())
}

/// Whether a probe hangs on one function of the kernel's, given by its plain name.
pub fn is_plain_function(program: &ProgramInfo) -> bool {
    let Some((head, name)) = program.section.split_once('/') else { return false };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    matches!(head, "kprobe" | "kretprobe") && !name.is_empty() && name.bytes().all(plain)
}

/// The hook that may be meant by a name that is none.
pub fn nearest_hook(btf: &Btf, program: &ProgramInfo) -> Option<String> {
    let name = program.section.split_once('/')?.1;
    let (prefix, kind) = match (program.prog_type, program.attach_type) {
        (ProgType::Lsm, _) => ("bpf_lsm_", TypeKind::Func),
        (ProgType::RawTracepoint | ProgType::RawTracepointWritable, _) | (_, Some(AttachType::TraceRawTp)) => {
            ("btf_trace_", TypeKind::Typedef)
        }
        (_, Some(AttachType::TraceIter)) => ("bpf_iter__", TypeKind::Struct),
        _ => ("", TypeKind::Func),
    };
    let mut known: Vec<&str> = Vec::new();
    btf.for_each_name(|_, n, k| known.extend(n.strip_prefix(prefix).filter(|_| k == kind))).ok()?;
    // System calls are called by what the machine's entry is called.
    let of_call = name.strip_prefix("__").unwrap_or(name).strip_prefix("sys_").map(|call| format!("_sys_{call}"));
    let entry = of_call.and_then(|call| {
        let is_entry =
            |n: &&str| n.strip_suffix(call.as_str()).is_some_and(|arch| ["__x64", "__arm64"].contains(&arch));
        known.iter().copied().find(is_entry)
    });
    entry.or_else(|| crate::names::nearest(name, known.into_iter())).map(str::to_string)
}

fn laid_out(btf: &Btf, params: impl Iterator<Item = (String, TypeId)>) -> (Vec<Arg>, u32) {
    let mut slot = 0;
    let mut args = Vec::new();
    for (name, ty) in params {
        args.push(Arg { name, ty, slot, nullable: false });
        slot += size_of(btf, ty).div_ceil(8).max(1);
    }
    (args, slot)
}

fn laid_out_as(btf: &Btf, proto: whistler_btf::FuncProto<'_>, skip: usize, name: &str, way: Way) -> Hook {
    let (args, slots) = laid_out(btf, proto.params().skip(skip).map(|p| (p.name.to_string(), p.ty)));
    let ret = (proto.ret != TypeId(0)).then_some(proto.ret);
    Hook { name: name.to_string(), args, slots, ret, way, result: false }
}

fn function(btf: &Btf, symbol: &str, name: &str, way: Way) -> Result<Hook, String> {
    let proto = function_proto(btf, symbol);
    let proto = proto.ok_or_else(|| format!("the kernel's BTF has no function `{symbol}`"))?;
    Ok(laid_out_as(btf, proto, 0, name, way))
}

/// Functions that the kernel makes for every tracepoint; their parameters are the tracepoint's, behind one of their own.
const TRACEPOINT_FUNCTIONS: [&str; 3] = ["__traceiter_", "__probestub_", "__bpf_trace_"];

/// A tracepoint's arguments stand in the type of its probes, `typedef void (*btf_trace_NAME)(void *, …)`, which gives
/// no names; those stand at the functions made for it.
fn tracepoint(btf: &Btf, name: &str, way: Way) -> Result<Hook, String> {
    let missing = || format!("the kernel's BTF has no tracepoint `{name}`");
    let typedef = btf.find(&format!("btf_trace_{name}"), TypeKind::Typedef).ok().flatten().ok_or_else(missing)?;
    let Ok(Kind::Ptr(proto)) = btf.ty(strip(btf, typedef)).map(|t| t.get()) else { return Err(missing()) };
    let Ok(Kind::FuncProto(proto)) = btf.ty(strip(btf, proto)).map(|t| t.get()) else { return Err(missing()) };
    let mut hook = Hook { ret: None, ..laid_out_as(btf, proto, 1, name, way) };
    let named = TRACEPOINT_FUNCTIONS.iter().find_map(|prefix| {
        let proto = function_proto(btf, &format!("{prefix}{name}"))?;
        let names: Vec<String> = proto.params().skip(1).map(|p| p.name.to_string()).collect();
        (names.len() == hook.args.len() && names.iter().all(|n| !n.is_empty())).then_some(names)
    });
    for (arg, name) in hook.args.iter_mut().zip(named.into_iter().flatten()) {
        arg.name = name;
    }
    Ok(hook)
}

fn function_proto<'a>(btf: &'a Btf, symbol: &str) -> Option<whistler_btf::FuncProto<'a>> {
    let id = btf.find(symbol, TypeKind::Func).ok()??;
    let Kind::Func { proto, .. } = btf.ty(id).ok()?.get() else { return None };
    match btf.ty(proto).ok()?.get() {
        Kind::FuncProto(p) => Some(p),
        _ => None,
    }
}

/// An iterator's context is a struct of the kernel, one pointer a member.
fn iterator(btf: &Btf, name: &str) -> Result<Hook, String> {
    let symbol = format!("bpf_iter__{name}");
    let missing = || format!("the kernel's BTF has no iterator `{name}`");
    let id = btf.find(&symbol, TypeKind::Struct).ok().flatten().ok_or_else(missing)?;
    let members = btf.ty(id).ok().and_then(|t| t.composite()).ok_or_else(missing)?;
    let mut args = Vec::new();
    for m in members.members() {
        // What is walked is null once, at the end; what is known of the walk is always there.
        let walked = |name: &str, ty, slot| Arg { name: name.to_string(), ty, slot, nullable: slot > 0 };
        // The kernel aligns each member to 8 bytes by a union around it.
        let inner = btf.ty(strip(btf, m.ty)).ok().and_then(|t| t.composite()).filter(|_| m.name.is_empty());
        match inner.and_then(|c| c.members().next()) {
            Some(first) => args.push(walked(first.name, first.ty, m.bit_offset / 64)),
            None => args.push(walked(m.name, m.ty, m.bit_offset / 64)),
        }
    }
    let slots = args.len() as u32;
    Ok(Hook { name: name.to_string(), args, slots, ret: None, way: Way::Members, result: false })
}
