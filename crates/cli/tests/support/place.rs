//! A place of a test's own: a network namespace, a cgroup and a directory, which go away with it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::Failed;

use super::{Running, Scratch, tool};

/// Where a case runs; goes away with it.
pub struct Place {
    scratch: Scratch,
    /// Its network namespace and cgroup, in the kernel.
    own: Option<(String, PathBuf)>,
}

impl Place {
    /// A directory, and nothing that a kernel would have to make.
    pub fn none() -> Place {
        Place { scratch: Scratch::new(), own: None }
    }

    /// A network namespace whose `lo` is up, and a cgroup.
    pub fn own() -> Result<Place, Failed> {
        let scratch = Scratch::new();
        let id = scratch.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = format!("wh-compat-{id}");
        tool(&format!("ip netns add {name}"));
        tool(&format!("ip -n {name} link set lo up"));
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let root = mounts.lines().find_map(|l| {
            let mut words = l.split(' ').skip(1);
            let place = words.next()?;
            (words.next()? == "cgroup2").then_some(place)
        });
        let cgroup = Path::new(root.ok_or("cgroup2 is not mounted")?).join(&name);
        std::fs::create_dir(&cgroup).map_err(|e| format!("{}: {e}", cgroup.display()))?;
        Ok(Place { scratch, own: Some((name, cgroup)) })
    }

    /// The binary, there.
    pub fn whistler(&self, args: &[&str]) -> Command {
        let mut command = match &self.own {
            Some((name, cgroup)) => {
                // Not `ip netns exec`, which hides the cgroups.
                let mut c = Command::new("nsenter");
                c.arg(format!("--net=/run/netns/{name}")).arg(super::WHISTLER).env("TEST_CGROUP", cgroup);
                c
            }
            None => {
                let mut c = Command::new(super::WHISTLER);
                c.env("TEST_CGROUP", "/none");
                c
            }
        };
        command.args(args).current_dir(self.scratch.path()).env("PATH", super::path()).env("NO_COLOR", "1");
        command.env("TEST_DIR", self.scratch.path());
        command
    }

    /// Datagrams from the cgroup, over `lo`, until it is dropped.
    pub fn traffic(&self) -> Option<Running> {
        self.beside("while true; do echo hello > /dev/udp/127.0.0.1/9; sleep 0.01; done")
    }

    /// A script of bash that runs in the place, a member of its cgroup, until it is dropped.
    pub fn beside(&self, script: &str) -> Option<Running> {
        let (name, cgroup) = self.own.as_ref()?;
        let script = format!("echo $$ > {}/cgroup.procs; {script}", cgroup.display());
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{name}")).args(["bash", "-c", &script]);
        command.env("PATH", super::path()).stdin(Stdio::null());
        Some(Running::start(&mut command))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((name, cgroup)) = &self.own else { return };
        super::quietly(&format!("ip netns del {name}"));
        // A process that was in it may take a moment to be gone.
        for _ in 0..50 {
            if std::fs::remove_dir(cgroup).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}
