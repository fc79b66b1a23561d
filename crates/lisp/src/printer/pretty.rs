//! Code laid out in lines. Invariant: what it writes reads as the same form.

use super::{abbreviation, form_text};
use crate::{Form, FormKind};

/// Operators whose first arguments stay on the operator's line and whose body is indented by two.
const BODIES: &[(&str, usize)] = &[
    ("defun", 2),
    ("defmacro", 2),
    ("defprog", 2),
    ("defstruct-ops", 2),
    ("defsubprog", 3),
    ("defmap", 1),
    ("defstruct", 1),
    ("deftest", 1),
    ("lambda", 1),
    ("let", 1),
    ("let*", 1),
    ("flet", 1),
    ("labels", 1),
    ("macrolet", 1),
    ("when", 1),
    ("unless", 1),
    ("when-let", 1),
    ("when-let*", 1),
    ("if-let", 1),
    ("dolist", 1),
    ("dotimes", 1),
    ("do-map", 1),
    ("case", 1),
    ("ecase", 1),
    ("typecase", 1),
    ("block", 1),
    ("catch", 1),
    ("return-from", 1),
    ("multiple-value-bind", 2),
    ("destructuring-bind", 2),
    ("handler-case", 1),
    ("handler-bind", 1),
    ("with-output-to-string", 1),
    ("unwind-protect", 1),
    ("progn", 0),
    ("tagbody", 0),
    ("cond", 0),
    ("while", 1),
    ("defheader", 1),
    ("with-packet", 1),
    ("with-eth", 1),
    ("with-ipv4", 1),
    ("with-tcp", 1),
    ("with-udp", 1),
    ("with-ringbuf", 1),
    ("with-bpf-session", 1),
    ("bpf:prog", 2),
    ("eval-when", 1),
    ("define-condition", 2),
    ("do", 2),
    ("do*", 2),
    ("prog1", 1),
];

/// A form in lines of at most `width` columns, where that can be.
pub fn pretty(form: &Form, width: usize) -> String {
    let mut out = String::new();
    write(form, 0, width.max(20), &mut out);
    out
}

fn newline(column: usize, out: &mut String) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', column));
}

fn column_of(out: &str) -> usize {
    out.rsplit('\n').next().unwrap_or("").chars().count()
}

fn write(form: &Form, column: usize, width: usize, out: &mut String) {
    let flat = form_text(form);
    if column + flat.chars().count() <= width || !matches!(form.kind, FormKind::List(_)) {
        out.push_str(&flat);
        return;
    }
    let Some(items) = form.as_list() else { return out.push_str(&flat) };
    if let [head, arg] = items
        && let Some(prefix) = head.as_symbol().and_then(abbreviation)
    {
        out.push_str(prefix);
        return write(arg, column + prefix.len(), width, out);
    }
    let Some((head, args)) = items.split_first() else { return out.push_str(&flat) };
    out.push('(');
    let symbol = head.as_symbol().map(|s| s.to_string().to_lowercase());
    let body = symbol.as_deref().and_then(|s| BODIES.iter().find(|(n, _)| *n == s)).map(|(_, n)| *n);
    match (symbol, body) {
        (Some(_), Some(n)) => {
            out.push_str(&form_text(head));
            for (i, a) in args.iter().enumerate() {
                if i < n {
                    out.push(' ');
                } else {
                    newline(column + 2, out);
                }
                let at = column_of(out);
                write(a, at, width, out);
            }
        }
        (Some(_), None) => {
            let name = form_text(head);
            out.push_str(&name);
            // Arguments stand under the first one; under the operator when that leaves too little room.
            let aligned = column + name.chars().count() + 2;
            let under = if aligned + 24 > width { column + 2 } else { aligned };
            for (i, a) in args.iter().enumerate() {
                if i == 0 && under == aligned {
                    out.push(' ');
                } else {
                    newline(under, out);
                }
                write(a, under, width, out);
            }
        }
        (None, _) => {
            for (i, a) in items.iter().enumerate() {
                if i > 0 {
                    newline(column + 1, out);
                }
                write(a, column + 1, width, out);
            }
        }
    }
    out.push(')');
}

#[cfg(test)]
mod tests {
    use super::*;
    use whistler_diag::FileId;

    #[test]
    fn code_is_laid_out_and_reads_back() {
        let text = "(defun f (x y) (let ((a (+ x y)) (b 2)) (when (> a b) (format t \"~a is more than ~a~%\" a b) (some-function a b))))";
        let (forms, _) = crate::read_text(FileId(0), text);
        let shown = pretty(&forms[0], 40);
        assert_eq!(
            shown,
            "(defun f (x y)\n  (let ((a (+ x y)) (b 2))\n    (when (> a b)\n      (format t\n              \"~a is more than ~a~%\"\n              a\n              b)\n      (some-function a b))))"
        );
        let (again, errors) = crate::read_text(FileId(0), &shown);
        assert!(errors.is_empty());
        assert_eq!(again[0].to_string(), forms[0].to_string());
    }
}
