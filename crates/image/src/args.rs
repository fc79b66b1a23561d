//! Arguments of host forms: some by place, some by keyword.

use whistler_lisp::{Interp, LispError, Value};

/// Arguments split at the first keyword.
pub(crate) struct Args<'a> {
    /// The form's name, for messages.
    form: &'a str,
    /// Those by place.
    pub plain: Vec<Value>,
    keyed: Vec<(&'static str, Value)>,
}

impl<'a> Args<'a> {
    /// Splits `values`; `known` are the keywords that the form takes (without `:`).
    pub fn new(form: &'a str, values: &[Value], known: &[&'static str]) -> Result<Args<'a>, LispError> {
        let mut plain = Vec::new();
        let mut keyed = Vec::new();
        let mut rest = values.iter().copied();
        while let Some(v) = rest.next() {
            let Some(keyword) = v.as_symbol().filter(|s| s.is_keyword()) else {
                if !keyed.is_empty() {
                    return Err(LispError::simple(format!(
                        "`{form}`: an argument without a keyword stands behind one with"
                    )));
                }
                plain.push(v);
                continue;
            };
            let name = keyword.name().trim_start_matches(':').to_lowercase();
            let Some(known) = known.iter().find(|k| **k == name) else {
                let list: Vec<String> = known.iter().map(|k| format!(":{k}")).collect();
                let e = LispError::simple(format!("`{form}` does not take :{name}"));
                return Err(if list.is_empty() { e } else { e.help(format!("it takes {}", list.join(" "))) });
            };
            let Some(value) = rest.next() else {
                return Err(LispError::simple(format!("`{form}`: there is no value behind :{name}")));
            };
            keyed.push((*known, value));
        }
        Ok(Args { form, plain, keyed })
    }

    /// The value of a keyword, if it was given and is not `nil`.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.keyed.iter().find(|(k, _)| *k == name).map(|(_, v)| *v).filter(|v| v.is_true())
    }

    /// A keyword's value as a string (a symbol's name counts).
    pub fn text(&self, interp: &Interp, name: &str) -> Result<Option<String>, LispError> {
        self.get(name).map(|v| text(interp, v, self.form)).transpose()
    }

    /// A keyword's value as a number.
    pub fn number(&self, interp: &Interp, name: &str) -> Result<Option<u64>, LispError> {
        let Some(v) = self.get(name) else { return Ok(None) };
        let n = interp.heap.as_i128(v).and_then(|n| u64::try_from(n).ok());
        n.map(Some).ok_or_else(|| LispError::wrong_type(&interp.show(v), "a number that is not negative"))
    }

    /// The arguments by place, exactly so many.
    pub fn exactly<const N: usize>(&self) -> Result<[Value; N], LispError> {
        self.plain
            .as_slice()
            .try_into()
            .map_err(|_| LispError::simple(format!("`{}` takes {N} arguments, not {}", self.form, self.plain.len())))
    }
}

/// A string, or a symbol's name.
pub(crate) fn text(interp: &Interp, v: Value, form: &str) -> Result<String, LispError> {
    if let Some(s) = interp.heap.str(v) {
        return Ok(s.to_string());
    }
    match v.as_symbol() {
        Some(s) => Ok(s.name().trim_start_matches(':').to_string()),
        None => Err(LispError::wrong_type(&interp.show(v), "a string").help(format!("in `{form}`"))),
    }
}
