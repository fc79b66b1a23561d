//! A program and the functions it reaches, in one row. Invariant: the program itself comes first, and
//! every function's slots follow each other.

use whistler_object::{Function, Location, Object, Program};

/// Where each function of a program starts.
#[derive(Clone, Debug)]
pub struct Layout<'a> {
    /// The functions in order, each with its first slot.
    pub parts: Vec<(usize, &'a Function)>,
}

/// The order in which a program's functions are loaded.
pub fn layout<'a>(object: &'a Object, program: &'a Program) -> Layout<'a> {
    let mut parts = vec![(0, &program.function)];
    let mut at = program.function.insns.len();
    for f in object.reachable(&program.function) {
        parts.push((at, f));
        at += f.insns.len();
    }
    Layout { parts }
}

impl<'a> Layout<'a> {
    /// The first slot of a function by name; the program's own name is not a subprogram.
    pub fn start_of(&self, subprogram: &str) -> Option<usize> {
        self.parts.iter().skip(1).find(|(_, f)| f.name == subprogram).map(|(at, _)| *at)
    }

    /// The function that a slot of the whole belongs to, and the slot's number in it.
    pub fn place(&self, insn: usize) -> Option<(&'a Function, usize)> {
        let (start, f) = self.parts.iter().rev().find(|(start, _)| *start <= insn)?;
        (insn - start < f.insns.len()).then_some((*f, insn - start))
    }

    /// The source of a slot, or of the nearest slot before it in the same function.
    pub fn location(&self, insn: usize) -> Option<&'a Location> {
        let (f, own) = self.place(insn)?;
        (0..=own).rev().find_map(|i| f.location(i))
    }

    /// Slots of all functions.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|(_, f)| f.insns.len()).sum()
    }

    /// Whether there is no slot at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
