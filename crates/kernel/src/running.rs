//! One kernel and all that is known of it. Invariant: a fact is found out once; what could not be
//! found out keeps its reason.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use rustc_hash::FxHashMap;
use whistler_btf::{Btf, TracepointFormat, TypeSource, TypeSourceError};
use whistler_isa::KernelVersion;
use whistler_sys::{Cap, Capabilities, ConstFile, Errno, SysError};

use crate::btf_file::{self, BtfFile};
use crate::event_struct::format_from_btf;
use crate::features::Probes;
use crate::{Feature, Origin, Symbols, Tracefs, nearest, parse_format};

/// A kernel: the running one, or files saved from one.
#[derive(Debug)]
pub struct Kernel {
    source: Source,
    release: OnceLock<String>,
    btf: OnceLock<Result<LoadedBtf, String>>,
    modules: Mutex<FxHashMap<String, Option<Arc<Btf>>>>,
    tracefs: OnceLock<Result<Tracefs, SysError>>,
    tracepoints: Mutex<FxHashMap<(String, String), Arc<TracepointFormat>>>,
    symbols: OnceLock<Result<Symbols, Errno>>,
    capabilities: OnceLock<Capabilities>,
    probes: Probes,
}

#[derive(Debug)]
enum Source {
    /// The running one; its formats from copies, if any.
    Running {
        tracefs: Option<PathBuf>,
    },
    Saved {
        btf: PathBuf,
        tracefs: Option<PathBuf>,
    },
}

#[derive(Debug)]
struct LoadedBtf {
    btf: Arc<Btf>,
    mapped: bool,
    /// The module that was named in place of a kernel, and its types.
    module: Option<(String, Arc<Btf>)>,
}

impl Kernel {
    /// The running kernel. Nothing is read before it is asked for.
    pub fn running() -> Kernel {
        Kernel::new(Source::Running { tracefs: None })
    }

    /// What was asked for: the running kernel, its saved BTF or formats in place of its own, or both.
    pub fn chosen(btf: Option<PathBuf>, tracefs: Option<PathBuf>) -> Kernel {
        Kernel::new(match btf {
            Some(btf) => Source::Saved { btf, tracefs },
            None => Source::Running { tracefs },
        })
    }

    /// What was saved of a kernel: its BTF (`/sys/kernel/btf/vmlinux`, an ELF file that has it such as `vmlinux`, or a
    /// directory of both kinds, with its modules'), or a module of the running one (`NAME.ko`, its BTF alone);
    /// and a directory of tracepoint formats (`[events/]CATEGORY/NAME/format`).
    pub fn saved(btf: impl Into<PathBuf>, tracefs: Option<PathBuf>) -> Kernel {
        Kernel::new(Source::Saved { btf: btf.into(), tracefs })
    }

    fn new(source: Source) -> Kernel {
        Kernel {
            source,
            release: OnceLock::new(),
            btf: OnceLock::new(),
            modules: Mutex::default(),
            tracefs: OnceLock::new(),
            tracepoints: Mutex::default(),
            symbols: OnceLock::new(),
            capabilities: OnceLock::new(),
            probes: Probes::default(),
        }
    }

    /// Whether this is the running kernel.
    pub fn is_running(&self) -> bool {
        matches!(self.source, Source::Running { .. })
    }

    /// The release, such as `6.18.44-fc`; empty for a saved kernel.
    pub fn release(&self) -> &str {
        self.release.get_or_init(|| match self.source {
            Source::Running { .. } => whistler_sys::kernel_release().unwrap_or_default(),
            Source::Saved { .. } => String::new(),
        })
    }

    /// The version, where it is known.
    pub fn version(&self) -> Option<KernelVersion> {
        self.release().parse().ok()
    }

    fn load_btf(&self) -> Result<LoadedBtf, String> {
        match &self.source {
            Source::Running { .. } => running_btf(),
            Source::Saved { btf, .. } if btf.is_dir() => {
                let path = btf.join("vmlinux");
                whole_btf(&path, saved_file(&path)?)
            }
            Source::Saved { btf, .. } => {
                let file = saved_file(btf)?;
                if file.split { module_btf(btf, file) } else { whole_btf(btf, file) }
            }
        }
    }

