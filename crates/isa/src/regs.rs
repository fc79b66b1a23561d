//! Where a probe finds a function's arguments and result: `struct pt_regs` by architecture. Invariant: offsets are
//! those of the struct that the kernel gives to kprobes on that architecture.
//!
//! x86-64: arch/x86/include/asm/ptrace.h and the System V calling convention; arm64:
//! arch/arm64/include/uapi/asm/ptrace.h and the procedure call standard.

use std::fmt;
use std::str::FromStr;

/// A machine that kernels run on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Arch {
    /// x86-64.
    X86_64,
    /// 64-bit Arm.
    Arm64,
}

/// Where things lie in `struct pt_regs`, in bytes.
#[derive(Debug)]
pub struct Registers {
    /// Bytes of the struct.
    pub size: u32,
    /// A function's first arguments.
    pub parameters: &'static [i32],
    /// From the stack pointer to the first argument that is passed in memory, at a function's entry.
    pub stack_parameters: i64,
    /// A function's result.
    pub result: i32,
    /// The instruction pointer.
    pub ip: i32,
    /// The stack pointer.
    pub sp: i32,
}

impl Arch {
    /// The architecture that this was built for.
    pub const HERE: Arch = if cfg!(target_arch = "aarch64") { Arch::Arm64 } else { Arch::X86_64 };

    /// Its registers.
    pub const fn registers(self) -> &'static Registers {
        match self {
            Arch::X86_64 => &Registers {
                size: 168,
                parameters: &[112, 104, 96, 88, 72, 64],
                // The return address lies at the stack pointer.
                stack_parameters: 8,
                result: 80,
                ip: 128,
                sp: 152,
            },
            Arch::Arm64 => &Registers {
                size: 272,
                parameters: &[0, 8, 16, 24, 32, 40, 48, 56],
                stack_parameters: 0,
                result: 0,
                ip: 256,
                sp: 248,
            },
        }
    }

    /// Where `struct pt_regs` holds an argument of a system call, counted from 0 (`syscall_get_arguments`): the fields
    /// that lead there.
    pub fn system_call_register(self, number: usize) -> Option<&'static str> {
        let fields: &[&str] = match self {
            Arch::X86_64 => &["di", "si", "dx", "r10", "r8", "r9"],
            Arch::Arm64 => &["regs 0", "regs 1", "regs 2", "regs 3", "regs 4", "regs 5"],
        };
        fields.get(number).copied()
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86-64",
            Arch::Arm64 => "arm64",
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Arch {
    type Err = String;

    fn from_str(s: &str) -> Result<Arch, String> {
        match s {
            "x86-64" | "x86_64" | "x86" => Ok(Arch::X86_64),
            "arm64" | "aarch64" => Ok(Arch::Arm64),
            _ => Err(format!("`{s}` is not an architecture; there are x86-64 and arm64")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        for arch in [Arch::X86_64, Arch::Arm64] {
            assert_eq!(arch.name().parse(), Ok(arch));
            assert!(arch.registers().parameters.iter().all(|p| *p + 8 <= arch.registers().size as i32));
        }
        assert!("riscv".parse::<Arch>().is_err());
    }
}
