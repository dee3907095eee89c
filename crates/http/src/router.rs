//! Every route on one page.

mod find;

use http::Method;
use scaivault_domain::access::Space;
use scaivault_domain::action::Action;

use crate::endpoint::{Endpoint, RouteTraits, batch, command, lasting, open, query};
use crate::openapi;
use crate::pattern::Pattern;
use crate::reply::nothing;
use find::name_of;
pub(crate) use find::{Found, RouteTable};

use crate::route::{
    audit, event, identity, policy, rotation_policy, secret, secret_policy, subscription, system, token, webhook,
};

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
            post(base.move_to, command(secret::move_secrets, secret::moved)),
            post(base.copy_to, command(secret::copy, secret::copied)),
        ];
        routes.extend(secrets.into_iter().map(|route| route.in_space(*space)));
    }
    routes.extend(batch_routes());
    routes.extend(policy_routes());
    routes.extend(rotation_routes());
    routes.extend(secret_policy_routes());
    routes.extend(audit_routes());
    routes.extend(webhook_routes());
    routes.extend(subscription_routes());
    routes.extend(system_routes());
    routes.extend(token_routes());
    routes.extend(identity_routes().into_iter().map(Route::at_home));
    routes
}

/// Of a tenant's own secrets only.
fn batch_routes() -> Vec<Route> {
    vec![
        post("/v1/secrets/batch", batch(secret::batch_read, secret::values)).not_repeatable(),
        post("/v1/secrets/batch/metadata", query(secret::batch_metadata, secret::overviews)).not_repeatable(),
    ]
}

fn token_routes() -> Vec<Route> {
    vec![
        get("/v1/auth/whoami", query(token::whoami, token::who)),
        post("/v1/auth/introspect", query(token::introspect, token::introspected)).not_repeatable(),
        get("/v1/auth/tokens", query(token::list, token::listed)),
        post("/v1/auth/tokens", command(token::create, token::created)).not_repeatable(),
        get("/v1/auth/tokens/{token_id}", query(token::get, token::shown)),
        delete("/v1/auth/tokens/{token_id}", command(token::revoke, nothing)),
    ]
}

/// The tenant they are about stands in their address, or is that of the thing they name.
fn identity_routes() -> Vec<Route> {
    use identity::{credential, group, member, partner, role, service_account, tenant, user};
    const ACCOUNT: &str = "/v1/identity/service-accounts/{service_account_id}";
    const CREDENTIALS: &str = "/v1/identity/service-accounts/{service_account_id}/credentials";
    vec![
        get("/v1/identity/partners", query(partner::list, partner::listed)),
        post("/v1/identity/partners", command(partner::create, partner::changed)),
        get("/v1/identity/partners/{partner_id}", query(partner::get, partner::shown)),
        patch("/v1/identity/partners/{partner_id}", command(partner::update, partner::changed)),
        delete("/v1/identity/partners/{partner_id}", command(partner::delete, nothing)),
        get("/v1/identity/tenants", query(tenant::list, tenant::listed)),
        post("/v1/identity/tenants", command(tenant::create, tenant::changed)),
        get("/v1/identity/tenants/{tenant_id}", query(tenant::get, tenant::shown)),
        patch("/v1/identity/tenants/{tenant_id}", command(tenant::update, tenant::changed)),
        delete("/v1/identity/tenants/{tenant_id}", command(tenant::delete, nothing)),
        get("/v1/identity/tenants/{tenant_id}/users", query(user::list, user::listed)),
        post("/v1/identity/tenants/{tenant_id}/users", command(user::create, user::changed)),
        get("/v1/identity/users/{user_id}", query(user::get, user::shown)),
        patch("/v1/identity/users/{user_id}", command(user::update, user::changed)),
        delete("/v1/identity/users/{user_id}", command(user::delete, nothing)),
        get("/v1/identity/users/{user_id}/roles", query(role::get_of_user, role::shown)),
        put("/v1/identity/users/{user_id}/roles", command(role::set_of_user, role::changed)),
        get("/v1/identity/tenants/{tenant_id}/service-accounts", query(service_account::list, service_account::listed)),
        post(
            "/v1/identity/tenants/{tenant_id}/service-accounts",
            command(service_account::create, service_account::created),
        ),
        get(ACCOUNT, query(service_account::get, service_account::shown)),
        patch(ACCOUNT, command(service_account::update, service_account::changed)),
        delete(ACCOUNT, command(service_account::delete, nothing)),
        get("/v1/identity/service-accounts/{service_account_id}/roles", query(role::get_of_account, role::shown)),
        put("/v1/identity/service-accounts/{service_account_id}/roles", command(role::set_of_account, role::changed)),
        get(CREDENTIALS, query(credential::list, credential::listed)),
        post(CREDENTIALS, command(credential::create, credential::created)),
        delete(
            "/v1/identity/service-accounts/{service_account_id}/credentials/{credential_id}",
            command(credential::delete, nothing),
        ),
        get("/v1/identity/tenants/{tenant_id}/groups", query(group::list, group::listed)),
        post("/v1/identity/tenants/{tenant_id}/groups", command(group::create, group::changed)),
        get("/v1/identity/groups/{group_id}", query(group::get, group::shown)),
        patch("/v1/identity/groups/{group_id}", command(group::update, group::changed)),
        delete("/v1/identity/groups/{group_id}", command(group::delete, nothing)),
        get("/v1/identity/groups/{group_id}/members", query(member::list, member::listed)),
        post("/v1/identity/groups/{group_id}/members", command(member::add, member::added)),
        delete("/v1/identity/groups/{group_id}/members/{member_id}", command(member::remove, nothing)),
        get("/v1/identity/resolve/{identity_type}/{identity_id}", query(role::resolve, role::resolved)),
        get("/v1/identity/roles", query(role::catalogue, role::offered)),
    ]
}

