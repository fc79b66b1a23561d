//! Structures and conditions: their types, instances and slots.

use std::rc::Rc;

use super::Entry::{F1, F2, F3, Many};
use super::control::symbol;
use super::{ANY, Table, keys, list, text, wrong};
use crate::error::{LispError, LispResult};
use crate::heap::{Object, RecordLayout};
use crate::interp::{DocKind, Interp};
use crate::natives::NativeFn;
use crate::{Symbol, Value};

/// `(%defstruct name include prefix maker copier predicate slots default…)`
fn defstruct(i: &mut Interp, a: &[Value]) -> LispResult {
    let name = symbol(i, a[0])?;
    let parent = match a[1] {
        Value::Symbol(Symbol::NIL) => None,
        v => {
            let p = symbol(i, v)?;
            Some(
                i.layouts
                    .get(&p)
                    .cloned()
                    .ok_or_else(|| LispError::simple(format!("there is no structure `{p}` to include")))?,
            )
        }
    };
    let own: Vec<Symbol> = list(i, a[6])?.into_iter().filter_map(Value::as_symbol).collect();
    let mut slots: Vec<Symbol> = parent.iter().flat_map(|p| p.slots.clone()).collect();
    slots.extend(own.iter().copied());
    let layout = Rc::new(RecordLayout { name, slots, parent: parent.clone(), condition: false });
    i.layouts.insert(name, layout.clone());
    let defaults: Vec<(Symbol, Value)> = own.iter().copied().zip(a[7..].iter().copied()).collect();
    i.slot_defaults.insert(name, defaults);
    let prefix = text(i, a[2])?;
    for (n, slot) in layout.slots.iter().enumerate() {
        let reader = format!("{prefix}{}", slot.name());
        i.define_accessor(&reader, &layout, n);
        let setter = i.setf_name(Symbol::intern(&reader));
        let of = layout.clone();
        let set = NativeFn::Dyn(2, 2, Rc::new(move |i, a| i.set_slot(a[1], &of, n, a[0])));
        i.add_native(setter.name(), "value record", set);
        i.definitions.insert((Symbol::intern(&reader), DocKind::Function), Default::default());
    }
    if let Some(maker) = i.heap.str(a[3]).map(str::to_string) {
        let of = layout.clone();
        let make = NativeFn::Dyn(0, ANY, Rc::new(move |i, a| i.make_struct(&of, a)));
        i.add_native(&maker, "&key", make);
    }
    if let Some(copier) = i.heap.str(a[4]).map(str::to_string) {
        let of = layout.clone();
        let copy = NativeFn::Dyn(
            1,
            1,
            Rc::new(move |i, a| match i.heap.record(a[0]) {
                Some(r) if r.layout.is_a(&of) => {
                    let (layout, fields) = (r.layout.clone(), r.fields.clone());
                    Ok(i.heap.make_record(&layout, &fields))
                }
                _ => Err(wrong(i, a[0], &format!("a `{}`", of.name))),
            }),
        );
        i.add_native(&copier, "record", copy);
    }
    if let Some(predicate) = i.heap.str(a[5]).map(str::to_string) {
        let of = layout;
        let is = NativeFn::Dyn(
            1,
            1,
            Rc::new(move |i, a| Ok(i.heap.record(a[0]).is_some_and(|r| r.layout.is_a(&of)).into())),
        );
        i.add_native(&predicate, "value", is);
    }
    Ok(Value::Symbol(name))
}

impl Interp {
    fn set_slot(&mut self, v: Value, layout: &Rc<RecordLayout>, slot: usize, new: Value) -> LispResult {
        if let Some(Object::Record(r)) = self.heap.object_mut(v)
            && r.layout.is_a(layout)
            && let Some(place) = r.fields.get_mut(slot)
        {
            *place = new;
            return Ok(new);
        }
        Err(wrong(self, v, &format!("a `{}`", layout.name)))
    }

