//! Questions about maps, programs, links and BTF.

use super::*;

/// What the kernel knows of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgInfo {
    /// BPF_PROG_TYPE_…
    pub prog_type: u32,
    /// Its id.
    pub id: u32,
    /// Hash over its instructions.
    pub tag: [u8; 8],
    /// Its name (15 bytes at most).
    pub name: String,
    /// Bytes of machine code.
    pub jited_len: u32,
    /// Bytes of instructions after the verifier's rewriting.
    pub xlated_len: u32,
    /// Nanoseconds since boot when it was loaded.
    pub load_time: u64,
    /// Who loaded it.
    pub created_by_uid: u32,
    /// Maps it uses.
    pub nr_map_ids: u32,
    /// Its BTF.
    pub btf_id: u32,
    /// Whether GPL-only helpers are open to it.
    pub gpl_compatible: bool,
    /// Nanoseconds it ran, while statistics were on.
    pub run_time_ns: u64,
    /// Runs, while statistics were on.
    pub run_cnt: u64,
    /// Runs left out because it was running already.
    pub recursion_misses: u64,
    /// Instructions the verifier walked.
    pub verified_insns: u32,
}

/// What the kernel knows of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapInfo {
    /// Its sizes.
    pub shape: MapShape,
    /// Its id.
    pub id: u32,
    /// Its name (15 bytes at most).
    pub name: String,
    /// Its BTF.
    pub btf_id: u32,
}

/// What the kernel knows of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkInfo {
    /// BPF_LINK_TYPE_…
    pub link_type: u32,
    /// Its id.
    pub id: u32,
    /// The program it runs.
    pub prog_id: u32,
    /// The first two words of what its kind adds (`ifindex` of an XDP and a tcx link, …).
    pub detail: [u64; 2],
}

fn name_of(bytes: &[u8; 16]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn info<T: crate::attr::Attr>(fd: BorrowedFd<'_>) -> Result<T, SysError> {
    let bytes = expect_reply!(Call::Info { fd, len: size_of::<T>() }, Reply::Bytes(b) => b)?;
    Ok(from_bytes(&bytes))
}

/// Facts of a program.
pub fn prog_info(fd: BorrowedFd<'_>) -> Result<ProgInfo, SysError> {
    let raw: ProgInfoRaw = info(fd)?;
    Ok(ProgInfo {
        prog_type: raw.kind,
        id: raw.id,
        tag: raw.tag,
        name: name_of(&raw.name),
        jited_len: raw.jited_len,
        xlated_len: raw.xlated_len,
        load_time: raw.load_time,
        created_by_uid: raw.created_by_uid,
        nr_map_ids: raw.nr_map_ids,
        btf_id: raw.btf_id,
        gpl_compatible: raw.gpl_compatible & 1 != 0,
        run_time_ns: raw.run_time_ns,
        run_cnt: raw.run_cnt,
        recursion_misses: raw.recursion_misses,
        verified_insns: raw.verified_insns,
    })
}

/// Facts of a map.
pub fn map_info(fd: BorrowedFd<'_>) -> Result<MapInfo, SysError> {
    let raw: MapInfoRaw = info(fd)?;
    let shape = MapShape {
        map_type: raw.kind,
        key_size: raw.key_size,
        value_size: raw.value_size,
        max_entries: raw.max_entries,
        flags: raw.map_flags,
    };
    Ok(MapInfo { shape, id: raw.id, name: name_of(&raw.name), btf_id: raw.btf_id })
}

/// Facts of a link.
pub fn link_info(fd: BorrowedFd<'_>) -> Result<LinkInfo, SysError> {
    let raw: LinkInfoRaw = info(fd)?;
    // The kind's own part starts at byte 16 where its first field is 64 bits wide, as in every
    // kind: the union is aligned to 8.
    Ok(LinkInfo { link_type: raw.kind, id: raw.id, prog_id: raw.prog_id, detail: [raw.rest[0], raw.rest[1]] })
}

/// The ids of the maps that a program uses.
pub fn map_ids(prog: BorrowedFd<'_>) -> Result<Vec<u32>, SysError> {
    let max = prog_info(prog)?.nr_map_ids as usize;
    expect_reply!(Call::ProgMapIds { fd: prog, max }, Reply::Numbers(v) => v.into_iter().map(|n| n as u32).collect())
}

/// A loaded BTF's name (of a module; empty for a program's) and bytes.
pub fn btf_data(fd: BorrowedFd<'_>) -> Result<(String, Vec<u8>), SysError> {
    let raw: crate::attr::BtfInfoRaw = info(fd)?;
    let (data_len, name_len) = (raw.btf_size as usize, raw.name_len as usize + 1);
    let mut bytes = expect_reply!(Call::BtfData { fd, data_len, name_len }, Reply::Bytes(b) => b)?;
    let name = bytes.split_off(data_len.min(bytes.len()));
    let name = name.split(|b| *b == 0).next().unwrap_or_default();
    Ok((String::from_utf8_lossy(name).into_owned(), bytes))
}

/// All ids of a kind (needs CAP_SYS_ADMIN).
pub fn ids(kind: IdKind) -> Result<Vec<u32>, SysError> {
    let mut all = Vec::new();
    let mut after = 0;
    loop {
        match missing_is_none(expect_reply!(Call::NextId { kind, after }, Reply::Number(n) => n as u32))? {
            // A fake that never ends must not make us run for ever: ids only grow.
            Some(id) if id > after => {
                all.push(id);
                after = id;
            }
            _ => return Ok(all),
        }
    }
}

/// A descriptor of the object with this id (needs CAP_SYS_ADMIN).
pub fn fd_by_id(kind: IdKind, id: u32) -> Result<OwnedFd, SysError> {
    expect_reply!(Call::FdById { kind, id }, Reply::Fd(fd) => fd)
}

/// The ids of the programs attached to a cgroup or network namespace (by descriptor) or device (by
/// index); at most 64.
pub fn prog_query(target: u32, attach_type: u32) -> Result<Vec<u32>, SysError> {
    let call = Call::ProgQuery { target, attach_type, max: 64 };
    expect_reply!(call, Reply::Numbers(v) => v.into_iter().map(|n| n as u32).collect())
}
