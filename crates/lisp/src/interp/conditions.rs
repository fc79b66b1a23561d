//! Conditions: their types, and how handlers see them.

use std::rc::Rc;

use crate::error::{HOST_ERROR, LispError, LispResult, Slot};
use crate::heap::{Object, Record, RecordLayout};
use crate::interp::{Handler, Interp};
use crate::{Symbol, Value};

/// The standard condition types: name, parent, slots.
const STANDARD: &[(&str, &str, &[&str])] = &[
    ("condition", "", &[]),
    ("serious-condition", "condition", &[]),
    ("error", "serious-condition", &[]),
    ("warning", "condition", &[]),
    ("simple-condition", "condition", &["format-control", "format-arguments"]),
    ("simple-error", "error", &["format-control", "format-arguments"]),
    ("simple-warning", "warning", &["format-control", "format-arguments"]),
    ("type-error", "error", &["datum", "expected-type"]),
    ("simple-type-error", "type-error", &["format-control", "format-arguments"]),
    ("arithmetic-error", "error", &["operation", "operands"]),
    ("division-by-zero", "arithmetic-error", &[]),
    ("floating-point-overflow", "arithmetic-error", &[]),
    ("cell-error", "error", &["name"]),
    ("unbound-variable", "cell-error", &[]),
    ("undefined-function", "cell-error", &[]),
    ("program-error", "error", &[]),
    ("control-error", "error", &[]),
    ("parse-error", "error", &[]),
    ("reader-error", "parse-error", &[]),
    ("file-error", "error", &["pathname"]),
    ("stream-error", "error", &["stream"]),
    ("end-of-file", "stream-error", &[]),
    ("storage-condition", "serious-condition", &[]),
    ("control-stack-exhausted", "storage-condition", &[]),
    ("heap-exhausted", "storage-condition", &[]),
    ("interactive-interrupt", "serious-condition", &[]),
    ("step-limit-reached", "serious-condition", &[]),
];

impl Interp {
    /// The condition type of a name, standard or defined.
    pub(crate) fn condition_layout(&mut self, name: Symbol) -> Option<Rc<RecordLayout>> {
        let name = name.fold().unqualified();
        if let Some(l) = self.layouts.get(&name) {
            return Some(l.clone());
        }
        let (_, parent, slots) = STANDARD.iter().find(|(n, _, _)| name.is(n))?;
        let parent = if parent.is_empty() { None } else { self.condition_layout(Symbol::intern(parent)) };
        let mut all: Vec<Symbol> = parent.iter().flat_map(|p| p.slots.clone()).collect();
        all.extend(slots.iter().map(|s| Symbol::intern(s)));
        let layout = Rc::new(RecordLayout { name, slots: all, parent, condition: true });
        self.layouts.insert(name, layout.clone());
        Some(layout)
    }

    /// Defines a condition type for the embedding program (`bpf-error`); its slots have no readers of their own.
    pub fn define_condition(&mut self, name: &str, parent: &str, slots: &[&str]) -> Rc<RecordLayout> {
        let parent = self.condition_layout(Symbol::intern(parent));
        let mut all: Vec<Symbol> = parent.iter().flat_map(|p| p.slots.clone()).collect();
        all.extend(slots.iter().map(|s| Symbol::intern(s)));
        let name = Symbol::intern(name);
        let layout = Rc::new(RecordLayout { name, slots: all, parent, condition: true });
        self.layouts.insert(name, layout.clone());
        layout
    }

    /// A condition object with a message of its own.
    pub fn make_condition(&mut self, condition_type: Symbol, message: &str) -> Value {
        let layout = self.condition_layout(condition_type).or_else(|| self.condition_layout(Symbol::ERROR));
        let Some(layout) = layout else { return Value::NIL };
        let text = self.heap.string(message);
        let mut fields = vec![Value::NIL; layout.slots.len()];
        fields.push(text);
        self.heap.alloc(Object::Record(Record { layout, fields }))
    }

    /// What a condition says.
    pub fn condition_message(&mut self, c: Value) -> Result<String, LispError> {
        let Some(r) = self.heap.record(c) else { return Ok(self.show(c)) };
        let layout = r.layout.clone();
        if let Some(text) = r.fields.get(layout.slots.len()).copied() {
            return Ok(self.heap.str(text).unwrap_or_default().to_string());
        }
        let mut at = Some(&layout);
        while let Some(l) = at {
            if let Some(report) = self.reports.get(&l.name).copied() {
                if let Some(s) = self.heap.str(report) {
                    return Ok(s.to_string());
                }
                return self.with_buffer(|i, stream| i.call(report, &[c, stream]).map(|_| ()));
            }
            at = l.parent.as_ref();
        }
        let control = layout.slot(Symbol::intern("format-control")).and_then(|i| r.fields.get(i).copied());
        let arguments = layout.slot(Symbol::intern("format-arguments")).and_then(|i| r.fields.get(i).copied());
        if let Some(control) = control.filter(|c| c.is_true()) {
            let args = self.heap.list_items(arguments.unwrap_or(Value::NIL)).unwrap_or_default();
            return match self.heap.str(control).map(str::to_string) {
                Some(text) => self.format_to_string(&text, &args),
                None => Ok(self.show(control)),
            };
        }
        Ok(format!("condition of type `{}`", layout.name))
    }