    fn make_struct(&mut self, layout: &Rc<RecordLayout>, args: &[Value]) -> LispResult {
        let mut fields = vec![Value::Unbound; layout.slots.len()];
        for pair in args.chunks(2) {
            let slot =
                pair[0].as_symbol().filter(|s| s.is_keyword()).and_then(|s| layout.slot(Symbol::intern(s.name())));
            match (slot, pair.get(1)) {
                (Some(n), Some(v)) => fields[n] = *v,
                _ => {
                    let shown = self.show(pair[0]);
                    return Err(LispError::simple(format!("a `{}` has no slot {shown}", layout.name)));
                }
            }
        }
        let mut at = Some(layout);
        while let Some(l) = at {
            for (slot, f) in self.slot_defaults.get(&l.name).cloned().unwrap_or_default() {
                if let Some(n) = layout.slot(slot).filter(|n| fields[*n] == Value::Unbound) {
                    fields[n] = self.call(f, &[])?;
                }
            }
            at = l.parent.as_ref();
        }
        for f in &mut fields {
            if *f == Value::Unbound {
                *f = Value::NIL;
            }
        }
        Ok(self.heap.make_record(layout, &fields))
    }
}

/// `(%define-condition name parents report (slot readers initform)…)`
fn define_condition(i: &mut Interp, a: &[Value]) -> LispResult {
    let name = symbol(i, a[0])?;
    let parents = list(i, a[1])?;
    let parent = parents.first().and_then(|p| p.as_symbol()).unwrap_or(Symbol::CONDITION);
    let parent = i
        .condition_layout(parent)
        .ok_or_else(|| LispError::simple(format!("there is no condition type `{parent}`")))?;
    let mut slots = parent.slots.clone();
    let mut readers = Vec::new();
    let mut defaults = Vec::new();
    for spec in &a[3..] {
        let spec = list(i, *spec)?;
        let [slot, names, init] = spec.as_slice() else { continue };
        let slot = symbol(i, *slot)?;
        if !slots.contains(&slot) {
            slots.push(slot);
        }
        for r in list(i, *names)? {
            readers.push((symbol(i, r)?, slot));
        }
        if init.is_true() {
            defaults.push((slot, *init));
        }
    }
    let layout = Rc::new(RecordLayout { name, slots, parent: Some(parent), condition: true });
    i.layouts.insert(name, layout.clone());
    i.slot_defaults.insert(name, defaults);
    if a[2].is_true() {
        i.reports.insert(name, a[2]);
    }
    for (reader, slot) in readers {
        if let Some(n) = layout.slot(slot) {
            i.define_accessor(reader.name(), &layout, n);
        }
    }
    Ok(Value::Symbol(name))
}

fn slot_of(i: &mut Interp, v: Value, slot: Value) -> Result<(Rc<RecordLayout>, usize), LispError> {
    let name = symbol(i, slot)?;
    let Some(r) = i.heap.record(v) else { return Err(wrong(i, v, "a record")) };
    let layout = r.layout.clone();
    match layout.slot(name) {
        Some(n) => Ok((layout, n)),
        None => Err(LispError::simple(format!("a `{}` has no slot `{name}`", layout.name))),
    }
}

pub(super) const TABLE: Table = &[
    ("%defstruct", "name include prefix maker copier predicate slots &rest defaults", Many(7, ANY, defstruct)),
    ("%define-condition", "name parents report &rest slots", Many(3, ANY, define_condition)),
    (
        "slot-value",
        "record slot",
        F2(|i, v, s| {
            let (_, n) = slot_of(i, v, s)?;
            Ok(i.heap.record(v).and_then(|r| r.fields.get(n).copied()).unwrap_or(Value::NIL))
        }),
    ),
    (
        "%set-slot",
        "record slot value",
        F3(|i, v, s, new| {
            let (layout, n) = slot_of(i, v, s)?;
            i.set_slot(v, &layout, n, new)
        }),
    ),
    (
        "simple-condition-format-control",
        "condition",
        F1(|i, c| {
            let s = Value::Symbol(Symbol::intern("format-control"));
            let (_, n) = slot_of(i, c, s)?;
            Ok(i.heap.record(c).map_or(Value::NIL, |r| r.fields[n]))
        }),
    ),
    (
        "make-instance",
        "type &rest slots",
        Many(1, ANY, |i, a| {
            let [..] = keys(i, &[], [])?;
            let s = symbol(i, a[0])?;
            i.make_instance(s, &a[1..])
        }),
    ),
];