    fn loaded_btf(&self) -> &Result<LoadedBtf, String> {
        self.btf.get_or_init(|| self.load_btf())
    }

    /// The kernel's BTF.
    pub fn shared_btf(&self) -> Option<Arc<Btf>> {
        self.loaded_btf().as_ref().ok().map(|l| l.btf.clone())
    }

    /// Why there is no BTF; `None` when there is.
    pub fn btf_error(&self) -> Option<&str> {
        self.loaded_btf().as_ref().err().map(String::as_str)
    }

    /// Whether the BTF is mapped, not read.
    pub fn btf_is_mapped(&self) -> bool {
        self.loaded_btf().as_ref().is_ok_and(|l| l.mapped)
    }

    /// The module that was named in place of a kernel (`--btf NAME.ko`).
    pub fn own_module(&self) -> Option<&str> {
        self.loaded_btf().as_ref().ok()?.module.as_ref().map(|(name, _)| name.as_str())
    }

    /// The modules that have BTF of their own, sorted.
    pub fn modules(&self) -> Vec<String> {
        if let Source::Saved { btf, .. } = &self.source
            && !btf.is_dir()
        {
            return self.own_module().map(str::to_string).into_iter().collect();
        }
        let directory = match &self.source {
            Source::Running { .. } => Path::new("/sys/kernel/btf"),
            Source::Saved { btf, .. } => btf.as_path(),
        };
        let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
        let names = entries.flatten().filter_map(|e| e.file_name().into_string().ok());
        let names = names.map(|n| n.strip_suffix(".ko").map(str::to_string).unwrap_or(n));
        let mut names: Vec<String> = names.filter(|n| n != "vmlinux").collect();
        names.sort();
        names.dedup();
        names
    }

    /// A module's BTF, on top of the kernel's.
    pub fn module_btf(&self, module: &str) -> Option<Arc<Btf>> {
        if module == "vmlinux" || module.is_empty() || module.contains('/') || module.starts_with('.') {
            return None;
        }
        let loaded = self.loaded_btf().as_ref().ok()?;
        if let Some((name, btf)) = &loaded.module {
            return (name == module).then(|| btf.clone());
        }
        let base = loaded.btf.clone();
        // A poisoned lock only means that another thread panicked between two whole entries.
        let mut modules = self.modules.lock().unwrap_or_else(|e| e.into_inner());
        let load = || match &self.source {
            Source::Running { .. } => btf_file::parse_module(ConstFile::kernel_btf(module).ok()?, base),
            Source::Saved { btf, .. } => {
                let bare = btf.join(module);
                let path = if bare.exists() { bare } else { btf.join(format!("{module}.ko")) };
                btf_file::open(&path).ok()?.continuing(|| Ok(base)).ok().map(|(_, module)| module)
            }
        };
        modules.entry(module.to_string()).or_insert_with(load).clone()
    }

    /// Where tracepoint formats are read.
    pub fn tracefs(&self) -> Result<&Tracefs, SysError> {
        let opened = self.tracefs.get_or_init(|| match &self.source {
            Source::Running { tracefs: None } => Tracefs::open(),
            Source::Running { tracefs: Some(path) } | Source::Saved { tracefs: Some(path), .. } => Tracefs::saved(path),
            Source::Saved { tracefs: None, .. } => Err(SysError { call: "open", errno: Errno::ENOENT }),
        });
        opened.as_ref().map_err(|e| *e)
    }

    /// The tracepoints whose names are like this one (with or without category), as `category/name`.
    pub fn nearest_tracepoints(&self, wanted: &str) -> Vec<String> {
        let Ok(tracefs) = self.tracefs() else { return Vec::new() };
        let all: Vec<String> = self.tracepoint_names(tracefs).unwrap_or_default();
        let (category, event) = wanted.split_once('/').unwrap_or(("", wanted));
        let mut near: Vec<String> = Vec::new();
        // The right name in the wrong category, then names alike.
        near.extend(all.iter().filter(|n| n.rsplit('/').next() == Some(event)).cloned());
        if category.is_empty() {
            let names = nearest(event, all.iter().filter_map(|n| n.rsplit('/').next()), 3);
            near.extend(all.iter().filter(|n| n.rsplit('/').next().is_some_and(|e| names.contains(&e))).cloned());
        } else {
            near.extend(nearest(wanted, all.iter().map(String::as_str), 3).into_iter().map(str::to_string));
        }
        let mut seen = Vec::new();
        near.retain(|n| !seen.contains(n) && (seen.push(n.clone()), true).1);
        near.truncate(3);
        near
    }

