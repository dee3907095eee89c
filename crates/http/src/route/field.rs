//! Shapes of fields that several routes read.

use std::fmt::Display;

use scaivault_domain::scope::Scope;
use scaivault_service::error::FaultCode;

use crate::extract::json::Node;
use crate::extract::{Faults, List, Shape, Text};

/// A string with a parser of its own, whose error is the fault's message.
pub(crate) struct Parsed<T, E>(pub(crate) fn(&str) -> Result<T, E>);

impl<T, E: Display> Shape for Parsed<T, E> {
    type Out = T;

    fn read(&self, node: Node<'_>, field: &str, faults: &Faults) -> Option<T> {
        let text = Text::max(usize::MAX).read(node, field, faults)?;
        (self.0)(&text).map_err(|error| faults.field(field, FaultCode::Format, error.to_string())).ok()
    }
}

/// A resource's name: the rules of [`Text::name`], so that a fault says which of them is broken.
pub(crate) struct Name;

impl Shape for Name {
    type Out = scaivault_domain::name::ResourceName;

    fn read(&self, node: Node<'_>, field: &str, faults: &Faults) -> Option<Self::Out> {
        let text = Text::name().read(node, field, faults)?;
        let parsed = scaivault_domain::name::ResourceName::parse(&text);
        parsed.map_err(|error| faults.field(field, FaultCode::Format, error.message)).ok()
    }
}

/// Longest list of scopes that is looked at; there are twenty of them.
const MAX_SCOPES: usize = 100;

/// Scopes in the order given; at least `min`.
pub(crate) fn scopes(min: usize) -> List<Parsed<Scope, &'static str>> {
    List { item: Parsed(|text| Scope::parse(text).ok_or("is not a known scope")), count: min..=MAX_SCOPES }
}
