//! Structs of operations: made from the object's values by the running kernel's layout, registered, exchanged.
//!
//! Invariant: a member goes where the kernel has one of its name and kind; what this kernel lacks must be 0 or null.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use whistler_btf::{Btf, BtfBuilder, Kind, Type, TypeId, TypeKind};
use whistler_isa::{AttachType, MapType, ProgType, struct_ops};
use whistler_kernel::Kernel;
use whistler_object::{self as object, Object, Registration};
use whistler_sys::bpf::{BtfLoad, KernelValue, LinkCreate, LinkExtra, LinkTarget, MapBtf, MapCreate};
use whistler_sys::{Cap, Errno, MapFd, SysError};

use crate::attach::{AttachError, Hold, Link, UpdateError};
use crate::error::LoadError;
use crate::load::missing_for;
use crate::program::Program;
use crate::relocate::module_btf_fd;

/// What a struct of operations takes.
const NEEDED: [Cap; 2] = [Cap::Bpf, Cap::NetAdmin];
/// Flags of the map: it is registered by a link; its type is a module's (`BPF_F_LINK`, `BPF_F_VTYPE_BTF_OBJ_FD`).
const BPF_F_LINK: u32 = 1 << 13;
const BPF_F_VTYPE_BTF_OBJ_FD: u32 = 1 << 15;
/// The map's only key.
const KEY: [u8; 4] = [0; 4];

/// A struct of operations in the kernel, registered or not.
#[derive(Debug)]
pub struct StructOps {
    name: String,
    /// The name that it is registered under, where it has one.
    label: Option<String>,
    of: String,
    map: MapFd,
    /// By the kernel's layout.
    value: Vec<u8>,
    registration: Registration,
    /// Held until the kernel holds them.
    programs: Vec<Arc<Program>>,
}

/// The kernel's side of a struct of operations.
struct Known {
    btf: Arc<Btf>,
    module: Option<String>,
    /// The struct that holds the kernel's own state and the operations.
    value: TypeId,
    value_size: u32,
    /// Where the operations begin in it.
    data: u32,
    /// The operations.
    of: TypeId,
}

/// A kernel type's name without what marks it as one of several (`___v2`).
fn essential(name: &str) -> &str {
    name.split("___").next().unwrap_or(name)
}

fn in_btf(btf: &Arc<Btf>, module: Option<&str>, name: &str) -> Option<Known> {
    let value = btf.find(&format!("{}{name}", struct_ops::VALUE_PREFIX), TypeKind::Struct).ok()??;
    if module.is_some() && value.0 < btf.first_id().0 {
        return None;
    }
    let holder = btf.ty(value).ok()?.composite()?;
    let data = holder.members().find(|m| m.name == "data")?;
    let of = btf.strip(data.ty).ok()?;
    let module = module.map(str::to_string);
    Some(Known { btf: btf.clone(), module, value, value_size: holder.size, data: data.bit_offset / 8, of })
}

/// The kernel's struct of operations of that name, in itself or a module.
fn find(kernel: &Kernel, name: &str) -> Result<Known, String> {
    let Some(btf) = kernel.shared_btf() else {
        return Err(format!("`{name}` can't be looked up: {}", kernel.btf_error().unwrap_or("this kernel has no BTF")));
    };
    let own = in_btf(&btf, None, name);
    let modules = || kernel.modules().into_iter().find_map(|m| in_btf(&kernel.module_btf(&m)?, Some(&m), name));
    own.or_else(modules).ok_or_else(|| {
        let known = all(&btf);
        let lacks = format!("this kernel has no struct of operations `{name}` that programs may implement");
        if known.is_empty() { lacks } else { format!("{lacks} (it has {})", known.join(", ")) }
    })
}

