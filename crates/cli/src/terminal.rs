//! The host Lisp's outside: this process's terminal, files and clock.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use whistler_diag::{FileId, SourceMap};
use whistler_lisp::HostIo;

/// How long a wait may go on without noticing Ctrl-C.
const SLICE: Duration = Duration::from_millis(20);

/// Everything goes to the real machine.
pub struct Terminal {
    sources: Rc<RefCell<SourceMap>>,
    interrupt: Arc<AtomicBool>,
    /// Whether nobody reads standard output any more.
    gone: Arc<AtomicBool>,
}

impl Terminal {
    /// A terminal whose waits end when `interrupt` is set; it sets `gone` when nobody reads any more.
    pub fn new(sources: Rc<RefCell<SourceMap>>, interrupt: Arc<AtomicBool>, gone: Arc<AtomicBool>) -> Terminal {
        Terminal { sources, interrupt, gone }
    }
}

impl HostIo for Terminal {
    fn available(&self) -> bool {
        true
    }

    fn write_out(&mut self, text: &str) {
        // A reader that went away (`| head`) ends what waits for more, as Ctrl-C does; what is attached is detached.
        if io::stdout().write_all(text.as_bytes()).is_err_and(|e| e.kind() == io::ErrorKind::BrokenPipe) {
            self.gone.store(true, Ordering::Relaxed);
            self.interrupt.store(true, Ordering::Relaxed);
        }
    }

    fn out_is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    fn write_err(&mut self, text: &str) {
        let _ = io::stderr().write_all(text.as_bytes());
    }

    fn flush(&mut self) {
        let _ = io::stdout().flush();
    }

    fn read_line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        if io::stdin().read_line(&mut line)? == 0 {
            return Ok(None);
        }
        Ok(Some(line.trim_end_matches(['\n', '\r']).to_string()))
    }

    fn read_file(&self, path: &str) -> Option<io::Result<String>> {
        Some(std::fs::read_to_string(path))
    }

    fn read_bytes(&self, path: &str) -> Option<io::Result<Vec<u8>>> {
        Some(std::fs::read(path))
    }

    fn write_bytes(&mut self, path: &str, bytes: &[u8]) -> Option<io::Result<()>> {
        Some(std::fs::write(path, bytes))
    }

    fn file_exists(&self, path: &str) -> Option<bool> {
        Some(std::path::Path::new(path).exists())
    }

    fn sleep(&mut self, time: Duration) -> bool {
        self.flush();
        let end = Instant::now() + time;
        while !self.interrupt.load(Ordering::Relaxed) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            std::thread::sleep(left.min(SLICE));
        }
        true
    }

    fn now(&self) -> Option<Duration> {
        SystemTime::now().duration_since(UNIX_EPOCH).ok()
    }

    fn add_source(&mut self, name: &str, text: &str) -> FileId {
        match self.sources.try_borrow_mut() {
            Ok(mut sources) => sources.add(name, text),
            // Loaded while something is compiled: its spans say nothing.
            Err(_) => whistler_diag::Span::NONE.file,
        }
    }

    fn write_file(&mut self, path: &str, text: &str, append: bool) -> Option<std::io::Result<()>> {
        let mut options = std::fs::OpenOptions::new();
        options.create(true).write(true).append(append).truncate(!append);
        Some(options.open(path).and_then(|mut f| std::io::Write::write_all(&mut f, text.as_bytes())))
    }
    fn pid(&self) -> Option<u32> {
        Some(std::process::id())
    }
    fn getenv(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}
