//! Arguments into slots.

use crate::code::Code;
use crate::error::{ARGUMENT_COUNT, LispError};
use crate::interp::{Interp, NativeDef};
use crate::{Symbol, Value};

pub(super) fn count_error(code: &Code, n: usize) -> LispError {
    let p = &code.params;
    let least = p.required as usize;
    let most = if p.rest || p.keys.is_some() { None } else { Some(least + p.optional as usize) };
    let name = if code.name.is_empty() { "this function" } else { &code.name };
    let e = count_message(name, least, most, n);
    e.help(format!("its parameters are `{}`", code.lambda_list))
}

fn count_message(name: &str, least: usize, most: Option<usize>, n: usize) -> LispError {
    let args = |n: usize| if n == 1 { "1 argument".to_string() } else { format!("{n} arguments") };
    let want = match most {
        Some(most) if most == least => args(least),
        Some(most) => format!("{least} to {}", args(most)),
        None => format!("at least {}", args(least)),
    };
    LispError::new("program-error", ARGUMENT_COUNT, format!("`{name}` takes {want}, but was given {n}"))
}

pub(super) fn native_count_error(def: &NativeDef, n: usize) -> LispError {
    let (least, most) = def.f.arity();
    let e = count_message(def.name, least, (most < 255).then_some(most), n);
    if def.lambda.is_empty() { e } else { e.help(format!("its parameters are `({})`", def.lambda)) }
}

impl Interp {
    /// Puts the `n` arguments at `base` into the slots that the parameters have; what wasn't given is unbound.
    pub(super) fn spread_arguments(&mut self, code: &Code, base: usize, n: usize) -> Result<(), LispError> {
        let p = &code.params;
        let positional = (p.required + p.optional) as usize;
        if n < p.required as usize || (n > positional && !p.rest && p.keys.is_none()) {
            return Err(count_error(code, n));
        }
        if n <= positional {
            self.stack.resize(base + positional, Value::Unbound);
            if p.rest {
                self.stack.push(Value::NIL);
            }
            if let Some(keys) = &p.keys {
                self.stack.resize(self.stack.len() + keys.len(), Value::Unbound);
            }
            return Ok(());
        }
        let rest: Vec<Value> = self.stack[base + positional..].to_vec();
        self.stack.truncate(base + positional);
        if p.rest {
            let list = self.heap.list(&rest);
            self.stack.push(list);
        }
        if let Some(keys) = &p.keys {
            let first = self.stack.len();
            self.stack.resize(first + keys.len(), Value::Unbound);
            self.spread_keys(code, keys, &rest, first)?;
        }
        Ok(())
    }

    fn spread_keys(&mut self, code: &Code, keys: &[Symbol], rest: &[Value], first: usize) -> Result<(), LispError> {
        let mut unknown = None;
        let mut allowed = code.params.allow_other_keys;
        for pair in rest.chunks(2) {
            let [key, value] = pair else {
                return Err(LispError::new(
                    "program-error",
                    ARGUMENT_COUNT,
                    format!("`{}` was given a keyword without a value", code.name),
                ));
            };
            let found = key.as_symbol().and_then(|s| keys.iter().position(|k| k.same_folded(s)));
            match found {
                Some(i) => {
                    if self.stack[first + i] == Value::Unbound {
                        self.stack[first + i] = *value;
                    }
                }
                None => {
                    if key.as_symbol().is_some_and(|s| s.is_keyword() && s.is("allow-other-keys")) {
                        allowed |= value.is_true();
                    } else {
                        unknown = unknown.or(Some(*key));
                    }
                }
            }
        }
        match unknown {
            Some(key) if !allowed => {
                let shown = self.show(key);
                let e = LispError::new(
                    "program-error",
                    ARGUMENT_COUNT,
                    format!("`{}` takes no keyword argument {shown}", code.name),
                );
                Err(e.help(format!("its parameters are `{}`", code.lambda_list)))
            }
            _ => Ok(()),
        }
    }
}
