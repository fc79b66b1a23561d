//! Byte order, and constant bytes.

use whistler_lisp::Form;

use super::{FormDef, form};
use crate::check::origins::Origin;
use crate::check::{Call, Checker, Place, Val, at};
use crate::diagnostics as diag;
use crate::hir::{Expr, ExprKind, IntTy, Space, Ty};

pub(super) static FORMS: &[FormDef] = &[
    form("ntohs", (1, 1), |c, k| swap(c, k, 2), "(ntohs x)", "Two bytes from network order."),
    form("htons", (1, 1), |c, k| swap(c, k, 2), "(htons x)", "Two bytes to network order."),
    form("ntohl", (1, 1), |c, k| swap(c, k, 4), "(ntohl x)", "Four bytes from network order."),
    form("htonl", (1, 1), |c, k| swap(c, k, 4), "(htonl x)", "Four bytes to network order."),
    form("ntohll", (1, 1), |c, k| swap(c, k, 8), "(ntohll x)", "Eight bytes from network order."),
    form("htonll", (1, 1), |c, k| swap(c, k, 8), "(htonll x)", "Eight bytes to network order."),
    form("bswap", (1, 1), bswap, "(bswap x)", "The bytes of x reversed, as many as its type has."),
];

fn swap(c: &mut Checker<'_>, call: &Call<'_>, bytes: u8) -> Val {
    let v = c.value(&call.args[0]);
    let v = c.number(v, call.name.name());
    // A number of the host's may well be put into the network's order, for a struct that a helper reads; what says
    // that a number comes from the network is mistaken here.
    let from_network = crate::names::norm(call.name).name().starts_with('n');
    if call.form.origin.is_none() && from_network && c.in_host_order(&v.e) {
        let text = format!("this is in host order already, and `{}` swaps its bytes again", call.name);
        let d = diag::warning(&diag::SWAPPED_TWICE, &call.at(), text);
        let plain = &call.args[0];
        let to_network = match bytes {
            2 => "htons",
            4 => "htonl",
            _ => "htonll",
        };
        c.report(d.help(format!("write {plain}; if network order is meant: ({to_network} {plain})")));
    }
    swapped(v, bytes, call)
}

/// Warns of a number put into network order for a place whose writes do that themselves.
pub(super) fn stored_order(c: &mut Checker<'_>, place: &Place, value: &Form, v: &Val) {
    let Place::Memory(m) = place else { return };
    if !m.big_endian || m.ty.size() < 2 || value.origin.is_some() || network_order(value).is_none() {
        return;
    }
    let Some(of) = network_order(value) else { return };
    // What was in the network's order is in the host's by now.
    let mut swapped = &v.e;
    while let ExprKind::Cast(inner) = &swapped.kind {
        swapped = inner;
    }
    if let ExprKind::Bswap(_, inner) = &swapped.kind
        && matches!(c.origin(inner), Some(Origin::Network(..) | Origin::Wire(_)))
    {
        return;
    }
    let text = "this place takes numbers in host order: the write swaps the bytes again";
    let d = diag::warning(&diag::SWAPPED_TWICE, &at(value), text);
    c.report(d.help(format!("write {of}")));
}

/// The argument of a form that swaps bytes by the name of network order.
fn network_order(form: &Form) -> Option<&Form> {
    let [head, of] = form.as_list()? else { return None };
    let name = crate::names::norm(head.as_symbol()?);
    matches!(name.name(), "htons" | "htonl" | "htonll" | "ntohs" | "ntohl" | "ntohll").then_some(of)
}

/// Whether a form's name says that it puts a number into the network's order.
fn goes_to_network(form: &Form) -> bool {
    form.head().is_some_and(|h| matches!(crate::names::norm(h).name(), "htons" | "htonl" | "htonll"))
}

