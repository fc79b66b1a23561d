//! Interned symbols. Invariant: two interned symbols are equal exactly when
//! their spelling (case kept) and their kept package are; an uninterned one
//! equals only itself. The table is per thread and never shrinks, which is why
//! a [`Symbol`] can't leave its thread.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// A symbol: a small number that stands for a spelling.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(u32, PhantomData<*const ()>);

/// What is kept of a symbol's package.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Package {
    /// Written plainly, or with a prefix that says nothing here (`whistler:`).
    None,
    /// `:foo`
    Keyword,
    /// `cl:foo`: the host's operator.
    Cl,
    /// `bpf:foo`: a session form, kept apart from the host's `map`.
    Bpf,
    /// `#:foo` and gensyms.
    Uninterned,
}

struct Entry {
    name: &'static str,
    package: Package,
    fold: u32,
    /// Whether there are spellings that differ from this one, which is folded.
    varies: bool,
}

struct Table {
    entries: Vec<Entry>,
    index: FxHashMap<(Package, &'static str), u32>,
    /// Spellings that differ from their folded form, by folded symbol.
    variants: FxHashMap<u32, SmallVec<[u32; 2]>>,
    gensyms: u64,
}

thread_local! {
    static TABLE: RefCell<Table> = RefCell::new(Table::new());
}

impl Table {
    fn new() -> Table {
        let mut t = Table {
            entries: Vec::with_capacity(2048),
            index: FxHashMap::with_capacity_and_hasher(2048, Default::default()),
            variants: FxHashMap::default(),
            gensyms: 0,
        };
        for name in known::NAMES {
            t.add(Package::None, name);
        }
        t
    }

    fn add(&mut self, package: Package, name: &'static str) -> u32 {
        let id = self.entries.len() as u32;
        self.entries.push(Entry { name, package, fold: id, varies: false });
        if package == Package::Uninterned {
            return id;
        }
        self.index.insert((package, name), id);
        // Most names are ASCII, which needs no table to tell.
        if name.bytes().any(|b| b.is_ascii_uppercase() || !b.is_ascii()) && name.chars().any(char::is_uppercase) {
            let fold = self.intern(package, &name.to_lowercase());
            self.entries[id as usize].fold = fold;
            self.entries[fold as usize].varies = true;
            self.variants.entry(fold).or_default().push(id);
        }
        id
    }

    fn intern(&mut self, package: Package, name: &str) -> u32 {
        match self.index.get(&(package, name)) {
            Some(&id) => id,
            None => self.add(package, Box::leak(name.to_owned().into_boxed_str())),
        }
    }

    fn intern_static(&mut self, package: Package, name: &'static str) -> u32 {
        match self.index.get(&(package, name)) {
            Some(&id) => id,
            None => self.add(package, name),
        }
    }
}

impl Symbol {
    const fn at(id: u32) -> Symbol {
        Symbol(id, PhantomData)
    }

    /// The plain symbol spelled `name`.
    pub fn intern(name: &str) -> Symbol {
        Symbol::intern_in(Package::None, name)
    }

    /// The plain symbol spelled `name`, without copying the name.
    pub fn intern_static(name: &'static str) -> Symbol {
        Symbol::at(TABLE.with_borrow_mut(|t| t.intern_static(Package::None, name)))
    }

    /// The keyword `:name`.
    pub fn keyword(name: &str) -> Symbol {
        Symbol::intern_in(Package::Keyword, name)
    }

    /// The symbol `cl:name`.
    pub fn cl(name: &str) -> Symbol {
        Symbol::intern_in(Package::Cl, name)
    }

    /// A symbol of a package; uninterned ones are new each time.
    pub fn intern_in(package: Package, name: &str) -> Symbol {
        if package == Package::Uninterned {
            return Symbol::uninterned(name);
        }
        Symbol::at(TABLE.with_borrow_mut(|t| t.intern(package, name)))
    }

    /// A symbol as the reader takes it, with its prefix: `foo`, `:foo`, `cl:foo`, `whistler:foo`.
    pub fn parse(text: &str) -> Symbol {
        if let Some(rest) = text.strip_prefix(':') {
            return Symbol::keyword(rest.trim_start_matches(':'));
        }
        match text.split_once(':') {
            Some((package, name)) => Symbol::with_prefix(package, name.trim_start_matches(':')),
            None => Symbol::intern(text),
        }
    }

    /// A symbol written with a package prefix; what of it is kept is [`Package`]'s business.
    pub fn with_prefix(package: &str, name: &str) -> Symbol {
        let is = |p: &str| package.eq_ignore_ascii_case(p);
        let package = if is("cl") || is("common-lisp") {
            Package::Cl
        } else if is("bpf") {
            Package::Bpf
        } else if is("keyword") {
            Package::Keyword
        } else {
            Package::None
        };
        Symbol::intern_in(package, name)
    }

    /// A new symbol that equals no other.
    pub fn uninterned(name: &str) -> Symbol {
        let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
        Symbol::at(TABLE.with_borrow_mut(|t| t.add(Package::Uninterned, name)))
    }

    /// A new uninterned symbol whose name is `prefix` and a number.
    pub fn gensym(prefix: &str) -> Symbol {
        let n = TABLE.with_borrow_mut(|t| {
            t.gensyms += 1;
            t.gensyms
        });
        Symbol::uninterned(&format!("{prefix}{n}"))
    }

    /// The spelling, without any prefix.
    pub fn name(self) -> &'static str {
        TABLE.with_borrow(|t| t.entries.get(self.0 as usize).map_or("", |e| e.name))
    }

