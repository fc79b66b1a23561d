//! `cargo xtask core`: asks libbpf what it makes of CO-RE relocations, for the loader's tests to compare with.
//! The judge is libbpf 1.7 as the crate `libbpf-sys` carries it, compiled here and linked to nothing that ships.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The crate whose sources are the judge.
const LIBBPF: &str = "libbpf-sys = \"=1.7.0\"";
/// Compilers tried, newest first.
pub(crate) const CLANGS: [&str; 4] = ["clang-22", "clang-19", "clang-14", "clang"];

/// Whether all answers are what they were; writes the new ones.
///
/// # Errors
/// A tool is missing (clang, llvm-objcopy, cc, libelf, zlib) or fails.
pub fn run(root: &Path) -> Result<bool, String> {
    let dir = root.join("crates/loader/tests/core");
    let work = root.join("target/core-oracle");
    std::fs::create_dir_all(work.join("include")).map_err(|e| format!("{}: {e}", work.display()))?;
    let clang = CLANGS.into_iter().find(|c| Command::new(c).arg("--version").output().is_ok());
    let clang = clang.ok_or("no clang is installed: apt-get install clang-19")?;
    let judge = judge(&dir.join("libbpf_insns.c"), &work)?;
    let object = dir.join("every_kind.o");
    output(
        Command::new(clang)
            .args(["-O2", "-g", "-fdebug-compilation-dir=.", "-target", "bpf", "-mcpu=v3", "-c", "every_kind.c", "-o"])
            .arg(&object)
            .current_dir(&dir),
    )?;
    // Ours: the forms of the language, compiled for the same kernel as clang's programs.
    let forms = dir.join("every_form.o");
    output(
        Command::new("cargo")
            .args(["run", "--quiet", "-p", "whistler-cli", "--", "compile", "every_form.lisp", "--btf"])
            .args(["targets/same.btf", "-o", "every_form.o"])
            .current_dir(&dir),
    )?;
    let mut same = true;
    for target in sources(&dir.join("targets"))? {
        let name = target.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let compiled = work.join(format!("{name}.o"));
        output(Command::new(clang).args(["-O2", "-g", "-target", "bpf", "-c"]).arg(&target).arg("-o").arg(&compiled))?;
        let btf = target.with_extension("btf");
        let section = format!("--dump-section=.BTF={}", btf.display());
        output(Command::new("llvm-objcopy").arg(section).arg(&compiled))?;
        for (whose, object) in [("", &object), ("forms-", &forms)] {
            let answers = output(Command::new(&judge).arg(object).arg(&btf))?;
            let expected = dir.join("expected").join(format!("{whose}{name}.insns"));
            let before = std::fs::read_to_string(&expected).unwrap_or_default();
            println!("{whose}{name}: {} programs, {}", answers.lines().count(), changes(&before, &answers));
            same &= before == answers;
            write(&expected, answers.as_bytes())?;
        }
    }
    Ok(same & crate::dedup_oracle::run(root, clang, &work)?)
}

fn changes(before: &str, after: &str) -> String {
    match after.lines().filter(|l| !before.lines().any(|b| b == *l)).count() {
        0 => "as they were".to_string(),
        n => format!("{n} other than before"),
    }
}

pub(crate) fn sources(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "c"));
    files.sort();
    Ok(files)
}

/// Compiles a judge: libbpf's sources and our program that asks it.
pub(crate) fn judge(source: &Path, work: &Path) -> Result<PathBuf, String> {
    let judge = work.join(source.file_stem().unwrap_or_default());
    let libbpf = fetch(work)?;
    let headers = work.join("include/bpf");
    std::fs::create_dir_all(&headers).map_err(|e| format!("{}: {e}", headers.display()))?;
    let mut command = Command::new("cc");
    command.args(["-O1", "-w", "-D_LARGEFILE64_SOURCE", "-D_FILE_OFFSET_BITS=64"]);
    command.arg("-I").arg(work.join("include"));
    command.arg("-I").arg(libbpf.join("include")).arg("-I").arg(libbpf.join("include/uapi"));
    command.arg(source);
    let entries = std::fs::read_dir(libbpf.join("src")).map_err(|e| format!("libbpf's sources: {e}"))?;
    for file in entries.flatten().map(|e| e.path()) {
        match file.extension().and_then(|e| e.to_str()) {
            Some("c") => {
                command.arg(&file);
            }
            Some("h") => {
                let to = headers.join(file.file_name().unwrap_or_default());
                std::fs::copy(&file, &to).map_err(|e| format!("{}: {e}", to.display()))?;
            }
            _ => {}
        }
    }
    output(command.args(["-lelf", "-lz", "-o"]).arg(&judge))?;
    Ok(judge)
}

/// The directory of libbpf's sources, by way of cargo's registry.
fn fetch(work: &Path) -> Result<PathBuf, String> {
    let package = work.join("fetch");
    std::fs::create_dir_all(package.join("src")).map_err(|e| format!("{}: {e}", package.display()))?;
    let manifest = format!(
        "[package]\nname = \"fetch\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n{LIBBPF}\n"
    );
    write(&package.join("Cargo.toml"), manifest.as_bytes())?;
    write(&package.join("src/lib.rs"), b"")?;
    let vendor = work.join("vendor");
    output(Command::new("cargo").arg("vendor").arg("--quiet").arg(&vendor).current_dir(&package))?;
    Ok(vendor.join("libbpf-sys/libbpf"))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(path, bytes).map_err(|e| format!("{}: {e}", path.display()))
}

pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let ran = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if !ran.status.success() {
        return Err(format!("{command:?}: {}\n{}", ran.status, String::from_utf8_lossy(&ran.stderr)));
    }
    Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
}