/// Warns of a comparison of a number in host order with one whose bytes are swapped.
pub(super) fn compared_orders(
    c: &mut Checker<'_>,
    call: &Call<'_>,
    ordering: Ordering,
    forms: [&Form; 2],
    values: [&Val; 2],
) {
    if call.form.origin.is_some() {
        return;
    }
    let mut said = ip_protocol(c, forms, values) || unswapped(c, call, forms, values);
    link_header(c, forms, values);
    for (form, plain, v, other) in
        [(forms[0], forms[1], values[0], values[1]), (forms[1], forms[0], values[1], values[0])]
    {
        let Some(of) = network_order(form) else { continue };
        // What comes from the network is in the host's order behind such a form.
        if v.as_lit().is_none() && !goes_to_network(form) && !swapped_host_order(c, &v.e) {
            continue;
        }
        if other.as_lit().is_some_and(|n| n != 0)
            && network_order(plain).is_none()
            && goes_to_network(form)
            && swapped_host_order(c, &v.e)
        {
            let text = "this swaps the bytes of a number in host order, and compares them with a plain number";
            c.report(diag::warning(&diag::SWAPPED_TWICE, &at(form), text).help(format!("write {of}")));
            said = true;
            continue;
        }
        if !c.in_host_order(&other.e) {
            continue;
        }
        // Both in network order are equal where both are in the host's.
        let d = diag::warning(&diag::SWAPPED_TWICE, &at(form), "this is compared with a number in host order");
        let d = d.also(other.at().span, "bytes in host order").help(format!("write {of}"));
        c.report(match of_kernel(c, &other.e) {
            true => d.note("the kernel holds local ports in the host's order, and remote ones in the network's"),
            false => d,
        });
        said = true;
    }
    if !said && ordering == Ordering::ByOrder {
        ordered(c, call, forms, values);
    }
}

/// What a comparison asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ordering {
    /// Whether two are the same.
    ByBits,
    /// Which is the greater.
    ByOrder,
}

/// Whether a number's host order comes from the kernel, not from a read that swaps.
fn of_kernel(c: &Checker<'_>, e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Cast(inner) => of_kernel(c, inner),
        _ => c.is_host_port(e),
    }
}

/// Warns of numbers in the network's order that are compared by which is the greater.
fn ordered(c: &mut Checker<'_>, call: &Call<'_>, forms: [&Form; 2], values: [&Val; 2]) {
    for (swapped, other, v, n) in
        [(forms[0], forms[1], values[0], values[1]), (forms[1], forms[0], values[1], values[0])]
    {
        let read = match c.origin(&v.e) {
            Some(Origin::Network(to_host, _)) => Some(to_host),
            _ if is_raw_address(swapped) => Some("ntohl"),
            _ => None,
        };
        // Two that were both read may be put in some order, whichever it is.
        let constant = |v: &Val| v.as_lit().is_some_and(|n| n != 0);
        let help = match (read, network_order(swapped)) {
            (Some(to_host), _) if constant(n) => {
                let plain = match network_order(other).filter(|_| goes_to_network(other)) {
                    Some(of) => of.to_string(),
                    None if as_written(other) => other.to_string(),
                    None => format!("({to_host} {other})"),
                };
                let (a, b) = (format!("({to_host} {swapped})"), plain);
                if std::ptr::eq(swapped, forms[0]) { [a, b] } else { [b, a] }
            }
            (None, Some(of)) if goes_to_network(swapped) && constant(v) && n.as_lit().is_none() => {
                let to_host = if v.hi > 0xffff { "ntohl" } else { "ntohs" };
                let (a, b) = (of.to_string(), format!("({to_host} {other})"));
                if std::ptr::eq(swapped, forms[0]) { [a, b] } else { [b, a] }
            }
            _ => continue,
        };
        let text = "this number's bytes are in the network's order: which of two is the greater, they don't say";
        let d = diag::warning(&diag::ORDER_OF_SWAPPED, &at(swapped), text).also(at(other).span, "compared with this");
        c.report(d.help(format!("compare in the host's order: ({} {} {})", call.name, help[0], help[1])));
        return;
    }
}

/// Whether this swaps what is in host order.
fn swapped_host_order(c: &Checker<'_>, e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Bswap(_, inner) => c.in_host_order(inner),
        ExprKind::Cast(inner) => swapped_host_order(c, inner),
        _ => false,
    }
}

/// Warns of an IP protocol that is looked for where the type of the Ethernet frame is.
fn ip_protocol(c: &mut Checker<'_>, forms: [&Form; 2], values: [&Val; 2]) -> bool {
    for (read, other, n) in [(forms[0], forms[1], values[1]), (forms[1], forms[0], values[0])] {
        let plain = network_order(read).unwrap_or(read);
        let field = plain.is_call("ctx")
            && plain.as_list().is_some_and(|l| l[1..].iter().any(|f| f.as_symbol().is_some_and(|s| s.is("protocol"))));
        let what = match field {
            true => "the skb's `protocol`",
            false if plain.is_call("eth-type") => "this",
            false => continue,
        };
        // Lengths of 802.3 are ordered, not looked for; a type whose bytes are swapped is none of IP's.
        let swapped = |n: i128| whistler_isa::places::ETHERTYPES.iter().any(|t| i128::from(t.swap_bytes()) == n);
        if goes_to_network(other)
            || n.as_lit().is_some_and(swapped)
            || !n.as_lit().is_some_and(|n| (1..=255).contains(&n))
        {
            continue;
        }
        let text = format!("{what} is the type of the Ethernet frame, #x0800 for IPv4, and never {}", n.lo);
        c.report(
            diag::warning(&diag::ETHERTYPE_OF_IP, &at(read), text)
                .help("the protocol of IP is (ipv4-protocol ip), in (with-ipv4 (data end ip) …)"),
        );
        return true;
    }
    false
}

