//! From a checked unit to an [`Object`]: lowering, code generation, and the
//! unit's own BTF. The only place that makes an `Object`.

pub(crate) mod btf;
mod errors;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use whistler_codegen::ir::{SrcLoc, SymKind};
use whistler_codegen::{self as codegen, Code, OptLevel, VarPlace};
use whistler_diag::{Diagnostic, SourceMap};
use whistler_isa::Target;
use whistler_object::emit;
use whistler_object::{
    CoreRelocation, Exports, Function, Global, Location, Map, Mutability, Object, Place, Program, Relocation,
    StructOps, Symbol, VarRange,
};

use crate::hir::{At, MapDef, OpsDef, OpsValue, Unit};
use crate::lower::{self, Lowered, symbol_name};

/// Compiles a checked unit. The errors are those that only code generation can find: too much
/// stack, too large a program, something the target does not have.
pub fn assemble(unit: &Unit, sources: &SourceMap, target: &Target, opt: OptLevel) -> Result<Object, Vec<Diagnostic>> {
    assemble_with_times(unit, sources, target, opt, &mut Vec::new())
}

/// The same; adds the time that each stage took.
pub fn assemble_with_times(
    unit: &Unit,
    sources: &SourceMap,
    target: &Target,
    opt: OptLevel,
    times: &mut Vec<(&'static str, Duration)>,
) -> Result<Object, Vec<Diagnostic>> {
    let start = Instant::now();
    let unit = &*crate::outline::outlined(unit, target);
    let mut lowered = lower::lower(unit);
    times.push(("lowering", start.elapsed()));
    let (codes, report) = codegen::compile_with_report(&mut lowered.module, target, opt)
        .map_err(|e| vec![errors::diagnostic(&e, unit, &lowered)])?;
    times.extend(report.stages);
    let start = Instant::now();
    let emits = emit::table(&unit.emits);
    let (types, btf) = btf::build(unit, &lowered, emits.len());
    let constants = unit.exports.constants.iter().map(|(n, v)| (symbol_name(n), *v)).collect();
    let mut object = Object { btf, exports: Exports { types: types.exports.clone(), constants }, ..Object::default() };
    for (m, types) in unit.maps.iter().zip(&types.maps) {
        object.maps.push(map(m, types));
    }
    for (i, g) in unit.globals.iter().enumerate() {
        object.globals.push(Global {
            name: symbol_name(&g.name),
            init: g.init.clone(),
            align: g.ty.align().max(1),
            mutability: if g.writable { Mutability::ReadWrite } else { Mutability::ReadOnly },
            section: None,
            type_id: Some(types.globals[i]),
            span: g.span,
        });
    }
    for ((name, bytes), ty) in lowered.strings.iter().zip(&types.strings) {
        object.globals.push(Global {
            name: name.clone(),
            init: bytes.to_vec(),
            align: 1,
            mutability: Mutability::ReadOnly,
            section: None,
            type_id: Some(*ty),
            span: whistler_diag::Span::NONE,
        });
    }
    if !unit.emits.is_empty() {
        object.globals.push(Global {
            name: emit::SITES.to_string(),
            init: emits,
            align: 1,
            mutability: Mutability::ReadOnly,
            section: None,
            type_id: Some(types.emits),
            span: whistler_diag::Span::NONE,
        });
    }
    for (s, layout) in unit.struct_ops.iter().zip(&types.struct_ops) {
        object.struct_ops.push(struct_ops(s, layout));
    }
    let mut places = Places { sources, names: FxHashMap::default() };
    for ((f, code), type_id) in unit.functions.iter().zip(&codes).zip(&types.functions) {
        let mut function = self::function(code, unit, &lowered, &mut places);
        function.span = f.span;
        function.global = f.global;
        function.type_id = Some(*type_id);
        match &f.program {
            None => object.subprograms.push(function),
            Some(p) => object.programs.push(Program {
                function,
                section: p.section.clone(),
                prog_type: p.prog_type,
                attach_type: p.attach_type,
                attach_target: p.attach_target.clone(),
                license: p.license.clone(),
                sleepable: p.sleepable,
            }),
        }
    }
    // What was inlined everywhere need not be there.
    let called: Vec<String> =
        object.programs.iter().flat_map(|p| object.reachable(&p.function)).map(|f| f.name.clone()).collect();
    object.subprograms.retain(|f| called.contains(&f.name));
    times.push(("assembly", start.elapsed()));
    Ok(object)
}

/// The unit's intermediate representation as text, after the passes of that level.
pub fn ir_text(unit: &Unit, target: &Target, opt: OptLevel) -> String {
    let mut lowered = lower::lower(&crate::outline::outlined(unit, target));
    let _ = codegen::passes::run_pipeline(&mut lowered.module, target, opt);
    lowered.module.to_string()
}

fn struct_ops(def: &OpsDef, layout: &btf::OpsTypes) -> StructOps {
    let mut init = vec![0; layout.size as usize];
    let mut functions = Vec::new();
    for (field, at) in def.fields.iter().zip(&layout.offsets) {
        match &field.value {
            OpsValue::Program(name) => functions.push((*at, symbol_name(name.name()))),
            OpsValue::Data { bytes, .. } => {
                let at = *at as usize;
                init[at..at + bytes.len()].copy_from_slice(bytes);
            }
        }
    }
    let (type_id, registration) = (layout.id, def.registration);
    StructOps { name: symbol_name(&def.name), type_id, init, functions, registration, span: def.span }
}

/// A map by itself: without the types of its keys and values, and without contents.
pub fn bare_map(m: &MapDef) -> Map {
    Map {
        name: symbol_name(&m.name),
        map_type: m.map_type,
        key_size: m.key_size,
        value_size: m.value_size,
        max_entries: m.max_entries,
        flags: m.flags,
        key_type: None,
        value_type: None,
        inner: m.inner.as_ref().map(|m| Box::new(bare_map(m))),
        contents: Vec::new(),
        pin: m.pin.clone(),
        extra: m.extra,
        span: m.span,
    }
}

fn map(m: &MapDef, types: &btf::MapTypes) -> Map {
    Map {
        name: symbol_name(&m.name),
        map_type: m.map_type,
        key_size: m.key_size,
        value_size: m.value_size,
        max_entries: m.max_entries,
        flags: m.flags,
        key_type: types.key,
        value_type: types.value,
        inner: m.inner.as_ref().zip(types.inner.as_ref()).map(|(m, types)| Box::new(map(m, types))),
        contents: m.contents.iter().map(|(i, name)| (*i, symbol_name(name))).collect(),
        pin: m.pin.clone(),
        extra: m.extra,
        span: m.span,
    }
}

fn function(code: &Code, unit: &Unit, lowered: &Lowered, places: &mut Places<'_>) -> Function {
    let mut locations = Vec::new();
    let mut index: FxHashMap<SrcLoc, u32> = FxHashMap::default();
    let locs = code
        .locs
        .iter()
        .map(|loc| match lowered.locs.get(loc.index()) {
            None => u32::MAX,
            Some(at) => *index.entry(*loc).or_insert_with(|| {
                locations.push(places.location(at));
                locations.len() as u32 - 1
            }),
        })
        .collect();
    Function {
        name: code.name.clone(),
        insns: code.insns.clone(),
        relocations: code
            .syms
            .iter()
            .map(|u| Relocation { insn: u.insn, symbol: symbol(lowered, u.sym.index(), u.offset) })
            .collect(),
        core: code
            .core
            .iter()
            .map(|(insn, id)| CoreRelocation { insn: *insn, reloc: unit.core[id.index()].clone() })
            .collect(),
        locations,
        locs,
        vars: code
            .vars
            .iter()
            .map(|v| VarRange {
                name: Arc::from(&*v.name),
                start: v.start,
                end: v.end,
                place: match v.place {
                    VarPlace::Reg(r) => Place::Reg(r),
                    VarPlace::Stack(off) => Place::Stack(off),
                },
            })
            .collect(),
        type_id: None,
        global: false,
        span: whistler_diag::Span::NONE,
    }
}

fn symbol(lowered: &Lowered, sym: usize, offset: i32) -> Symbol {
    let data = &lowered.module.syms[sym];
    let name = data.name.clone();
    match data.kind {
        SymKind::Map(_) => Symbol::Map(name),
        SymKind::Global { .. } => Symbol::Global { name, offset: offset.max(0) as u32 },
        SymKind::Function => Symbol::Subprogram(name),
        SymKind::Kfunc => Symbol::Kfunc(name),
    }
}

/// Turns spans into locations, each file's name shared.
struct Places<'a> {
    sources: &'a SourceMap,
    names: FxHashMap<whistler_diag::FileId, Arc<str>>,
}

impl Places<'_> {
    fn location(&mut self, at: &At) -> Location {
        let mut expansion = Vec::new();
        let mut origin = at.origin.as_ref();
        while let Some(e) = origin {
            expansion.push(e.call_span);
            origin = e.parent.as_ref();
        }
        let Some(file) = self.sources.file(at.span.file) else {
            return Location { span: at.span, expansion, ..Location::default() };
        };
        let place = file.line_col(at.span.lo);
        let name = self.names.entry(at.span.file).or_insert_with(|| file.name().into()).clone();
        Location {
            span: at.span,
            file: name,
            line: place.line,
            col: place.col,
            text: file.line(place.line).into(),
            expansion,
        }
    }
}
