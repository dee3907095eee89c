//! From the bytes of a request to typed values, with every fault of a request found at once.
//!
//! Contract 00 section 3 step 7 gives the order: the type, size and JSON of a body answer alone and first; then all 422
//! faults of path, query, headers and body together; then errors with a code of their own, `invalid_path` before the
//! others. [`Faults`] keeps that order whatever order the readers run in, so a handler can read in the order it likes.
//!
//! A handler makes one [`Faults`], lends it to its readers, lets the readers go and then calls [`Faults::finish`]. The
//! readers report unknown fields when they are dropped, and `finish` takes the collector by value: a reader that still
//! lives is a compile error, so that unknown fields can't be forgotten.

pub mod headers;
pub mod json;
pub mod query;
pub mod reader;
pub mod shape;

use std::cell::RefCell;

use scaivault_service::error::{Code, Error, FaultCode, FieldFault, Result};

pub use headers::{IfMatch, IfNoneMatch};
pub use json::{Json, Node};
pub use query::{Query, QueryReader};
pub use reader::ObjectReader;
pub use shape::{
    Boolean, Controls, Duration, DurationList, Integer, List, OneOf, Raw, RawArray, SecretText, Shape, Text, TextMap,
    Time,
};

/// A field of a PATCH body: contract 00 section 6 gives absent, `null` and a value three meanings.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// Not in the body: unchanged.
    #[default]
    Absent,
    /// `null`: cleared to the default.
    Null,
    Set(T),
}

impl<T> Patch<T> {
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Self::Absent => Patch::Absent,
            Self::Null => Patch::Null,
            Self::Set(value) => Patch::Set(f(value)),
        }
    }

    pub fn as_ref(&self) -> Patch<&T> {
        match self {
            Self::Absent => Patch::Absent,
            Self::Null => Patch::Null,
            Self::Set(value) => Patch::Set(value),
        }
    }

    /// The value; absent and `null` are both `None`. For places where both mean "the default".
    pub fn set(self) -> Option<T> {
        match self {
            Self::Absent | Self::Null => None,
            Self::Set(value) => Some(value),
        }
    }

    /// What a stored optional value becomes under this patch.
    pub fn apply(self, stored: Option<T>) -> Option<T> {
        match self {
            Self::Absent => stored,
            Self::Null => None,
            Self::Set(value) => Some(value),
        }
    }

    /// `None` = unchanged, `Some(None)` = cleared: the form that layers without this type understand.
    pub fn into_change(self) -> Option<Option<T>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Set(value) => Some(Some(value)),
        }
    }
}

/// The faults of one request. Shared by reference: the readers of path, query, headers and body all feed it.
#[derive(Default)]
pub struct Faults {
    inner: RefCell<Inner>,
}

#[derive(Default)]
struct Inner {
    fields: Vec<FieldFault>,
    own: Vec<Error>,
}

/// A hostile body can hold a hundred thousand unknown fields; nobody reads more faults than this in one answer.
const MAX_FAULTS: usize = 100;

impl Faults {
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a 422 fault of one field, query parameter or header.
    pub fn field(&self, field: impl Into<String>, code: FaultCode, message: impl Into<String>) {
        let mut inner = self.inner.borrow_mut();
        if inner.fields.len() < MAX_FAULTS {
            inner.fields.push(FieldFault::new(field, code, message));
        }
    }

    /// Notes an error with a code of its own (`invalid_duration`, `invalid_path` ...). It surfaces only when there is no
    /// 422 fault. A `validation_error` given here joins the 422 faults instead.
    pub fn own(&self, error: Error) {
        if error.code() == Code::ValidationError {
            for fault in faults_of(&error) {
                self.field(fault.field, fault.code, fault.message);
            }
            return;
        }
        self.inner.borrow_mut().own.push(error);
    }

    /// The value of a result, its error noted as by [`Faults::own`].
    pub fn take<T>(&self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.own(error)).ok()
    }

    pub fn is_empty(&self) -> bool {
        let inner = self.inner.borrow();
        inner.fields.is_empty() && inner.own.is_empty()
    }

    /// Errors: 422 `validation_error` with all field faults; else `invalid_path`; else the first error of its own code.
    pub fn finish(self) -> Result<()> {
        let Inner { fields, own } = self.inner.into_inner();
        if !fields.is_empty() {
            return Err(Error::validation(fields));
        }
        let path = own.iter().position(|error| error.code() == Code::InvalidPath).unwrap_or(0);
        own.into_iter().nth(path).map_or(Ok(()), Err)
    }
}

/// The value of a required field once [`Faults::finish`] said that there is no fault.
///
/// Errors: `internal_error` when a reader gave no value and noted no fault, which would be our mistake.
pub fn present<T>(value: Option<T>) -> Result<T> {
    value.ok_or_else(|| Error::internal("a required value is missing, yet no fault was noted"))
}

fn faults_of(error: &Error) -> Vec<FieldFault> {
    let fields = error.details().get("fields").and_then(serde_json::Value::as_array);
    fields.into_iter().flatten().map(fault_of).collect()
}

fn fault_of(entry: &serde_json::Value) -> FieldFault {
    let text = |key: &str| entry.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
    let all = [
        FaultCode::Conflict,
        FaultCode::NotAllowed,
        FaultCode::Range,
        FaultCode::Required,
        FaultCode::Type,
        FaultCode::Unknown,
    ];
    let code = all.into_iter().find(|code| code.as_str() == text("code")).unwrap_or(FaultCode::Format);
    FieldFault::new(text("field"), code, text("message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_faults_come_before_errors_of_their_own() {
        let faults = Faults::new();
        faults.own(Error::new(Code::InvalidPath, "bad path"));
        faults.field("limit", FaultCode::Range, "must be between 1 and 200");
        faults.own(Error::field("q", FaultCode::Format, "no"));
        let error = faults.finish().unwrap_err();
        assert_eq!(error.code(), Code::ValidationError);
        assert_eq!(
            error.details()["fields"],
            serde_json::json!([
                {"field": "limit", "code": "range", "message": "must be between 1 and 200"},
                {"field": "q", "code": "format", "message": "no"},
            ])
        );
    }

    #[test]
    fn invalid_path_comes_before_other_codes() {
        let faults = Faults::new();
        faults.own(Error::new(Code::InvalidDuration, "bad duration"));
        faults.own(Error::new(Code::InvalidPath, "bad path"));
        assert_eq!(faults.finish().unwrap_err().code(), Code::InvalidPath);
        let faults = Faults::new();
        faults.own(Error::new(Code::InvalidDuration, "bad duration"));
        faults.own(Error::new(Code::InvalidGlob, "bad glob"));
        assert_eq!(faults.finish().unwrap_err().code(), Code::InvalidDuration);
        assert!(Faults::new().finish().is_ok());
    }

    #[test]
    fn a_patch_tells_absent_from_null() {
        assert_eq!(Patch::Absent.apply(Some(1)), Some(1));
        assert_eq!(Patch::Null.apply(Some(1)), None);
        assert_eq!(Patch::Set(2).apply(Some(1)), Some(2));
        assert_eq!(Patch::<i32>::Null.into_change(), Some(None));
    }
}
