//! A source file or object as an `Object`, for the commands that only look at it.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use whistler_codegen::OptLevel;
use whistler_compiler::session::Privilege;
use whistler_compiler::{Compiled, Session};
use whistler_diag::{Diagnostic, FileId, SourceMap};
use whistler_kernel::Kernel;
use whistler_lisp::{HostIo, Interp};
use whistler_object::Object;

use crate::args::TargetArgs;
use crate::io::{report_folded, tally};

/// A source file, read and ready to be checked or compiled.
pub struct Unit {
    pub sources: Rc<RefCell<SourceMap>>,
    pub file: FileId,
    pub session: Session,
    pub interp: Interp,
    opt: OptLevel,
}

/// While a file is only compiled its host forms may talk and load other sources, but touch nothing else.
struct Quiet {
    sources: Rc<RefCell<SourceMap>>,
}

impl HostIo for Quiet {
    fn write_out(&mut self, text: &str) {
        // Standard output may be the object.
        complain_part!("{text}");
    }
    fn write_err(&mut self, text: &str) {
        complain_part!("{text}");
    }
    fn pid(&self) -> Option<u32> {
        Some(std::process::id())
    }
    fn read_file(&self, path: &str) -> Option<std::io::Result<String>> {
        Some(std::fs::read_to_string(path))
    }
    fn file_exists(&self, path: &str) -> Option<bool> {
        Some(Path::new(path).exists())
    }
    fn add_source(&mut self, name: &str, text: &str) -> FileId {
        match self.sources.try_borrow_mut() {
            Ok(mut sources) => sources.add(name, text),
            // Loaded while a macro is expanded: its spans say nothing.
            Err(_) => whistler_diag::Span::NONE.file,
        }
    }
}

impl Unit {
    /// Reads a file (`-`: standard input).
    pub fn read(path: &Path, args: &TargetArgs) -> Result<Unit, String> {
        let name = path.display().to_string();
        let text = if name == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) };
        let text = text.map_err(|e| format!("{name}: {e}"))?;
        let sources = Rc::new(RefCell::new(SourceMap::new()));
        let file = sources.borrow_mut().add(name, text);
        let kernel = Kernel::chosen(args.btf.clone(), args.tracefs.clone());
        let mut interp = Interp::new(Box::new(Quiet { sources: sources.clone() }));
        // A file that is only looked at must come to an end.
        interp.set_step_limit(Some(STEP_LIMIT));
        let mut session = Session::new(args.target, Rc::new(kernel));
        if args.unprivileged {
            session.privilege = Privilege::Unprivileged;
        }
        let opt = if args.no_opt { OptLevel::None } else { OptLevel::Full };
        Ok(Unit { sources, file, session, interp, opt })
    }

    /// Checks everything in the file.
    pub fn check(&mut self) -> Vec<Diagnostic> {
        self.compile().1
    }

    /// The intermediate representation of everything in the file.
    pub fn ir(&mut self) -> (Option<String>, Vec<Diagnostic>) {
        let mut diagnostics = self.session.load_source(&mut self.interp, &self.sources.borrow(), self.file);
        let (unit, more) = self.session.check(&mut self.interp, None);
        diagnostics.extend(more);
        let failed = diagnostics.iter().any(Diagnostic::is_error);
        let target = self.session.target;
        let text = (!failed).then(|| whistler_compiler::assemble::ir_text(&unit, &target, self.opt));
        (text, diagnostics)
    }

    /// Compiles everything in the file.
    pub fn compile(&mut self) -> (Option<Compiled>, Vec<Diagnostic>) {
        self.session.compile_source(&mut self.interp, &self.sources.borrow(), self.file, self.opt)
    }
}

/// Calls and loop rounds that the host forms of a file may make while it is only compiled.
const STEP_LIMIT: u64 = 200_000_000;

/// An object, and the texts that its places are in.
pub type WithSources = (Object, Rc<RefCell<SourceMap>>);

/// The object in a file, be it source or ELF; reports what is wrong with a source. `None` after errors.
pub fn object(path: &Path, args: &TargetArgs) -> Result<Option<WithSources>, String> {
    let name = path.display().to_string();
    let bytes = if name == "-" { Vec::new() } else { std::fs::read(path).map_err(|e| format!("{name}: {e}"))? };
    if bytes.starts_with(b"\x7fELF") {
        let object = whistler_object::elf::read(&bytes).map_err(|e| format!("{name}: {e}"))?;
        return Ok(Some((object, Rc::default())));
    }
    let mut unit = Unit::read(path, args)?;
    let (compiled, diagnostics) = unit.compile();
    report_folded(&diagnostics, &unit.sources.borrow());
    if compiled.is_none()
        && let Some(tally) = tally(&diagnostics)
    {
        complain!("{name}: {tally}");
    }
    Ok(compiled.map(|c| (c.object, unit.sources.clone())))
}
