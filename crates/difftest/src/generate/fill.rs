//! Templates filled at random. Invariant: a template stands only where everything it asks for is in scope.

use super::{Gen, LOOPS, Var};
use crate::ast::{Expr, Piece, Stmt};
use crate::templates::{Binding, Constness, Gives, Hole, Template, templates};

impl Gen {
    /// Whether everything a template asks for is in scope.
    pub(super) fn applies(&self, t: &Template) -> bool {
        (self.newest || !t.newest)
            && (self.loop_depth < LOOPS || !t.loops)
            && (!t.long || self.long_ones && self.loop_depth == 0)
            && t.holes.iter().all(|h| match h {
                Hole::Object(kind, _) | Hole::Needs(kind) => {
                    self.objects.iter().any(|o| o.kind.starts_with(kind.as_str()))
                }
                Hole::Without(kind) => !self.objects.iter().any(|o| o.kind.starts_with(kind.as_str())),
                Hole::Var => self.scope.iter().any(|v| v.assignable),
                _ => true,
            })
    }

    pub(super) fn form_expr(&mut self, depth: usize) -> Option<Expr> {
        let fit: Vec<&'static Template> = templates().exprs.iter().filter(|t| self.applies(t)).collect();
        let template = self.one_template(&fit);
        match template.gives {
            Gives::Value(ty) => Some(Expr::Form(ty, self.fill(template, 0, 0, depth.saturating_sub(1)))),
            Gives::Nothing => None,
        }
    }

    /// One of the templates: every other time one for the rarer objects, where there are such.
    fn one_template(&mut self, fit: &[&'static Template]) -> &'static Template {
        const COMMON: [&str; 3] = ["rec", "rec.map", "packet"];
        let is_rare = |h: &Hole| matches!(h, Hole::Object(kind, _) if !COMMON.contains(&kind.as_str()));
        let rare: Vec<_> = fit.iter().copied().filter(|t| t.holes.iter().any(is_rare)).collect();
        let from = if !rare.is_empty() && self.rng.chance(50) { rare.as_slice() } else { fit };
        let n = self.rng.below(from.len());
        from[n]
    }

    /// A statement from a template that `wanted` takes; its bodies have at most `most` statements.
    pub(super) fn form_stmt(&mut self, depth: usize, most: usize, wanted: impl Fn(&Template) -> bool) -> Option<Stmt> {
        let fit: Vec<&'static Template> = templates().stmts.iter().filter(|t| self.applies(t) && wanted(t)).collect();
        if fit.is_empty() {
            return None;
        }
        let template = self.one_template(&fit);
        Some(Stmt::Form(self.fill(template, depth, most, 2)))
    }

    pub(super) fn fill(
        &mut self,
        template: &'static Template,
        depth: usize,
        most: usize,
        operands: usize,
    ) -> Vec<Piece> {
        let mut names: Vec<(&str, String)> = Vec::new();
        let mut var = None;
        let known = |names: &[(&str, String)], name: &str| {
            names.iter().rev().find(|n| n.0 == name).map(|n| n.1.clone()).unwrap_or_default()
        };
        let mut out = Vec::new();
        self.used.insert(template.line.as_str());
        // What is done a thousand times holds no more loops.
        let (around, objects) = (self.loop_depth, self.objects.len());
        if template.long {
            (self.loop_depth, self.long) = (LOOPS, true);
        }
        for hole in &template.holes {
            out.push(match hole {
                Hole::Text(t) => Piece::Text(t.clone()),
                Hole::Needs(_) | Hole::Without(_) => continue,
                Hole::Place(kind) => {
                    self.object("", kind);
                    continue;
                }
                Hole::Number(from, to, step) => {
                    let n = self.rng.below(((to - from) / step + 1) as usize) as i64;
                    Piece::Text((from + n * step).to_string())
                }
                Hole::OneOf(texts) => Piece::Text(self.rng.pick(texts).clone()),
                Hole::Expr(ty, Constness::Any) => Piece::Expr(*ty, self.expr(operands)),
                Hole::Expr(ty, Constness::RunTime) => Piece::Expr(*ty, *self.at_run_time(operands.max(1))),
                Hole::Cond => Piece::Expr(None, self.condition(operands)),
                Hole::Var => {
                    var = self.assignable();
                    Piece::Text(var.as_ref().map(|v| v.name.clone()).unwrap_or_default())
                }
                Hole::Its => Piece::Expr(var.as_ref().map(|v| v.ty), self.expr(operands)),
                Hole::Fresh(name) => {
                    let fresh = self.name("x");
                    names.push((name, fresh.clone()));
                    Piece::Text(fresh)
                }
                Hole::Again(name) => Piece::Text(known(&names, name)),
                Hole::Object(kind, name) => {
                    let object = self.one_of(kind).unwrap_or_default();
                    names.push((name, object.clone()));
                    Piece::Text(object)
                }
                Hole::Body(bound) => {
                    let (scope, objects) = (self.scope.len(), self.objects.len());
                    for (name, binding) in bound {
                        let name = known(&names, name);
                        match binding {
                            Binding::Number(ty) => self.scope.push(Var { name, ty: *ty, assignable: false }),
                            Binding::Object(kind) => self.object(&name, kind),
                        }
                    }
                    self.loop_depth += usize::from(template.loops);
                    let body = self.body(depth, most);
                    self.loop_depth -= usize::from(template.loops);
                    self.scope.truncate(scope);
                    self.objects.truncate(objects);
                    Piece::Body(body)
                }
            });
        }
        self.loop_depth = around;
        self.objects.truncate(objects);
        out
    }
}
