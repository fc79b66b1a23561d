//! Prints what this machine lets us do, for trying the commands that mend it.

fn main() {
    let kernel = whistler_kernel::Kernel::running();
    let program = std::env::current_exe().unwrap_or_else(|_| "whistler".into());
    for fact in whistler_kernel::doctor::examine(&kernel, &program) {
        println!("{:<26} {:<8} {}", fact.what, format!("{:?}", fact.verdict), fact.detail);
        if let Some(mend) = fact.mend {
            println!("{:<26}          {mend}", "");
        }
    }
}
