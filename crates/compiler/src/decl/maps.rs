//! `defmap`. Invariant: a map that is declared obeys the rules of its type, and so does what lies in it.

use std::rc::Rc;

use whistler_diag::Diagnostic;
use whistler_isa::{EntriesRule, MapType, MapValueKind, SizeRule, Target, map_flags};
use whistler_lisp::{Form, FormKind, Symbol};

use super::{Declared, Mode, duplicate, name_of, options, value_of};
use crate::check::at;
use crate::diagnostics as diag;
use crate::env::{DeclKind, Env};
use crate::hir::{MapDef, Ty};
use crate::host::Interp;
use crate::names::nearest;

/// Page size that ring buffers are checked against; the target's may be larger, which its loader sees.
const PAGE: u32 = 4096;

fn rule(form: &Form, message: String) -> Diagnostic {
    diag::error(&diag::MAP_RULE, &at(form), message)
}

/// A number of 32 bits from an option's value.
fn number(env: &mut Env, interp: &mut Interp, diags: &mut Vec<Diagnostic>, form: &Form, what: &str) -> Option<u32> {
    match value_of(env, interp, form) {
        Ok(Some(n)) => match u32::try_from(n) {
            Ok(n) => Some(n),
            Err(_) => {
                diags.push(rule(form, format!("{n} is no possible {what}")));
                None
            }
        },
        Ok(None) => {
            diags.push(diag::error(&diag::NOT_CONSTANT, &at(form), format!("the {what} must be a number")));
            None
        }
        Err(d) => {
            diags.push(*d);
            None
        }
    }
}

/// `(defmap name :type T …)`
pub fn map(
    env: &mut Env,
    interp: &mut Interp,
    target: &Target,
    diags: &mut Vec<Diagnostic>,
    form: &Form,
    mode: Mode,
) -> Option<Declared> {
    let name = name_of(diags, form)?;
    if duplicate(env, diags, name, DeclKind::Map, form, mode) {
        return None;
    }
    let before = diags.len();
    let written = Written::read(env, interp, diags, &form.as_list()?[2..])?;
    let def = Rc::new(shape(env, interp, target, diags, name.name(), form, written, Level::Outer)?);
    if diags[before..].iter().any(Diagnostic::is_error) {
        return None;
    }
    let summary = summary(&def);
    env.maps.insert(name, def);
    env.note(name, DeclKind::Map, form.span);
    Some(Declared { name, kind: DeclKind::Map, summary })
}

/// Whether a map is one of its own, or what the maps in a map of maps look like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Outer,
    Inner,
}

