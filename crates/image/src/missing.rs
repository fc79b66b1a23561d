//! What is missing before anything can run live.

use whistler_kernel::Kernel;
use whistler_sys::Cap;

/// Why nothing can run in this kernel and what would mend it; `None` when tracing programs can.
pub fn missing_for_live(kernel: &Kernel) -> Option<String> {
    let missing = kernel.missing(&[Cap::Bpf, Cap::Perfmon]);
    if missing.is_empty() {
        return None;
    }
    let names: Vec<&str> = missing.iter().map(|c| c.name()).collect();
    let program = std::env::current_exe().map_or_else(|_| "whistler".to_string(), |p| p.display().to_string());
    Some(format!(
        "the kernel can't be used: {} missing\n  mend, as root: setcap cap_bpf,cap_perfmon,cap_net_admin,cap_dac_read_search=ep {program}\n  \
         (or run as root; `whistler doctor` says more). Recorded events are used instead.",
        names.join(" and "),
    ))
}

/// The capabilities that matter and are there, without `cap_`.
pub(crate) fn held(kernel: &Kernel) -> Vec<&'static str> {
    let caps = kernel.capabilities();
    [Cap::Bpf, Cap::Perfmon, Cap::NetAdmin, Cap::SysAdmin]
        .into_iter()
        .filter(|c| caps.has(*c))
        .map(|c| c.name().trim_start_matches("CAP_").trim_start_matches("cap_"))
        .collect()
}
