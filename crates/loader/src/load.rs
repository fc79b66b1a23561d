//! Loading: maps and globals first, then BTF, then every program.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use whistler_btf::{Btf, TypeKind};
use whistler_diag::Span;
use whistler_isa::{AttachType, Insn, MapType, MapValueKind, ProgType};
use whistler_kernel::{Feature, Kernel};
use whistler_object::{self as object, Object};
use whistler_sys::bpf::{AttachBtf, BtfLoad, LoadFailure, MapBtf, MapCreate, ProgLoad};
use whistler_sys::{Cap, Errno, MapFd, SysError};

use crate::attach::{AttachError, AttachSpec, Link, attach};
use crate::core::Poisoned;
use crate::error::{LoadError, VerifierError};
use crate::globals::{self, GlobalHandle};
use crate::layout::{Layout, layout};
use crate::lines::{Lines, Records};
use crate::map::Map;
use crate::program::Program;
use crate::relocate::{self, Names, find_in_kernel, find_in_module, module_btf_fd};
use crate::struct_ops::{self, StructOps};
use crate::verifier_log::{complaint, with_variables};

/// How to load.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The verifier's log of programs that it accepts: 0 none, 1 short, 2 long.
    pub log_level: u32,
    /// Maps to use instead of making those of these names.
    pub reuse: FxHashMap<String, Arc<Map>>,
    /// Globals that stay where they are (those that can be written).
    pub reuse_globals: FxHashMap<String, GlobalHandle>,
    /// Only these programs; empty for all.
    pub only: Vec<String>,
}

/// Loads objects into the running kernel.
#[derive(Debug)]
pub struct Loader<'k> {
    kernel: &'k Kernel,
    options: LoadOptions,
}

/// An object in the kernel. Dropping it unloads what nothing else uses.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The maps, by name.
    pub maps: FxHashMap<String, Arc<Map>>,
    /// The globals, by name.
    pub globals: FxHashMap<String, GlobalHandle>,
    /// The programs, by name.
    pub programs: FxHashMap<String, Arc<Program>>,
    /// The structs of operations, by name.
    pub struct_ops: FxHashMap<String, Arc<StructOps>>,
    /// What was done otherwise than asked, and why (types that the kernel did not take).
    pub notes: Vec<String>,
}

impl Loaded {
    /// The map of that name.
    pub fn map(&self, name: &str) -> Option<&Arc<Map>> {
        self.maps.get(name)
    }

    /// The global of that name.
    pub fn global(&self, name: &str) -> Option<&GlobalHandle> {
        self.globals.get(name)
    }

    /// The program of that name.
    pub fn program(&self, name: &str) -> Option<&Arc<Program>> {
        self.programs.get(name)
    }
}

/// The first room for a log after a refusal, and the most that is tried.
const LOG_SIZE: u32 = 64 * 1024;
const LOG_MAX: u32 = 16 * 1024 * 1024;

