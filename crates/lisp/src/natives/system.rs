//! Output, reading, loading, time.

use std::time::Duration;

use super::Entry::{F1, F2, Many};
use super::{ANY, Table, text, wrong};
use crate::error::{LispError, LispResult};
use crate::heap::{Object, Stream};
use crate::interp::{DocKind, Interp};
use crate::{Symbol, Value, arith};

/// Packages and systems of the original, which are always there.
const OWN_SYSTEMS: &[&str] = &[
    "whistler",
    "whistler/loader",
    "whistler-loader",
    "whistler-user",
    "whistler-loader-user",
    "asdf",
    "uiop",
    "sb-posix",
    "cffi",
];

impl Interp {
    pub(crate) fn now(&self) -> Result<Duration, LispError> {
        self.io.now().ok_or_else(|| LispError::needs_host("the clock"))
    }

    /// Writes to a stream: `nil` and `t` mean standard output.
    pub(crate) fn write(&mut self, stream: Value, s: &str) -> Result<(), LispError> {
        let stream = match stream {
            Value::NIL | Value::T => self.global(Symbol::intern_static("*standard-output*")).value,
            v => v,
        };
        match self.heap.object_mut(stream) {
            Some(Object::Stream(Stream::Buffer(b))) => b.push_str(s),
            Some(Object::Str(b)) => b.push_str(s),
            Some(Object::Stream(Stream::Out)) => {
                self.io.write_out(s);
                self.column = column_after(self.column, s);
            }
            Some(Object::Stream(Stream::Err)) => self.io.write_err(s),
            _ => return Err(wrong(self, stream, "an output stream")),
        }
        Ok(())
    }

    /// Writes to what `*standard-output*` is now.
    pub fn print(&mut self, text: &str) -> Result<(), LispError> {
        self.write(Value::T, text)
    }

    /// The parameters of a function, as it is written: `(a &optional b)`.
    pub fn parameters_of(&mut self, name: Symbol) -> Option<String> {
        let f = self.find_function(name)?;
        Some(match (f, self.heap.object(f)) {
            (Value::Native(n), _) => self.natives.get(n as usize).map_or(String::new(), |d| format!("({})", d.lambda)),
            (_, Some(Object::Closure(c))) => c.code.lambda_list.clone(),
            _ => String::new(),
        })
    }

    /// Ends the line of standard output, if one is begun.
    pub fn fresh_line(&mut self) -> Result<(), LispError> {
        if self.column > 0 { self.print("\n") } else { Ok(()) }
    }

    /// Whether a stream is at the start of a line.
    pub(crate) fn at_line_start(&self, stream: Value) -> bool {
        let stream = match stream {
            Value::NIL | Value::T => self.global(Symbol::intern_static("*standard-output*")).value,
            v => v,
        };
        match self.heap.object(stream) {
            Some(Object::Stream(Stream::Buffer(b)) | Object::Str(b)) => b.is_empty() || b.ends_with('\n'),
            _ => self.column == 0,
        }
    }

    /// Reads and evaluates a file.
    pub(crate) fn load(&mut self, path: &str) -> Result<bool, LispError> {
        let source = match self.io.read_file(path) {
            None => return Err(LispError::needs_host(&format!("the file `{path}`"))),
            Some(Err(_)) => return Ok(false),
            Some(Ok(t)) => t,
        };
        let file = self.io.add_source(path, &source);
        let (forms, errors) = crate::read_text(file, &source);
        if let Some(d) = errors.into_iter().next() {
            return Err(LispError::from_diagnostic(d));
        }
        self.environments.push(Default::default());
        let result = forms.iter().try_for_each(|f| self.eval_inner(f).map(|_| ()));
        self.environments.pop();
        result.map(|()| true)
    }
}

fn column_after(column: usize, s: &str) -> usize {
    match s.rsplit_once('\n') {
        Some((_, last)) => last.chars().count(),
        None => column + s.chars().count(),
    }
}

fn stream(a: &[Value], n: usize) -> Value {
    a.get(n).copied().unwrap_or(Value::NIL)
}

