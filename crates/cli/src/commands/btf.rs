//! `whistler btf`: looking into a kernel's types.

use std::sync::Arc;

use whistler_btf::{Btf, TypeId, TypeKind};
use whistler_kernel::Kernel;

use super::Outcome;
use crate::args::{BtfCommand, ImageArgs};

/// Finds or shows types of the running kernel, its modules, or a saved BTF.
pub fn run(command: &BtfCommand, args: &ImageArgs) -> Outcome {
    let kernel = Kernel::chosen(args.btf.clone(), args.tracefs.clone());
    let Some(base) = kernel.shared_btf() else {
        return Err(kernel.btf_error().unwrap_or("there is no BTF").to_string());
    };
    match command {
        BtfCommand::Find { text, module } => find(&kernel, base, text, module.as_deref()),
        BtfCommand::Dump { name, module, lisp, header } => {
            let text = match (lisp, header) {
                (true, _) => Text::Lisp,
                (false, true) => Text::Header,
                (false, false) => Text::C,
            };
            dump(&kernel, base, name, module.as_deref(), text)
        }
    }
}

/// The BTFs to look into: the kernel's own, or that of one module, which stands on it; of a module that was named in
/// place of a kernel, its own.
fn of(kernel: &Kernel, base: Arc<Btf>, module: Option<&str>) -> Result<Arc<Btf>, String> {
    let Some(name) = module.or(kernel.own_module()) else { return Ok(base) };
    kernel.module_btf(name).ok_or_else(|| {
        let known = kernel.modules();
        let known = if known.is_empty() { "none has any here".to_string() } else { known.join(" ") };
        format!("there is no BTF of a module `{name}`; modules with BTF: {known}")
    })
}

fn find(kernel: &Kernel, base: Arc<Btf>, text: &str, module: Option<&str>) -> Outcome {
    let btf = of(kernel, base, module)?;
    let wanted = text.replace('-', "_").to_lowercase();
    let mut found: Vec<(&str, TypeKind, TypeId)> = Vec::new();
    btf.for_each_name(|id, name, kind| {
        let named = !matches!(kind, TypeKind::DeclTag | TypeKind::TypeTag | TypeKind::Fwd);
        if named && name.to_lowercase().contains(&wanted) {
            found.push((name, kind, id));
        }
    })
    .map_err(|e| format!("the BTF makes no sense: {e}"))?;
    // The exact name first, then by length: what is asked for is seldom the longest.
    found.sort_by(|a, b| (a.0 != text, a.0.len(), a.0, a.2).cmp(&(b.0 != text, b.0.len(), b.0, b.2)));
    for (name, kind, id) in &found {
        match btf.size_of(*id) {
            Ok(size) => say!("{:<8} {name}  {size} bytes", kind.word()),
            Err(_) => say!("{:<8} {name}", kind.word()),
        }
    }
    if found.is_empty() {
        return Err(format!("no type's name contains `{text}`"));
    }
    Ok(true)
}

/// What a type is written as.
#[derive(Clone, Copy)]
enum Text {
    C,
    Header,
    Lisp,
}

fn dump(kernel: &Kernel, base: Arc<Btf>, name: &str, module: Option<&str>, text: Text) -> Outcome {
    let btf = of(kernel, base, module)?;
    let broken = |e| format!("the BTF makes no sense: {e}");
    // `struct x` as C says it; the kind may be left out.
    let (kinds, name): (&[TypeKind], &str) = match name.split_once(' ') {
        Some(("struct", n)) => (&[TypeKind::Struct], n.trim()),
        Some(("union", n)) => (&[TypeKind::Union], n.trim()),
        Some(("enum", n)) => (&[TypeKind::Enum, TypeKind::Enum64], n.trim()),
        _ => (&[], name),
    };
    let mut ids = btf.find_all(name).map_err(broken)?;
    if ids.is_empty() && name.contains('-') {
        ids = btf.find_all(&name.replace('-', "_")).map_err(broken)?;
    }
    ids.retain(|id| {
        let kind = btf.ty(*id).map(|t| t.kind()).unwrap_or(TypeKind::Void);
        !matches!(kind, TypeKind::Fwd | TypeKind::DeclTag | TypeKind::TypeTag)
            && (kinds.is_empty() || kinds.contains(&kind))
    });
    if ids.is_empty() {
        return Err(format!(
            "no type is called `{name}`; `whistler btf find {name}` lists those whose names contain it"
        ));
    }
    if let Text::Lisp = text {
        say!("{}", btf.lisp_declarations(&ids).map_err(broken)?);
        return Ok(true);
    }
    for (i, id) in ids.iter().enumerate() {
        if i > 0 {
            say!();
        }
        let text = match text {
            Text::C => btf.c_definition(*id),
            Text::Header => btf.c_header(*id),
            Text::Lisp => btf.lisp_definition(*id),
        };
        say!("{}", text.map_err(broken)?);
    }
    Ok(true)
}
