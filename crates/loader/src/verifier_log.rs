//! The verifier's log: where it stopped, what it says, and which source that is.

use std::fmt::Write as _;

use whistler_diag::Span;
use whistler_object::{Object, Place, Program};

use crate::layout::{Layout, layout};

/// What a log says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Complaint {
    /// The last slot it looked at.
    pub insn: Option<usize>,
    /// What is wrong there, in one line.
    pub message: String,
}

/// Reads the log of a refused program.
///
/// Each slot is printed as `N: (OP) TEXT`; the complaint is what follows the last of them.
pub fn complaint(log: &str) -> Complaint {
    let lines: Vec<&str> = log.lines().collect();
    let last = lines.iter().rposition(|l| slot(l).is_some());
    let insn = last.and_then(|i| slot(lines.get(i)?));
    let after = lines.get(last.map_or(0, |i| i + 1)..).unwrap_or_default();
    let said: Vec<&str> = after.iter().map(|l| l.trim()).filter(|l| !is_noise(l)).collect();
    let message = if said.is_empty() { "no reason given".to_string() } else { said.join("; ") };
    // Some errors name the slot themselves and come before any is printed.
    let named = || said.iter().find_map(|l| l.strip_prefix("insn ")?.split(' ').next()?.parse().ok());
    Complaint { insn: insn.or_else(named), message }
}

/// The number in front of a printed slot.
pub(crate) fn slot(line: &str) -> Option<usize> {
    let (number, rest) = line.split_once(": (")?;
    let code = rest.get(..3)?;
    let hex = code.get(..2)?.bytes().all(|b| b.is_ascii_hexdigit()) && code.ends_with(')');
    if hex { number.trim().parse().ok() } else { None }
}

/// Lines that say how it got there, not what is wrong.
fn is_noise(line: &str) -> bool {
    const STARTS: [&str; 12] = [
        ";",
        "processed ",
        "verification time",
        "stack depth",
        "from ",
        "mark_precise",
        "parent ",
        "regs=",
        "max_states_per_insn",
        "total_states",
        "peak_states",
        "caller:",
    ];
    let state = || {
        // `R0=inv(id=0)`, `R1_w=ctx() R10=fp0`, `4: R1=...`
        let rest = line
            .split_once(": R")
            .map_or(line, |(n, _)| if n.parse::<usize>().is_ok() { &line[n.len() + 2..] } else { line });
        let name: &str = rest.split('=').next().unwrap_or_default();
        let digits =
            name.strip_prefix('R').unwrap_or("x").trim_end_matches(|c: char| c == '_' || c.is_ascii_lowercase());
        rest.contains('=') && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    line.is_empty()
        || STARTS.iter().any(|s| line.starts_with(s))
        || state()
        || line.starts_with("caller")
        || line.starts_with("callee")
}

/// What to show at which source line: the complaint first, then where the function was called.
pub fn explain(object: &Object, program: &Program, log: &str) -> Vec<(Span, String)> {
    let found = complaint(log);
    let whole = layout(object, program);
    let Some(insn) = found.insn else { return vec![(program.function.span, found.message)] };
    let span = whole.location(insn).map_or(program.function.span, |l| l.span);
    let text = with_variables(&found.message, &whole, insn);
    let mut out = vec![(span, text)];
    if let Some((f, _)) = whole.place(insn)
        && f.name != program.function.name
        && let Some(caller) = last_call(log).and_then(|c| whole.location(c))
    {
        out.push((caller.span, format!("`{}` was called from here", f.name)));
    }
    out
}

/// The message with the source's names for the registers that it speaks of.
pub(crate) fn with_variables(message: &str, whole: &Layout<'_>, insn: usize) -> String {
    let mut text = message.to_string();
    let Some((f, own)) = whole.place(insn) else { return text };
    let own = own as u32;
    for v in f.vars.iter().filter(|v| v.start <= own && own < v.end) {
        if let Place::Reg(r) = v.place
            && mentions(message, r)
        {
            let _ = write!(text, " (R{r} is `{}`)", v.name);
        }
    }
    text
}

/// Whether a message speaks of a register as `R3`.
fn mentions(message: &str, register: u8) -> bool {
    let name = format!("R{register}");
    message.split(|c: char| !c.is_ascii_alphanumeric()).any(|w| w == name)
}

/// The slot of the last call of a subprogram that was gone into: `(85) call pc+N`.
fn last_call(log: &str) -> Option<usize> {
    log.lines().rev().find_map(|l| slot(l).filter(|_| l.contains("(85) call pc")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use whistler_isa::Insn;
    use whistler_object::{Function, VarRange};

    const NULL: &str = "func#0 @0
0: R1=ctx(off=0,imm=0) R10=fp0
; (load u64 p 0) @ limit.lisp:14
4: (85) call bpf_map_lookup_elem#1
5: R0_w=map_value_or_null(id=1,off=0,ks=4,vs=8,imm=0)
5: (79) r0 = *(u64 *)(r0 +0)
R0 invalid mem access 'map_value_or_null'
processed 6 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
";

    #[test]
    fn the_last_slot_and_what_follows_it() {
        let c = complaint(NULL);
        assert_eq!((c.insn, c.message.as_str()), (Some(5), "R0 invalid mem access 'map_value_or_null'"));
    }

    #[test]
    fn two_lines_are_one_message() {
        let c = complaint(
            "7: (71) r3 = *(u8 *)(r2 +14)\ninvalid access to packet, off=14 size=1, R2(id=0,off=14,r=0)\nR2 offset is outside of the packet\nprocessed 8 insns\n",
        );
        assert_eq!(c.insn, Some(7));
        assert_eq!(
            c.message,
            "invalid access to packet, off=14 size=1, R2(id=0,off=14,r=0); R2 offset is outside of the packet"
        );
    }

    #[test]
    fn logs_of_other_shapes() {
        assert_eq!(complaint("").message, "no reason given");
        assert_eq!(complaint("last insn is not an exit or jmp\n").message, "last insn is not an exit or jmp");
        let c = complaint("unreachable insn 3\nprocessed 0 insns\n");
        assert_eq!(c.message, "unreachable insn 3");
        assert_eq!(complaint("3: (zz) λ\n: (95) exit").insn, None);
    }

    #[test]
    fn a_register_is_told_by_its_variable_while_that_lives() {
        let var = |name: &str, start, end, place| VarRange { name: name.into(), start, end, place };
        let f = Function {
            insns: vec![Insn::default(); 8],
            vars: vec![
                var("p", 4, 7, Place::Reg(0)),
                var("old", 0, 4, Place::Reg(0)),
                var("other", 0, 8, Place::Reg(1)),
                var("slot", 0, 8, Place::Stack(-8)),
            ],
            ..Function::default()
        };
        let whole = Layout { parts: vec![(0, &f)] };
        let message = complaint(NULL).message;
        assert_eq!(with_variables(&message, &whole, 5), "R0 invalid mem access 'map_value_or_null' (R0 is `p`)");
        assert_eq!(with_variables(&message, &whole, 99), message);
    }

    #[test]
    fn registers_are_whole_words() {
        assert!(mentions("R1 type=scalar", 1));
        assert!(!mentions("R10 type=fp", 1));
    }
}