/// The names of the structs of operations in the kernel itself.
fn all(btf: &Arc<Btf>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let _ = btf.for_each_name(|_, n, k| {
        let name = n.strip_prefix(struct_ops::VALUE_PREFIX).filter(|_| k == TypeKind::Struct);
        // Beside them, the kernel has structs of that prefix that hold none.
        out.extend(
            name.filter(|n| in_btf(btf, None, n).is_some_and(|k| btf.ty(k.of).is_ok_and(|t| t.name == *n)))
                .map(str::to_string),
        );
    });
    out.sort();
    out
}

/// The function that a pointer points to.
fn function(btf: &Btf, id: TypeId) -> Option<TypeId> {
    let to = btf.strip(btf.pointee(id).ok()??).ok()?;
    matches!(btf.ty(to).ok()?.get(), Kind::FuncProto(_)).then_some(to)
}

/// The kernel type that a program is loaded for: the module's BTF, the struct, the number of the member. By the struct
/// of the object that names the program, else by the member that its section names, if one struct alone has it.
pub(crate) fn target(
    kernel: &Kernel,
    object: &Object,
    program: &object::Program,
) -> Result<(Option<OwnedFd>, u32, u32), LoadError> {
    let name = &program.function.name;
    let lost = |why: String| LoadError::Target { program: name.clone(), why };
    let named = object.struct_ops.iter().find_map(|s| {
        let (at, _) = s.functions.iter().find(|(_, p)| p == name)?;
        let types = Btf::parse(object.btf.clone()).ok()?;
        let t = types.ty(TypeId(s.type_id)).ok()?;
        let member = t.composite()?.members().find(|m| m.bit_offset == at * 8)?.name.to_string();
        Some((essential(t.name).to_string(), member))
    });
    let by_name = || {
        let target = program.attach_target.as_deref()?;
        target.split_once('/').map(|(of, m)| (of.to_string(), m.to_string())).or_else(|| alone(kernel, target))
    };
    let (of, member) = named.or_else(by_name).ok_or_else(|| {
        lost(
            "no struct of operations in the object names it, nor does its section a member that one struct alone has"
                .into(),
        )
    })?;
    let known = find(kernel, &of).map_err(lost)?;
    let members = known.btf.ty(known.of).ok().and_then(|t| t.composite());
    let index = members.and_then(|c| c.members().position(|m| m.name == member));
    let Some(index) = index.and_then(|i| u32::try_from(i).ok()) else {
        return Err(lost(format!("{of} has no member `{member}` in this kernel")));
    };
    let module = known.module.as_deref().map(module_btf_fd).transpose()?;
    Ok((module, known.of.0, index))
}

/// The only struct of operations that has this member, and the member.
fn alone(kernel: &Kernel, member: &str) -> Option<(String, String)> {
    let btf = kernel.shared_btf()?;
    let has = |of: &String| {
        let members = in_btf(&btf, None, of).and_then(|k| btf.ty(k.of).ok()?.composite());
        members.is_some_and(|c| c.members().any(|m| m.name == member))
    };
    let mut structs = all(&btf).into_iter().filter(has);
    structs.next().filter(|_| structs.next().is_none()).map(|of| (of, member.to_string()))
}

