//! Loads object files into the running kernel and says how that went: `load FILE.o…`.

fn main() {
    let kernel = whistler_kernel::Kernel::running();
    let mut failed = 0;
    for path in std::env::args().skip(1) {
        let object = match std::fs::read(&path)
            .map_err(|e| e.to_string())
            .and_then(|b| whistler_object::elf::read(&b).map_err(|e| e.to_string()))
        {
            Ok(object) => object,
            Err(e) => {
                println!("{path}: {e}");
                failed += 1;
                continue;
            }
        };
        match whistler_loader::Loader::new(&kernel).load(&object) {
            Ok(loaded) => {
                let (programs, maps, globals) = (loaded.programs.len(), loaded.maps.len(), loaded.globals.len());
                println!("{path}: {programs} programs, {maps} maps, {globals} globals {:?}", loaded.notes);
            }
            Err(e) => {
                println!("{path}: {e}");
                failed += 1;
            }
        }
    }
    std::process::exit(i32::from(failed > 0));
}