    /// All tracepoints as `category/name`, sorted.
    pub fn tracepoint_names(&self, tracefs: &Tracefs) -> Result<Vec<String>, SysError> {
        let mut all = Vec::new();
        for category in tracefs.categories()? {
            all.extend(tracefs.names(&category)?.into_iter().map(|n| format!("{category}/{n}")));
        }
        Ok(all)
    }

    /// The kernel's symbols. A saved kernel has none.
    pub fn symbols(&self) -> Result<&Symbols, Errno> {
        let read = || -> Result<Symbols, Errno> {
            if !self.is_running() {
                return Err(Errno::ENOENT);
            }
            let text = std::fs::read("/proc/kallsyms")?;
            Ok(Symbols::parse(&String::from_utf8_lossy(&text)))
        };
        self.symbols.get_or_init(read).as_ref().map_err(|e| *e)
    }

    /// What the thread that asked first may do.
    pub fn capabilities(&self) -> Capabilities {
        *self.capabilities.get_or_init(|| whistler_sys::capabilities().unwrap_or_default())
    }

    /// Those of `needed` that we don't have.
    pub fn missing(&self, needed: &[Cap]) -> Vec<Cap> {
        needed.iter().copied().filter(|c| !self.capabilities().has(*c)).collect()
    }

    /// Whether the running kernel can do it. Nothing for a saved one.
    pub fn has(&self, feature: Feature) -> bool {
        self.is_running() && self.probes.has(feature, self)
    }

    /// The number by which the running kernel attaches programs to a tracepoint; only tracefs has it.
    pub fn tracepoint_id(&self, category: &str, event: &str) -> Result<u32, TypeSourceError> {
        if !matches!(self.source, Source::Running { tracefs: None }) {
            return Kernel::running().tracepoint_id(category, event);
        }
        let format = self.tracepoint(category, event)?;
        match &format.from_types {
            None => Ok(format.id),
            Some(why) => Err(TypeSourceError::Unavailable(why.clone())),
        }
    }

    fn no_tracefs(&self, e: SysError) -> String {
        match self.source {
            Source::Saved { tracefs: None, .. } => {
                "no saved tracepoint formats were named: --tracefs DIR names a copy of a tracefs `events` directory"
                    .to_string()
            }
            Source::Running { tracefs: Some(_) } | Source::Saved { .. } => {
                format!("the saved tracepoint formats can't be read: {e}")
            }
            Source::Running { .. } if e.errno == Errno::EACCES => {
                "tracepoint formats can't be read: tracefs is closed to this user; \
                 give the program cap_dac_read_search (`whistler doctor` has the command)"
                    .to_string()
            }
            Source::Running { .. } => format!(
                "tracepoint formats can't be read: tracefs is not mounted, and can't be mounted ({e}); \
                 `sudo mount -t tracefs tracefs /sys/kernel/tracing` mounts it"
            ),
        }
    }
}

impl TypeSource for Kernel {
    fn btf(&self) -> Option<&Btf> {
        self.loaded_btf().as_ref().ok().map(|l| &*l.btf)
    }

    fn btf_problem(&self) -> Option<String> {
        self.btf_error().map(str::to_string)
    }