/// Warns of a comparison of a number whose bytes are in the network's order with one as people write it.
fn unswapped(c: &mut Checker<'_>, call: &Call<'_>, forms: [&Form; 2], values: [&Val; 2]) -> bool {
    for (read, constant, v, n) in
        [(forms[0], forms[1], values[0], values[1]), (forms[1], forms[0], values[1], values[0])]
    {
        let Some(n) = n.as_lit() else { continue };
        // An address that reads as one in the host's order was written so, whoever named it.
        let named_address = constant.as_symbol().is_some() && is_raw_address(read);
        if !as_written(constant) && !named_address {
            continue;
        }
        let Some(bytes) = v.int().map(|i| u32::from(i.size)).filter(|b| *b > 1) else { continue };
        let all_ones = if bytes == 8 { i128::from(u64::MAX) } else { (1 << (8 * bytes)) - 1 };
        if n <= 0 || n == all_ones || n > i128::from(u32::MAX) {
            continue;
        }
        let n = n as u32;
        let swap = match c.origin(&v.e) {
            Some(Origin::Network("ntohs", _)) if n <= 0xffff && !looks_swapped(n as u16) => "ntohs",
            Some(Origin::Network("ntohl", _)) if !is_address(n.swap_bytes()) && n.swap_bytes() > 0xffff => "ntohl",
            Some(Origin::Wire(place)) if n <= 0xffff && on_wire(place, n as u16) => "ntohs",
            None if is_raw_address(read) && is_address(n) && !is_address(n.swap_bytes()) => "ntohl",
            _ => continue,
        };
        // As these are written.
        let shown = match constant.as_symbol() {
            None if is_address(n) => format!("#x{n:08x}"),
            None if n <= 0xffff && whistler_isa::places::ETHERTYPES.contains(&(n as u16)) => format!("#x{n:04x}"),
            _ => constant.to_string(),
        };
        let text = format!("this number's bytes are in the network's order, and {shown} is in the host's");
        let d = diag::warning(&diag::NETWORK_ORDER, &at(read), text).also(at(constant).span, "compared with this");
        let mut ways = vec![format!("({} ({swap} {read}) {shown})", call.name)];
        if is_address(n) && swap == "ntohl" {
            ways.push(format!("({} {read} (ip4 \"{}\"))", call.name, std::net::Ipv4Addr::from(n)));
        }
        c.report(d.help(format!("write {}", ways.join(", or "))));
        return true;
    }
    false
}

/// Warns of an ethertype looked for in packets that begin behind it.
fn link_header(c: &mut Checker<'_>, forms: [&Form; 2], values: [&Val; 2]) {
    if !super::statics::sees_packets_from_ip(c.prog_type()) {
        return;
    }
    for (read, v, n) in [(forms[0], values[0], values[1]), (forms[1], values[1], values[0])] {
        let Some(n) = n.as_lit().and_then(|n| u16::try_from(n).ok()) else { continue };
        let known = |n: u16| whistler_isa::places::ETHERTYPES.contains(&n);
        let mut e = &v.e;
        while let ExprKind::Bswap(2, inner) | ExprKind::Cast(inner) = &e.kind {
            e = inner;
        }
        if (known(n) || known(n.swap_bytes())) && c.origin(e) == Some(Origin::Wire(Some(12))) {
            let text = "packets begin with the IP header here: there is no Ethernet header before it";
            let d = diag::warning(&diag::NO_LINK_HEADER, &at(read), text);
            c.report(d.help("the context says what follows: (= (ctx protocol) (htons ETH_P_IP)); the version is the high half of byte 0"));
            return;
        }
    }
}