impl StructOps {
    /// Makes it in the kernel, its functions the programs that `program` has; not registered yet.
    ///
    /// # Errors
    /// When the kernel has no such struct, or not these members; when it does not take what is in them.
    pub fn make(
        kernel: &Kernel,
        object: &Object,
        def: &object::StructOps,
        program: impl Fn(&str) -> Option<Arc<Program>>,
    ) -> Result<StructOps, LoadError> {
        let wrong = |why: String| LoadError::StructOps { name: def.name.clone(), why, mend: None, cause: None };
        let types = Btf::parse(object.btf.clone()).map_err(|e| wrong(format!("its types can't be read: {e}")))?;
        let local = types.ty(TypeId(def.type_id)).map_err(|e| wrong(e.to_string()))?;
        let of = essential(local.name).to_string();
        let known = find(kernel, &of).map_err(wrong)?;
        let mut programs = Vec::new();
        let value = fill(&known, &types, local, def, |name| {
            let found = program(name).filter(|p| p.prog_type() == ProgType::StructOps);
            let found = found.ok_or_else(|| format!("there is no program `{name}` of type :struct-ops"))?;
            let fd = std::os::fd::AsRawFd::as_raw_fd(&found.as_fd());
            programs.push(found);
            Ok(fd)
        })
        .map_err(wrong)?;
        let map = create(kernel, def, &known)?;
        let made = StructOps {
            name: def.name.clone(),
            label: label(&types, local, def),
            of,
            map,
            value,
            registration: def.registration,
            programs,
        };
        if made.registration == Registration::Link {
            made.map.update(&KEY, &made.value, 0).map_err(|cause| {
                let (why, mend) = made.refused(kernel, cause);
                LoadError::StructOps { name: def.name.clone(), why, mend, cause: Some(cause) }
            })?;
        }
        Ok(made)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kernel's struct.
    pub fn of(&self) -> &str {
        &self.of
    }

    /// The programs that it calls.
    pub fn programs(&self) -> &[Arc<Program>] {
        &self.programs
    }

    /// What a refusal means, and what would mend it.
    fn refused(&self, kernel: &Kernel, cause: SysError) -> (String, Option<String>) {
        match cause.errno {
            Errno::EPERM | Errno::EACCES => (missing_for(kernel, &NEEDED).unwrap_or_else(|| cause.to_string()), None),
            Errno::EEXIST => (
                match &self.label {
                    Some(label) => format!("a `{label}` is registered already ({cause})"),
                    None => format!("it is registered already ({cause})"),
                },
                Some("give it another name, or end what is registered: `bpftool struct_ops list` shows it".to_string()),
            ),
            Errno::EBUSY => (format!("it is registered already ({cause})"), None),
            Errno::EINVAL => {
                let required = struct_ops::by_name(&self.of).map_or(&[][..], |r| r.required);
                let required: Vec<String> = required.iter().map(|any| any.join(" or ")).collect();
                let why = format!("the kernel does not take what is in it ({cause})");
                (why, (!required.is_empty()).then(|| format!("{} needs {}", self.of, required.join(", "))))
            }
            Errno::ENOTSUPP | Errno::EOPNOTSUPP => {
                (format!("the kernel lets programs not implement one of its members ({cause})"), None)
            }
            _ => (cause.to_string(), None),
        }
    }
}

/// The text in a member called `name`.
fn label(types: &Btf, local: Type<'_>, def: &object::StructOps) -> Option<String> {
    let m = local.composite()?.members().find(|m| m.name == "name")?;
    let at = m.bit_offset as usize / 8;
    let bytes = def.init.get(at..at + types.size_of(m.ty).ok()? as usize)?;
    let text = bytes.split(|b| *b == 0).next().filter(|t| !t.is_empty())?;
    Some(String::from_utf8_lossy(text).into_owned())
}

/// The value by the kernel's layout; `fd_of` gives the descriptor of a program.
fn fill(
    known: &Known,
    types: &Btf,
    local: Type<'_>,
    def: &object::StructOps,
    mut fd_of: impl FnMut(&str) -> Result<i32, String>,
) -> Result<Vec<u8>, String> {
    let mut value = vec![0; known.value_size as usize];
    let of = essential(local.name);
    let theirs = known.btf.ty(known.of).ok().and_then(|t| t.composite());
    let (Some(ours), Some(theirs)) = (local.composite(), theirs) else {
        return Err(format!("`{of}` is no struct"));
    };
    for m in ours.members() {
        let at = m.bit_offset as usize / 8;
        let size = types.size_of(m.ty).map_err(|e| e.to_string())? as usize;
        let bytes = def.init.get(at..at + size).ok_or_else(|| format!("its bytes end before `{}`", m.name))?;
        let program = def.functions.iter().find(|(offset, _)| *offset as usize == at).map(|(_, p)| p.as_str());
        let is_set = program.is_some() || bytes.iter().any(|b| *b != 0);
        let Some(k) = theirs.members().find(|k| k.name == m.name) else {
            if is_set {
                return Err(format!("{of} has no member `{}` in this kernel, and it is set", m.name));
            }
            continue;
        };
        if !is_set {
            continue;
        }
        let unlike = |what: &str| Err(format!("`{}` of {of} is {what} in this kernel", m.name));
        if m.bits != 0 || k.bits != 0 {
            return unlike("a bit-field here or there, which has no place of its own,");
        }
        let to = known.data as usize + k.bit_offset as usize / 8;
        if let Some(program) = program {
            if function(&known.btf, k.ty).is_none() {
                return unlike("no function");
            }
            let fd = fd_of(program)? as u64;
            value.get_mut(to..to + 8).ok_or("the kernel's struct is too short")?.copy_from_slice(&fd.to_ne_bytes());
            continue;
        }
        let kind = |b: &Btf, id| b.stripped(id).map(|t| t.kind()).ok();
        if kind(types, m.ty) != kind(&known.btf, k.ty) {
            return unlike("of another kind");
        }
        if known.btf.pointee(k.ty).ok().flatten().is_some() {
            return unlike("a pointer of the kernel's own");
        }
        let theirs = known.btf.size_of(k.ty).map_err(|e| e.to_string())? as usize;
        if theirs != size {
            return unlike(&format!("{theirs} bytes, not {size}"));
        }
        value.get_mut(to..to + size).ok_or("the kernel's struct is too short")?.copy_from_slice(bytes);
    }
    Ok(value)
}

fn create(kernel: &Kernel, def: &object::StructOps, known: &Known) -> Result<MapFd, LoadError> {
    // The kernel wants a BTF of ours beside its own type, and looks for nothing in it.
    let mut builder = BtfBuilder::new();
    builder.int("int", 4, 1);
    let bytes = builder.to_bytes();
    let own = BtfLoad { data: &bytes, log_level: 0, log_size: 0 }.load().map_err(|f| LoadError::Sys(f.error))?.fd;
    let module = known.module.as_deref().map(module_btf_fd).transpose()?;
    let link = if def.registration == Registration::Link { BPF_F_LINK } else { 0 };
    let request = MapCreate {
        map_type: MapType::StructOps.number(),
        key_size: 4,
        value_size: known.value_size,
        max_entries: 1,
        flags: link | if module.is_some() { BPF_F_VTYPE_BTF_OBJ_FD } else { 0 },
        name: &def.name,
        btf: Some(MapBtf { btf: own.as_fd(), key: 0, value: 0 }),
        kernel_value: Some(KernelValue { id: known.value.0, module: module.as_ref().map(AsFd::as_fd) }),
        ..MapCreate::default()
    };
    MapFd::create(&request).map_err(|cause| {
        let since = struct_ops::LINKS_SINCE;
        let (why, mend) = match cause.errno {
            Errno::EPERM => (missing_for(kernel, &NEEDED).unwrap_or_else(|| cause.to_string()), None),
            Errno::EINVAL if link != 0 && kernel.version().is_some_and(|v| v < since) => {
                let why = format!("links to structs of operations need kernel {since}");
                (why, Some("declare it with `:link nil`: it then stays until it is detached".to_string()))
            }
            Errno::ENOTSUPP | Errno::EOPNOTSUPP => (
                format!("this kernel can't call programs so ({cause}); it takes one whose JIT makes trampolines"),
                None,
            ),
            _ => (cause.to_string(), None),
        };
        LoadError::StructOps { name: def.name.clone(), why, mend, cause: Some(cause) }
    })
}

/// What keeps a struct of operations registered.
#[derive(Debug)]
pub(crate) struct Registered {
    ops: Arc<StructOps>,
    /// `None`: it stays until it is taken out of its map.
    link: Option<OwnedFd>,
    ended: bool,
}

impl Registered {
    pub(crate) fn link(&self) -> Option<&OwnedFd> {
        self.link.as_ref()
    }