    fn tracepoint(&self, category: &str, event: &str) -> Result<Arc<TracepointFormat>, TypeSourceError> {
        let key = (category.to_string(), event.to_string());
        let cache = || self.tracepoints.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(known) = cache().get(&key) {
            return Ok(known.clone());
        }
        // Without tracefs the kernel's types still tell most records' shape; only attaching takes more.
        let closed = |e: SysError| {
            let why = self.no_tracefs(e);
            match self.btf().and_then(|btf| format_from_btf(btf, category, event)) {
                Some(format) => Ok(Arc::new(TracepointFormat { from_types: Some(why), ..format })),
                None => Err(TypeSourceError::Unavailable(match self.btf() {
                    Some(_) => {
                        format!("{why}; and the kernel's types have no record of it (struct trace_event_raw_{event})")
                    }
                    None => why,
                })),
            }
        };
        let tracefs = match self.tracefs() {
            Ok(tracefs) => tracefs,
            Err(e) => return closed(e),
        };
        let text = match tracefs.format_text(category, event) {
            Ok(text) => text,
            Err(e) if e.errno == Errno::ENOENT => {
                return Err(TypeSourceError::NoTracepoint {
                    category: category.to_string(),
                    event: event.to_string(),
                    near: self.nearest_tracepoints(&format!("{category}/{event}")),
                });
            }
            Err(e) => return closed(e),
        };
        let mut format = parse_format(category, &text).ok_or_else(|| TypeSourceError::Malformed {
            what: format!("{category}/{event}"),
            why: "it has no name or no ID".to_string(),
        })?;
        if tracefs.origin() == Origin::Saved {
            // The number is another one on the kernel where it will run.
            format.id = 0;
        }
        let format = Arc::new(format);
        cache().insert(key, format.clone());
        Ok(format)
    }

    fn modules(&self) -> Vec<String> {
        Kernel::modules(self)
    }

    fn module_btf(&self, module: &str) -> Option<Arc<Btf>> {
        Kernel::module_btf(self, module)
    }

    fn kernel_version(&self) -> Option<(u16, u16)> {
        self.version().map(|v| (v.major, v.minor))
    }
}

fn running_btf() -> Result<LoadedBtf, String> {
    let file = ConstFile::kernel_btf("vmlinux").map_err(|e| match e {
        Errno::ENOENT => {
            "this kernel has no BTF (/sys/kernel/btf/vmlinux): it was built without CONFIG_DEBUG_INFO_BTF".to_string()
        }
        e => format!("the kernel's BTF (/sys/kernel/btf/vmlinux) can't be read: {e}"),
    })?;
    let mapped = file.is_mapped();
    let btf = btf_file::parse(file).map_err(|e| format!("the kernel's BTF makes no sense: {e}"))?;
    Ok(LoadedBtf { btf: Arc::new(btf), mapped, module: None })
}

fn saved_file(path: &Path) -> Result<BtfFile, String> {
    btf_file::open(path).map_err(|e| format!("the BTF in {} can't be read: {e}", path.display()))
}

fn whole_btf(path: &Path, file: BtfFile) -> Result<LoadedBtf, String> {
    let btf = file.whole().map_err(|e| format!("the BTF in {} makes no sense: {e}", path.display()))?;
    Ok(LoadedBtf { btf: Arc::new(btf), mapped: false, module: None })
}

/// A module in place of a kernel: its types continue the running one's.
fn module_btf(path: &Path, file: BtfFile) -> Result<LoadedBtf, String> {
    let shown = path.display();
    let release = file.release.clone();
    let running = || {
        let here = whistler_sys::kernel_release().unwrap_or_default();
        match release {
            Some(release) if release != here => Err(format!(
                "{shown} is a module of kernel {release}, whose types its own continue, and this is {here}: lay it into \
                 a directory beside that kernel's `vmlinux`, and name the directory"
            )),
            _ => running_btf().map(|l| l.btf),
        }
    };
    let (base, module) = file.continuing(running)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".ko").unwrap_or(&name).replace('-', "_");
    Ok(LoadedBtf { btf: base, mapped: false, module: Some((name, module)) })
}

/// Reads the formats of tracepoints into a directory from which [`Kernel::saved`] can answer.
///
/// `wanted` is `category/name` each; those that the kernel does not have are an error.
pub fn save_formats(kernel: &Kernel, wanted: &[(&str, &str)], into: &Path) -> Result<(), SysError> {
    let tracefs = kernel.tracefs()?;
    let failed = |e: std::io::Error| SysError { call: "write", errno: e.into() };
    for (category, name) in wanted {
        let text = tracefs.format_text(category, name)?;
        let dir = into.join(category).join(name);
        std::fs::create_dir_all(&dir).map_err(failed)?;
        std::fs::write(dir.join("format"), text).map_err(failed)?;
    }
    Ok(())
}
