//! Reads the fields of one JSON object by name and notes what is wrong with any of them.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use scaivault_service::error::FaultCode;

use super::json::{Json, Kind, Node};
use super::shape::{Shape, counted, typed};
use super::{Faults, Patch};

/// The fields of one object. Each getter takes its field; what no getter took when the reader is dropped is an `unknown`
/// fault (contract 00 section 1).
///
/// ```ignore
/// let faults = Faults::new();
/// let mut body = ObjectReader::new(&json, &faults);
/// let data = body.require("data", &Raw);
/// let mut options = body.nested("options");
/// let max_versions = options.get("max_versions", &Integer(1..=100));
/// drop((options, body));
/// faults.finish()?;
/// ```
pub struct ObjectReader<'a> {
    faults: &'a Faults,
    /// Empty, or the dotted name of this object with a `.` after it.
    prefix: String,
    members: Vec<(Cow<'a, str>, Node<'a>)>,
}

impl<'a> ObjectReader<'a> {
    /// The fields of a whole body.
    pub fn new(json: &'a Json, faults: &'a Faults) -> Self {
        Self::of(json.root(), String::new(), faults)
    }

    fn of(node: Node<'a>, prefix: String, faults: &'a Faults) -> Self {
        Self { faults, prefix, members: node.members().unwrap_or_default() }
    }

    /// The dotted name of a field of this object, as faults give it.
    pub fn name(&self, field: &str) -> String {
        format!("{}{field}", self.prefix)
    }

    pub fn faults(&self) -> &'a Faults {
        self.faults
    }

    /// True while the field is there (also as `null`) and no getter took it.
    pub fn has(&self, field: &str) -> bool {
        self.members.iter().any(|(key, _)| key == field)
    }

    /// How many items an array has that no getter took yet; `None` where there is none.
    pub fn count(&self, field: &str) -> Option<usize> {
        self.members.iter().find(|(key, _)| key == field)?.1.count()
    }

    /// Notes a fault of a field of this object.
    pub fn fault(&self, field: &str, code: FaultCode, message: &str) {
        self.faults.field(self.name(field), code, message);
    }

    /// A field that may be left out. `null` is a type fault.
    pub fn get<S: Shape>(&mut self, field: &str, shape: &S) -> Option<S::Out> {
        let node = self.take(field)?;
        shape.read(node, &self.name(field), self.faults)
    }

    /// A field that must be there. `null` is a type fault.
    pub fn require<S: Shape>(&mut self, field: &str, shape: &S) -> Option<S::Out> {
        match self.take(field) {
            Some(node) => shape.read(node, &self.name(field), self.faults),
            None => {
                self.fault(field, FaultCode::Required, "is required");
                None
            }
        }
    }

    /// A field that may be left out or be `null`. A faulty value reads as absent.
    pub fn patch<S: Shape>(&mut self, field: &str, shape: &S) -> Patch<S::Out> {
        match self.take(field) {
            None => Patch::Absent,
            Some(node) if node.kind() == Kind::Null => Patch::Null,
            Some(node) => shape.read(node, &self.name(field), self.faults).map_or(Patch::Absent, Patch::Set),
        }
    }

    /// A structure inside this one; empty when it is left out. `null` is a type fault.
    pub fn nested(&mut self, field: &str) -> ObjectReader<'a> {
        let node = self.take(field);
        self.open(field, node)
    }

    /// A structure inside this one, for PATCH.
    pub fn patch_nested(&mut self, field: &str) -> Patch<ObjectReader<'a>> {
        match self.take(field) {
            None => Patch::Absent,
            Some(node) if node.kind() == Kind::Null => Patch::Null,
            Some(node) => Patch::Set(self.open(field, Some(node))),
        }
    }

    /// An array of structures, each with a reader of its own (`rules[2].effect`). `None` when it is left out, no array, or
    /// has too few or too many items.
    pub fn objects(&mut self, field: &str, count: RangeInclusive<usize>) -> Option<Vec<ObjectReader<'a>>> {
        let node = self.take(field)?;
        let name = self.name(field);
        // Before they are opened: a reader is many times the size of `{},`.
        let length = typed(node.count(), "an array", &name, self.faults)?;
        if !counted(length, &count, "entries", &name, self.faults) {
            return None;
        }
        let readers = node.items()?.into_iter().enumerate();
        Some(readers.map(|(i, item)| self.open(&format!("{field}[{i}]"), Some(item))).collect())
    }

    /// Fields that answers carry and bodies must not (contract 00 section 6): `not_allowed` when they are there.
    pub fn read_only(&mut self, fields: &[&str]) {
        for field in fields {
            if self.take(field).is_some() {
                self.fault(field, FaultCode::NotAllowed, "is read-only");
            }
        }
    }

    /// The value whatever its type, for fields with a type of their own.
    pub fn raw(&mut self, field: &str) -> Option<Node<'a>> {
        self.take(field)
    }

    /// Lets the reader go: what was not read becomes `unknown` faults. Dropping it does the same.
    pub fn finish(self) {}

    fn take(&mut self, field: &str) -> Option<Node<'a>> {
        let at = self.members.iter().position(|(key, _)| key == field)?;
        Some(self.members.remove(at).1)
    }

    fn open(&self, field: &str, node: Option<Node<'a>>) -> ObjectReader<'a> {
        let name = self.name(field);
        let members = node.and_then(|node| typed(node.members(), "an object", &name, self.faults)).unwrap_or_default();
        ObjectReader { faults: self.faults, prefix: name + ".", members }
    }
}

impl Drop for ObjectReader<'_> {
    fn drop(&mut self) {
        for (key, _) in &self.members {
            // The name is the client's: it is shown (contract 00 section 10, C-5), but not at any length.
            let shown: String = key.chars().take(128).collect();
            self.faults.field(format!("{}{shown}", self.prefix), FaultCode::Unknown, "is not a known field");
        }
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
