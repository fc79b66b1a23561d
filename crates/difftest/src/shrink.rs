//! Making a failing program small: take away and simplify as long as it still fails.

use crate::ast::{Expr, Program, Stmt};

/// The smallest program found for which `fails` still holds; at most `tries` are tried.
pub fn shrink(program: &Program, tries: usize, mut fails: impl FnMut(&Program) -> bool) -> Program {
    let mut best = program.clone();
    let mut left = tries;
    loop {
        let mut improved = false;
        let mut n = 0;
        while left > 0 {
            let mut candidate = best.clone();
            if !edit(&mut candidate, n) {
                break;
            }
            left -= 1;
            if candidate != best && fails(&candidate) {
                best = candidate;
                improved = true;
            } else {
                n += 1;
            }
        }
        if !improved || left == 0 {
            return best;
        }
    }
}

/// Makes the `n`-th possible edit; whether there was one.
fn edit(p: &mut Program, mut n: usize) -> bool {
    edit_body(&mut p.body, &mut n)
        || edit_expr(&mut p.result, &mut n)
        || p.subs.iter_mut().any(|s| edit_body(&mut s.body, &mut n) || edit_expr(&mut s.result.1, &mut n))
        || drop_sub(p, n)
}

/// A subprogram less; that it is still called is found out by trying.
fn drop_sub(p: &mut Program, n: usize) -> bool {
    let there = n < p.subs.len();
    if there {
        p.subs.remove(n);
    }
    there
}

fn edit_body(body: &mut Vec<Stmt>, n: &mut usize) -> bool {
    for i in 0..body.len() {
        // Taking the statement away.
        if *n == 0 {
            body.remove(i);
            return true;
        }
        *n -= 1;
        // Its insides instead of it, where they bind nothing of their own.
        if let Stmt::If(_, a, b) = &body[i] {
            for arm in [a.clone(), b.clone()] {
                if *n == 0 {
                    body.splice(i..=i, arm);
                    return true;
                }
                *n -= 1;
            }
        }
        if let Stmt::Let(vars, _) = &body[i] {
            for k in 0..vars.len() {
                if *n == 0 {
                    if let Stmt::Let(vars, _) = &mut body[i] {
                        vars.remove(k);
                    }
                    return true;
                }
                *n -= 1;
            }
        }
        for inner in body[i].bodies_mut() {
            if edit_body(inner, n) {
                return true;
            }
        }
        for e in body[i].exprs_mut() {
            if edit_expr(e, n) {
                return true;
            }
        }
    }
    false
}

fn edit_expr(e: &mut Expr, n: &mut usize) -> bool {
    let ty = e.ty();
    if !matches!(e, Expr::Lit(..)) {
        for value in [0, 1] {
            if *n == 0 {
                *e = Expr::Lit(ty, value);
                return true;
            }
            *n -= 1;
        }
    }
    let operands: Vec<Expr> = e.children().into_iter().cloned().collect();
    for operand in operands {
        if *n == 0 {
            *e = if operand.ty() == ty { operand } else { Expr::Cast(ty, Box::new(operand)) };
            return true;
        }
        *n -= 1;
    }
    for child in e.children_mut() {
        if edit_expr(child, n) {
            return true;
        }
    }
    if let Expr::Lit(t, value) = e
        && !matches!(value, 0 | 1)
    {
        if *n == 0 {
            *e = Expr::Lit(*t, t.cut(*value / 2));
            return true;
        }
        *n -= 1;
    }
    false
}

/// A check that shrinking works at all: only used by tests.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::Ty;
    use crate::generate::generate;

    #[test]
    fn a_program_shrinks_to_what_matters() {
        let has_division = |p: &Program| p.text().contains("(/ ");
        let seed = (0..).find(|s| has_division(&generate(*s))).expect("some program divides");
        let big = generate(seed);
        let small = shrink(&big, 5000, has_division);
        assert!(has_division(&small));
        assert!(small.text().len() < big.text().len() / 2 || big.text().len() < 900, "{}", small.text());
    }

    #[test]
    fn literals_fit_their_types() {
        assert_eq!(Ty::I8.cut(200), -56);
        assert_eq!(Ty::U16.cut(-1), 65535);
    }
}