    /// The condition of an error, made if it has none yet.
    pub(crate) fn condition_of(&mut self, e: &mut LispError) -> Value {
        if let Some(root) = &e.condition {
            return root.get();
        }
        let (name, message) = (e.condition_type, e.message.clone());
        let c = self.make_condition(name, &message);
        let root = self.heap.root(c);
        for (slot, value) in e.slots.clone() {
            let value = match value {
                Slot::Int(n) => Value::Int(n),
                Slot::Text(t) => self.heap.string(t),
            };
            if let Some(Object::Record(r)) = self.heap.object_mut(c)
                && let Some(i) = r.layout.slot(Symbol::intern_static(slot))
                && let Some(field) = r.fields.get_mut(i)
            {
                *field = value;
            }
        }
        e.condition = Some(root);
        c
    }

    /// An error from a condition object.
    pub(crate) fn error_of(&mut self, c: Value) -> LispError {
        let message = self.condition_message(c).unwrap_or_else(|e| e.message.clone());
        let mut e = LispError::new("error", HOST_ERROR, message);
        if let Some(r) = self.heap.record(c) {
            e.condition_type = r.layout.name;
        }
        e.condition = Some(self.heap.root(c));
        e
    }

    /// Lets handlers see an error: the jump one of them made, or the error itself, unhandled.
    pub(crate) fn signal_error(&mut self, mut e: LispError) -> LispError {
        if self.handlers.is_empty() {
            return e;
        }
        let c = self.condition_of(&mut e);
        match self.signal(c) {
            Ok(()) => e,
            Err(jump) => jump,
        }
    }

    /// Calls the handlers for a condition, innermost first. `Ok`: all declined.
    pub(crate) fn signal(&mut self, c: Value) -> Result<(), LispError> {
        let top = self.handlers.len();
        let mut at = top;
        while at > 0 {
            at -= 1;
            let Some(handler) = self.handlers.get(at).cloned() else { continue };
            match handler {
                Handler::Case(types, id) => {
                    for (i, t) in types.iter().enumerate() {
                        if self.typep(c, *t)? {
                            let choice = self.heap.cons(Value::Int(i as i64), c);
                            let root = self.heap.root(choice);
                            return Err(LispError::unwind(id, root));
                        }
                    }
                }
                Handler::Bind(t, f) => {
                    if !self.typep(c, t)? {
                        continue;
                    }
                    // A handler runs with only the handlers outside of its own.
                    let hidden = self.handlers.split_off(at);
                    let kept = self.heap.fresh_mark();
                    for h in &hidden {
                        if let Handler::Bind(a, b) = h {
                            self.heap.keep_fresh(*a);
                            self.heap.keep_fresh(*b);
                        }
                    }
                    self.heap.keep_fresh(c);
                    let result = self.enter(|i| i.call(f, &[c]));
                    self.handlers.truncate(at);
                    self.handlers.extend(hidden);
                    self.heap.release_fresh(kept);
                    result?;
                }
            }
        }
        Ok(())
    }

    /// `(error datum args…)` as a condition.
    pub(crate) fn coerce_condition(&mut self, datum: Value, args: &[Value], default: &str) -> LispResult {
        if let Some(text) = self.heap.str(datum).map(str::to_string) {
            let Some(layout) = self.condition_layout(Symbol::intern(default)) else { return Ok(Value::NIL) };
            let control = self.heap.string(text);
            let arguments = self.heap.list(args);
            return Ok(self.heap.make_record(&layout, &[control, arguments]));
        }
        if let Some(s) = datum.as_symbol() {
            return self.make_instance(s, args);
        }
        match self.heap.record(datum) {
            Some(_) => Ok(datum),
            None => {
                let shown = self.show(datum);
                Err(LispError::wrong_type(&shown, "a message, a condition or a condition's type"))
            }
        }
    }

    /// `(make-condition type :slot value …)`
    pub(crate) fn make_instance(&mut self, name: Symbol, args: &[Value]) -> LispResult {
        let Some(layout) = self.condition_layout(name) else {
            return Err(LispError::simple(format!("there is no condition type `{name}`")));
        };
        let mut fields = vec![Value::NIL; layout.slots.len()];
        let mut at = Some(&layout);
        while let Some(l) = at {
            if let Some(defaults) = self.slot_defaults.get(&l.name).cloned() {
                for (slot, f) in defaults {
                    if let Some(i) = layout.slot(slot) {
                        fields[i] = self.call(f, &[])?;
                    }
                }
            }
            at = l.parent.as_ref();
        }
        for pair in args.chunks(2) {
            let [key, value] = pair else { continue };
            let slot = key.as_symbol().and_then(|s| layout.slot(Symbol::intern(s.name())));
            match slot {
                Some(i) => fields[i] = *value,
                None => {
                    let shown = self.show(*key);
                    return Err(LispError::simple(format!("a `{name}` has no slot {shown}")));
                }
            }
        }
        Ok(self.heap.make_record(&layout, &fields))
    }
}