fn load(i: &mut Interp, a: &[Value]) -> LispResult {
    let path = text(i, a[0])?;
    if i.load(&path)? || (!path.ends_with(".lisp") && i.load(&format!("{path}.lisp"))?) {
        return Ok(Value::T);
    }
    if a.get(1).is_some_and(|k| k.as_symbol().is_some_and(|s| s.is("if-does-not-exist")))
        && a.get(2).is_some_and(|v| v.is_nil())
    {
        return Ok(Value::NIL);
    }
    Err(LispError::new("file-error", crate::error::HOST_ERROR, format!("the file `{path}` can't be read")))
}

fn require(i: &mut Interp, a: &[Value]) -> LispResult {
    let name = text(i, a[0])?.to_lowercase();
    if OWN_SYSTEMS.contains(&name.as_str()) || name.starts_with("sb-") || i.modules.contains(&name) {
        return Ok(Value::NIL);
    }
    i.modules.push(name.clone());
    load(i, &[a[0]]).inspect_err(|_| i.modules.retain(|m| *m != name))
}

fn file_error(path: &str, e: &std::io::Error) -> LispError {
    LispError::simple(format!("{path}: {e}")).of_type("file-error")
}

/// `(read stream)`: the next datum of a stream on a text.
fn read(i: &mut Interp, a: &[Value]) -> LispResult {
    let Some(Object::Stream(Stream::Input(all, at))) = i.heap.object(a[0]) else {
        return Err(LispError::wrong_type(&i.show(a[0]), "a stream on a text"));
    };
    let rest = all.get(*at..).unwrap_or("").to_string();
    match crate::reader::read_one(&rest).map_err(|d| LispError::from_diagnostic(*d))? {
        Some((form, end)) => {
            if let Some(Object::Stream(Stream::Input(_, at))) = i.heap.object_mut(a[0]) {
                *at += end;
            }
            i.form_to_value(&form)
        }
        None => at_end(a),
    }
}

fn read_from_string(i: &mut Interp, a: &[Value]) -> LispResult {
    let s = text(i, a[0])?;
    match crate::reader::read_one(&s).map_err(|d| LispError::from_diagnostic(*d))? {
        Some((form, end)) => {
            let v = i.form_to_value(&form)?;
            i.set_values(&[v, Value::Int(end as i64)]);
            Ok(v)
        }
        None => match (a.get(1), a.get(2)) {
            (Some(&Value::NIL), v) => Ok(v.copied().unwrap_or(Value::NIL)),
            _ => Err(LispError::new("end-of-file", crate::error::HOST_ERROR, "there is nothing to read")),
        },
    }
}

fn take_input(i: &mut Interp, v: Value, line: bool) -> Result<Option<String>, LispError> {
    if let Some(Object::Stream(Stream::Input(s, at))) = i.heap.object_mut(v) {
        let rest = s.get(*at..).unwrap_or("");
        if rest.is_empty() {
            return Ok(None);
        }
        let n =
            if line { rest.find('\n').unwrap_or(rest.len()) } else { rest.chars().next().map_or(0, char::len_utf8) };
        let out = rest[..n].to_string();
        *at += n + usize::from(line);
        return Ok(Some(out));
    }
    if !line || !(v.is_nil() || v == Value::T) {
        return Err(wrong(i, v, "an input stream"));
    }
    i.io.read_line().map_err(|e| LispError::simple(format!("standard input: {e}")))
}

fn at_end(a: &[Value]) -> LispResult {
    match a.get(1) {
        Some(&Value::NIL) => Ok(a.get(2).copied().unwrap_or(Value::NIL)),
        _ => Err(LispError::new("end-of-file", crate::error::HOST_ERROR, "the end of the input")),
    }
}

fn describe(i: &mut Interp, a: &[Value]) -> LispResult {
    let v = a[0];
    let mut out = format!("{} is of type {}\n", i.show(v), i.type_name(v));
    if let Some(s) = v.as_symbol() {
        if let Some(lambda) = i.parameters_of(s) {
            out.push_str(&format!("  function with parameters {lambda}\n"));
        }
        if i.user_macro(s).is_some() {
            out.push_str("  macro\n");
        }
        if let Some(v) = i.constant(s) {
            let shown = i.show(v);
            out.push_str(&format!("  value {shown}\n"));
        }
        for kind in [DocKind::Function, DocKind::Variable] {
            if let Some(d) = i.documentation(s, kind) {
                out.push_str(&format!("  {d}\n"));
            }
        }
    }
    i.write(stream(a, 1), &out)?;
    Ok(Value::NIL)
}

