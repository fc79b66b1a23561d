//! What the host Lisp may do outside of itself. Invariant: every effect goes through [`HostIo`].

use std::io;
use std::time::Duration;

/// The machine as the host Lisp sees it. Every method's default says that there is no such thing here.
pub trait HostIo {
    /// Whether files, time and the like are there at all.
    fn available(&self) -> bool {
        false
    }
    /// Whether standard output is a screen that people look at.
    fn out_is_terminal(&self) -> bool {
        false
    }
    /// Standard output.
    fn write_out(&mut self, text: &str) {
        let _ = text;
    }
    /// Standard error.
    fn write_err(&mut self, text: &str) {
        let _ = text;
    }
    /// Makes written text visible.
    fn flush(&mut self) {}
    /// A line of standard input, without its end; `None` at the end.
    fn read_line(&mut self) -> io::Result<Option<String>> {
        Ok(None)
    }
    /// A file's text; `None` where there are no files.
    fn read_file(&self, path: &str) -> Option<io::Result<String>> {
        let _ = path;
        None
    }
    /// A file's bytes; `None` where there are no files.
    fn read_bytes(&self, path: &str) -> Option<io::Result<Vec<u8>>> {
        let _ = path;
        None
    }
    /// Makes a file of bytes; `None` where there are no files.
    fn write_bytes(&mut self, path: &str, bytes: &[u8]) -> Option<io::Result<()>> {
        let _ = (path, bytes);
        None
    }
    /// Makes a file of a text, or adds it to the end of one; `None` where files can't be written.
    fn write_file(&mut self, path: &str, text: &str, append: bool) -> Option<io::Result<()>> {
        let _ = (path, text, append);
        None
    }
    /// Whether a file exists; `None` where there are no files.
    fn file_exists(&self, path: &str) -> Option<bool> {
        let _ = path;
        None
    }
    /// Waits, or until interrupted; whether it could.
    fn sleep(&mut self, time: Duration) -> bool {
        let _ = time;
        false
    }
    /// Time since 1970; `None` where there is no clock.
    fn now(&self) -> Option<Duration> {
        None
    }
    /// Gives a text that was read a place in the source map, so that its spans mean something.
    fn add_source(&mut self, name: &str, text: &str) -> whistler_diag::FileId {
        let _ = (name, text);
        whistler_diag::Span::NONE.file
    }
    /// The number of this process; `None` where there is none to speak of.
    fn pid(&self) -> Option<u32> {
        None
    }
    /// An environment variable.
    fn getenv(&self, name: &str) -> Option<String> {
        let _ = name;
        None
    }
}

/// Nothing of the machine: output vanishes, and what needs more is an error marked `needs_host`.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoIo;

impl HostIo for NoIo {}

/// Keeps what is written, for tests and for showing it elsewhere; the clock is real, files are not there.
#[derive(Debug, Default, Clone)]
pub struct CapturedIo {
    /// What was written to standard output.
    pub out: std::rc::Rc<std::cell::RefCell<String>>,
    /// What was written to standard error.
    pub err: std::rc::Rc<std::cell::RefCell<String>>,
}

impl HostIo for CapturedIo {
    fn available(&self) -> bool {
        true
    }
    fn write_out(&mut self, text: &str) {
        self.out.borrow_mut().push_str(text);
    }
    fn write_err(&mut self, text: &str) {
        self.err.borrow_mut().push_str(text);
    }
    fn now(&self) -> Option<Duration> {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()
    }
    fn sleep(&mut self, time: Duration) -> bool {
        std::thread::sleep(time);
        true
    }
}
