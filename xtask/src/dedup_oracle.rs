//! The second part of `cargo xtask core`: asks libbpf how it merges and deduplicates BTF, for the tests of crate btf.

use std::path::Path;
use std::process::Command;

use crate::core_oracle::{judge, output, sources};

/// Whether libbpf's answers are what they were; writes the new ones.
pub(crate) fn run(root: &Path, clang: &str, work: &Path) -> Result<bool, String> {
    let dir = root.join("crates/btf/tests/dedup");
    let judge = judge(&dir.join("libbpf_dedup.c"), work)?;
    let mut units = Vec::new();
    for unit in sources(&dir.join("units"))? {
        let object = work.join("unit.o");
        output(
            Command::new(clang)
                // By its name alone: the file must not name the directory of one machine.
                .args(["-O2", "-g", "-fdebug-compilation-dir=.", "-target", "bpf", "-mcpu=v3", "-c"])
                .arg(unit.file_name().unwrap_or_default())
                .arg("-o")
                .arg(&object)
                .current_dir(dir.join("units")),
        )?;
        let btf = unit.with_extension("btf");
        output(Command::new("llvm-objcopy").arg(format!("--dump-section=.BTF={}", btf.display())).arg(&object))?;
        units.push(btf);
    }
    let entries = std::fs::read_dir(root.join("bench/clang/v3")).map_err(|e| format!("bench/clang/v3: {e}"))?;
    let mut bench: Vec<_> = entries.flatten().map(|e| e.path()).collect();
    bench.sort();
    let mut same = true;
    for (name, inputs) in [("units", units), ("bench", bench)] {
        let expected = dir.join(format!("{name}.expected.btf"));
        let before = std::fs::read(&expected).unwrap_or_default();
        let said = output(Command::new(&judge).arg(&expected).args(inputs))?;
        let now = std::fs::read(&expected).map_err(|e| format!("{}: {e}", expected.display()))?;
        println!("dedup {name}: {}, {}", said.trim(), if before == now { "as before" } else { "other than before" });
        same &= before == now;
    }
    Ok(same)
}