    /// What was kept of the package.
    pub fn package_kind(self) -> Package {
        TABLE.with_borrow(|t| t.entries.get(self.0 as usize).map_or(Package::None, |e| e.package))
    }

    /// The kept package's name: `cl`, `bpf` or `keyword`.
    pub fn package(self) -> Option<&'static str> {
        match self.package_kind() {
            Package::None | Package::Uninterned => None,
            Package::Keyword => Some("keyword"),
            Package::Cl => Some("cl"),
            Package::Bpf => Some("bpf"),
        }
    }

    /// Whether it is a keyword.
    pub fn is_keyword(self) -> bool {
        self.package_kind() == Package::Keyword
    }

    /// Whether it is `#:foo` or a gensym.
    pub fn is_uninterned(self) -> bool {
        self.package_kind() == Package::Uninterned
    }

    /// The symbol of the lower-case spelling in the same package (itself, if it is that).
    pub fn fold(self) -> Symbol {
        Symbol::at(TABLE.with_borrow(|t| t.entries.get(self.0 as usize).map_or(self.0, |e| e.fold)))
    }

    /// Whether two symbols are equal without regard to case.
    pub fn same_folded(self, other: Symbol) -> bool {
        self == other || self.fold() == other.fold()
    }

    /// The plain symbol of the same spelling, whatever the package.
    pub fn unqualified(self) -> Symbol {
        if self.package_kind() == Package::None { self } else { Symbol::intern(self.name()) }
    }

    /// Whether the plain spelling is `name`, without regard to case.
    pub fn is(self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name)
    }

    /// The symbol by which `wanted` says a symbol is defined: this one exactly, else the only
    /// one that differs in case. `None` when there is none, or more than one.
    pub fn resolve(self, wanted: impl Fn(Symbol) -> bool) -> Option<Symbol> {
        if wanted(self) {
            return Some(self);
        }
        let (fold, variants) = TABLE.with_borrow(|t| {
            let fold = t.entries.get(self.0 as usize).map_or(self.0, |e| e.fold);
            let varies = t.entries.get(fold as usize).is_some_and(|e| e.varies);
            (Symbol::at(fold), if varies { t.variants.get(&fold).cloned() } else { None })
        });
        if variants.is_none() && fold == self {
            return None;
        }
        let variants: SmallVec<[u32; 2]> = variants.unwrap_or_default();
        let mut found = None;
        for candidate in variants.into_iter().map(Symbol::at).chain([fold]) {
            if candidate != self && wanted(candidate) {
                if found.is_some() {
                    return None;
                }
                found = Some(candidate);
            }
        }
        found
    }

    /// A number that is dense and the symbol's own: an index for tables.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::printer::symbol_text(*self))
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! known {
    ($($id:ident $name:literal)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Known { $($id),* }
        impl Symbol {
            $(#[doc = concat!("`", $name, "`")] pub const $id: Symbol = Symbol::at(Known::$id as u32);)*
        }
        mod known { pub(super) const NAMES: &[&str] = &[$($name),*]; }
    };
}

known! {
    NIL "nil" T "t" QUOTE "quote" FUNCTION "function" QUASIQUOTE "quasiquote" UNQUOTE "unquote"
    UNQUOTE_SPLICING "unquote-splicing" LAMBDA "lambda" DECLARE "declare" PROGN "progn" IF "if" LET "let" LET_STAR "let*"
    SETQ "setq" SETF "setf" BLOCK "block" RETURN_FROM "return-from" TAGBODY "tagbody" GO "go" OTHERWISE "otherwise"
    AND_OPTIONAL "&optional" AND_REST "&rest" AND_BODY "&body" AND_KEY "&key" AND_AUX "&aux" AND_WHOLE "&whole"
    AND_ENVIRONMENT "&environment" AND_ALLOW "&allow-other-keys" ERROR "error" CONDITION "condition"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_is_kept_and_case_can_be_ignored() {
        let (a, b) = (Symbol::intern("Foo"), Symbol::intern("foo"));
        assert_ne!(a, b);
        assert!(a.same_folded(b));
        assert_eq!(a.fold(), b);
        assert_eq!(a.name(), "Foo");
        assert_eq!(Symbol::intern("NIL").fold(), Symbol::NIL);
        assert_eq!(Symbol::NIL.name(), "nil");
        assert_eq!(Symbol::CONDITION.name(), "condition");
    }

    #[test]
    fn lookup_is_exact_first_then_by_the_only_variant() {
        let (a, b, c) = (Symbol::intern("qux"), Symbol::intern("Qux"), Symbol::intern("QUX"));
        assert_eq!(c.resolve(|s| s == a), Some(a));
        assert_eq!(c.resolve(|s| s == a || s == b), None);
        assert_eq!(b.resolve(|s| s == a || s == b), Some(b));
    }

    #[test]
    fn prefixes() {
        assert_eq!(Symbol::parse("whistler:incf"), Symbol::intern("incf"));
        assert_ne!(Symbol::parse("cl:incf"), Symbol::intern("incf"));
        assert_eq!(Symbol::parse("cl:incf").package(), Some("cl"));
        assert_eq!(Symbol::parse("bpf:map").package(), Some("bpf"));
        assert_eq!(Symbol::parse("whistler/loader::x"), Symbol::intern("x"));
        assert!(Symbol::parse(":key").is_keyword());
        assert_ne!(Symbol::uninterned("a"), Symbol::uninterned("a"));
    }
}
