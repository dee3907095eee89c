//! Every route on one page.

use std::collections::HashMap;

use http::Method;
use scaivault_domain::access::Space;
use scaivault_domain::action::Action;

use crate::endpoint::{Endpoint, RouteTraits, command, query};
use crate::pattern::{Captures, Pattern};
use crate::route::secret;

fn table() -> Vec<Route> {
    let mut routes = Vec::new();
    for (base, space) in SECRET_BASES {
        let secrets = [
            get(base.root, query(secret::list, secret::page)),
            get(base.expiring, query(secret::expiring, secret::expiring_page)),
            get(base.metadata, query(secret::metadata, secret::overview_of)),
            get(base.versions, query(secret::versions, secret::version_list)),
            get(base.secret, query(secret::read, secret::value)),
            put(base.secret, command(secret::write, secret::written)),
            patch(base.secret, command(secret::patch, secret::overview)),
            delete(base.secret, command(secret::delete, secret::deleted)),
            post(base.restore, command(secret::restore, secret::overview)),
            post(base.rotate, command(secret::rotate, secret::rotated)),
        ];
        routes.extend(secrets.into_iter().map(|route| route.in_space(*space)));
    }
    routes
}

struct SecretBase {
    root: &'static str,
    secret: &'static str,
    expiring: &'static str,
    metadata: &'static str,
    versions: &'static str,
    restore: &'static str,
    rotate: &'static str,
}

macro_rules! secret_base {
    ($root:literal) => {
        SecretBase {
            root: $root,
            secret: concat!($root, "/{path}"),
            expiring: concat!($root, "/expiring"),
            metadata: concat!($root, "/metadata/{path}"),
            versions: concat!($root, "/{path}/versions"),
            restore: concat!($root, "/{path}/restore"),
            rotate: concat!($root, "/{path}/rotate"),
        }
    };
}

/// A tenant's own secrets, and those its partner shares with it.
const SECRET_BASES: &[(SecretBase, Space)] =
    &[(secret_base!("/v1/secrets"), Space::Tenant), (secret_base!("/v1/partner/secrets"), Space::Partner)];

pub(crate) struct Route {
    method: Method,
    pattern: Pattern,
    pub(crate) endpoint: Box<dyn Endpoint>,
    space: Space,
    at_home: bool,
    repeatable: bool,
}

fn route(method: Method, pattern: &'static str, endpoint: Box<dyn Endpoint>) -> Route {
    Route { method, pattern: Pattern::new(pattern), endpoint, space: Space::Tenant, at_home: false, repeatable: true }
}

fn get(pattern: &'static str, endpoint: Box<dyn Endpoint>) -> Route {
    route(Method::GET, pattern, endpoint)
}

fn put(pattern: &'static str, endpoint: Box<dyn Endpoint>) -> Route {
    route(Method::PUT, pattern, endpoint)
}

fn post(pattern: &'static str, endpoint: Box<dyn Endpoint>) -> Route {
    route(Method::POST, pattern, endpoint)
}

fn patch(pattern: &'static str, endpoint: Box<dyn Endpoint>) -> Route {
    route(Method::PATCH, pattern, endpoint)
}

fn delete(pattern: &'static str, endpoint: Box<dyn Endpoint>) -> Route {
    route(Method::DELETE, pattern, endpoint)
}

impl Route {
    fn in_space(self, space: Space) -> Self {
        Self { space, ..self }
    }

    /// Acts where the caller is at home: `X-Tenant-ID` has no effect, and there is no `/v1/t/{tenant_id}` form.
    #[allow(dead_code, reason = "used by the identity routes")]
    fn at_home(self) -> Self {
        Self { at_home: true, ..self }
    }

    /// An Idempotency-Key has no effect (contract 00 section 7).
    #[allow(dead_code, reason = "used by the token routes")]
    fn not_repeatable(self) -> Self {
        Self { repeatable: false, ..self }
    }

    pub(crate) fn traits(&self) -> RouteTraits {
        RouteTraits { pattern: self.pattern.text(), space: self.space, at_home: self.at_home, repeatable: self.repeatable }
    }
}

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
                for route in fitting.filter(|route| route.method == *asked && route.pattern.takes_path() == takes_path) {
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

fn name_of(method: &Method) -> &'static str {
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

/// A route as tests and the OpenAPI document see it.
#[derive(Debug, Clone)]
pub struct RouteInfo {
    pub method: &'static str,
    pub pattern: &'static str,
    /// `None`: asks for no token.
    pub action: Option<Action>,
    pub at_home: bool,
}

/// All routes, as they stand in the table.
pub fn route_infos() -> Vec<RouteInfo> {
    let info = |route: Route| RouteInfo {
        method: name_of(&route.method),
        pattern: route.pattern.text(),
        action: route.endpoint.action(),
        at_home: route.at_home,
    };
    table().into_iter().map(info).collect()
}
