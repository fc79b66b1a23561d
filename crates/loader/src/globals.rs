//! Global variables: laid out into array maps of one entry (`.rodata`, `.data`, `.bss`, or a foreign
//! object's own sections), and reached by name afterwards.
//!
//! Invariant: a global that is to be kept stays where it is, whatever else the new object defines.

use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;
use whistler_isa::MapType;
use whistler_object::{Global, Mutability, Object};
use whistler_sys::bpf::MapCreate;
use whistler_sys::{Errno, MapFd, Mapping, SysError, page_size};

use crate::error::LoadError;
use crate::map::{Map, Put};

const BPF_F_RDONLY_PROG: u32 = 1 << 7;
const BPF_F_MMAPABLE: u32 = 1 << 10;

/// The memory of one section.
#[derive(Debug)]
struct Memory {
    map: Arc<Map>,
    writable: bool,
    mapping: OnceLock<Result<Mapping, SysError>>,
}

/// A global in the kernel.
#[derive(Clone, Debug)]
pub struct GlobalHandle {
    memory: Arc<Memory>,
    offset: u32,
    size: u32,
}

impl GlobalHandle {
    /// The map that holds it.
    pub fn map(&self) -> &Arc<Map> {
        &self.memory.map
    }

    /// Where in the map's value it lies.
    pub fn offset(&self) -> u32 {
        self.offset
    }

    /// Its bytes.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Whether it may be written.
    pub fn is_writable(&self) -> bool {
        self.memory.writable
    }

    fn mapping(&self) -> Result<&Mapping, SysError> {
        let len = (self.memory.map.shape().value_size as usize).next_multiple_of(page_size());
        let map = || Mapping::of(self.memory.map.as_fd(), len, 0, self.memory.writable);
        self.memory.mapping.get_or_init(map).as_ref().map_err(|e| *e)
    }

    /// Its value now.
    pub fn read(&self) -> Result<Vec<u8>, SysError> {
        let mut out = vec![0; self.size as usize];
        let (at, mapping) = (self.offset as usize, self.mapping()?);
        // A number that the program changes meanwhile is read in one piece.
        if self.size == 4
            && let Some(n) = mapping.load_u32(at, Ordering::Relaxed)
        {
            return Ok(n.to_ne_bytes().to_vec());
        }
        if mapping.read(at, &mut out) { Ok(out) } else { Err(SysError { call: "mmap", errno: Errno::ERANGE }) }
    }

    /// Gives it a value, at once for the programs that use it, and touching nothing beside it.
    pub fn write(&self, value: &[u8]) -> Result<(), SysError> {
        let refuse = |errno| Err(SysError { call: "write of a global", errno });
        if !self.memory.writable {
            return refuse(Errno::EPERM);
        }
        if value.len() != self.size as usize {
            return refuse(Errno::EINVAL);
        }
        let (at, mapping) = (self.offset as usize, self.mapping()?);
        if let Ok(word) = value.try_into().map(u32::from_ne_bytes)
            && mapping.store_u32(at, word, Ordering::Relaxed)
        {
            return Ok(());
        }
        if mapping.write(at, value) { Ok(()) } else { refuse(Errno::ERANGE) }
    }
}

/// A section while it is laid out.
struct Section<'a> {
    name: String,
    writable: bool,
    bytes: Vec<u8>,
    members: Vec<(&'a Global, u32)>,
}

fn section_of(global: &Global) -> &str {
    match (&global.section, global.mutability) {
        (Some(section), _) => section,
        (None, Mutability::ReadOnly) => ".rodata",
        (None, Mutability::ReadWrite) if global.init.iter().all(|b| *b == 0) => ".bss",
        (None, Mutability::ReadWrite) => ".data",
    }
}

