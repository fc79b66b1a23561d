//! stub
use crate::Value;
use std::cell::Cell;
use std::rc::Rc;
/// A value that is kept from collection while this (or a clone) lives.
#[derive(Clone, Debug)]
pub struct Root(Rc<Cell<Value>>);
impl Root {
    /// The value.
    pub fn get(&self) -> Value {
        self.0.get()
    }
}
