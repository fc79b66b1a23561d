//! The simulated `task_struct`: the current process as the object's own BTF
//! lays it out. Invariant: fields that BTF does not name are zero, and fields
//! outside its size can't be read.

use whistler_btf::{Btf, Kind, TypeId, TypeKind};

use crate::fault::{Run, misuse};
use crate::helpers::COMM_LEN;
use crate::machine::State;
use crate::memory::KernelObject;
use crate::world::Task;

/// How deep anonymous structs are searched for a member.
const MAX_NESTING: u32 = 8;

/// Where the fields that a simulated process fills in lie; absent ones are not in the object's BTF.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskLayout {
    size: usize,
    pid: Option<u32>,
    tgid: Option<u32>,
    comm: Option<u32>,
    /// `real_parent` and `parent`.
    parents: Vec<u32>,
    group_leader: Option<u32>,
    /// `start_time` and `start_boottime`.
    starts: Vec<u32>,
    /// `cred` and `real_cred`.
    creds: Vec<u32>,
    cred_size: usize,
    /// `uid`, `euid`, … and `gid`, `egid`, … within `struct cred`.
    uids: Vec<u32>,
    gids: Vec<u32>,
}

impl TaskLayout {
    /// The layout in these raw `.BTF` bytes; empty where they don't describe `task_struct`.
    pub fn of(btf: &[u8]) -> TaskLayout {
        if btf.is_empty() {
            return TaskLayout::default();
        }
        Btf::parse(btf.to_vec()).ok().and_then(|b| TaskLayout::read(&b)).unwrap_or_default()
    }

    fn read(btf: &Btf) -> Option<TaskLayout> {
        let find = |name| btf.find(name, TypeKind::Struct).ok().flatten();
        let task = find("task_struct")?;
        let at = |name: &str| member(btf, task, name, 0);
        let all = |names: &[&str]| names.iter().filter_map(|n| at(n)).collect::<Vec<u32>>();
        let cred = find("cred");
        let in_cred = |names: &[&str]| names.iter().filter_map(|n| member(btf, cred?, n, 0)).collect::<Vec<u32>>();
        let size = |id: TypeId| btf.ty(id).ok().and_then(|t| t.composite()).map_or(0, |c| c.size as usize);
        Some(TaskLayout {
            size: size(task),
            pid: at("pid"),
            tgid: at("tgid"),
            comm: at("comm"),
            parents: all(&["real_parent", "parent"]),
            group_leader: at("group_leader"),
            starts: all(&["start_time", "start_boottime"]),
            creds: all(&["cred", "real_cred"]),
            cred_size: cred.map_or(0, size),
            uids: in_cred(&["uid", "euid", "suid", "fsuid"]),
            gids: in_cred(&["gid", "egid", "sgid", "fsgid"]),
        })
    }
}

/// Byte offset of a member, also within anonymous structs and unions.
fn member(btf: &Btf, id: TypeId, name: &str, depth: u32) -> Option<u32> {
    let composite = btf.ty(id).ok()?.composite()?;
    for m in composite.members() {
        if m.name == name {
            return Some(m.bit_offset / 8);
        }
        let anonymous = m.name.is_empty() && depth < MAX_NESTING;
        if anonymous && let Some(inner) = member(btf, through_names(btf, m.ty)?, name, depth + 1) {
            return Some(m.bit_offset / 8 + inner);
        }
    }
    None
}

/// Whether values of this type hold a `bpf_spin_lock`.
pub(crate) fn holds_lock(btf: &Btf, id: TypeId, depth: u32) -> bool {
    let Some(t) = through_names(btf, id).and_then(|id| btf.ty(id).ok()) else { return false };
    let mut inner = t.composite().into_iter().flat_map(|c| c.members()).filter(|_| depth < MAX_NESTING);
    t.name == "bpf_spin_lock" || inner.any(|m| holds_lock(btf, m.ty, depth + 1))
}

/// The type behind typedefs and qualifiers.
fn through_names(btf: &Btf, mut id: TypeId) -> Option<TypeId> {
    for _ in 0..MAX_NESTING {
        match btf.ty(id).ok()?.get() {
            Kind::Typedef(of) | Kind::Const(of) | Kind::Volatile(of) | Kind::Restrict(of) | Kind::TypeTag(of) => {
                id = of
            }
            _ => return Some(id),
        }
    }
    None
}

/// A name as the kernel keeps it: at most 15 bytes.
pub(crate) fn comm_bytes(comm: &str) -> impl Iterator<Item = u8> + '_ {
    comm.bytes().take(COMM_LEN - 1)
}

fn put(bytes: &mut [u8], offset: Option<u32>, value: &[u8]) {
    if let Some(place) = offset.map(|o| o as usize).and_then(|o| bytes.get_mut(o..o + value.len())) {
        place.copy_from_slice(value);
    }
}

/// Address of the current task's `task_struct`.
pub(crate) fn current(state: &mut State) -> Run<u64> {
    if let Some(address) = state.world.current_task {
        return Ok(address);
    }
    let now = state.world.task.clone();
    match &state.task {
        Some((task, [address, ..])) if *task == now => return Ok(*address),
        Some(_) => {}
        None => {
            let names = ["task_struct (current)", "task_struct (its parent)", "cred (current)"];
            let mut made = [0; 3];
            for (address, name) in made.iter_mut().zip(names) {
                let object = KernelObject { name: name.into(), bytes: Vec::new(), writable: false };
                *address = state.mem.add_kernel_object(object).map_err(misuse)?;
            }
            state.task = Some((now.clone(), made));
        }
    }
    let Some((task, addresses)) = &mut state.task else { return Err(misuse("no current task")) };
    *task = now.clone();
    let addresses = *addresses;
    fill(state, &now, addresses);
    Ok(addresses[0])
}

fn fill(state: &mut State, task: &Task, [own, parent, cred]: [u64; 3]) {
    let layout = &state.task_layout;
    let mut credentials = vec![0; layout.cred_size];
    for at in &layout.uids {
        put(&mut credentials, Some(*at), &task.uid.to_le_bytes());
    }
    for at in &layout.gids {
        put(&mut credentials, Some(*at), &task.gid.to_le_bytes());
    }
    let describe = |pid: u32, tgid: u32, comm: &str, address: u64, its_parent: u64| {
        let mut b = vec![0; layout.size];
        put(&mut b, layout.pid, &pid.to_le_bytes());
        put(&mut b, layout.tgid, &tgid.to_le_bytes());
        put(&mut b, layout.comm, &comm_bytes(comm).collect::<Vec<u8>>());
        put(&mut b, layout.group_leader, &address.to_le_bytes());
        for at in &layout.parents {
            put(&mut b, Some(*at), &its_parent.to_le_bytes());
        }
        for at in &layout.creds {
            put(&mut b, Some(*at), &cred.to_le_bytes());
        }
        for at in &layout.starts {
            put(&mut b, Some(*at), &task.start_time_ns.to_le_bytes());
        }
        b
    };
    let own_bytes = describe(task.pid, task.tgid, &task.comm, own, parent);
    // The parent is its own parent, as the first process is in the kernel.
    let parent_bytes = describe(task.ppid, task.ppid, &task.parent_comm, parent, parent);
    state.mem.set_kernel_object(own, &own_bytes);
    state.mem.set_kernel_object(parent, &parent_bytes);
    state.mem.set_kernel_object(cred, &credentials);
}
