//! What a handler parses from: the admitted request.

use std::cell::OnceCell;
use std::sync::Arc;

use http::HeaderMap;
use scaivault_domain::access::Space;
use scaivault_domain::cursor::Cursor;
use scaivault_domain::path::{PathError, SecretPath};
use scaivault_domain::time::Timestamp;
use scaivault_service::{Caller, Code, Error, Result, Vault, invalid_cursor};

use crate::extract::{Faults, Json, ObjectReader, Query, QueryReader};
use crate::pattern::Captures;
use crate::settings::HttpSettings;

pub(crate) struct Input<'r> {
    pub(crate) vault: &'r Arc<Vault>,
    pub(crate) caller: &'r Arc<Caller>,
    pub(crate) settings: &'r HttpSettings,
    pub(crate) headers: &'r HeaderMap,
    pub(crate) now: Timestamp,
    /// Whose secrets the route addresses.
    pub(crate) space: Space,
    /// The route's pattern.
    pub(crate) route: &'static str,
    pub(crate) captures: &'r Captures,
    pub(crate) query: Query,
    pub(crate) body: Json,
    /// The query with what a cursor remembered, once [`Input::page`] has read it.
    pub(crate) walk: OnceCell<Query>,
}

/// Which page of a list is wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    pub(crate) limit: usize,
    /// Position of the last item of the page before.
    pub(crate) after: Option<Vec<String>>,
}

impl Input<'_> {
    pub(crate) fn query<'a>(&'a self, faults: &'a Faults) -> QueryReader<'a> {
        QueryReader::new(self.walk.get().unwrap_or(&self.query), faults)
    }

    pub(crate) fn body<'a>(&'a self, faults: &'a Faults) -> ObjectReader<'a> {
        ObjectReader::new(&self.body, faults)
    }

    /// Begins a cursor list: reads `limit` and `cursor`. Filters left out on a follow-up are taken from the cursor, so this comes
    /// before [`Input::query`] is read (contract 00 section 6).
    pub(crate) fn list<'a>(&'a self, faults: &'a Faults, default: u32, max: u32) -> (QueryReader<'a>, Page) {
        let mut after = None;
        if let Some(text) = self.query.first("cursor") {
            let known = self.vault.decode_cursor(text, &self.list_name(), self.caller.tenant_id().as_str()).and_then(
                |cursor| cursor.check_filters(&self.query.filters()).map(|()| cursor).map_err(|_| invalid_cursor()),
            );
            if let Some(cursor) = faults.take(known) {
                let _ = self.walk.set(self.query.clone().with_filters(&cursor.filters));
                after = Some(cursor.position);
            }
        }
        let mut query = self.query(faults);
        let _ = query.raw("cursor");
        let limit = query.limit(default, max);
        (query, Page { limit: limit as usize, after })
    }

    /// What a cursor is bound to: the route and what its address names (`/v1/policies/{id}/bindings` of which policy).
    fn list_name(&self) -> String {
        let names = self.captures.names().map(|name| format!(" {name}={}", self.param(name)));
        std::iter::once(self.route.to_owned()).chain(names).collect()
    }

    /// The cursor that leads to what follows `position`; `None` at the end.
    pub(crate) fn next_cursor(&self, position: Option<Vec<String>>) -> Result<Option<String>> {
        let Some(position) = position else { return Ok(None) };
        let query = self.walk.get().unwrap_or(&self.query);
        let cursor = Cursor {
            endpoint: self.list_name(),
            tenant: self.caller.tenant_id().as_str().to_owned(),
            filters: query.filters(),
            position,
            issued_at_micros: self.now.as_micros(),
        };
        self.vault.encode_cursor(&cursor).map(Some)
    }

    /// The secret path of the address.
    pub(crate) fn secret_path(&self, faults: &Faults) -> Option<SecretPath> {
        let raw = self.captures.raw("path").unwrap_or_default();
        faults.take(SecretPath::from_url(raw).map_err(|error| invalid_path(&error)))
    }

    /// A name of the address, percent-decoded. What can't be decoded, or holds control characters, is no name of
    /// anything: it answers as absent.
    pub(crate) fn param(&self, name: &str) -> String {
        let raw = self.captures.raw(name).unwrap_or_default();
        let decoded = percent_encoding::percent_decode_str(raw).decode_utf8().ok();
        let name = decoded.filter(|text| !text.contains(char::is_control));
        name.map(|text| text.into_owned()).unwrap_or_default()
    }
}

pub(crate) fn invalid_path(error: &PathError) -> Error {
    let invalid = Error::new(Code::InvalidPath, format!("The path is not valid: {}", error.reason.message()))
        .with("reason", error.reason.as_str());
    match &error.reserved {
        Some(word) => invalid.with("reserved", word.as_str()),
        None => invalid,
    }
}
