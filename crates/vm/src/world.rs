//! What helpers see of the world: time, the current process, chance, memory
//! of others. Everything can be set; nothing is taken from the real machine, so
//! that two runs with the same world are the same.

/// Time as a program sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    /// What `bpf_ktime_get_ns` returns.
    pub monotonic_ns: u64,
    /// What the boot clock has more than the monotonic one (time asleep).
    pub boot_offset_ns: u64,
    /// International atomic time minus monotonic time.
    pub tai_offset_ns: u64,
    /// How far time moves on with every reading; 0 stops it.
    pub step_ns: u64,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock { monotonic_ns: 1_000_000_000, boot_offset_ns: 0, tai_offset_ns: 1_700_000_000_000_000_000, step_ns: 0 }
    }
}

impl Clock {
    pub(crate) fn read(&mut self) -> u64 {
        let now = self.monotonic_ns;
        self.monotonic_ns = now.wrapping_add(self.step_ns);
        now
    }
}

/// Where `bpf_get_prandom_u32` gets its numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Random {
    /// A generator (xorshift64*) with this state.
    Seed(u64),
    /// These, over and over.
    Sequence {
        /// The numbers.
        values: Vec<u32>,
        /// How many were drawn.
        drawn: usize,
    },
}

impl Random {
    /// These numbers, over and over (0 when there are none).
    pub fn sequence(values: impl Into<Vec<u32>>) -> Random {
        Random::Sequence { values: values.into(), drawn: 0 }
    }

    pub(crate) fn draw(&mut self) -> u32 {
        match self {
            Random::Seed(state) => {
                let mut x = (*state).max(1);
                x ^= x >> 12;
                x ^= x << 25;
                x ^= x >> 27;
                *state = x;
                (x.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
            }
            Random::Sequence { values, drawn } => {
                let value = drawn.checked_rem(values.len()).and_then(|i| values.get(i)).copied();
                *drawn = drawn.wrapping_add(1);
                value.unwrap_or(0)
            }
        }
    }
}

/// A simulated process (a thread of it).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Task {
    /// Thread id.
    pub pid: u32,
    /// Process id.
    pub tgid: u32,
    /// Real user id.
    pub uid: u32,
    /// Real group id.
    pub gid: u32,
    /// Name; cut to 15 bytes.
    pub comm: String,
    /// The parent's process id.
    pub ppid: u32,
    /// The parent's name.
    pub parent_comm: String,
    /// When it started, on the monotonic clock.
    pub start_time_ns: u64,
}

impl Default for Task {
    fn default() -> Task {
        Task {
            pid: 1000,
            tgid: 1000,
            uid: 0,
            gid: 0,
            comm: "test".into(),
            ppid: 1,
            parent_comm: "init".into(),
            start_time_ns: 0,
        }
    }
}

/// What helpers see.
#[derive(Clone, Debug)]
pub struct World {
    /// Time.
    pub clock: Clock,
    /// The process on whose behalf a program runs.
    pub task: Task,
    /// Address of the `task_struct` of [`World::task`], when a test made one of its own
    /// ([`crate::Machine::add_kernel_object`]); otherwise one is made from `task`.
    pub current_task: Option<u64>,
    /// The CPU programs run on; counts modulo the machine's CPUs.
    pub cpu: u32,
    /// Its NUMA node.
    pub numa_node: u32,
    /// Random numbers.
    pub random: Random,
    /// Id of the current process's cgroup.
    pub cgroup_id: u64,
    /// Device and inode number of the process id namespace of [`World::task`].
    pub pid_namespace: (u64, u64),
    /// Cookie of the socket a packet belongs to.
    pub socket_cookie: u64,
    /// Owner of that socket.
    pub socket_uid: u32,
    /// Cookie of the network namespace.
    pub netns_cookie: u64,
    /// What `bpf_get_stackid` returns, negative for an error.
    pub stack_id: i64,
    /// Instruction addresses of the current stack, innermost first.
    pub stack: Vec<u64>,
    /// Address of the traced function (`bpf_get_func_ip`).
    pub func_ip: u64,
    /// The cookie the program was attached with.
    pub attach_cookie: u64,
    /// The return value of a cgroup hook or traced function.
    pub retval: i64,
}

impl Default for World {
    fn default() -> World {
        World {
            clock: Clock::default(),
            task: Task::default(),
            current_task: None,
            cpu: 0,
            numa_node: 0,
            random: Random::Seed(1),
            cgroup_id: 1,
            pid_namespace: (4, 0xeffffffc),
            socket_cookie: 1,
            socket_uid: 0,
            netns_cookie: 1,
            stack_id: 0,
            stack: vec![0xffff_ffff_8100_0000],
            func_ip: 0xffff_ffff_8100_0000,
            attach_cookie: 0,
            retval: 0,
        }
    }
}
