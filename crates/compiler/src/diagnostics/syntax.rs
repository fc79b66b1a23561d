//! What the reader reports: syntax. The codes are the reader's; here are their pages.

use super::{CodeDoc, code};

pub(super) static ALL: &[&CodeDoc] = &[
    &UNCLOSED,
    &EXTRA_CLOSE,
    &UNCLOSED_STRING,
    &UNCLOSED_COMMENT,
    &UNKNOWN_SHARP,
    &BAD_CHAR,
    &BAD_NUMBER,
    &BAD_DOT,
    &NOTHING_AFTER,
    &NO_ESCAPES,
    &NESTED,
    &STRAY_COMMA,
    &BAD_SYMBOL,
];

code! {
    /// A list's closing parenthesis is missing. The report marks where it opens and, judging by the
    /// indentation, where it was meant to end.
    UNCLOSED, "E0021", "list not closed",
    "(defconstant +a+ (+ 1 2)",
    "(defconstant +a+ (+ 1 2))"
}

code! {
    /// There is one closing parenthesis more than there are open lists. Often one too many stands at the
    /// end of the form before.
    EXTRA_CLOSE, "E0022", "closing parenthesis without a list",
    "(defconstant +a+ 1))",
    "(defconstant +a+ 1)"
}

code! {
    /// A string begins here and goes on to the end of the file. A quote inside of a string is
    /// written \".
    UNCLOSED_STRING, "E0023", "string not closed",
    "(defconstant +a+ \"abc)",
    "(defvar *a* \"abc\")"
}

code! {
    /// A comment that begins with #| ends with |#, and a symbol that begins with a vertical bar ends with
    /// one. This one doesn't.
    UNCLOSED_COMMENT, "E0024", "comment or quoted symbol not closed",
    "#| a comment",
    "#| a comment |#"
}

code! {
    /// No syntax begins with this character behind #. Those that exist are #' #( #: #x #b #o #\ #| #+ and #-.
    UNKNOWN_SHARP, "E0025", "unknown # syntax",
    "(defvar *a* #@1)",
    "(defvar *a* #x1)"
}

code! {
    /// Characters are written as themselves behind #\, or by a name such as Space, Newline or Tab.
    BAD_CHAR, "E0026", "no such character",
    "(defvar *a* #\\Spacce)",
    "(defvar *a* #\\Space)"
}

code! {
    /// The digits behind #x, #b or #o are not of that base, or a ratio has the denominator zero.
    BAD_NUMBER, "E0027", "not a number",
    "(defconstant +a+ #xzz)",
    "(defconstant +a+ #xff)"
}

code! {
    /// A dot stands between the last two things of a list, with exactly one thing behind it.
    BAD_DOT, "E0028", "dot out of place",
    "(defvar *a* '(1 . 2 3))",
    "(defvar *a* '(1 2 . 3))"
}

code! {
    /// A quote, backquote, comma or the like belongs to the form behind it, and there is none.
    NOTHING_AFTER, "E0029", "nothing behind a prefix",
    "(defvar *a* (list '))",
    "(defvar *a* (list 'b))"
}

code! {
    /// So many open lists are not what people write; the reader stops before it runs out of memory.
    NESTED, "E0030", "lists nested too deeply",
    "",
    ""
}

code! {
    /// A comma puts a value into a template that a backquote began. Here is no such template around it, or
    /// there are more commas than backquotes.
    STRAY_COMMA, "E0031", "comma outside of a backquote",
    "(defvar *a* (list ,b))",
    "(defvar *b* 1)\n(defvar *a* `(list ,*b*))"
}

code! {
    /// These characters alone make no symbol: a colon needs a name behind it, and dots alone are no name.
    BAD_SYMBOL, "E0032", "not a symbol",
    "(defvar *a* '...)",
    "(defvar *a* 'dots)"
}

code! {
    /// In a string a backslash takes the next character as it is: `\\n` is the letter n. `printk` and `emit` end
    /// their lines by themselves; where a newline is part of the text, the string goes on in the next line.
    NO_ESCAPES, "W0033", "escape of C in a string",
    "(defprog p (:type :xdp)\n  (printk \"%d\\n\" (get-prandom-u32))\n  XDP_PASS)",
    "(defprog p (:type :xdp)\n  (printk \"%d\" (get-prandom-u32))\n  XDP_PASS)"
}
