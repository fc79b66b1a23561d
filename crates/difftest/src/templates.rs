//! Forms for random programs as data: `templates.txt`. Invariant: a line of that file is accepted by the
//! language whatever stands in its holes, so a new form of the language is a new line there.

use std::sync::OnceLock;

use crate::ast::Ty;

/// A part of a template.
#[derive(Clone, PartialEq, Debug)]
pub enum Hole {
    /// As it stands.
    Text(String),
    /// A number from, to, and the step between.
    Number(i64, i64, i64),
    /// One of several texts.
    OneOf(Vec<String>),
    /// An expression, cast to the type if there is one.
    Expr(Option<Ty>, Constness),
    /// A test.
    Cond,
    /// A variable that may be assigned.
    Var,
    /// An expression cast to the type of that variable.
    Its,
    /// A new name, known by this one in the rest of the template.
    Fresh(String),
    /// That name again.
    Again(String),
    /// Nothing, but only where there is an object of the kind.
    Needs(String),
    /// Nothing, but only where there is none of the kind.
    Without(String),
    /// From here on a place of this kind.
    Place(String),
    /// An object in scope whose kind begins so, remembered by a name.
    Object(String, String),
    /// Statements that also see these names as that.
    Body(Vec<(String, Binding)>),
}

/// Whether an operand may be made of literals alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Constness {
    /// It may.
    Any,
    /// The language would judge a constant there.
    RunTime,
}

/// What a name stands for in a body.
#[derive(Clone, PartialEq, Debug)]
pub enum Binding {
    /// A number that can't be assigned.
    Number(Ty),
    /// An object of a kind.
    Object(String),
}

/// What kind of place a template is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gives {
    /// A value of the type.
    Value(Ty),
    /// A statement.
    Nothing,
}

/// A form with holes.
#[derive(Clone, PartialEq, Debug)]
pub struct Template {
    /// Where it may stand.
    pub gives: Gives,
    /// Whether its body runs more than once.
    pub loops: bool,
    /// Whether only the newest instruction set has it.
    pub newest: bool,
    /// Whether its body runs a thousand times and more.
    pub long: bool,
    /// The line that it is made of.
    pub line: String,
    /// Its parts.
    pub holes: Vec<Hole>,
}

/// Declarations that a program has when one of these words stands in it.
#[derive(Debug)]
pub struct Decl {
    /// The words.
    pub words: Vec<String>,
    /// The text.
    pub text: String,
}

/// The whole file.
#[derive(Debug, Default)]
pub struct Templates {
    /// Declarations; later ones may use earlier ones.
    pub decls: Vec<Decl>,
    /// Templates of values.
    pub exprs: Vec<Template>,
    /// Templates of statements.
    pub stmts: Vec<Template>,
}

/// The templates.
pub fn templates() -> &'static Templates {
    static ALL: OnceLock<Templates> = OnceLock::new();
    ALL.get_or_init(|| parse(include_str!("templates.txt")).expect("templates.txt is tested"))
}

/// Reads the text of a file of templates.
///
/// # Errors
/// A line that can't be read, and why.
pub fn parse(text: &str) -> Result<Templates, String> {
    let mut all = Templates::default();
    for section in text.split("\n== ").skip(1) {
        let (head, body) = section.split_once('\n').unwrap_or((section, ""));
        let mut words = head.split_whitespace();
        match words.next() {
            Some("decl") => {
                all.decls.push(Decl { words: words.map(str::to_string).collect(), text: decl_text(body) });
            }
            Some(kind @ ("expr" | "stmt")) => {
                let words: Vec<&str> = words.collect();
                for line in forms(body) {
                    add(&mut all, kind, &words, &line).map_err(|e| format!("{e} in `{line}`"))?;
                }
            }
            other => return Err(format!("what is `{}`?", other.unwrap_or_default())),
        }
    }
    Ok(all)
}

fn decl_text(body: &str) -> String {
    body.lines().filter(|l| !l.starts_with(';') && !l.is_empty()).map(|l| format!("{l}\n")).collect()
}

/// Lines, with those that are indented joined to the one before.
fn forms(body: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for line in body.lines().filter(|l| !l.starts_with(';') && !l.trim().is_empty()) {
        match out.last_mut() {
            Some(last) if line.starts_with(' ') => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => out.push(line.to_string()),
        }
    }
    out
}

fn add(all: &mut Templates, kind: &str, words: &[&str], line: &str) -> Result<(), String> {
    let types: Vec<Ty> = words.iter().filter_map(|w| Ty::of_name(w)).collect();
    let [loops, newest, long] = ["loop", "newest", "long"].map(|w| words.contains(&w));
    let once = [Ty::U64];
    let each: &[Ty] = if types.is_empty() { &once } else { &types };
    for ty in each {
        let size = ty.bits() / 8;
        let text = line.replace("<T>", ty.name());
        let gives = if kind == "expr" { Gives::Value(*ty) } else { Gives::Nothing };
        let template = Template { gives, loops, newest, long, line: line.to_string(), holes: holes(&text, size)? };
        match gives {
            Gives::Value(_) => all.exprs.push(template),
            Gives::Nothing => all.stmts.push(template),
        }
    }
    Ok(())
}

