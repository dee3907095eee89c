//! From a method and an address to a route.

use std::collections::HashMap;

use http::Method;

use super::{Route, table};
use crate::pattern::Captures;

/// What the address and the method lead to.
pub(crate) enum Found<'t> {
    Nothing,
    OtherMethods(Vec<&'static str>),
    Route { route: &'t Route, captures: Captures, tenant: Option<String> },
}

/// The table, grouped by the first two segments of its patterns.
pub(crate) struct RouteTable {
    groups: HashMap<String, Vec<Route>>,
}

const METHODS: [Method; 6] = [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::PATCH, Method::DELETE];

impl RouteTable {
    pub(crate) fn new() -> Self {
        let mut groups: HashMap<String, Vec<Route>> = HashMap::new();
        for route in table() {
            groups.entry(group_of(route.pattern.text()).to_owned()).or_default().push(route);
        }
        for group in groups.values_mut() {
            group.sort_by_key(|route| std::cmp::Reverse(route.pattern.precision()));
        }
        Self { groups }
    }

    pub(crate) fn find(&self, method: &Method, path: &str) -> Found<'_> {
        let (tenant, path) = match path.strip_prefix("/v1/t/").and_then(|rest| rest.split_once('/')) {
            Some((tenant, rest)) => (Some(tenant.to_owned()), format!("/v1/{rest}")),
            None => (None, path.to_owned()),
        };
        let asked = if method == Method::HEAD { &Method::GET } else { method };
        // A collection's root is the same with and without a slash at its end.
        let twin = path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned);
        // Patterns without `{path}` go first, so that `/v1/secrets/` is the list and not a secret without a name.
        for takes_path in [false, true] {
            for spelling in [&path, &twin] {
                let fitting = self.candidates(spelling, tenant.is_some());
                for route in fitting.filter(|route| route.method == *asked && route.pattern.takes_path() == takes_path)
                {
                    if let Some(captures) = route.pattern.matches(spelling) {
                        return Found::Route { route, captures, tenant };
                    }
                }
            }
        }
        let allowed: Vec<&'static str> = METHODS
            .iter()
            .filter(|method| {
                let wanted = if **method == Method::HEAD { &Method::GET } else { *method };
                [&path, &twin].into_iter().any(|spelling| {
                    self.candidates(spelling, tenant.is_some())
                        .any(|route| route.method == *wanted && route.pattern.matches(spelling).is_some())
                })
            })
            .map(name_of)
            .collect();
        if allowed.is_empty() { Found::Nothing } else { Found::OtherMethods(allowed) }
    }

    fn candidates(&self, path: &str, in_named_tenant: bool) -> impl Iterator<Item = &Route> {
        let group = self.groups.get(group_of(path)).map(Vec::as_slice).unwrap_or_default();
        group.iter().filter(move |route| !(in_named_tenant && route.at_home))
    }
}

pub(super) fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "GET",
    }
}

/// The first two segments, without what follows.
fn group_of(path: &str) -> &str {
    let second = path.match_indices('/').nth(2).map_or(path.len(), |(at, _)| at);
    path.get(..second).unwrap_or(path)
}