    pub(crate) fn update(&mut self, new: &Arc<StructOps>) -> Result<(), UpdateError> {
        let Some(link) = &self.link else { return Err(UpdateError::Unsupported) };
        if new.registration != Registration::Link {
            return Err(UpdateError::Unsupported);
        }
        whistler_sys::bpf::link_update(link.as_fd(), new.map.as_fd(), None)?;
        self.ops = new.clone();
        Ok(())
    }

    /// Takes it back from the kernel. What uses it goes on with it until it is done.
    pub(crate) fn end(&mut self) -> Result<(), SysError> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        match self.link.take() {
            Some(_) => Ok(()),
            None => self.ops.map.delete(&KEY).map(|_| ()),
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // Nobody is left to hear of an error.
        let _ = self.end();
    }
}

/// Registers a struct of operations: from now on the kernel may call its programs.
///
/// # Errors
/// When the kernel refuses it: another one of its name is registered, or what is in it is not what the kernel wants.
pub fn register(kernel: &Kernel, ops: &Arc<StructOps>) -> Result<Link, AttachError> {
    let failed = |cause: SysError| {
        let (why, mend) = ops.refused(kernel, cause);
        let (program, target) = (ops.name.as_str().into(), ops.of.as_str().into());
        AttachError { program, target, why, mend, near: Box::default(), cause: Some(cause) }
    };
    let (link, method) = match ops.registration {
        Registration::Link => {
            let request = LinkCreate {
                prog: ops.map.as_fd(),
                target: LinkTarget::None,
                attach_type: AttachType::StructOps.number(),
                flags: 0,
                extra: LinkExtra::None,
            };
            (Some(request.create().map_err(failed)?), "struct_ops link")
        }
        Registration::Update => {
            ops.map.update(&KEY, &ops.value, 0).map_err(failed)?;
            (None, "struct_ops map")
        }
    };
    let hold = Hold::StructOps(Registered { ops: ops.clone(), link, ended: false });
    Ok(Link { hold, target: ops.of.clone(), method })
}

#[cfg(test)]
mod tests {
    use super::*;
    use whistler_btf::MemberDef;