pub(super) const TABLE: Table = &[
    (
        "print",
        "value &optional stream",
        Many(1, 2, |i, a| {
            let s = i.prin1(a[0])?;
            i.write(stream(a, 1), &format!("\n{s} "))?;
            Ok(a[0])
        }),
    ),
    (
        "prin1",
        "value &optional stream",
        Many(1, 2, |i, a| {
            let s = i.prin1(a[0])?;
            i.write(stream(a, 1), &s)?;
            Ok(a[0])
        }),
    ),
    (
        "princ",
        "value &optional stream",
        Many(1, 2, |i, a| {
            let s = i.princ(a[0])?;
            i.write(stream(a, 1), &s)?;
            Ok(a[0])
        }),
    ),
    (
        "pprint",
        "value &optional stream",
        Many(1, 2, |i, a| {
            let form = i.value_to_form(a[0], Default::default())?;
            let s = crate::printer::pretty(&form, 80);
            i.write(stream(a, 1), &format!("\n{s}"))?;
            Ok(Value::NIL)
        }),
    ),
    (
        "write",
        "value &rest keywords",
        Many(1, ANY, |i, a| {
            let s = i.prin1(a[0])?;
            i.write(Value::NIL, &s)?;
            Ok(a[0])
        }),
    ),
    (
        "prin1-to-string",
        "value",
        F1(|i, v| {
            let s = i.prin1(v)?;
            Ok(i.heap.string(s))
        }),
    ),
    (
        "princ-to-string",
        "value",
        F1(|i, v| {
            let s = i.princ(v)?;
            Ok(i.heap.string(s))
        }),
    ),
    (
        "write-to-string",
        "value &rest keywords",
        Many(1, ANY, |i, a| {
            let s = i.prin1(a[0])?;
            Ok(i.heap.string(s))
        }),
    ),
    (
        "write-string",
        "string &optional stream",
        Many(1, 2, |i, a| {
            let s = text(i, a[0])?;
            i.write(stream(a, 1), &s)?;
            Ok(a[0])
        }),
    ),
    (
        "write-line",
        "string &optional stream",
        Many(1, 2, |i, a| {
            let s = text(i, a[0])?;
            i.write(stream(a, 1), &format!("{s}\n"))?;
            Ok(a[0])
        }),
    ),
    (
        "write-char",
        "char &optional stream",
        Many(1, 2, |i, a| {
            let s = text(i, a[0])?;
            i.write(stream(a, 1), &s)?;
            Ok(a[0])
        }),
    ),
    (
        "terpri",
        "&optional stream",
        Many(0, 1, |i, a| {
            i.write(stream(a, 0), "\n")?;
            Ok(Value::NIL)
        }),
    ),
    (
        "fresh-line",
        "&optional stream",
        Many(0, 1, |i, a| {
            let s = stream(a, 0);
            if i.at_line_start(s) {
                return Ok(Value::NIL);
            }
            i.write(s, "\n")?;
            Ok(Value::T)
        }),
    ),
    (
        "finish-output",
        "&optional stream",
        Many(0, 1, |i, _| {
            i.io.flush();
            Ok(Value::NIL)
        }),
    ),
    (
        "force-output",
        "&optional stream",
        Many(0, 1, |i, _| {
            i.io.flush();
            Ok(Value::NIL)
        }),
    ),
    ("read-from-string", "string &optional eof-error eof-value", Many(1, ANY, read_from_string)),
    (
        "read-line",
        "&optional stream eof-error eof-value",
        Many(0, 4, |i, a| match take_input(i, stream(a, 0), true)? {
            Some(s) => Ok(i.heap.string(s)),
            None => at_end(a),
        }),
    ),
    (
        "read-char",
        "stream &optional eof-error eof-value",
        Many(1, 4, |i, a| match take_input(i, stream(a, 0), false)? {
            Some(s) => Ok(s.chars().next().map_or(Value::NIL, Value::Char)),
            None => at_end(a),
        }),
    ),
    ("load", "path &key if-does-not-exist", Many(1, ANY, load)),
    ("require", "name &optional paths", Many(1, 2, require)),
    ("load-system", "name &rest options", Many(1, ANY, require)),
    ("quickload", "name &rest options", Many(1, ANY, require)),
    (
        "provide",
        "name",
        F1(|i, v| {
            let n = text(i, v)?.to_lowercase();
            i.modules.push(n);
            Ok(Value::T)
        }),
    ),
    (
        "%read-file",
        "path must-exist",
        F2(|i, path, must| {
            let path = text(i, path)?;
            match i.io.read_file(&path) {
                None => Err(LispError::needs_host(&format!("the file `{path}`"))),
                Some(Ok(t)) => Ok(i.heap.string(t)),
                Some(Err(_)) if !must.is_true() => Ok(Value::NIL),
                Some(Err(e)) => Err(file_error(&path, &e)),
            }
        }),
    ),
    (
        "%write-file",
        "path text if-exists",
        super::Entry::F3(|i, path, written, mode| {
            let (path, written) = (text(i, path)?, text(i, written)?);
            let mode = mode.as_symbol().map_or("", |s| s.name()).to_lowercase();
            let append = match mode.as_str() {
                "append" => true,
                "error" if i.io.file_exists(&path) == Some(true) => {
                    return Err(LispError::simple(format!("the file `{path}` exists already")).of_type("file-error"));
                }
                _ => false,
            };
            match i.io.write_file(&path, &written, append) {
                None => Err(LispError::needs_host(&format!("writing the file `{path}`"))),
                Some(Ok(())) => Ok(Value::T),
                Some(Err(e)) => Err(file_error(&path, &e)),
            }
        }),
    ),
    ("read", "stream &optional eof-error eof-value", Many(1, 4, read)),
    (
        "probe-file",
        "path",
        F1(|i, v| {
            let path = text(i, v)?;
            match i.io.file_exists(&path) {
                Some(true) => Ok(v),
                Some(false) => Ok(Value::NIL),
                None => Err(LispError::needs_host(&format!("the file `{path}`"))),
            }
        }),
    ),
    (
        "getenv",
        "name",
        F1(|i, v| {
            let name = text(i, v)?;
            Ok(match i.io.getenv(&name) {
                Some(s) => i.heap.string(s),
                None => Value::NIL,
            })
        }),
    ),
    (
        "posix-getenv",
        "name",
        F1(|i, v| {
            let name = text(i, v)?;
            Ok(match i.io.getenv(&name) {
                Some(s) => i.heap.string(s),
                None => Value::NIL,
            })
        }),
    ),
    (
        "getpid",
        "",
        super::Entry::F0(|i| match i.io.pid() {
            Some(pid) => Ok(Value::Int(i64::from(pid))),
            None => Err(LispError::needs_host("the process")),
        }),
    ),
    (
        "sleep",
        "seconds",
        F1(|i, v| {
            let seconds = arith::to_f64(&arith::number(i, v)?);
            let time = Duration::try_from_secs_f64(seconds)
                .map_err(|_| LispError::simple("a time to sleep can't be negative"))?;
            // In short pieces, so that an interrupt doesn't have to wait.
            let mut left = time;
            while !left.is_zero() {
                let piece = left.min(Duration::from_millis(20));
                if !i.io.sleep(piece) {
                    return Err(LispError::needs_host("sleeping"));
                }
                left -= piece;
                i.check_interrupt()?;
            }
            Ok(Value::NIL)
        }),
    ),
    ("describe", "value &optional stream", Many(1, 2, describe)),
    (
        "apropos",
        "text",
        F1(|i, v| {
            let part = text(i, v)?.to_lowercase();
            let names: Vec<Symbol> =
                i.all_names().into_iter().filter(|s| s.name().to_lowercase().contains(&part)).collect();
            for s in names {
                i.write(Value::NIL, &format!("{s}\n"))?;
            }
            Ok(Value::NIL)
        }),
    ),
    (
        "gc",
        "&rest options",
        Many(0, ANY, |i, _| {
            i.collect();
            Ok(Value::NIL)
        }),
    ),
    ("lisp-implementation-type", "", super::Entry::F0(|i| Ok(i.heap.string("Whistler")))),
];
