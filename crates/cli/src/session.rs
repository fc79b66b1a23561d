//! A live image with this process's terminal: what the prompt, `run` and `-e` share.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use whistler_diag::{Diagnostic, Severity, SourceMap};
use whistler_image::{Image, Mode, Options, Purpose, Reached, Step};
use whistler_kernel::Kernel;

use crate::args::ImageArgs;
use crate::io::report;
use crate::terminal::Terminal;

/// Whether results are shown as they come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// At a prompt: every value is shown, attached programs can be exchanged.
    Interactive,
    /// A file or `-e`.
    Batch,
    /// A file whose tests are run.
    Tests,
}

/// When following ends by itself.
#[derive(Default)]
pub struct Limits {
    pub count: Option<u64>,
    pub time: Option<Duration>,
    /// Recorded events for the virtual machine: name and text.
    pub recorded: Option<(String, String)>,
}

/// An image and what goes with it.
pub struct Session {
    pub image: Rc<RefCell<Image>>,
    sources: Rc<RefCell<SourceMap>>,
    way: Way,
    /// Whether nobody reads standard output any more: what ends because of that is no failure.
    gone: Arc<AtomicBool>,
}

/// Starts an image as the flags say.
pub fn start(args: &ImageArgs, limits: &Limits, way: Way) -> Result<Session, String> {
    let sources = Rc::new(RefCell::new(SourceMap::new()));
    let interrupt = Arc::new(AtomicBool::new(false));
    // Without the handler Ctrl-C still ends the process; nothing is lost but tidiness.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, interrupt.clone());
    let kernel = Kernel::chosen(args.btf.clone(), args.tracefs.clone());
    let options = Options {
        purpose: if way == Way::Tests { Purpose::Tests } else { Purpose::Live },
        mode: if args.vm { Mode::Vm } else { Mode::Kernel },
        kernel: Rc::new(kernel),
        target: args.target,
        sources: sources.clone(),
        interrupt: interrupt.clone(),
        exchangeable: way == Way::Interactive,
        follow_count: limits.count,
        follow_time: limits.time,
        recorded: limits.recorded.clone(),
        refusal: args.refusal(),
    };
    let gone = Arc::new(AtomicBool::new(false));
    let terminal = Terminal::new(sources.clone(), interrupt, gone.clone());
    let mut image = Image::new(options, Box::new(terminal));
    image.set_stack_budget(crate::STACK / 4 * 3);
    Ok(Session { image: Rc::new(RefCell::new(image)), sources, way, gone })
}

impl Session {
    /// The texts read so far.
    pub fn sources(&self) -> &Rc<RefCell<SourceMap>> {
        &self.sources
    }

    /// Evaluates a text form by form, showing values and reports; whether all went well.
    pub fn eval(&mut self, name: &str, text: &str) -> bool {
        self.eval_and_say(name, text, Said::All).0
    }

    /// Evaluates a text of tests; whether all went well, and how far it came.
    pub fn eval_tests(&mut self, name: &str, text: &str) -> (bool, Reached) {
        self.eval_and_say(name, text, Said::All)
    }

    /// The same of a text that another session had before, which showed its warnings.
    pub fn eval_tests_again(&mut self, name: &str, text: &str) -> (bool, Reached) {
        self.eval_and_say(name, text, Said::Errors)
    }

    fn eval_and_say(&mut self, name: &str, text: &str, said: Said) -> (bool, Reached) {
        let mut fine = true;
        let way = self.way;
        let (sources, gone) = (self.sources.clone(), self.gone.clone());
        let reached = self.image.borrow_mut().eval(name, text, &mut |step| {
            fine &= shown(&step, &sources, &gone, said);
            if let (Way::Interactive, Some(value)) = (way, &step.value) {
                say!("{value}");
            }
        });
        (fine, reached)
    }

    /// Prints what attached programs emit, until Ctrl-C or the limits of the command line.
    pub fn follow_emitted(&mut self) -> bool {
        let step = self.image.borrow_mut().follow_emitted();
        shown(&step, &self.sources, &self.gone, Said::All)
    }

    /// Calls the function `main`, if the text defined one.
    pub fn main(&mut self, args: &[String]) -> bool {
        let mut step = self.image.borrow_mut().call_main(args);
        let flag = args.iter().find(|a| a.starts_with("--"));
        let refused = step.diagnostics.first_mut().filter(|d| d.message.starts_with("`main` takes "));
        if let (true, Some(flag), Some(d)) = (step.failed, flag, refused) {
            d.help.push(format!(
                "what stands behind the file is for `main`; flags go before it: whistler run {flag} … FILE"
            ));
        }
        shown(&step, &self.sources, &self.gone, Said::All)
    }
}

/// Which reports of a text are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    All,
    Errors,
}

/// Shows what a step reports; whether it went well.
fn shown(step: &Step, sources: &RefCell<SourceMap>, gone: &AtomicBool, said: Said) -> bool {
    if gone.load(Ordering::Relaxed) {
        return true;
    }
    let wanted = |d: &&Diagnostic| said == Said::All || d.severity == Severity::Error;
    let diagnostics: Vec<Diagnostic> = step.diagnostics.iter().filter(wanted).cloned().collect();
    report(&diagnostics, &sources.borrow());
    !step.failed
}