impl<'k> Loader<'k> {
    /// A loader with nothing special asked.
    pub fn new(kernel: &'k Kernel) -> Loader<'k> {
        Loader::with(kernel, LoadOptions::default())
    }

    /// A loader.
    pub fn with(kernel: &'k Kernel, options: LoadOptions) -> Loader<'k> {
        Loader { kernel, options }
    }

    /// Attaches a program.
    pub fn attach(&self, program: &Program, spec: &AttachSpec) -> Result<Link, AttachError> {
        attach(self.kernel, program, spec)
    }

    /// Loads an object: nothing stays in the kernel when it fails.
    pub fn load(&self, object: &Object) -> Result<Loaded, LoadError> {
        let placed = |name: &str| object.maps.iter().any(|m| m.contents.iter().any(|(_, n)| n == name));
        let wanted = |p: &&object::Program| {
            let name = &p.function.name;
            self.options.only.is_empty() || self.options.only.contains(name) || placed(name)
        };
        let programs: Vec<&object::Program> = object.programs.iter().filter(wanted).collect();
        let mut notes = Vec::new();

        let mut lines = Lines::new(object);
        let laid: Vec<(Layout<'_>, Records)> = programs
            .iter()
            .map(|p| {
                let l = layout(object, p);
                let records = lines.records(&l);
                (l, records)
            })
            .collect();
        let btf = self.load_btf(&lines, &mut notes);
        let typed = btf.as_ref().filter(|_| lines.is_typed());

        let mut maps = FxHashMap::default();
        for m in &object.maps {
            maps.insert(m.name.clone(), self.map(m, typed)?);
        }
        for m in object.maps.iter().filter(|m| m.map_type.info().holds == MapValueKind::Map) {
            fill(m, &maps, |name| maps.get(name).map(|m: &Arc<Map>| m.as_fd()))?;
        }
        let globals = globals::create(object, &self.options.reuse_globals)?;

        let types = Btf::parse(object.btf.clone()).ok();
        let names = Names { kernel: self.kernel, maps: &maps, globals: &globals, types: types.as_ref() };
        let mut loaded = FxHashMap::default();
        for (program, (layout, records)) in programs.iter().zip(&laid) {
            let records = btf.as_ref().map(|b| (b, records));
            let p = self.program(object, program, layout, &names, records)?;
            loaded.insert(program.function.name.clone(), Arc::new(p));
        }
        for m in object.maps.iter().filter(|m| m.map_type.info().holds == MapValueKind::Program) {
            fill(m, &maps, |name| loaded.get(name).map(|p: &Arc<Program>| p.as_fd()))?;
        }
        let mut struct_ops = FxHashMap::default();
        for def in &object.struct_ops {
            // A part of an object has no struct that names programs of another part.
            if def.functions.iter().all(|(_, p)| loaded.contains_key(p)) {
                let made = StructOps::make(self.kernel, object, def, |name| loaded.get(name).cloned())?;
                struct_ops.insert(def.name.clone(), Arc::new(made));
            }
        }
        Ok(Loaded { maps, globals, programs: loaded, struct_ops, notes })
    }

    /// The object's types in the kernel. Without them a program still runs: lines and types of maps are
    /// comfort, so a refusal is a note.
    fn load_btf(&self, lines: &Lines, notes: &mut Vec<String>) -> Option<OwnedFd> {
        let data = lines.to_bytes();
        match (BtfLoad { data: &data, log_level: 0, log_size: 0 }).load() {
            Ok(loaded) => Some(loaded.fd),
            Err(LoadFailure { error, .. }) => {
                let again = BtfLoad { data: &data, log_level: 1, log_size: LOG_SIZE }.load();
                let log = again.err().map(|f| f.log).unwrap_or_default();
                let last = log.lines().rfind(|l| !l.trim().is_empty()).unwrap_or_default();
                notes.push(format!(
                    "the kernel did not take the types, so there are no source lines in it: {error} {last}"
                ));
                None
            }
        }
    }

    fn map(&self, m: &object::Map, btf: Option<&OwnedFd>) -> Result<Arc<Map>, LoadError> {
        if let Some(kept) = self.options.reuse.get(&m.name) {
            check_shape(m, kept)?;
            return Ok(kept.clone());
        }
        let pin = m.pin.as_ref().map(std::path::Path::new);
        if let Some(path) = pin
            && path.exists()
        {
            let map = Map::from_pin(&m.name, path)?;
            check_shape(m, &map)?;
            return Ok(Arc::new(map));
        }
        let map = Map::new(&m.name, self.create(m, btf)?);
        if let Some(path) = pin {
            map.pin(path)?;
        }
        Ok(Arc::new(map))
    }

    fn create(&self, m: &object::Map, btf: Option<&OwnedFd>) -> Result<MapFd, LoadError> {
        let inner = match &m.inner {
            Some(inner) => Some(self.create(inner, btf)?),
            None => None,
        };
        let types =
            btf.zip(m.value_type).map(|(btf, value)| MapBtf { btf: btf.as_fd(), key: m.key_type.unwrap_or(0), value });
        let request = MapCreate {
            map_type: m.map_type.number(),
            key_size: m.key_size,
            value_size: m.value_size,
            max_entries: entries(m),
            flags: m.flags,
            name: &m.name,
            inner: inner.as_ref().map(AsFd::as_fd),
            btf: types,
            kernel_value: None,
            extra: m.extra,
        };
        let made = match MapFd::create(&request) {
            // Many types of maps take no types of keys and values (ENOTSUPP, EINVAL).
            Err(e) if types.is_some() && matches!(e.errno, Errno::ENOTSUPP | Errno::EINVAL | Errno::EOPNOTSUPP) => {
                MapFd::create(&MapCreate { btf: None, ..request })
            }
            other => other,
        };
        made.map_err(|cause| LoadError::Map { map: m.name.clone(), why: self.why_no_map(m, cause), cause })
    }

    fn why_no_map(&self, m: &object::Map, cause: SysError) -> String {
        match cause.errno {
            Errno::EPERM => self.missing_for(&[Cap::Bpf]).unwrap_or_else(|| cause.to_string()),
            Errno::EINVAL => match self.kernel.version() {
                Some(v) if v < m.map_type.info().since => {
                    format!("maps of type {} need kernel {}", m.map_type.keyword(), m.map_type.info().since)
                }
                _ => format!("{cause}: the kernel does not take these sizes or flags"),
            },
            Errno::E2BIG | Errno::ENOMEM => format!("{cause}: it is too large"),
            _ => cause.to_string(),
        }
    }

    fn missing_for(&self, needed: &[Cap]) -> Option<String> {
        missing_for(self.kernel, needed)
    }

    /// The attach type to load with: the program's own, or where it names none, the kind of link that
    /// this kernel has (the choice can't be made later).
    fn attach_type(&self, p: &object::Program) -> Option<AttachType> {
        let head = p.section.split('/').next().unwrap_or_default();
        match (p.attach_type, p.prog_type, head) {
            (Some(t), _, _) => Some(t),
            (None, ProgType::Kprobe, "uprobe" | "uretprobe" | "uprobe.s" | "uretprobe.s") => {
                self.kernel.has(Feature::UprobeMulti).then_some(AttachType::TraceUprobeMulti)
            }
            // A place inside a function is for perf events.
            (None, ProgType::Kprobe, "kprobe" | "kretprobe") if !p.section.contains('+') => {
                self.kernel.has(Feature::KprobeMulti).then_some(AttachType::TraceKprobeMulti)
            }
            _ => None,
        }
    }

    fn program(
        &self,
        object: &Object,
        p: &object::Program,
        layout: &Layout<'_>,
        names: &Names<'_>,
        records: Option<(&OwnedFd, &Records)>,
    ) -> Result<Program, LoadError> {
        let linked = relocate::link(layout, names)?;
        let attach_type = self.attach_type(p);
        let (attach_btf, member) = match p.prog_type {
            ProgType::StructOps => {
                let (module, id, member) = struct_ops::target(self.kernel, object, p)?;
                (Some((module, id)), Some(member))
            }
            _ => (self.target(p, attach_type)?, None),
        };
        let license = CString::new(p.license.as_str()).unwrap_or_default();
        // Index 0 is never used by instructions, but must be there: any descriptor will do.
        let module_fds: Vec<_> = linked.modules.first().into_iter().chain(&linked.modules).map(AsFd::as_fd).collect();
        const BPF_F_SLEEPABLE: u32 = 1 << 4;
        let bytes = Insn::encode_all(&linked.insns);
        let load = ProgLoad {
            prog_type: p.prog_type.number(),
            expected_attach_type: member.unwrap_or(attach_type.map_or(0, AttachType::number)),
            insns: &bytes,
            license: &license,
            name: &p.function.name,
            flags: if p.sleepable { BPF_F_SLEEPABLE } else { 0 },
            btf: records.map(|(btf, _)| btf.as_fd()),
            func_info: records.map_or(&[], |(_, r)| &r.func_info),
            line_info: records.map_or(&[], |(_, r)| &r.line_info),
            attach_btf: match &attach_btf {
                None => AttachBtf::None,
                Some((None, id)) => AttachBtf::Vmlinux(*id),
                Some((Some(fd), id)) => AttachBtf::Module(fd.as_fd(), *id),
            },
            fd_array: &module_fds,
            log_level: self.options.log_level,
            log_size: if self.options.log_level > 0 { LOG_SIZE } else { 0 },
            ifindex: 0,
        };
        match load_with_log(&load) {
            Ok((fd, log)) => Ok(Program {
                name: p.function.name.clone(),
                fd,
                prog_type: p.prog_type,
                attach_type,
                section: p.section.clone(),
                insn_count: linked.insns.len(),
                log,
                sleepable: p.sleepable,
                attach_btf,
            }),
            Err(failure) => Err(self.refused(p, layout, &linked.poisoned, failure)),
        }
    }

    /// The kernel type that a program is loaded for.
    fn target(
        &self,
        p: &object::Program,
        attach_type: Option<AttachType>,
    ) -> Result<Option<(Option<OwnedFd>, u32)>, LoadError> {
        let Some(name) = &p.attach_target else { return Ok(None) };
        let (name, kind) = match (p.prog_type, attach_type) {
            (ProgType::Tracing, Some(AttachType::TraceRawTp)) => (format!("btf_trace_{name}"), TypeKind::Typedef),
            (ProgType::Tracing, Some(AttachType::TraceIter)) => (format!("bpf_iter_{name}"), TypeKind::Func),
            (ProgType::Tracing, _) => (name.clone(), TypeKind::Func),
            (ProgType::Lsm, _) => (format!("bpf_lsm_{name}"), TypeKind::Func),
            _ => return Ok(None),
        };
        let lost = |why| LoadError::Target { program: p.function.name.clone(), why };
        // `MODULE:FUNCTION`, as libbpf takes it.
        let found = match name.split_once(':').filter(|(m, _)| *m != "vmlinux") {
            Some((module, function)) => find_in_module(self.kernel, module, function, kind),
            None => find_in_kernel(self.kernel, name.trim_start_matches("vmlinux:"), kind),
        };
        let (home, id) = found.map_err(|problem| lost(format!("its target `{name}` is a name that {problem}")))?;
        let module = home.map(|m| module_btf_fd(&m)).transpose()?;
        Ok(Some((module, id.0)))
    }

    fn refused(
        &self,
        p: &object::Program,
        layout: &Layout<'_>,
        poisoned: &Poisoned,
        failure: LoadFailure,
    ) -> LoadError {
        let program = p.function.name.clone();
        let cause = failure.error;
        if cause.errno == Errno::EPERM && failure.log.trim().is_empty() {
            let missing = self.missing_for(capabilities_for(p.prog_type));
            let mend = missing.as_ref().map(|_| "`whistler doctor` has the command that gives them".to_string());
            let why = missing
                .unwrap_or_else(|| format!("this kernel forbids programs of type {} ({cause})", p.prog_type.keyword()));
            return LoadError::Denied { program, why, mend, cause };
        }
        let said = complaint(&failure.log);
        let place = said.insn.and_then(|i| layout.place(i));
        let span = said.insn.and_then(|i| layout.location(i)).map_or(Span::NONE, |l| l.span);
        let mut message = match said.insn {
            Some(i) => with_variables(&said.message, layout, i),
            None => said.message,
        };
        if let Some((_, what)) = poisoned.iter().find(|(at, _)| Some(*at) == said.insn) {
            message.clone_from(what);
        } else if failure.log.trim().is_empty() {
            message = match self.kernel.version() {
                Some(v) if v < p.prog_type.info().since => {
                    format!("programs of type {} need kernel {}", p.prog_type.keyword(), p.prog_type.info().since)
                }
                _ => cause.to_string(),
            };
        }
        LoadError::Verifier(Box::new(VerifierError {
            program,
            cause,
            insn: said.insn,
            place: place.map(|(f, i)| (f.name.clone(), i)),
            span,
            message,
            log: failure.log,
        }))
    }
}

/// What of the rights that something takes is missing, in words.
pub(crate) fn missing_for(kernel: &Kernel, needed: &[Cap]) -> Option<String> {
    let names: Vec<&str> = kernel.missing(needed).iter().map(|c| c.name()).collect();
    (!names.is_empty()).then(|| format!("{} is missing", names.join(", ")))
}

/// Puts in what lies in a map from the start; what is not of this load stays as it is.
fn fill<'a>(
    def: &object::Map,
    maps: &FxHashMap<String, Arc<Map>>,
    found: impl Fn(&str) -> Option<std::os::fd::BorrowedFd<'a>>,
) -> Result<(), LoadError> {
    let Some(map) = maps.get(&def.name) else { return Ok(()) };
    for (index, name) in &def.contents {
        let Some(fd) = found(name) else { continue };
        map.update_fd(&index.to_ne_bytes(), fd).map_err(|cause| LoadError::Map {
            map: def.name.clone(),
            why: format!("`{name}` can't be put at index {index}: {cause}"),
            cause,
        })?;
    }
    Ok(())
}

/// A program of a type needs these (KERNELS.md, measured).
pub(crate) const fn capabilities_for(prog_type: ProgType) -> &'static [Cap] {
    match prog_type {
        ProgType::SocketFilter | ProgType::CgroupSkb | ProgType::SkLookup | ProgType::Syscall => &[Cap::Bpf],
        ProgType::Kprobe
        | ProgType::Tracepoint
        | ProgType::PerfEvent
        | ProgType::RawTracepoint
        | ProgType::RawTracepointWritable
        | ProgType::Tracing
        | ProgType::Lsm
        | ProgType::StructOps
        | ProgType::Ext => &[Cap::Bpf, Cap::Perfmon],
        _ => &[Cap::Bpf, Cap::NetAdmin],
    }
}

/// Entries as the kernel wants them: a perf event array without a size has one per processor.
fn entries(m: &object::Map) -> u32 {
    match m.map_type {
        MapType::PerfEventArray if m.max_entries == 0 => whistler_sys::possible_cpus() as u32,
        _ => m.max_entries,
    }
}

fn check_shape(m: &object::Map, kept: &Map) -> Result<(), LoadError> {
    let have = kept.shape();
    let compare = [
        ("type", m.map_type.number(), have.map_type),
        ("key size", m.key_size, have.key_size),
        ("value size", m.value_size, have.value_size),
        ("max-entries", entries(m), have.max_entries),
    ];
    for (what, wanted, has) in compare {
        if wanted != has {
            let what = format!("{what} {has}, now {wanted}");
            return Err(LoadError::MapShape { map: m.name.clone(), what });
        }
    }
    Ok(())
}

/// Loads; on refusal again with a log, as large as it takes.
fn load_with_log(load: &ProgLoad<'_>) -> Result<(OwnedFd, String), LoadFailure> {
    let mut request = *load;
    loop {
        let failure = match request.load() {
            Ok(loaded) => return Ok((loaded.fd, loaded.log)),
            Err(f) => f,
        };
        let next = match failure.error.errno {
            // The log did not fit: the kernel may say what it takes (6.4 on).
            Errno::ENOSPC if request.log_level > 0 && request.log_size < LOG_MAX => {
                failure.log_true_size.max(request.log_size.saturating_mul(4)).min(LOG_MAX)
            }
            // More log than we want to hold: what is there must do.
            _ if request.log_level > 0 => return Err(failure),
            _ => LOG_SIZE,
        };
        request.log_level = request.log_level.max(1);
        request.log_size = next;
    }
}