/// Whether a constant is a plain number: written as one, or by a name that the kernel or the library has for it.
fn as_written(form: &Form) -> bool {
    match form.as_symbol() {
        Some(s) => whistler_isa::constants::by_name(s.name()).is_some() || s.name().starts_with("+ethertype-"),
        None => form.as_int().is_some(),
    }
}

/// Whether a number of two bytes is likelier a port whose bytes were swapped by hand.
fn looks_swapped(n: u16) -> bool {
    n >= 1024 && n.swap_bytes() < 1024
}

/// Whether a number is an IPv4 address of the ranges that people write: private ones and the host's own.
fn is_address(n: u32) -> bool {
    let a = std::net::Ipv4Addr::from(n);
    a.is_private() || a.is_loopback() || a.is_link_local()
}

/// Whether a field of the library's that yields an address as it lies in the packet is read.
fn is_raw_address(form: &Form) -> bool {
    let name = form.head().map(crate::names::norm);
    name.is_some_and(|n| matches!(n.name(), "ipv4-src-addr" | "ipv4-dst-addr"))
}

/// Whether a plain number is certainly meant by this constant, at this place of an Ethernet packet: an ethertype
/// anywhere, and where the ports lie behind an IPv4 header without options, a well-known one.
fn on_wire(place: Option<i64>, n: u16) -> bool {
    /// Ethernet's 14 bytes, IPv4's 20, and the two ports.
    const PORTS: [i64; 2] = [34, 36];
    whistler_isa::places::ETHERTYPES.contains(&n)
        || (place.is_some_and(|p| PORTS.contains(&p)) && n < 1024 && n & 0xff != 0)
}

/// The same of the keys of a `case`.
pub(super) fn keys_in_order(c: &mut Checker<'_>, call: &Call<'_>, key: &Val) {
    if call.form.origin.is_some() || !c.in_host_order(&key.e) {
        return;
    }
    let clauses = call.args[1..].iter().filter_map(|clause| clause.as_list()?.first());
    // A list of keys, or one that stands alone.
    let keys = clauses
        .flat_map(|k| if network_order(k).is_some() { std::slice::from_ref(k) } else { k.as_list().unwrap_or(&[]) });
    for (form, of) in keys.filter_map(|k| Some((k, network_order(k)?))) {
        let d = diag::warning(&diag::SWAPPED_TWICE, &at(form), "this is compared with a number in host order");
        c.report(d.also(key.at().span, "bytes in host order").help(format!("write {of}")));
    }
}

impl Checker<'_> {
    /// Whether a number was read from network order by a field that says so, or the kernel keeps it so: its bytes are in
    /// the host's.
    pub(crate) fn in_host_order(&self, e: &Expr) -> bool {
        match &e.kind {
            // A swap that is written stands around what it swaps.
            ExprKind::Bswap(_, read) => {
                matches!(read.kind, ExprKind::Load { .. } | ExprKind::CoreLoad { .. }) && read.at.span == e.at.span
            }
            _ if self.is_host_port(e) => true,
            ExprKind::Cast(inner) => self.in_host_order(inner),
            ExprKind::Seq(parts) => parts.last().is_some_and(|e| self.in_host_order(e)),
            ExprKind::Local(l) => self.f.vars[l.0 as usize].host_order,
            _ => false,
        }
    }
}

fn swapped(v: Val, bytes: u8, call: &Call<'_>) -> Val {
    if v.never() {
        return v;
    }
    if let Some(n) = v.as_lit() {
        let n = match bytes {
            2 => u64::from((n as u16).swap_bytes()),
            4 => u64::from((n as u32).swap_bytes()),
            _ => (n as u64).swap_bytes(),
        };
        return Val::literal(i128::from(n), call.at());
    }
    let ty = Ty::Int(IntTy { size: bytes, signed: false });
    Val::new(ExprKind::Bswap(bytes, Box::new(v.e)), ty, call.at())
}

fn bswap(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let v = c.value(&call.args[0]);
    let v = c.number(v, "bswap");
    let bytes = match v.int() {
        Some(i) if !v.lit => i.size,
        _ => 8,
    };
    if bytes == 1 { v } else { swapped(v, bytes, call) }
}

/// A string literal: constant bytes, ending in 0.
pub(crate) fn string(s: &str, form: &Form) -> Val {
    let mut bytes = s.as_bytes().to_vec();
    bytes.push(0);
    Val::of(Expr::new(ExprKind::Bytes(bytes.into()), Ty::ptr(Space::Rodata, Some(Ty::Int(IntTy::U8))), at(form)))
}
