//! What code is made for: a kernel version and an instruction set level.

use std::fmt;
use std::str::FromStr;

use crate::regs::Arch;

/// A kernel release, `major.minor` (stable releases do not add features).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct KernelVersion {
    /// 6 of 6.18.
    pub major: u16,
    /// 18 of 6.18.
    pub minor: u16,
}

impl KernelVersion {
    /// `major.minor`.
    pub const fn new(major: u16, minor: u16) -> KernelVersion {
        KernelVersion { major, minor }
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for KernelVersion {
    type Err = String;

    /// Takes `6.1`, `6.1.0`, `6.18.44-fc`.
    fn from_str(s: &str) -> Result<KernelVersion, String> {
        let mut parts = s.split(['.', '-', '+']);
        let mut number = || parts.next().and_then(|p| p.parse().ok());
        match (number(), number()) {
            (Some(major), Some(minor)) => Ok(KernelVersion { major, minor }),
            _ => Err(format!("`{s}` is not a kernel version; write it as 6.1")),
        }
    }
}

/// An instruction set level, as clang's `-mcpu` counts them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum IsaLevel {
    /// The base set.
    V1,
    /// Adds unsigned and signed less-than jumps.
    V2,
    /// Adds 32-bit jumps (and 32-bit arithmetic, and atomics with fetch).
    V3,
    /// Adds sign-extending loads and moves, signed division, unconditional byte swap, long jumps.
    V4,
}

impl IsaLevel {
    /// The first kernel that runs it: 3.18, 4.14, 5.12, 6.6.
    pub const fn since(self) -> KernelVersion {
        match self {
            IsaLevel::V1 => KernelVersion::new(3, 18),
            IsaLevel::V2 => KernelVersion::new(4, 14),
            IsaLevel::V3 => KernelVersion::new(5, 12),
            IsaLevel::V4 => KernelVersion::new(6, 6),
        }
    }
}

/// How a loop is made. All ways do the same; they differ in what the kernel needs to have, in what its verifier
/// has to follow, and in what a round costs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum LoopWay {
    /// The cheapest that the target has and its verifier can follow.
    #[default]
    Auto,
    /// Round after round in a row (loops of a constant count; others as [`LoopWay::Jump`]).
    Unroll,
    /// A jump back; the verifier follows every round (5.3).
    Jump,
    /// The helper `bpf_loop` with the round as a callback, which is verified once (5.17).
    Helper,
    /// The kernel functions `bpf_iter_num_*` around the round, which is verified once (6.4).
    Iterator,
    /// A jump back past a `may_goto`, which tells the verifier that the loop ends (6.9).
    MayGoto,
}

impl LoopWay {
    /// The ways by the names that `--target` takes.
    pub const NAMES: &[(&'static str, LoopWay)] = &[
        ("auto", LoopWay::Auto),
        ("unroll", LoopWay::Unroll),
        ("jump", LoopWay::Jump),
        ("bpf_loop", LoopWay::Helper),
        ("iterator", LoopWay::Iterator),
        ("may_goto", LoopWay::MayGoto),
    ];

    /// The first kernel that has it.
    pub const fn since(self) -> KernelVersion {
        match self {
            LoopWay::Auto | LoopWay::Unroll => KernelVersion::new(3, 18),
            LoopWay::Jump => KernelVersion::new(5, 3),
            LoopWay::Helper => KernelVersion::new(5, 17),
            LoopWay::Iterator => KernelVersion::new(6, 4),
            LoopWay::MayGoto => KernelVersion::new(6, 9),
        }
    }
}

/// What code is made for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Target {
    /// The oldest kernel that must take the code.
    pub kernel: KernelVersion,
    /// The instructions that may be used.
    pub isa: IsaLevel,
    /// How loops are made; a way that the kernel lacks, or that a loop can't be made in, is not taken.
    pub loops: LoopWay,
    /// The machine that the kernel runs on; only registers of probes depend on it.
    pub arch: Arch,
}

impl Target {
    /// A kernel and a level, loops as is best, for the machine that this runs on.
    pub const fn new(kernel: KernelVersion, isa: IsaLevel) -> Target {
        Target { kernel, isa, loops: LoopWay::Auto, arch: Arch::HERE }
    }

    /// The best instruction set that every kernel from `kernel` on runs.
    pub fn for_kernel(kernel: KernelVersion) -> Target {
        let isa = [IsaLevel::V4, IsaLevel::V3, IsaLevel::V2]
            .into_iter()
            .find(|l| l.since() <= kernel)
            .unwrap_or(IsaLevel::V1);
        Target::new(kernel, isa)
    }

    /// Whether the target runs everything that `kernel` introduced.
    pub fn has(&self, kernel: KernelVersion) -> bool {
        self.kernel >= kernel
    }
}

impl Default for Target {
    /// What files are compiled for unless told otherwise: kernel 6.1, v3.
    fn default() -> Target {
        Target::new(KernelVersion::new(6, 1), IsaLevel::V3)
    }
}

impl FromStr for Target {
    type Err = String;

    /// Takes a kernel version (`6.1`: with its best level), a level (`v3`: with kernel 6.1 or the
    /// level's first, whichever is later), or both as `6.12/v3`; behind any of these the way loops are
    /// made, as `6.12/loops=bpf_loop`, or another machine, as `6.12/v3/arm64`.
    fn from_str(s: &str) -> Result<Target, String> {
        let level = |s: &str| match s {
            "v1" => Ok(IsaLevel::V1),
            "v2" => Ok(IsaLevel::V2),
            "v3" => Ok(IsaLevel::V3),
            "v4" => Ok(IsaLevel::V4),
            _ => Err(format!("`{s}` is not an instruction set; there are v1, v2, v3 and v4")),
        };
        if let Some((rest, loops)) = s.split_once("/loops=") {
            let target: Target = rest.parse()?;
            let known = LoopWay::NAMES.iter().find(|(n, _)| *n == loops).map(|(_, way)| *way);
            let names = || LoopWay::NAMES.iter().map(|(n, _)| *n).collect::<Vec<_>>().join(", ");
            let loops = known.ok_or_else(|| format!("`{loops}` is no way to loop; there are {}", names()))?;
            return Ok(Target { loops, ..target });
        }
        if let Some((rest, Ok(arch))) = s.rsplit_once('/').map(|(rest, last)| (rest, last.parse())) {
            let target: Target = rest.parse()?;
            return Ok(Target { arch, ..target });
        }
        if let Some((kernel, isa)) = s.split_once('/') {
            return Ok(Target::new(kernel.parse()?, level(isa)?));
        }
        if s.starts_with('v') {
            let isa = level(s)?;
            return Ok(Target::new(isa.since().max(Target::default().kernel), isa));
        }
        Ok(Target::for_kernel(s.parse()?))
    }
}
