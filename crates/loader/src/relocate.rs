//! Names into numbers: an instruction that names a map, global, function or type gets the kernel's
//! number of it. Invariant: only the slots that a relocation names are changed.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use whistler_btf::{Btf, TypeId, TypeKind};
use whistler_diag::Span;
use whistler_isa::{Insn, op};
use whistler_kernel::Kernel;
use whistler_object::{Function, Relocation, Symbol};

use crate::error::LoadError;
use crate::globals::GlobalHandle;
use crate::layout::Layout;
use crate::map::Map;

/// What names can mean.
pub(crate) struct Names<'a> {
    pub(crate) kernel: &'a Kernel,
    pub(crate) maps: &'a FxHashMap<String, Arc<Map>>,
    pub(crate) globals: &'a FxHashMap<String, GlobalHandle>,
    /// The object's own types.
    pub(crate) types: Option<&'a Btf>,
}

/// A program's final slots, with the module BTFs that they refer to by index (1 on).
pub(crate) struct Linked {
    pub(crate) insns: Vec<Insn>,
    pub(crate) modules: Vec<OwnedFd>,
    /// Slots that can't run because this kernel lacks what they access, and what that is. A program
    /// may well have some: those that it only reaches where they exist.
    pub(crate) poisoned: crate::core::Poisoned,
}

/// Puts a program's functions in a row and fills in every name.
pub(crate) fn link(layout: &Layout<'_>, names: &Names<'_>) -> Result<Linked, LoadError> {
    let mut linked = Linked { insns: Vec::with_capacity(layout.len()), modules: Vec::new(), poisoned: Vec::new() };
    let mut module_names: Vec<String> = Vec::new();
    for (start, function) in &layout.parts {
        let (insns, poisoned) = crate::core::relocate(function, names.kernel, names.types)?;
        linked.insns.extend(insns);
        linked.poisoned.extend(poisoned.into_iter().map(|(at, what)| (start + at, what)));
        for r in &function.relocations {
            let at = start + r.insn as usize;
            let span = function.location(r.insn as usize).map_or(function.span, |l| l.span);
            let one = One { function, relocation: r, at, span, layout, names };
            one.apply(&mut linked, &mut module_names)?;
        }
    }
    Ok(linked)
}

/// One relocation with all it needs.
struct One<'a> {
    function: &'a Function,
    relocation: &'a Relocation,
    at: usize,
    span: Span,
    layout: &'a Layout<'a>,
    names: &'a Names<'a>,
}

