//! How fast a Lisp callback takes decoded records: prints records per second,
//! calls per second, and what starting the interpreter costs.

use std::time::Instant;

use whistler_lisp::{Interp, LispError, NoIo, RecordLayout, Symbol, Value};

fn main() -> Result<(), LispError> {
    let start = Instant::now();
    let rounds = 100;
    for _ in 0..rounds {
        drop(Interp::new(Box::new(NoIo)));
    }
    println!("start: {:.1} µs (mean of {rounds})", start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds));

    let mut i = Interp::new(Box::new(NoIo));
    let slots = ["pid", "uid", "timestamp", "comm", "bytes"].map(Symbol::intern).to_vec();
    let layout = RecordLayout::new(Symbol::intern("event"), slots);
    i.define_record(&layout, "event-");
    i.eval_str(
        "(defvar *total* 0)
         (defun on-event (e)
           (when (and (> (event-pid e) 0) (eql (event-uid e) 0) (event-comm e))
             (setf *total* (+ *total* (event-bytes e)))
             (event-timestamp e)))",
    )?;
    let f = i.function(Symbol::intern("on-event")).unwrap_or(Value::NIL);
    let records = 3_000_000;
    let start = Instant::now();
    for n in 0..records {
        // As a ring's record is decoded: five fields, one of them a string.
        let comm = i.heap.string("bash");
        let record =
            i.heap.make_record(&layout, &[Value::Int(n + 1), Value::Int(0), Value::Int(n), comm, Value::Int(64)]);
        i.call(f, &[record])?;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("callback: {:.2} M records/s ({} collections)", records as f64 / seconds / 1e6, i.heap.collections());

    i.eval_str("(defun fib (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))")?;
    let start = Instant::now();
    let v = i.eval_str("(fib 30)")?;
    let calls = 2.69e6;
    println!("fib 30 = {}: {:.1} M calls/s", i.show(v), calls / start.elapsed().as_secs_f64() / 1e6);
    Ok(())
}
