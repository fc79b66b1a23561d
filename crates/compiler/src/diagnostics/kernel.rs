//! What loading and tests report. The codes are the live image's; here are their pages.

use super::{CodeDoc, code};

pub(super) static ALL: &[&CodeDoc] = &[&REFUSED, &MADE_ANEW, &ATTACHED_TWICE, &TRACING_OFF, &CHECK_FAILED, &DISAGREE];

code! {
    /// The kernel's verifier refuses a program that the compiler took: it follows every path and keeps account of
    /// more than the compiler does. The report stands at the source line of the instruction that it stopped at; the
    /// notes tell what it knew there of the variables. Most often a test is missing, or the compiler may know more of a
    /// value than the verifier: bound it again right before it is used. `--verifier-log` shows all that it says.
    REFUSED, "E0801", "refused by the kernel", "", ""
}

code! {
    /// A map was declared again with another type, size or number of entries. The kernel can't change a map, so a new
    /// one takes its place, and what was in the old one is gone.
    MADE_ANEW, "W0901", "map made anew", "", ""
}

code! {
    /// A program was attached to the same place again: both links stay, and it runs once for each of them. A program
    /// that is declared again is exchanged under the links that it has, and needs no new one.
    ATTACHED_TWICE, "W0902", "attached twice", "", ""
}

code! {
    /// A program calls `printk`, and this machine's trace buffer takes no lines (`tracing_on` is 0): nothing of what it
    /// writes can be seen. `echo 1 | sudo tee /sys/kernel/tracing/tracing_on` turns it on; lines for yourself alone are
    /// written by `emit`, which needs no trace buffer.
    TRACING_OFF, "W0903", "the trace buffer is off", "", ""
}

code! {
    /// A check of a `deftest` did not hold. The report stands at the check; the notes tell what the compared forms
    /// came to, and what the packet, map or record held.
    CHECK_FAILED, "E0910", "a test's check failed", "", ""
}

code! {
    /// A test passes in the virtual machine and not in the kernel, or the other way round. One of the two is wrong, and
    /// it may well be ours; please report it, with the file.
    DISAGREE, "E0911", "the virtual machine and the kernel disagree", "", ""
}