impl One<'_> {
    fn missing(&self, what: &'static str, name: &str, problem: impl Into<String>) -> LoadError {
        LoadError::Name {
            function: self.function.name.clone(),
            what,
            name: name.to_string(),
            problem: problem.into(),
            span: self.span,
        }
    }

    fn misfit(&self, why: &str) -> LoadError {
        LoadError::Relocation {
            function: self.function.name.clone(),
            insn: self.relocation.insn,
            why: why.to_string(),
            span: self.span,
        }
    }

    /// Writes a pseudo load of 64 bits.
    fn wide(&self, insns: &mut [Insn], pseudo: u8, low: i32, high: i32) -> Result<(), LoadError> {
        // The pair must lie in this function: a record at its last slot would reach into the next one.
        let own = self.relocation.insn as usize;
        let fits = self.function.insns.get(own).is_some_and(|i| i.is_wide()) && own + 1 < self.function.insns.len();
        let pair = insns.get_mut(self.at..self.at + 2);
        let (true, Some([first, second])) = (fits, pair) else {
            return Err(self.misfit("a name for a load of 64 bits stands at another instruction"));
        };
        (first.src, first.imm, second.imm) = (pseudo, low, high);
        Ok(())
    }

    fn apply(&self, linked: &mut Linked, modules: &mut Vec<String>) -> Result<(), LoadError> {
        let insns = &mut linked.insns;
        match &self.relocation.symbol {
            Symbol::Map(name) => {
                let map = self.names.maps.get(name);
                let map = map.ok_or_else(|| self.missing("the map", name, "the object does not have"))?;
                self.wide(insns, op::PSEUDO_MAP_FD, map.as_fd().as_raw_fd(), 0)
            }
            Symbol::Global { name, offset } => {
                let global = self.names.globals.get(name);
                let global = global.ok_or_else(|| self.missing("the global", name, "the object does not have"))?;
                let place = global.offset().wrapping_add(*offset);
                self.wide(insns, op::PSEUDO_MAP_VALUE, global.map().as_fd().as_raw_fd(), place as i32)
            }
            Symbol::Subprogram(name) => {
                let target = self.layout.start_of(name);
                let target = target.ok_or_else(|| self.missing("the function", name, "the object does not have"))?;
                let distance = target as i32 - self.at as i32 - 1;
                match insns.get_mut(self.at) {
                    Some(i) if i.is_wide() => self.wide(insns, op::PSEUDO_FUNC, distance, 0),
                    Some(i) if i.code == op::JMP | op::CALL => {
                        (i.src, i.imm) = (op::PSEUDO_CALL, distance);
                        Ok(())
                    }
                    _ => Err(self.misfit("the name of a function stands at an instruction that is no call")),
                }
            }
            Symbol::Kfunc(name) => {
                let (home, id) = self.kernel_type(name, TypeKind::Func, "the kernel function")?;
                let index = self.module_index(home, linked, modules)?;
                match linked.insns.get_mut(self.at) {
                    Some(i) if i.code == op::JMP | op::CALL => {
                        (i.src, i.off, i.imm) = (op::PSEUDO_KFUNC_CALL, index, id.0 as i32);
                        Ok(())
                    }
                    _ => Err(self.misfit("the name of a kernel function stands at an instruction that is no call")),
                }
            }
            Symbol::Ksym(name) => match self.kernel_type(name, TypeKind::Var, "the kernel variable") {
                Ok((home, id)) => {
                    let fd = match self.module_index(home, linked, modules)? {
                        0 => 0,
                        i => linked.modules.get(i as usize - 1).map_or(0, |fd| fd.as_raw_fd()),
                    };
                    self.wide(&mut linked.insns, op::PSEUDO_BTF_ID, id.0 as i32, fd)
                }
                Err(e) => {
                    // BTF names few variables: of others, and of functions, the plain address will do.
                    let known = self.names.kernel.symbols().ok().and_then(|s| s.address(name));
                    match known {
                        None => Err(e),
                        Some(0) => {
                            let hidden = "has an address that the kernel hides without cap_syslog";
                            Err(self.missing("the kernel symbol", name, hidden))
                        }
                        Some(address) => self.wide(&mut linked.insns, 0, address as i32, (address >> 32) as i32),
                    }
                }
            },
        }
    }

    fn kernel_type(
        &self,
        name: &str,
        kind: TypeKind,
        what: &'static str,
    ) -> Result<(Option<String>, TypeId), LoadError> {
        find_in_kernel(self.names.kernel, name, kind).map_err(|problem| self.missing(what, name, problem))
    }

    /// The index by which instructions name a module's BTF; 0 is the kernel's own.
    fn module_index(
        &self,
        home: Option<String>,
        linked: &mut Linked,
        modules: &mut Vec<String>,
    ) -> Result<i16, LoadError> {
        let Some(module) = home else { return Ok(0) };
        if let Some(i) = modules.iter().position(|m| *m == module) {
            return Ok(i as i16 + 1);
        }
        linked.modules.push(module_btf_fd(&module)?);
        modules.push(module);
        Ok(modules.len() as i16)
    }
}

/// A type of the kernel or of one of its modules (then with the module's name).
pub(crate) fn find_in_kernel(kernel: &Kernel, name: &str, kind: TypeKind) -> Result<(Option<String>, TypeId), String> {
    let Some(btf) = kernel.shared_btf() else {
        return Err(format!("can't be looked up: {}", kernel.btf_error().unwrap_or("no BTF")));
    };
    let find = |btf: &Btf| btf.find(name, kind).ok().flatten();
    if let Some(id) = find(&btf) {
        return Ok((None, id));
    }
    for module in kernel.modules() {
        let Some(split) = kernel.module_btf(&module) else { continue };
        // A split BTF also answers for its base: only ids of its own count.
        if let Some(id) = find(&split).filter(|id| id.0 >= split.first_id().0) {
            return Ok((Some(module), id));
        }
    }
    Err("this kernel does not have".to_string())
}

/// A type of one module of the kernel.
pub(crate) fn find_in_module(
    kernel: &Kernel,
    module: &str,
    name: &str,
    kind: TypeKind,
) -> Result<(Option<String>, TypeId), String> {
    let Some(split) = kernel.module_btf(module) else {
        return Err(format!("can't be looked up: this kernel has no types of a module `{module}`"));
    };
    match split.find(name, kind).ok().flatten().filter(|id| *id >= split.first_id()) {
        Some(id) => Ok((Some(module.to_string()), id)),
        None => Err(format!("the module `{module}` does not have")),
    }
}

/// A descriptor of a module's BTF (needs CAP_SYS_ADMIN).
pub(crate) fn module_btf_fd(module: &str) -> Result<OwnedFd, LoadError> {
    use whistler_sys::bpf::{btf_data, fd_by_id, ids};
    use whistler_sys::{Errno, IdKind, SysError};
    for id in ids(IdKind::Btf)? {
        // A BTF may be gone before we ask for it.
        let Ok(fd) = fd_by_id(IdKind::Btf, id) else { continue };
        if btf_data(fd.as_fd()).is_ok_and(|(name, _)| name == module) {
            return Ok(fd);
        }
    }
    Err(LoadError::Sys(SysError { call: "bpf(BPF_BTF_GET_FD_BY_ID)", errno: Errno::ENOENT }))
}
