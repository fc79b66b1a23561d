//! The command line as data: one definition makes parsing and help.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use whistler_isa::Target;

/// Live eBPF: write a form, and it runs in the kernel.
#[derive(Parser, Debug)]
#[command(name = "whistler", version, args_conflicts_with_subcommands = true)]
pub struct Args {
    /// Evaluate a form and print its value (may be given more than once)
    #[arg(short = 'e', value_name = "FORM")]
    pub eval: Vec<String>,
    #[command(flatten)]
    pub image: ImageArgs,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Where programs run.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct ImageArgs {
    /// Run programs in the virtual machine instead of the kernel
    #[arg(long, global = true)]
    pub vm: bool,
    /// When the kernel refuses a program, show the verifier's whole log as well
    #[arg(long, global = true)]
    pub verifier_log: bool,
    /// Use a saved copy of a kernel's BTF
    #[arg(long, value_name = "FILE", global = true)]
    pub btf: Option<PathBuf>,
    /// Use a saved copy of a kernel's tracepoint formats (its tracefs `events` directory, or the one above)
    #[arg(long, value_name = "DIR", global = true)]
    pub tracefs: Option<PathBuf>,
    /// What code is made for, from the command's own flag; `None`: what runs it.
    #[arg(skip)]
    pub target: Option<Target>,
}

impl ImageArgs {
    /// What is shown of the verifier's log.
    pub fn refusal(&self) -> whistler_image::Refusal {
        if self.verifier_log { whistler_image::Refusal::WholeLog } else { whistler_image::Refusal::AtTheSource }
    }
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run a file: define, load and attach what it says, until it ends or Ctrl-C
    Run(RunArgs),
    /// The prompt (also without arguments)
    Repl,
    /// Compile a file to an object that every BPF loader takes
    Compile(CompileArgs),
    /// Check files without loading anything; exits with 1 when there are errors
    Check(CheckArgs),
    /// Show the instructions of a source file or an object
    Disasm(DisasmArgs),
    /// Look into a kernel's types (the running kernel's, or those of --btf FILE)
    Btf {
        #[command(subcommand)]
        command: BtfCommand,
    },
    /// What this machine lets us do, and the command that mends each missing thing
    Doctor,
    /// Run the tests of files (deftest), in the virtual machine; exits with 1 when one fails
    Test(TestArgs),
    /// Send a capture's packets through a program
    Replay(ReplayArgs),
    /// Run a program once, on a packet or context given
    TestRun(TestRunArgs),
    /// Run raw instructions: hex on standard input, optional memory in hex; prints r0 in hex
    VmRun(VmRunArgs),
    /// Explain an error code; without one, list them all
    Explain {
        /// Such as E0301
        code: Option<String>,
    },
}

#[derive(Subcommand, Debug)]
pub enum BtfCommand {
    /// List the types whose names contain a text
    Find {
        /// Such as sk_buff
        text: String,
        /// Look into a module's types
        #[arg(long, value_name = "NAME")]
        module: Option<String>,
    },
    /// Show the definition of a type as C, or as Lisp with the offsets of its fields
    Dump {
        /// Such as task_struct, or `struct task_struct`
        #[arg(value_name = "TYPE")]
        name: String,
        /// Look into a module's types
        #[arg(long, value_name = "NAME")]
        module: Option<String>,
        /// As Lisp
        #[arg(long)]
        lisp: bool,
        /// As C with all that it needs, ready to be compiled
        #[arg(long, conflicts_with = "lisp")]
        header: bool,
    },
}

#[derive(clap::Args, Debug)]
pub struct RunArgs {
    /// The source file
    pub file: PathBuf,
    /// Arguments for the file's function `main`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<String>,
    /// End after so many events have been followed
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// End after so many seconds of following
    #[arg(long, value_name = "S")]
    pub seconds: Option<f64>,
    /// Compile for this kernel and instruction set (6.12/v4 …) instead of the machine's default or the running kernel
    #[arg(long, value_parser = |s: &str| s.parse::<Target>())]
    pub target: Option<Target>,
}

/// What code is made for, and how well.
#[derive(clap::Args, Debug, Clone)]
pub struct TargetArgs {
    /// Oldest kernel and instruction set the code must run on: 6.1, v3, 6.12/v4 …, for another machine 6.1/v3/arm64
    #[arg(long, default_value = "6.1/v3", value_parser = |s: &str| s.parse::<Target>())]
    pub target: Target,
    /// Do not optimise
    #[arg(long)]
    pub no_opt: bool,
    /// For programs loaded without CAP_PERFMON: kernel addresses must not get out
    #[arg(long)]
    pub unprivileged: bool,
    /// Use a saved copy of a kernel's BTF
    #[arg(long, value_name = "FILE")]
    pub btf: Option<PathBuf>,
    /// Use a saved copy of a kernel's tracepoint formats
    #[arg(long, value_name = "DIR")]
    pub tracefs: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Emit {
    /// An ELF object
    Object,
    /// Instructions as text
    Asm,
    /// The intermediate representation as text
    Ir,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Bindings {
    C,
    Go,
    Rust,
    Python,
    Lisp,
    /// Every language
    All,
}

#[derive(clap::Args, Debug)]
pub struct CompileArgs {
    /// The source file
    pub file: PathBuf,
    /// Where to write, `-` for standard output; else where the source's `compile-to-elf` says, or its name with `.bpf.o`
    #[arg(short)]
    pub output: Option<PathBuf>,
    /// What to write
    #[arg(long, value_enum, default_value = "object")]
    pub emit: Emit,
    /// Also write structs, constants and map names for other languages, beside the object: NAME_bpf.h, .go, .rs …
    #[arg(long = "gen", value_enum, value_name = "LANGUAGE", num_args = 1..)]
    pub bindings: Vec<Bindings>,
    /// Say how long each stage took
    #[arg(long)]
    pub timings: bool,
    #[command(flatten)]
    pub target: TargetArgs,
}

#[derive(clap::Args, Debug)]
pub struct CheckArgs {
    /// The source files
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Errors and warnings as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub target: TargetArgs,
}

#[derive(clap::Args, Debug)]
pub struct DisasmArgs {
    /// A source file or an object
    pub file: PathBuf,
    /// With the source lines
    #[arg(long)]
    pub source: bool,
    #[command(flatten)]
    pub target: TargetArgs,
}

#[derive(clap::Args, Debug)]
pub struct TestArgs {
    /// The source files
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Run them in the kernel, too (without attaching anything); a test fails where the two disagree
    #[arg(long)]
    pub kernel: bool,
    /// Only tests with this in their names
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Write the results as JUnit XML
    #[arg(long, value_name = "OUT")]
    pub junit: Option<PathBuf>,
    /// Compile for this kernel and instruction set (6.12/v4 …) instead of the machine's default or the running kernel
    #[arg(long, value_parser = |s: &str| s.parse::<Target>())]
    pub target: Option<Target>,
}

#[derive(clap::Args, Debug)]
pub struct ReplayArgs {
    /// A source file or an object
    pub file: PathBuf,
    /// The program's name
    pub program: String,
    /// The capture: pcap or pcapng
    #[arg(long, value_name = "IN")]
    pub pcap: PathBuf,
    /// Where to write the packets that go on, as the program left them
    #[arg(long, value_name = "OUT")]
    pub out: Option<PathBuf>,
    /// In the kernel, without attaching anything; otherwise in the virtual machine
    #[arg(long)]
    pub kernel: bool,
    #[command(flatten)]
    pub target: TargetArgs,
}

#[derive(clap::Args, Debug)]
pub struct TestRunArgs {
    /// A source file or an object
    pub file: PathBuf,
    /// The program's name
    pub program: String,
    /// The packet's bytes in hex
    #[arg(long, value_name = "HEX", conflicts_with = "ctx")]
    pub packet: Option<String>,
    /// The context's bytes in hex
    #[arg(long, value_name = "HEX")]
    pub ctx: Option<String>,
    /// In the kernel (the default where it is allowed)
    #[arg(long, conflicts_with = "vm")]
    pub kernel: bool,
    /// In the virtual machine
    #[arg(long)]
    pub vm: bool,
    /// Milliseconds that pass before the maps are shown: timers fire
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub wait: u64,
    #[command(flatten)]
    pub target: TargetArgs,
}

#[derive(clap::Args, Debug)]
pub struct VmRunArgs {
    /// Memory in hex whose address and length are r1 and r2
    pub memory: Option<String>,
}