fn lay_out<'a>(globals: impl Iterator<Item = &'a Global>) -> Vec<Section<'a>> {
    let mut sections: Vec<Section<'a>> = Vec::new();
    for g in globals {
        let (name, writable) = (section_of(g), g.mutability == Mutability::ReadWrite);
        let at = match sections.iter().position(|s| s.name == name && s.writable == writable) {
            Some(i) => i,
            None => {
                sections.push(Section { name: name.to_string(), writable, bytes: Vec::new(), members: Vec::new() });
                sections.len() - 1
            }
        };
        let section = &mut sections[at];
        let align = (g.align as usize).clamp(1, 4096);
        section.bytes.resize(section.bytes.len().next_multiple_of(align), 0);
        section.members.push((g, section.bytes.len() as u32));
        section.bytes.extend_from_slice(&g.init);
    }
    sections
}

/// Makes the memory of an object's globals; those in `keep` stay what they are.
pub(crate) fn create(
    object: &Object,
    keep: &FxHashMap<String, GlobalHandle>,
) -> Result<FxHashMap<String, GlobalHandle>, LoadError> {
    let mut handles = FxHashMap::default();
    let mut fresh = Vec::new();
    for g in &object.globals {
        match keep.get(&g.name).filter(|h| fits(h, g)) {
            Some(handle) => drop(handles.insert(g.name.clone(), handle.clone())),
            None => fresh.push(g),
        }
    }
    for section in lay_out(fresh.into_iter()) {
        let failed = |cause| LoadError::Globals { section: section.name.clone(), cause };
        let map = make(&section).map_err(failed)?;
        let memory = Memory { map: Arc::new(map), writable: section.writable, mapping: OnceLock::new() };
        let memory = Arc::new(memory);
        for (g, offset) in &section.members {
            let handle = GlobalHandle { memory: memory.clone(), offset: *offset, size: g.init.len() as u32 };
            handles.insert(g.name.clone(), handle);
        }
    }
    Ok(handles)
}

/// A kept global must be as large, and a constant has a new value in every object.
fn fits(handle: &GlobalHandle, global: &Global) -> bool {
    let writable = global.mutability == Mutability::ReadWrite;
    handle.size as usize == global.init.len() && handle.memory.writable && writable
}

fn make(section: &Section<'_>) -> Result<Map, SysError> {
    let request = MapCreate {
        map_type: MapType::Array.number(),
        key_size: 4,
        value_size: section.bytes.len().max(1) as u32,
        max_entries: 1,
        flags: BPF_F_MMAPABLE | if section.writable { 0 } else { BPF_F_RDONLY_PROG },
        name: &section.name,
        ..MapCreate::default()
    };
    let map = Map::new(&section.name, MapFd::create(&request)?);
    if !section.bytes.is_empty() {
        map.update(&[0; 4], &section.bytes, Put::Any)?;
    }
    if !section.writable {
        // Only of a frozen map does the verifier take the values for constants.
        map.fd().freeze()?;
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use whistler_diag::Span;

    fn global(name: &str, init: &[u8], align: u32, mutability: Mutability) -> Global {
        Global {
            name: name.to_string(),
            init: init.to_vec(),
            align,
            mutability,
            section: None,
            type_id: None,
            span: Span::NONE,
        }
    }

    #[test]
    fn sections_and_alignment() {
        let all = [
            global("a", &[1], 1, Mutability::ReadWrite),
            global("b", &[0; 8], 8, Mutability::ReadWrite),
            global("c", &[7; 8], 8, Mutability::ReadWrite),
            global("d", b"text\0", 1, Mutability::ReadOnly),
        ];
        let sections = lay_out(all.iter());
        let shown: Vec<String> = sections
            .iter()
            .map(|s| {
                let members: Vec<String> = s.members.iter().map(|(g, o)| format!("{}@{o}", g.name)).collect();
                format!("{} {} {}", s.name, s.bytes.len(), members.join(" "))
            })
            .collect();
        assert_eq!(shown, [".data 16 a@0 c@8", ".bss 8 b@0", ".rodata 5 d@0"]);
    }
}
