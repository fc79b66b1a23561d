//! Kernels to boot: Debian packages, unpacked and not installed.
//! Invariant: everything lies under `target/kernels`, and what is there is not fetched again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A kernel we test on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelSpec {
    /// What it is called on the command line.
    pub name: &'static str,
    /// The package that depends on the newest build of it.
    pub meta_package: &'static str,
}

/// The kernels we test on, besides the one at hand.
pub const KERNELS: &[KernelSpec] = &[
    KernelSpec { name: "6.1", meta_package: "linux-image-cloud-amd64" },
    KernelSpec { name: "6.12", meta_package: "linux-image-6.12-cloud-amd64" },
];

/// Modules that tests need, in the order to insert them; a kernel that has one built in needs no file.
const MODULES: &[&str] = &["veth", "dummy", "sch_ingress", "cls_bpf", "act_bpf"];

/// An unpacked kernel.
#[derive(Debug)]
pub struct Unpacked {
    /// The image to boot.
    pub image: PathBuf,
    /// Module files, in the order to insert them.
    pub modules: Vec<PathBuf>,
}

/// Fetches and unpacks a kernel, unless that was done before.
pub fn fetch(spec: &KernelSpec, dir: &Path) -> Result<Unpacked, String> {
    let dir = dir.join(spec.name);
    if !dir.join("unpacked").exists() {
        download(spec, &dir)?;
    }
    let image = fs::read_dir(dir.join("root/boot"))
        .map_err(|e| format!("{}: {e}", dir.display()))?
        .filter_map(|e| Some(e.ok()?.path()))
        .find(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("vmlinuz-")))
        .ok_or_else(|| format!("the package of kernel {} has no image", spec.name))?;
    let mut found = Vec::new();
    walk(&dir.join("root/lib/modules"), &mut found);
    let modules = MODULES
        .iter()
        .filter_map(|m| {
            found.iter().find(|p| p.file_name().is_some_and(|n| n.to_string_lossy().split('.').next() == Some(m)))
        })
        .cloned()
        .collect();
    Ok(Unpacked { image, modules })
}

fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for path in entries.filter_map(|e| Some(e.ok()?.path())) {
        if path.is_dir() && !path.is_symlink() {
            walk(&path, out);
        } else if path.to_string_lossy().contains(".ko") {
            out.push(path);
        }
    }
}

fn download(spec: &KernelSpec, dir: &Path) -> Result<(), String> {
    let _ = fs::remove_dir_all(dir);
    fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let package = match real_package(spec) {
        Ok(p) => p,
        Err(_) => {
            eprintln!("vm: reading package lists (apt-get update)");
            run(Command::new("apt-get").args(["update", "-qq"]))?;
            real_package(spec)?
        }
    };
    eprintln!("vm: fetching {package} into {}", dir.display());
    run(Command::new("apt-get").args(["download", "-qq", "-o", "APT::Sandbox::User=root", &package]).current_dir(dir))?;
    let deb = fs::read_dir(dir)
        .map_err(|e| e.to_string())?
        .filter_map(|e| Some(e.ok()?.path()))
        .find(|p| p.extension().is_some_and(|x| x == "deb"))
        .ok_or_else(|| format!("apt-get download left no package of {package}"))?;
    run(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(dir.join("root")))?;
    fs::remove_file(&deb).map_err(|e| e.to_string())?;
    fs::write(dir.join("unpacked"), package).map_err(|e| e.to_string())
}

/// The package that the meta package depends on.
fn real_package(spec: &KernelSpec) -> Result<String, String> {
    let out = Command::new("apt-cache").args(["depends", spec.meta_package]).output();
    let out = out.map_err(|e| format!("apt-cache: {e} (kernels come as Debian packages)"))?;
    dependency(&String::from_utf8_lossy(&out.stdout))
        .ok_or_else(|| format!("no package source has {}", spec.meta_package))
}

fn dependency(text: &str) -> Option<String> {
    text.lines()
        .filter_map(|l| l.trim().strip_prefix("Depends: "))
        .find(|p| p.starts_with("linux-image-"))
        .map(str::to_string)
}

/// Runs a command; its name and status when it fails.
pub fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(s) if s.success() => Ok(()),
        Ok(s) => Err(format!("{name} failed: {s}")),
        Err(e) => Err(format!("{name}: {e}")),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_real_package_is_the_one_depended_on() {
        let text = "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n  Suggests: x\n";
        assert_eq!(super::dependency(text).as_deref(), Some("linux-image-6.1.0-56-cloud-amd64"));
        assert_eq!(super::dependency("N: none\n"), None);
    }
}