fn policy_routes() -> Vec<Route> {
    vec![
        get("/v1/policies", query(policy::list, policy::page)),
        post("/v1/policies", command(policy::create, policy::detail)),
        post("/v1/policies/test", query(policy::test, policy::tested)).not_repeatable(),
        get("/v1/policies/{id}", query(policy::get, policy::detail_of)),
        put("/v1/policies/{id}", command(policy::replace, policy::detail)),
        patch("/v1/policies/{id}", command(policy::patch, policy::detail)),
        delete("/v1/policies/{id}", command(policy::delete, nothing)),
        get("/v1/policies/{id}/bindings", query(policy::bindings, policy::binding_page)),
        post("/v1/policies/{id}/bindings", command(policy::bind, policy::binding)),
        delete("/v1/policies/{id}/bindings/{binding_id}", command(policy::unbind, nothing)),
    ]
}

fn rotation_routes() -> Vec<Route> {
    vec![
        get("/v1/rotation/policies", query(rotation_policy::list, rotation_policy::page)),
        post("/v1/rotation/policies", command(rotation_policy::create, rotation_policy::policy)),
        get("/v1/rotation/policies/{id}", query(rotation_policy::get, rotation_policy::policy_of)),
        patch("/v1/rotation/policies/{id}", command(rotation_policy::patch, rotation_policy::policy)),
        delete("/v1/rotation/policies/{id}", command(rotation_policy::delete, nothing)),
        post("/v1/rotation/policies/{id}/enable", command(rotation_policy::enable, rotation_policy::policy)),
        post("/v1/rotation/policies/{id}/disable", command(rotation_policy::disable, rotation_policy::policy)),
        get(
            "/v1/rotation/policies/{id}/secrets",
            query(rotation_policy::assignments, rotation_policy::assignment_page),
        ),
        post("/v1/rotation/policies/{id}/secrets", command(rotation_policy::attach, rotation_policy::assignment)),
        delete("/v1/rotation/policies/{id}/secrets/{path}", command(rotation_policy::detach, nothing)),
        post("/v1/rotation/policies/{id}/rotate", command(rotation_policy::rotate, rotation_policy::report)),
        get("/v1/rotation/policies/{id}/history", query(rotation_policy::history, rotation_policy::history_page)),
        get("/v1/rotation/due", query(rotation_policy::due, rotation_policy::due_page)),
        get("/v1/rotation/pending", query(rotation_policy::due, rotation_policy::deprecated_due_page)),
    ]
}

fn secret_policy_routes() -> Vec<Route> {
    vec![
        get("/v1/secret-policies", query(secret_policy::list, secret_policy::page)),
        post("/v1/secret-policies", command(secret_policy::create, secret_policy::policy)),
        post("/v1/secret-policies/preview", query(secret_policy::preview_unsaved, secret_policy::previewed))
            .not_repeatable(),
        get("/v1/secret-policies/{id}", query(secret_policy::get, secret_policy::policy_of)),
        put("/v1/secret-policies/{id}", command(secret_policy::replace, secret_policy::policy)),
        patch("/v1/secret-policies/{id}", command(secret_policy::patch, secret_policy::policy)),
        delete("/v1/secret-policies/{id}", command(secret_policy::delete, nothing)),
        post("/v1/secret-policies/{id}/preview", query(secret_policy::preview_saved, secret_policy::previewed))
            .not_repeatable(),
        post("/v1/secret-policies/{id}/generate", command(secret_policy::generate, secret::written)),
    ]
}

