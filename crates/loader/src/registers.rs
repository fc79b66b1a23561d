//! Register states in the verifier's log, told by the source's names. Invariant: what a state isn't known to mean is
//! shown as it stands, never guessed at.

use std::collections::BTreeMap;

use whistler_object::{Object, Place, Program};

use crate::layout::layout;
use crate::verifier_log::{complaint, slot};

/// So many variables are told at most; those that the complaint speaks of come first.
const MOST: usize = 6;

/// What the verifier knew of the variables in registers where it refused the program, a sentence for each.
pub fn variables(object: &Object, program: &Program, log: &str) -> Vec<String> {
    let said = complaint(log);
    let Some(insn) = said.insn else { return Vec::new() };
    let whole = layout(object, program);
    let Some((f, own)) = whole.place(insn) else { return Vec::new() };
    let own = own as u32;
    let states = states(log);
    let mut told: Vec<(bool, String)> = Vec::new();
    for v in f.vars.iter().filter(|v| v.start <= own && own < v.end && !v.name.is_empty()) {
        let key = match v.place {
            Place::Reg(r) => format!("R{r}"),
            Place::Stack(off) => format!("fp{off}"),
        };
        let Some(state) = states.get(&key) else { continue };
        let sentence = format!("`{}` is {}", v.name, describe(state));
        let mentioned = said.message.split(|c: char| !c.is_ascii_alphanumeric()).any(|w| w == key);
        if !told.iter().any(|(_, s)| *s == sentence) {
            told.push((!mentioned, sentence));
        }
    }
    told.sort_by_key(|(later, _)| *later);
    told.truncate(MOST);
    told.into_iter().map(|(_, s)| s).collect()
}

/// The state of each register and stack slot before the last instruction that the log shows.
fn states(log: &str) -> BTreeMap<String, String> {
    let lines: Vec<&str> = log.lines().collect();
    let Some(last) = lines.iter().rposition(|l| slot(l).is_some()) else { return BTreeMap::new() };
    let mut known = BTreeMap::new();
    for (i, line) in lines.iter().enumerate().take(last + 1) {
        // What stands behind `;` on the last instruction's own line is the state after it.
        let shown = if slot(line).is_some() {
            match line.split_once("; ") {
                Some((_, state)) if i < last => state,
                _ => continue,
            }
        } else if line.starts_with("from ") || line.starts_with("caller") || line.starts_with("callee") {
            // Another path, or another frame: what was known is about other registers.
            known.clear();
            line.split_once(": ").map_or("", |(_, state)| state)
        } else {
            // `4: R1=ctx() R10=fp0`
            match line.split_once(": ") {
                Some((n, state)) if n.parse::<usize>().is_ok() => state,
                _ => continue,
            }
        };
        for (name, state) in assignments(shown) {
            known.insert(name, state);
        }
    }
    known
}

/// The parts `R1_w=ctx(off=0,imm=0)`, `fp-8=mmmm????` of a line of states.
fn assignments(text: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((word, more)) = split(rest) {
        rest = more;
        let Some((name, state)) = word.split_once('=') else { continue };
        // `R1_w`: written in this state; `R1_r`: read.
        let name = name.split('_').next().unwrap_or(name);
        let register = name.strip_prefix('R').is_some_and(|n| n.parse::<u8>().is_ok());
        if register || name.starts_with("fp-") {
            out.push((name.to_string(), state.to_string()));
        }
    }
    out
}

/// The first word, up to a blank outside of parentheses, and what follows it.
fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    if text.is_empty() {
        return None;
    }
    let mut depth = 0u32;
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ' ' if depth == 0 => return Some((&text[..i], &text[i..])),
            _ => {}
        }
    }
    Some((text, ""))
}

/// A state in words.
fn describe(state: &str) -> String {
    let (kind, inside) = match state.split_once('(') {
        Some((kind, inside)) => (kind, inside.trim_end_matches(')')),
        None => (state, ""),
    };
    let field = |name: &str| {
        let fields = inside.split(',').filter_map(|f| f.split_once('='));
        fields.filter(|(n, _)| n.split(['=', ' ']).any(|m| m == name)).map(|(_, v)| v).next()
    };
    let exact = kind.strip_prefix('P').unwrap_or(kind);
    if exact.parse::<i64>().is_ok() || exact.strip_prefix("0x").is_some_and(|h| u64::from_str_radix(h, 16).is_ok()) {
        return format!("the number {exact}");
    }
    let or_null = kind.ends_with("_or_null");
    let bare = kind.strip_suffix("_or_null").unwrap_or(kind);
    let null = if or_null { ", or null" } else { "" };
    match bare {
        "scalar" | "inv" | "Pscalar" | "Pinv" => number(inside),
        "ctx" => "the context".to_string(),
        "pkt_end" => "the packet's end".to_string(),
        "pkt" => {
            let off = field("off").unwrap_or("0");
            match field("r").unwrap_or("0") {
                "0" => format!(
                    "a pointer into the packet, {off} bytes from where it was taken; nothing there is known to be in it"
                ),
                r => format!(
                    "a pointer into the packet, {off} bytes from where it was taken; {r} bytes from there are known to be in it"
                ),
            }
        }
        "pkt_meta" => "a pointer to the packet's metadata".to_string(),
        "map_value" => match field("vs") {
            Some(size) => format!("a pointer into a map's value of {size} bytes{}{null}", offset(field("off"))),
            None => format!("a pointer into a map's value{null}"),
        },
        "map_ptr" => "a map".to_string(),
        "mem" | "alloc_mem" | "ringbuf_mem" => match field("sz").or(field("mem_size")) {
            Some(size) => format!("a pointer to {size} bytes of memory{null}"),
            None => format!("a pointer to memory{null}"),
        },
        "sock" | "sock_common" | "tcp_sock" => format!("a socket{null}"),
        _ if bare.starts_with("fp") => format!("an address on the stack ({bare})"),
        _ => match bare.strip_prefix("trusted_ptr_").or(bare.strip_prefix("ptr_")).or(bare.strip_prefix("rcu_ptr_")) {
            Some(name) if !name.is_empty() => format!("a pointer to {name}{null}"),
            _ => format!("`{state}`"),
        },
    }
}