fn holes(text: &str, size: u32) -> Result<Vec<Hole>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        if !before.is_empty() {
            out.push(Hole::Text(before.to_string()));
        }
        let (inside, after) = after.split_once('}').ok_or("a hole without an end")?;
        out.push(match inside.strip_prefix("at ").map(str::parse::<u32>) {
            Some(Ok(n)) if n >= size => Hole::Number(0, i64::from(n - size), i64::from(size)),
            _ => hole(inside)?,
        });
        rest = after;
    }
    if !rest.is_empty() {
        out.push(Hole::Text(rest.to_string()));
    }
    Ok(out)
}

fn hole(text: &str) -> Result<Hole, String> {
    let bad = || format!("the hole {{{text}}}");
    if let Some(name) = text.strip_prefix('+') {
        return Ok(Hole::Fresh(name.to_string()));
    }
    if let Some(name) = text.strip_prefix('$') {
        return Ok(Hole::Again(name.to_string()));
    }
    if let Some(kind) = text.strip_prefix('?') {
        return Ok(Hole::Needs(kind.to_string()));
    }
    if let Some(kind) = text.strip_prefix('-') {
        return Ok(Hole::Without(kind.to_string()));
    }
    if let Some(kind) = text.strip_prefix('=') {
        return Ok(Hole::Place(kind.to_string()));
    }
    if let Some(object) = text.strip_prefix('@') {
        let (kind, name) = object.split_once(':').unwrap_or((object, object));
        return Ok(Hole::Object(kind.to_string(), name.to_string()));
    }
    if text.contains('|') {
        return Ok(Hole::OneOf(text.split('|').map(str::to_string).collect()));
    }
    if let Some((from, to)) = text.split_once("..") {
        let (to, step) = to.split_once('/').unwrap_or((to, "1"));
        let number = |s: &str| s.parse::<i64>().map_err(|_| bad());
        let (from, to, step) = (number(from)?, number(to)?, number(step)?);
        return if from <= to && step > 0 { Ok(Hole::Number(from, to, step)) } else { Err(bad()) };
    }
    if let Some(names) = text.strip_prefix("body") {
        let binding = |word: &str| match word.split_once('@') {
            Some((name, kind)) => Ok((name.to_string(), Binding::Object(kind.to_string()))),
            None => {
                let (name, ty) = word.split_once(':').ok_or_else(bad)?;
                Ok((name.to_string(), Binding::Number(Ty::of_name(ty).ok_or_else(bad)?)))
            }
        };
        return Ok(Hole::Body(names.split_whitespace().map(binding).collect::<Result<_, String>>()?));
    }
    let (ty, constness) = match text.strip_suffix('!') {
        Some(ty) => (ty, Constness::RunTime),
        None => (text, Constness::Any),
    };
    match ty {
        "any" => Ok(Hole::Expr(None, constness)),
        "cond" => Ok(Hole::Cond),
        "var" => Ok(Hole::Var),
        "its" => Ok(Hole::Its),
        _ => Ty::of_name(ty).map(|t| Hole::Expr(Some(t), constness)).ok_or_else(bad),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_can_be_read() {
        let all = parse(include_str!("templates.txt")).unwrap_or_else(|e| panic!("{e}"));
        let mut names = std::collections::BTreeSet::new();
        for line in all.decls.iter().flat_map(|d| d.text.lines()).filter(|l| l.starts_with("(def")) {
            let name = line.split([' ', '(']).filter(|w| !w.is_empty()).nth(1).unwrap_or_default();
            assert!(names.insert(name), "`{name}` is declared twice");
        }
        assert!(all.decls.len() > 5 && all.exprs.len() > 40 && all.stmts.len() > 40);
    }

    #[test]
    fn holes_of_every_kind() {
        let all = parse(
            "\n== stmt u32 i32\n(f {0..12/4} {a|b} {<T>} {u8!} {any} {cond} {+x}\n  {$x} {@rec:r} {body x@rec y:u8})",
        )
        .unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(all.stmts.len(), 2);
        let kinds = all.stmts[1].holes.iter().filter(|h| !matches!(h, Hole::Text(_))).count();
        assert_eq!(kinds, 10);
        assert!(all.stmts[1].holes.contains(&Hole::Expr(Some(Ty::I32), Constness::Any)));
        assert!(parse("\n== expr u8\n(f {what})").is_err());
        assert!(parse("\n== expr u8\n(f {9..3})").is_err());
    }
}
