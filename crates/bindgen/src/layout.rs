//! How a struct's bytes are divided. Invariant: the pieces of a struct follow each other without a gap and end at
//! its size.

use crate::model::{Composite, Field, Model};

/// A part of a struct.
pub(crate) enum Piece<'a> {
    /// Bytes that mean nothing.
    Pad { size: u32 },
    /// An ordinary member.
    Field(&'a Field),
    /// Bytes that bit-fields share.
    Bits { offset: u32, size: u32, fields: Vec<&'a Field> },
}

/// A struct's parts in order.
pub(crate) fn pieces<'a>(model: &Model, c: &'a Composite) -> Vec<Piece<'a>> {
    let mut out = Vec::new();
    let mut end = 0;
    for f in &c.fields {
        if f.bits > 0 {
            let (from, to) = (f.bit_offset / 8, (f.bit_offset + f.bits).div_ceil(8));
            if let Some(Piece::Bits { offset, size, fields }) = out.last_mut()
                && from <= *offset + *size
            {
                *size = (*size).max(to - *offset);
                fields.push(f);
                end = end.max(to);
                continue;
            }
            pad(&mut out, from.saturating_sub(end));
            out.push(Piece::Bits { offset: from, size: to - from, fields: vec![f] });
            end = to;
            continue;
        }
        pad(&mut out, f.offset().saturating_sub(end));
        out.push(Piece::Field(f));
        end = f.offset() + model.size(&f.ty);
    }
    pad(&mut out, c.size.saturating_sub(end));
    out
}

fn pad(out: &mut Vec<Piece<'_>>, size: u32) {
    if size > 0 {
        out.push(Piece::Pad { size });
    }
}

/// Whether C lays it out so without being told.
pub(crate) fn is_natural(model: &Model, c: &Composite) -> bool {
    if c.fields.iter().any(|f| f.bits > 0) {
        return false;
    }
    let most = c.fields.iter().map(|f| model.align(&f.ty)).max().unwrap_or(1);
    let mut end = 0u32;
    for f in &c.fields {
        let at = if c.union { 0 } else { end.next_multiple_of(model.align(&f.ty).max(1)) };
        if f.offset() != at {
            return false;
        }
        end = end.max(at + model.size(&f.ty));
    }
    c.align == most && c.size == end.next_multiple_of(most.max(1))
}