fn audit_routes() -> Vec<Route> {
    vec![
        get("/v1/audit/logs", query(audit::logs, audit::log_page)),
        get("/v1/audit/secrets/{path}", query(audit::path, audit::path_trail)),
        get("/v1/audit/identities/{identity_id}", query(audit::identity_history, audit::identity_trail)),
        get("/v1/audit/summary", query(audit::summary, audit::summary_view)),
        get("/v1/audit/verify", query(audit::verify, audit::verify_report)),
        get("/v1/audit/checkpoints", query(audit::checkpoints, audit::checkpoint_page)),
    ]
}

fn webhook_routes() -> Vec<Route> {
    const ONE: &str = "/v1/webhooks/{id}";
    vec![
        get("/v1/webhooks", query(webhook::list, webhook::page)),
        post("/v1/webhooks", command(webhook::create, webhook::webhook)),
        get(ONE, query(webhook::get, webhook::details)),
        patch(ONE, command(webhook::patch, webhook::webhook)),
        delete(ONE, command(webhook::delete, nothing)),
        post("/v1/webhooks/{id}/test", command(webhook::test, webhook::tested)).not_repeatable(),
        get("/v1/webhooks/{id}/deliveries", query(webhook::deliveries, webhook::delivery_page)),
        post("/v1/webhooks/{id}/deliveries/{delivery_id}/redeliver", command(webhook::redeliver, webhook::redelivered)),
    ]
}

fn subscription_routes() -> Vec<Route> {
    const ONE: &str = "/v1/subscriptions/{id}";
    vec![
        get("/v1/subscriptions", query(subscription::list, subscription::page)),
        post("/v1/subscriptions", command(subscription::create, subscription::subscription)),
        get(ONE, query(subscription::get, subscription::subscription_of)),
        patch(ONE, command(subscription::patch, subscription::subscription)),
        delete(ONE, command(subscription::delete, nothing)),
        get("/v1/subscriptions/{id}/poll", lasting(Action::SubscriptionPoll, subscription::poll, subscription::polled)),
        post("/v1/subscriptions/{id}/ack", command(subscription::acknowledge, subscription::acknowledged)),
        get("/v1/events/stream", lasting(Action::EventStream, event::open, event::opened)),
    ]
}

/// Of the instance, whichever tenant the caller is of.
fn system_routes() -> impl Iterator<Item = Route> {
    let routes = [
        get("/v1/health", open(system::health)),
        get("/v1/health/ready", open(system::ready)),
        get("/v1/health/detailed", query(system::detailed, system::detailed_view)),
        get("/v1/version", open(system::version)),
        get("/v1/metrics", system::metrics()),
        get("/v1/openapi.json", open(openapi::document)),
        get("/v1/sys/seal-status", open(system::seal_status)),
        post("/v1/sys/unseal", open(system::unseal)).not_repeatable(),
        post("/v1/sys/seal", command(system::seal, system::status_view)),
        get("/v1/sys/keys", query(system::keys, system::key_list)),
        get("/v1/sys/jobs", query(system::jobs, system::job_overview)),
        post("/v1/sys/jobs/retry", command(system::retry_job, system::retried_job)),
    ];
    routes.into_iter().map(Route::at_home)
}

struct SecretBase {
    root: &'static str,
    secret: &'static str,
    expiring: &'static str,
    metadata: &'static str,
    versions: &'static str,
    restore: &'static str,
    rotate: &'static str,
    move_to: &'static str,
    copy_to: &'static str,
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
            move_to: concat!($root, "/{path}/move"),
            copy_to: concat!($root, "/{path}/copy"),
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
    fn at_home(self) -> Self {
        Self { at_home: true, ..self }
    }

    /// An Idempotency-Key has no effect (contract 00 section 7).
    fn not_repeatable(self) -> Self {
        Self { repeatable: false, ..self }
    }

    pub(crate) fn traits(&self) -> RouteTraits {
        RouteTraits {
            pattern: self.pattern.text(),
            space: self.space,
            at_home: self.at_home,
            repeatable: self.repeatable,
        }
    }
}

/// A route as tests and the OpenAPI document see it.
#[derive(Debug, Clone)]
pub struct RouteInfo {
    pub method: &'static str,
    pub pattern: &'static str,
    /// `None`: asks for no token.
    pub action: Option<Action>,
    pub at_home: bool,
    /// An Idempotency-Key keeps a repetition from having a second effect.
    pub repeatable: bool,
}

/// All routes, as they stand in the table.
pub fn route_infos() -> Vec<RouteInfo> {
    let info = |route: Route| RouteInfo {
        method: name_of(&route.method),
        pattern: route.pattern.text(),
        action: route.endpoint.action(),
        at_home: route.at_home,
        repeatable: route.repeatable && matches!(route.method, Method::PUT | Method::POST),
    };
    table().into_iter().map(info).collect()
}