    /// A kernel with a struct of operations whose members lie at these offsets; its BTF as a file.
    fn kernel(members: &[(&str, u32)], name_size: u32) -> Arc<Btf> {
        let mut b = BtfBuilder::new();
        let int = b.int("unsigned int", 4, 0);
        let char = b.int("char", 1, 0);
        let name = b.array(char, name_size);
        let proto = b.func_proto(int, &[("sk", TypeId(0))]);
        let function = b.ptr(proto);
        let pointer = b.ptr(int);
        let ty = |m: &str| match m {
            "flags" => int,
            "name" => name,
            "owner" => pointer,
            _ => function,
        };
        let members: Vec<MemberDef<'_>> = members.iter().map(|(m, at)| MemberDef::at(m, ty(m), *at)).collect();
        let ops = b.structure("pace_ops", 128, &members);
        let common = b.structure("bpf_struct_ops_common_value", 8, &[MemberDef::at("state", int, 0)]);
        b.structure(
            "bpf_struct_ops_pace_ops",
            192,
            &[MemberDef::at("common", common, 0), MemberDef::at("data", ops, 64)],
        );
        Arc::new(Btf::parse(b.to_bytes()).expect("sound"))
    }

    /// `(defstruct-ops …)` as the compiler writes it: grow, flags, name.
    fn object() -> (Btf, object::StructOps) {
        let mut b = BtfBuilder::new();
        let int = b.int("unsigned int", 4, 0);
        let char = b.int("char", 1, 0);
        let name = b.array(char, 16);
        let proto = b.func_proto(TypeId(0), &[]);
        let function = b.ptr(proto);
        let members =
            [MemberDef::at("grow", function, 0), MemberDef::at("flags", int, 8), MemberDef::at("name", name, 12)];
        let id = b.structure("pace_ops___mine", 32, &members);
        let mut init = vec![0; 32];
        init[8] = 3;
        init[12..17].copy_from_slice(b"gentl");
        let def = object::StructOps {
            name: "gentle".into(),
            type_id: id.0,
            init,
            functions: vec![(0, "grow_it".into())],
            registration: Registration::Link,
            span: whistler_diag::Span::NONE,
        };
        (Btf::parse(b.to_bytes()).expect("sound"), def)
    }