fn offset(off: Option<&str>) -> String {
    match off {
        None | Some("0") => String::new(),
        Some(n) => format!(", at byte {n}"),
    }
}

/// A scalar's range in words.
fn number(inside: &str) -> String {
    // `smin=umin=0,smax=umax=255,var_off=(0x0; 0xff)`: a value may belong to several names.
    let bound = |name: &str| {
        inside.split(',').find_map(|part| {
            let mut names: Vec<&str> = part.split('=').collect();
            let value = names.pop()?;
            let long = format!("{name}_value");
            names.iter().any(|n| *n == name || *n == long).then(|| value.to_string())
        })
    };
    let (low, high) = (bound("umin"), bound("umax"));
    let (below, above) = (bound("smin"), bound("smax"));
    match (low, high, below, above) {
        (low, Some(high), ..) => format!("a number from {} to {high}", low.unwrap_or_else(|| "0".to_string())),
        (Some(low), None, ..) => format!("a number of {low} or more"),
        (None, None, Some(low), Some(high)) => format!("a signed number from {low} to {high}"),
        (None, None, Some(low), None) => format!("a signed number of {low} or more"),
        (None, None, None, Some(high)) => format!("a signed number of at most {high}"),
        (None, None, None, None) => "a number of which nothing is known".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use whistler_isa::{Insn, ProgType};
    use whistler_object::{Function, VarRange};

    #[test]
    fn states_in_words() {
        for (state, words) in [
            ("scalar()", "a number of which nothing is known"),
            ("scalar(smin=umin=0,smax=umax=255,var_off=(0x0; 0xff))", "a number from 0 to 255"),
            ("inv(id=0,umax_value=7,var_off=(0x0; 0x7))", "a number from 0 to 7"),
            ("scalar(id=3,smin=-5,smax=9)", "a signed number from -5 to 9"),
            ("P17", "the number 17"),
            ("map_value_or_null(id=1,map=m,ks=4,vs=8)", "a pointer into a map's value of 8 bytes, or null"),
            ("map_value(off=4,map=m,ks=4,vs=8)", "a pointer into a map's value of 8 bytes, at byte 4"),
            (
                "pkt(off=14,r=34)",
                "a pointer into the packet, 14 bytes from where it was taken; 34 bytes from there are known to be in it",
            ),
            ("trusted_ptr_task_struct()", "a pointer to task_struct"),
            ("ptr_sock_or_null(id=2)", "a pointer to sock, or null"),
            ("fp-16", "an address on the stack (fp-16)"),
            ("dynptr_ptr()", "`dynptr_ptr()`"),
        ] {
            assert_eq!(describe(state), words);
        }
    }

    const LOG: &str = "func#0 @0
0: R1=ctx() R10=fp0
; (let ((p (map-lookup m 1))) @ a.lisp:3
0: (b7) r6 = 7                        ; R6_w=7
1: (85) call bpf_map_lookup_elem#1    ; R0_w=map_value_or_null(id=1,map=m,ks=4,vs=8)
2: (bf) r7 = r0                       ; R0_w=map_value_or_null(id=1,map=m,ks=4,vs=8) R7_w=map_value_or_null(id=1,map=m,ks=4,vs=8)
3: (79) r0 = *(u64 *)(r7 +0)
R7 invalid mem access 'map_value_or_null'
processed 4 insns
";

    #[test]
    fn variables_are_told_the_one_complained_of_first() {
        let var = |name: &str, start, end, place| VarRange { name: name.into(), start, end, place };
        let function = Function {
            name: "main".into(),
            insns: vec![Insn::default(); 4],
            vars: vec![
                var("count", 1, 4, Place::Reg(6)),
                var("p", 3, 4, Place::Reg(7)),
                var("gone", 0, 2, Place::Reg(7)),
            ],
            ..Function::default()
        };
        let program = Program {
            function,
            section: "xdp".into(),
            prog_type: ProgType::Xdp,
            attach_type: None,
            attach_target: None,
            license: "GPL".into(),
            sleepable: false,
        };
        let object = Object { programs: vec![program.clone()], ..Object::default() };
        assert_eq!(
            variables(&object, &program, LOG),
            ["`p` is a pointer into a map's value of 8 bytes, or null", "`count` is the number 7"]
        );
        assert_eq!(variables(&object, &program, ""), Vec::<String>::new());
        assert_eq!(variables(&object, &program, "99: (79) r0 = *(u64 *)(r7 +0)\nR7 bad\n"), Vec::<String>::new());
    }

    #[test]
    fn another_path_forgets_what_was_known() {
        let log = "0: (b7) r6 = 7 ; R6_w=7\nfrom 0 to 2: R7=ctx() R10=fp0\n2: (79) r0 = *(u64 *)(r7 +0)\nR7 bad\n";
        let known = states(log);
        assert_eq!(known.get("R6"), None);
        assert_eq!(known.get("R7").map(String::as_str), Some("ctx()"));
    }
}