/// A map's options as written.
#[derive(Default)]
struct Written<'f> {
    map_type: Option<(MapType, &'f Form)>,
    key: Option<(Ty, &'f Form)>,
    value: Option<(Ty, &'f Form)>,
    key_size: Option<(u32, &'f Form)>,
    value_size: Option<(u32, &'f Form)>,
    entries: Option<(u32, &'f Form)>,
    flags: Option<(u32, &'f Form)>,
    extra: Option<(u64, &'f Form)>,
    inner: Option<&'f Form>,
    contents: Option<&'f Form>,
    pin: Option<(String, &'f Form)>,
}

const OPTIONS: [&str; 11] = [
    "type",
    "key",
    "value",
    "key-size",
    "value-size",
    "max-entries",
    "map-flags",
    "map-extra",
    "inner",
    "values",
    "pin",
];

impl<'f> Written<'f> {
    /// Takes the options apart. `None` when a type could not be read, so that nothing more can be said.
    fn read(env: &mut Env, interp: &mut Interp, diags: &mut Vec<Diagnostic>, forms: &'f [Form]) -> Option<Written<'f>> {
        let mut w = Written::default();
        let mut unread = false;
        for (k, v) in options(diags, forms) {
            if k.is("type") {
                match v.as_symbol().and_then(|s| MapType::by_keyword(s.name())) {
                    Some(t) => w.map_type = Some((t, v)),
                    None => {
                        diags.push(no_such_type(v));
                        unread = true;
                    }
                }
            } else if k.is("key") || k.is("value") {
                match crate::types::parse(env, interp, v) {
                    Ok(t) if t.size() == 0 => {
                        diags.push(rule(v, format!("the {} needs a type of a known size, and {t} has none", k.name())));
                        unread = true;
                    }
                    Ok(t) if k.is("key") => w.key = Some((t, v)),
                    Ok(t) => w.value = Some((t, v)),
                    Err(d) => {
                        diags.push(*d);
                        unread = true;
                    }
                }
            } else if k.is("key-size") {
                w.key_size = number(env, interp, diags, v, "key size").map(|n| (n, v));
            } else if k.is("value-size") {
                w.value_size = number(env, interp, diags, v, "value size").map(|n| (n, v));
            } else if k.is("max-entries") {
                w.entries = number(env, interp, diags, v, "number of entries").map(|n| (n, v));
            } else if k.is("map-flags") || k.is("flags") {
                w.flags = flag_value(env, interp, diags, v).map(|n| (n, v));
            } else if k.is("map-extra") {
                w.extra = number(env, interp, diags, v, "map extra").map(|n| (n.into(), v));
            } else if k.is("pin") {
                match v.as_str() {
                    Some(path) => w.pin = Some((path.to_string(), v)),
                    None => diags.push(rule(v, "the path to pin a map at is a string".to_string())),
                }
            } else if k.is("inner") {
                w.inner = Some(v);
            } else if k.is("values") {
                w.contents = Some(v);
            } else {
                diags.push(super::no_option("defmap", forms, v, k, &OPTIONS));
                // What it was to say may be missing now.
                unread = true;
            }
        }
        (!unread).then_some(w)
    }
}

/// How many bytes of a struct belong to no field.
fn padding(s: &crate::hir::StructDef) -> u32 {
    if s.union {
        return 0;
    }
    let own = |t: &Ty| match t {
        Ty::Struct(inner) => padding(inner),
        _ => 0,
    };
    let mut covered = vec![false; s.size as usize];
    for f in &s.fields {
        // A bit-field covers the bytes it has a bit in.
        let bytes = f.bits.map_or(f.ty.size(), |(at, n)| (u32::from(at) + u32::from(n)).div_ceil(8));
        let (from, to) = (f.offset as usize, (f.offset + bytes) as usize);
        covered.iter_mut().take(to).skip(from).for_each(|c| *c = true);
    }
    covered.iter().filter(|c| !**c).count() as u32 + s.fields.iter().map(|f| own(&f.ty)).sum::<u32>()
}

fn no_such_type(v: &Form) -> Diagnostic {
    let d = rule(v, format!("there is no map type `{v}`"));
    match nearest(v.as_symbol().map_or("", |s| s.name()), MapType::ALL.iter().skip(1).map(|t| t.keyword())) {
        Some(near) => d.help(format!("did you mean `:{near}`?")),
        None => d,
    }
}

/// The map that options describe, checked against the rules of its type.
#[expect(clippy::too_many_arguments, reason = "what a declaration may look at, and what it says")]
fn shape(
    env: &mut Env,
    interp: &mut Interp,
    target: &Target,
    diags: &mut Vec<Diagnostic>,
    name: &str,
    form: &Form,
    w: Written<'_>,
    level: Level,
) -> Option<MapDef> {
    let before = diags.len();
    let Some((ty, ty_form)) = w.map_type else {
        if diags.len() == before {
            diags.push(rule(form, format!("the map `{name}` needs a :type")));
        }
        return None;
    };
    let info = ty.info();
    if let Some((Ty::Struct(s), f)) = &w.key
        && padding(s) > 0
    {
        let n = padding(s);
        let text = format!("the key `{}` has {n} byte{} that no field covers", s.name, if n == 1 { "" } else { "s" });
        diags.push(
            diag::warning(&diag::KEY_PADDING, &at(f), text)
                .also(s.span, "defined here")
                .note("they are part of the key; keys of other bytes there are other keys")
                .help("name them, as (pad (array u8 n)), or take them out: (defstruct (name :packed) …)"),
        );
    }
    if !target.has(info.since) {
        let text = format!(
            "maps of type :{} came with kernel {}, and the target is {}",
            ty.keyword(),
            info.since,
            target.kernel
        );
        diags.push(diag::error(&diag::MAP_TOO_NEW, &at(ty_form), text));
    }
    check_contents(diags, ty, &w.key, &w.value);
    one_frame(diags, ty, w.value.as_ref().map(|(t, f)| (t.size(), *f)).or(w.value_size));
    let mut flags = w.flags.map_or(0, |f| f.0);
    let key_size = size(diags, form, name, ty, "key", &w.key, w.key_size, info.key);
    let value_size = size(diags, form, name, ty, "value", &w.value, w.value_size, info.value_rule(flags));
    let max_entries = match w.entries {
        Some((n, f)) => {
            if !info.entries.allows(n, PAGE) {
                diags.push(rule(f, entries_message(ty, info.entries, n)));
            }
            n
        }
        None => match info.entries {
            EntriesRule::One => 1,
            r if r.allows(0, PAGE) => 0,
            _ => {
                let d = rule(form, format!("the map `{name}` needs :max-entries"));
                diags.push(d.help("how much it can hold, as in :max-entries 1024"));
                0
            }
        },
    };
    check_flags(diags, form, ty, w.flags, &mut flags);
    let extra = match w.extra {
        Some((n, f)) => {
            // The number of hash functions, in its low 4 bits.
            if ty != MapType::BloomFilter || n > 15 {
                let text = match ty {
                    MapType::BloomFilter => format!("a bloom filter has 1 to 15 hash functions, not {n}"),
                    _ => format!("maps of type :{} have no :map-extra", ty.keyword()),
                };
                diags.push(rule(f, text));
            }
            n
        }
        None => 0,
    };
    if let Some((path, f)) = &w.pin
        && (level == Level::Inner || !path.starts_with('/'))
    {
        let text = if level == Level::Inner {
            "an inner map can't be pinned"
        } else {
            "the path to pin a map at starts with /"
        };
        diags.push(rule(f, text.to_string()));
    }
    let holds_maps = info.holds == MapValueKind::Map;
    if holds_maps && level == Level::Inner {
        diags.push(rule(ty_form, "a map of maps can't hold maps of maps".to_string()));
        return None;
    }
    if level == Level::Inner && !may_be_inner(ty) {
        diags.push(rule(ty_form, format!("maps of type :{} can't lie in other maps", ty.keyword())));
    }
    let inner = match w.inner {
        Some(f) if !holds_maps => {
            diags.push(rule(f, format!("a map of type :{} holds no maps", ty.keyword())));
            None
        }
        Some(f) => inner_shape(env, interp, target, diags, name, f).map(Rc::new),
        None => {
            if holds_maps {
                let d = rule(form, format!("the map `{name}` needs :inner, which says what the maps in it are like"));
                diags.push(d.help("name a map: :inner m, or write it: :inner (:type :hash :key u32 …)"));
            }
            None
        }
    };
    let mut def = MapDef {
        name: name.into(),
        map_type: ty,
        key_size,
        value_size,
        key: w.key.map(|k| k.0),
        value: w.value.map(|v| v.0),
        max_entries,
        flags,
        inner,
        contents: Vec::new(),
        extra,
        pin: w.pin.map(|p| p.0),
        span: form.span,
    };
    if let Some(f) = w.contents {
        def.contents = contents(env, interp, diags, &def, f);
    }
    (!diags[before..].iter().any(Diagnostic::is_error)).then_some(def)
}

/// Warns of a map of stacks whose values hold one address.
fn one_frame(diags: &mut Vec<Diagnostic>, ty: MapType, value: Option<(u32, &Form)>) {
    let Some((8, f)) = value.filter(|_| ty == MapType::StackTrace) else { return };
    let text = "an address is kept of each stack, that of the innermost function: stacks that begin alike are one";
    let d = diag::warning(&diag::ONE_FRAME, &at(f), text);
    diags.push(d.help("write :value (array u64 127) for stacks of up to 127 frames"));
}

/// The size of a key or value: of its type, or as written.
#[expect(clippy::too_many_arguments, reason = "a rule, what obeys it, and how to say that it does not")]
fn size(
    diags: &mut Vec<Diagnostic>,
    form: &Form,
    name: &str,
    ty: MapType,
    what: &str,
    typed: &Option<(Ty, &Form)>,
    sized: Option<(u32, &Form)>,
    r: SizeRule,
) -> u32 {
    let (n, f) = match (typed, sized) {
        (Some((t, f)), Some((n, g))) if t.size() != n => {
            let text = format!("the {what} is a {t}, which has {} bytes, and :{what}-size says {n}", t.size());
            diags.push(rule(g, text).also(f.span, "its type"));
            return t.size();
        }
        (Some((t, f)), _) => (t.size(), *f),
        (None, Some((n, f))) => (n, f),
        (None, None) => match r.default_size() {
            Some(n) => return n,
            None => {
                diags.push(rule(form, format!("the map `{name}` needs a :{what} (or :{what}-size)")));
                return 0;
            }
        },
    };
    if !r.allows(n) {
        let d = rule(f, format!("the {what} of a map of type :{} is {r}, not {n}", ty.keyword()));
        diags.push(match size_help(ty, what, r) {
            Some(help) => d.help(help),
            None => d,
        });
    }
    n
}

/// How a key or value of a size that the type takes is declared.
fn size_help(ty: MapType, what: &str, r: SizeRule) -> Option<String> {
    Some(match r {
        _ if ty == MapType::LpmTrie && what == "key" => LPM_KEY.to_string(),
        SizeRule::Zero => format!("leave :{what} out"),
        SizeRule::Exactly(4) => format!("write :{what} u32"),
        SizeRule::OneOf(&[4, 8]) => format!("write :{what} u32"),
        SizeRule::Multiple(8, most) => {
            format!("an address of 8 bytes for each frame: :{what} (array u64 {})", most / 8)
        }
        SizeRule::Range(_, most) if ty.info().per_cpu && what == "value" => {
            format!("each CPU has {most} bytes for it; a map of type :array or :hash takes more")
        }
        SizeRule::Exactly(_) | SizeRule::OneOf(_) | SizeRule::Range(..) | SizeRule::Multiple(..) => return None,
    })
}

/// How the key of an LPM trie is declared.
const LPM_KEY: &str = "the key is a struct, the length of the prefix first and the address in network order behind it: \
                       (defstruct net (len u32) (addr u32))";

/// Whether a member is called as lengths of prefixes are.
fn names_a_length(name: &str) -> bool {
    ["len", "prefix", "bits", "mask", "cidr"].iter().any(|part| name.to_ascii_lowercase().contains(part))
}

/// Checks what lies in keys and values against what the kernel finds there.
fn check_contents(diags: &mut Vec<Diagnostic>, ty: MapType, key: &Option<(Ty, &Form)>, value: &Option<(Ty, &Form)>) {
    if let (MapType::LpmTrie, Some((Ty::Struct(s), f))) = (ty, key)
        && let Some(first) = s.fields.first().filter(|p| p.offset == 0 && !s.union)
        && let Ty::Int(int) = first.ty
        && int.size != 4
    {
        let text = format!(
            "the key of an LPM trie begins with the length of the prefix, 4 bytes: `{}` has {}",
            first.name, int.size
        );
        diags.push(rule(f, text).also(first.span, format!("this is {}", first.ty)).help(LPM_KEY));
    }
    if let (MapType::LpmTrie, Some((Ty::Struct(s), f))) = (ty, key)
        && let Some((first, behind)) = s.fields.split_first().filter(|_| !s.union)
        && !names_a_length(&first.name)
        && let Some(length) = behind.iter().find(|p| names_a_length(&p.name))
    {
        let text = format!(
            "to the kernel the first 4 bytes are the length of the prefix: that is `{}`, not `{}`",
            first.name, length.name
        );
        let d = diag::warning(&diag::PREFIX_BEHIND, &at(f), text).also(length.span, "the length is to come first");
        diags.push(d.help(format!("put `{}` before `{}`", length.name, first.name)));
    }
    let Some((value, f)) = value else { return };
    for object in crate::builtin::SPECIAL {
        if !crate::builtin::lies_in(value, object, 0, value.size()) {
            continue;
        }
        let Some(types) = MapType::that_may_hold(object).filter(|t| !t.contains(&ty)) else { continue };
        let all: Vec<String> = types.iter().take(3).map(|t| format!(":{}", t.keyword())).collect();
        let more = if types.len() > 3 { " …" } else { "" };
        let shown = object.replace('_', "-");
        let text = format!("the kernel takes no {shown} in a map of type :{}", ty.keyword());
        let d = rule(f, text).help(format!("maps that may hold one: {}{more}", all.join(" ")));
        let alone = ty.info().per_cpu && shown.ends_with("lock");
        diags.push(if alone { d.note("each CPU has a value of its own there, and needs no lock for it") } else { d });
    }
}

fn entries_message(ty: MapType, r: EntriesRule, n: u32) -> String {
    match r {
        EntriesRule::RingBytes => {
            format!("the size of a ring buffer is a power of two and a multiple of {PAGE}, not {n}")
        }
        EntriesRule::Positive => "a map needs an entry at least".to_string(),
        EntriesRule::Zero => format!("a map of type :{} has no number of entries", ty.keyword()),
        EntriesRule::One => format!("a map of type :{} has one entry", ty.keyword()),
        EntriesRule::ZeroIsCpus | EntriesRule::Pages => {
            format!("a map of type :{} can't have {n} entries", ty.keyword())
        }
    }
}

/// The names of flags, as far as they have some.
fn flag_names(flags: u32) -> String {
    const NAMES: [&str; 19] = [
        "BPF_F_NO_PREALLOC",
        "BPF_F_NO_COMMON_LRU",
        "BPF_F_NUMA_NODE",
        "BPF_F_RDONLY",
        "BPF_F_WRONLY",
        "BPF_F_STACK_BUILD_ID",
        "BPF_F_ZERO_SEED",
        "BPF_F_RDONLY_PROG",
        "BPF_F_WRONLY_PROG",
        "BPF_F_CLONE",
        "BPF_F_MMAPABLE",
        "BPF_F_PRESERVE_ELEMS",
        "BPF_F_INNER_MAP",
        "BPF_F_LINK",
        "BPF_F_PATH_FD",
        "BPF_F_VTYPE_BTF_OBJ_FD",
        "BPF_F_TOKEN_FD",
        "BPF_F_SEGV_ON_FAULT",
        "BPF_F_NO_USER_CONV",
    ];
    let named = |bit: u32| NAMES.get(bit as usize).map_or_else(|| format!("{:#x}", 1u32 << bit), ToString::to_string);
    let all: Vec<String> = (0..32).filter(|b| flags >> b & 1 == 1).map(named).collect();
    all.join(" ")
}

fn check_flags(diags: &mut Vec<Diagnostic>, form: &Form, ty: MapType, written: Option<(u32, &Form)>, flags: &mut u32) {
    let info = ty.info();
    let place = written.map_or(form, |f| f.1);
    let odd = *flags & !info.allowed_flags;
    if odd != 0 {
        let d = rule(place, format!("maps of type :{} don't take {}", ty.keyword(), flag_names(odd)));
        diags.push(match info.allowed_flags {
            0 => d.note("they take no flags"),
            allowed => d.note(format!("they take {}", flag_names(allowed))),
        });
    }
    let missing = info.required_flags & !*flags;
    if written.is_some() && missing != 0 {
        diags.push(rule(place, format!("maps of type :{} need {}", ty.keyword(), flag_names(missing))));
    }
    for (a, b) in [(map_flags::RDONLY, map_flags::WRONLY), (map_flags::RDONLY_PROG, map_flags::WRONLY_PROG)] {
        if *flags & (a | b) == a | b {
            diags.push(rule(place, format!("{} exclude each other", flag_names(a | b))));
        }
    }
    *flags |= info.required_flags;
}

/// Whether maps of the type can lie in a map of maps: those with `map_meta_equal` in the kernel's `bpf_map_ops`.
fn may_be_inner(ty: MapType) -> bool {
    !matches!(
        ty,
        MapType::ProgArray
            | MapType::ArrayOfMaps
            | MapType::HashOfMaps
            | MapType::CgroupStorage
            | MapType::PercpuCgroupStorage
            | MapType::StructOps
            | MapType::Arena
    )
}

/// What `:inner` says: the name of a map, or a map's options.
fn inner_shape(
    env: &mut Env,
    interp: &mut Interp,
    target: &Target,
    diags: &mut Vec<Diagnostic>,
    outer: &str,
    form: &Form,
) -> Option<MapDef> {
    let name = format!("{outer}.inner");
    if let Some(s) = form.as_symbol().filter(|s| !s.is_keyword()) {
        let Some(def) = env.maps.get(s).cloned() else {
            diags.push(no_map(env, s, form));
            return None;
        };
        if def.map_type.info().holds == MapValueKind::Map || !may_be_inner(def.map_type) {
            let text = format!("maps of type :{} can't lie in other maps", def.map_type.keyword());
            diags.push(rule(form, text).also(def.span, "declared here"));
            return None;
        }
        return Some(MapDef { name: name.into(), pin: None, contents: Vec::new(), ..(*def).clone() });
    }
    let Some(list) = form.as_list().filter(|l| l.first().is_some_and(|k| k.as_keyword().is_some())) else {
        let d = rule(form, ":inner is the name of a map, or the options of one".to_string());
        diags.push(d.help(":inner (:type :hash :key u32 :value u64 :max-entries 64)"));
        return None;
    };
    let written = Written::read(env, interp, diags, list)?;
    shape(env, interp, target, diags, &name, form, written, Level::Inner)
}

fn no_map(env: &Env, s: Symbol, form: &Form) -> Diagnostic {
    let d = diag::error(&diag::UNKNOWN_NAME, &at(form), format!("there is no map `{s}`"));
    match nearest(s.name(), env.maps.names().map(Symbol::name)) {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => d,
    }
}

/// What `:values` says: names in order from index 0 (`nil` for none), or `(index name)`.
fn contents(
    env: &mut Env,
    interp: &mut Interp,
    diags: &mut Vec<Diagnostic>,
    def: &MapDef,
    form: &Form,
) -> Vec<(u32, Rc<str>)> {
    let mut out: Vec<(u32, Rc<str>)> = Vec::new();
    let holds = def.map_type.info().holds;
    if !matches!(holds, MapValueKind::Map | MapValueKind::Program) || def.key_size != 4 {
        let text = format!(
            "a map of type :{} starts empty: only arrays of maps and programs have :values",
            def.map_type.keyword()
        );
        diags.push(rule(form, text));
        return out;
    }
    let items = match &form.kind {
        FormKind::Vector(v) => v.to_vec(),
        _ => form.as_list().map(<[Form]>::to_vec).unwrap_or_default(),
    };
    for (place, item) in items.iter().enumerate() {
        let (index, named) = match item.as_list() {
            Some([index, name]) => (number(env, interp, diags, index, "index"), name),
            _ => (Some(place as u32), item),
        };
        let (Some(index), Some(name)) = (index, named.as_symbol().filter(|s| !s.is_keyword())) else {
            diags.push(rule(item, "a value is a name, or written (index name)".to_string()));
            continue;
        };
        if name.fold() == Symbol::NIL {
            continue;
        }
        if index >= def.max_entries {
            let text = format!("index {index} of `{}`, which has {}", def.name, def.entries());
            diags.push(diag::error(&diag::INDEX_RANGE, &at(item), text));
            continue;
        }
        if out.iter().any(|(i, _)| *i == index) {
            diags.push(rule(item, format!("there are two values at index {index}")));
            continue;
        }
        if holds == MapValueKind::Map {
            let Some(map) = env.maps.get(name).cloned() else {
                diags.push(no_map(env, name, named));
                continue;
            };
            if let Some(inner) = &def.inner
                && let Some(why) = differs(&map, inner)
            {
                let d = rule(named, format!("`{name}` is not like the maps in `{}`: {why}", def.name));
                diags.push(d.also(map.span, "declared here").also(inner.span, "what they are like"));
                continue;
            }
            out.push((index, map.name.clone()));
        } else {
            out.push((index, name.name().into()));
        }
    }
    out
}

/// Why a map can't stand where one like `inner` is wanted (`bpf_map_meta_equal` of the kernel).
pub fn differs(map: &MapDef, inner: &MapDef) -> Option<String> {
    if map.map_type != inner.map_type {
        return Some(format!("its type is :{}, not :{}", map.map_type.keyword(), inner.map_type.keyword()));
    }
    if map.key_size != inner.key_size {
        return Some(format!("its keys have {} bytes, not {}", map.key_size, inner.key_size));
    }
    if map.value_size != inner.value_size {
        return Some(format!("its values have {} bytes, not {}", map.value_size, inner.value_size));
    }
    if map.flags != inner.flags {
        return Some("its flags are others".to_string());
    }
    // Array lookups are compiled for one number of entries.
    if map.map_type == MapType::Array && map.max_entries != inner.max_entries && map.flags & map_flags::INNER_MAP == 0 {
        return Some(format!("it has {} entries, not {}", map.max_entries, inner.max_entries));
    }
    None
}

fn summary(m: &MapDef) -> String {
    let part = |t: &Option<Ty>, n: u32| t.as_ref().map_or_else(|| format!("{n} bytes"), ToString::to_string);
    match m.map_type {
        MapType::Ringbuf | MapType::UserRingbuf => {
            format!("{} · {}, {} KiB", m.name, m.map_type.keyword(), m.max_entries / 1024)
        }
        _ if m.key_size == 0 => {
            let value = part(&m.value, m.value_size);
            format!("{} · {} of {value}, {} entries", m.name, m.map_type.keyword(), m.max_entries)
        }
        _ => format!(
            "{} · {}, {} → {}, {} entries",
            m.name,
            m.map_type.keyword(),
            part(&m.key, m.key_size),
            part(&m.value, m.value_size),
            m.max_entries
        ),
    }
}

/// Flags: a number, a kernel constant, or a list of those (an expression of the host, too).
fn flag_value(env: &mut Env, interp: &mut Interp, diags: &mut Vec<Diagnostic>, form: &Form) -> Option<u32> {
    if let FormKind::Symbol(s) = form.kind
        && let Some(n) = whistler_isa::constants::by_name(s.name())
    {
        return u32::try_from(n).ok();
    }
    if let Some([head, rest @ ..]) = form.as_list()
        && head.as_symbol().is_some_and(|h| h.is("logior") || whistler_isa::constants::by_name(h.name()).is_some())
    {
        let parts = if head.as_symbol().is_some_and(|h| h.is("logior")) { rest } else { form.as_list()? };
        let mut all = 0;
        for p in parts {
            all |= flag_value(env, interp, diags, p)?;
        }
        return Some(all);
    }
    number(env, interp, diags, form, "set of flags")
}
