//! The prompt: line editing, history, forms over several lines, completion of names.

use std::cell::RefCell;
use std::io::IsTerminal;
use std::rc::Rc;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};
use whistler_image::Image;

use super::Outcome;
use crate::args::ImageArgs;
use crate::session;

/// Reads forms and evaluates them until the end of input.
pub fn run(args: &ImageArgs) -> Outcome {
    let mut session = session::start(args, &session::Limits::default(), session::Way::Interactive)?;
    if std::io::stdin().is_terminal() {
        say!("{}", banner(&session.image.borrow()));
    }
    if let Some(notice) = session.image.borrow().leftovers() {
        complain!("{notice}");
    }
    let config = Config::builder().auto_add_history(true).completion_type(CompletionType::List).build();
    let mut editor: Editor<PromptHelper, FileHistory> =
        Editor::with_config(config).map_err(|e| format!("the terminal: {e}"))?;
    editor.set_helper(Some(PromptHelper { image: session.image.clone() }));
    let history = history_file();
    if let Some(path) = &history {
        // The first session has none.
        let _ = editor.load_history(path);
    }
    let mut fine = true;
    loop {
        match editor.readline("λ ") {
            Ok(text) => match text.trim() {
                "" => {}
                ":quit" | ":q" => break,
                ":help" | ":h" => say!("{HELP}"),
                // As other prompts have them, where the user has nothing of that name.
                word @ ("quit" | "exit" | "(quit)" | "(exit)") if !known(&session, word) => break,
                word @ ("help" | "(help)" | "?") if !known(&session, word) => say!("{HELP}"),
                _ => fine &= session.eval("<prompt>", &text),
            },
            Err(ReadlineError::Interrupted) => say!("(end with Ctrl-D or :quit)"),
            Err(ReadlineError::Eof) => break,
            Err(e) => return Err(format!("the terminal: {e}")),
        }
    }
    if let Some(path) = &history {
        let _ = editor.save_history(path);
    }
    Ok(fine || std::io::stdin().is_terminal())
}

/// Whether a word at the prompt means something in the language.
fn known(session: &session::Session, word: &str) -> bool {
    session.image.borrow_mut().knows(word.trim_matches(['(', ')']))
}

const HELP: &str = "\
Forms are evaluated as you finish them; declarations (defmap, defprog, …) become live.
  (attach PROG …)      attach a program; type its defprog again to exchange it
  (links)              what is attached          (detach LINK-OR-PROG)
  (map-ref MAP KEY)    look into a map           (map-entries MAP)
  (follow RING :as S)  print records as they come, until Ctrl-C
  (describe X)  (apropos \"text\")  (disasm PROG)  (stats PROG)
  :quit or Ctrl-D      leaves; everything is detached";

fn banner(image: &Image) -> String {
    format!("whistler {} · {} · :help for help", env!("CARGO_PKG_VERSION"), image.summary())
}

/// `$XDG_STATE_HOME/whistler/history`, or the same below `~/.local/state`.
fn history_file() -> Option<std::path::PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(std::path::PathBuf::from)
        .or_else(|| Some(std::path::PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    let dir = state.join("whistler");
    std::fs::create_dir_all(&dir).ok()?;
    Some(dir.join("history"))
}

struct PromptHelper {
    image: Rc<RefCell<Image>>,
}

impl Helper for PromptHelper {}
impl Hinter for PromptHelper {
    type Hint = String;
}
impl Highlighter for PromptHelper {}

impl Validator for PromptHelper {
    fn validate(&self, ctx: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = ctx.input();
        let command = text.trim_start().starts_with(':');
        Ok(if command || whistler_lisp::is_complete(text) {
            ValidationResult::Valid(None)
        } else {
            ValidationResult::Incomplete
        })
    }
}

impl Completer for PromptHelper {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let before = line.get(..pos).unwrap_or(line);
        let start = before
            .rfind(|c: char| c.is_whitespace() || "()'`,\"#".contains(c))
            .map_or(0, |i| i + before[i..].chars().next().map_or(1, char::len_utf8));
        let names = match self.image.try_borrow() {
            Ok(image) if start < pos => image.complete(&before[start..]),
            _ => Vec::new(),
        };
        Ok((start, names))
    }
}