    fn filled(btf: &Arc<Btf>, change: impl FnOnce(&mut object::StructOps)) -> Result<Vec<u8>, String> {
        let (types, mut def) = object();
        change(&mut def);
        let known = in_btf(btf, None, "pace_ops").ok_or("not found")?;
        let local = types.ty(TypeId(def.type_id)).expect("there");
        fill(&known, &types, local, &def, |name| if name == "grow_it" { Ok(9) } else { Err(format!("no {name}")) })
    }

    /// What lies where, but for zeros.
    fn seen(value: &[u8]) -> Vec<(usize, u8)> {
        value.iter().copied().enumerate().filter(|(_, b)| *b != 0).collect()
    }

    #[test]
    fn members_go_where_the_kernel_has_them() {
        let text = |at: usize| b"gentl".iter().enumerate().map(move |(i, b)| (at + i, *b));
        let near = kernel(&[("grow", 0), ("flags", 8), ("name", 12)], 16);
        let expected: Vec<_> = [(64, 9), (72, 3)].into_iter().chain(text(76)).collect();
        assert_eq!(seen(&filled(&near, |_| {}).expect("it fits")), expected);
        // Another kernel: other members between them, another order.
        let far = kernel(&[("name", 4), ("owner", 24), ("flags", 40), ("shrink", 48), ("grow", 104)], 16);
        let expected: Vec<_> = text(68).chain([(104, 3), (168, 9)]).collect();
        assert_eq!(seen(&filled(&far, |_| {}).expect("it fits")), expected);
    }

    #[test]
    fn what_the_kernel_lacks_must_not_be_set() {
        let lacks = kernel(&[("grow", 0), ("name", 12)], 16);
        let e = filled(&lacks, |_| {}).expect_err("flags are set");
        assert_eq!(e, "pace_ops has no member `flags` in this kernel, and it is set");
        assert!(filled(&lacks, |def| def.init[8] = 0).is_ok());
        let e = filled(&kernel(&[("flags", 8), ("name", 12)], 16), |_| {}).expect_err("grow is set");
        assert_eq!(e, "pace_ops has no member `grow` in this kernel, and it is set");
        let e = filled(&kernel(&[("grow", 0), ("flags", 8), ("name", 12)], 32), |_| {}).expect_err("another size");
        assert_eq!(e, "`name` of pace_ops is 32 bytes, not 16 in this kernel");
        let e = filled(&lacks, |def| def.functions[0].1 = "other".into()).expect_err("no such program");
        assert_eq!(e, "no other");
    }

    #[test]
    fn a_kernel_without_it_is_told() {
        let dir = std::env::temp_dir().join(format!("whistler-struct-ops-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a scratch directory");
        std::fs::write(dir.join("vmlinux"), kernel(&[("grow", 0)], 16).bytes().expect("readable")).expect("written");
        let saved = Kernel::saved(&dir, None);
        assert!(find(&saved, "pace_ops").is_ok());
        let e = find(&saved, "tcp_congestion_ops").err().expect("it has none");
        let told = "this kernel has no struct of operations `tcp_congestion_ops` that programs may implement (it has pace_ops)";
        assert_eq!(e, told);
        assert_eq!(alone(&saved, "grow"), Some(("pace_ops".into(), "grow".into())));
        assert_eq!(alone(&saved, "shrink"), None);
        std::fs::remove_dir_all(&dir).expect("the scratch directory");
    }
}
