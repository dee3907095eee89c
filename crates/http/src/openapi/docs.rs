//! What each route takes and answers, beside what the table and the types say themselves.

use scaivault_api::{
    audit, batch, identity, policy, rotation_policy, secret, secret_policy, subscription, system, token, webhook,
};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

pub(super) struct Doc {
    pub(super) method: &'static str,
    pub(super) pattern: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: &'static [&'static str],
    pub(super) request: Option<DocSchema>,
    pub(super) answers: Vec<(&'static str, Option<DocSchema>)>,
}

/// Named schemas of a document.
pub(super) type Schemas = Vec<(String, RefOr<Schema>)>;

/// A wire type: pushes its schemas and answers its name.
pub(super) struct DocSchema {
    pub(super) collect: fn(&mut Schemas) -> String,
}

fn collect<T: ToSchema>(schemas: &mut Schemas) -> String {
    let name = T::name().into_owned();
    if !schemas.iter().any(|(known, _)| *known == name) {
        schemas.push((name.clone(), <T as PartialSchema>::schema()));
        <T as ToSchema>::schemas(schemas);
    }
    name
}

fn doc(method: &'static str, pattern: &'static str, summary: &'static str) -> Doc {
    Doc { method, pattern, summary, query: &[], request: None, answers: Vec::new() }
}

impl Doc {
    fn query(self, query: &'static [&'static str]) -> Self {
        Self { query, ..self }
    }

    fn body<T: ToSchema>(self) -> Self {
        Self { request: Some(DocSchema { collect: collect::<T> }), ..self }
    }

    fn answer<T: ToSchema>(mut self, status: &'static str) -> Self {
        self.answers.push((status, Some(DocSchema { collect: collect::<T> })));
        self
    }

    fn ok<T: ToSchema>(self) -> Self {
        self.answer::<T>("200")
    }

    fn created<T: ToSchema>(self) -> Self {
        self.answer::<T>("201")
    }

    fn bare(mut self, status: &'static str) -> Self {
        self.answers.push((status, None));
        self
    }
}

const PAGE: &[&str] = &["limit", "cursor"];

pub(super) fn all() -> Vec<Doc> {
    let mut docs = secrets();
    docs.extend(policies());
    docs.extend(rotation_policies());
    docs.extend(secret_policies());
    docs.extend(audits());
    docs.extend(webhooks());
    docs.extend(subscriptions());
    docs.extend(tokens());
    docs.extend(identities());
    docs.extend(systems());
    docs
}

fn secrets() -> Vec<Doc> {
    use batch::*;
    use secret::*;
    const LIST: &[&str] = &[
        "prefix",
        "tag",
        "secret_type",
        "expires_before",
        "updated_after",
        "include_expired",
        "include_deleted",
        "include_metadata",
        "q",
        "owner",
        "delimiter",
        "sort",
        "limit",
        "cursor",
    ];
    const EXPIRING: &[&str] = &["days", "prefix", "include_expired", "limit", "cursor"];
    macro_rules! of {
        ($root:literal) => {
            vec![
                doc("GET", $root, "List the secrets that the caller may see").query(LIST).ok::<SecretList>(),
                doc("GET", concat!($root, "/expiring"), "What expires soon").query(EXPIRING).ok::<ExpiringSecrets>(),
                doc("GET", concat!($root, "/metadata/{path}"), "Everything but the value")
                    .query(&["include_deleted"])
                    .ok::<SecretMetadata>(),
                doc("GET", concat!($root, "/{path}/versions"), "The stored versions, newest first")
                    .ok::<SecretVersions>(),
                doc("GET", concat!($root, "/{path}"), "Read a value")
                    .query(&["version", "at", "include_retired"])
                    .ok::<SecretValue>()
                    .bare("304"),
                doc("PUT", concat!($root, "/{path}"), "Write a new version")
                    .body::<SecretWrite>()
                    .created::<SecretCreated>()
                    .ok::<SecretUpdated>(),
                doc("PATCH", concat!($root, "/{path}"), "Change metadata and options; no new version")
                    .body::<SecretPatch>()
                    .ok::<SecretMetadata>(),
                doc("DELETE", concat!($root, "/{path}"), "Delete: recoverable, for good, or one version")
                    .query(&["version", "permanent"])
                    .ok::<SecretDeleted>(),
                doc("POST", concat!($root, "/{path}/restore"), "Undo a soft delete").ok::<SecretMetadata>(),
                doc("POST", concat!($root, "/{path}/rotate"), "Rotate now")
                    .body::<SecretRotate>()
                    .ok::<SecretRotated>(),
                doc("POST", concat!($root, "/{path}/move"), "Move a secret, or all below a folder")
                    .body::<SecretMove>()
                    .ok::<SecretsMoved>(),
                doc("POST", concat!($root, "/{path}/copy"), "Copy a secret, or all below a folder")
                    .body::<SecretCopy>()
                    .ok::<SecretsCopied>(),
            ]
        };
    }
    let mut docs: Vec<Doc> = of!("/v1/secrets");
    docs.extend(of!("/v1/partner/secrets"));
    docs.extend([
        doc("POST", "/v1/secrets/batch", "Read many values; each path is decided and recorded on its own")
            .body::<BatchRead>()
            .ok::<BatchValues>(),
        doc("POST", "/v1/secrets/batch/metadata", "Everything but the values of many secrets")
            .body::<BatchMetadata>()
            .ok::<BatchOverviews>(),
    ]);
    docs
}

fn policies() -> Vec<Doc> {
    use policy::*;
    const ONE: &str = "/v1/policies/{id}";
    vec![
        doc("GET", "/v1/policies", "List policies, by name")
            .query(&["scope", "include_inactive", "limit", "cursor"])
            .ok::<PolicyList>(),
        doc("POST", "/v1/policies", "Create a policy").body::<NewPolicy>().created::<Policy>(),
        doc("POST", "/v1/policies/test", "Would this be allowed? A dry run without a trace")
            .body::<PolicyTest>()
            .ok::<PolicyTestResult>(),
        doc("GET", ONE, "A policy with its rules and bindings").ok::<Policy>(),
        doc("PUT", ONE, "Replace name, rules and description; bindings stay")
            .body::<PolicyReplacement>()
            .ok::<Policy>(),
        doc("PATCH", ONE, "Change parts of a policy").body::<PolicyPatch>().ok::<Policy>(),
        doc("DELETE", ONE, "Delete a policy").query(&["force"]).bare("204"),
        doc("GET", "/v1/policies/{id}/bindings", "Who a policy is bound to").query(PAGE).ok::<BindingList>(),
        doc("POST", "/v1/policies/{id}/bindings", "Bind an identity").body::<NewBinding>().created::<Binding>(),
        doc("DELETE", "/v1/policies/{id}/bindings/{binding_id}", "Remove a binding").bare("204"),
    ]
}

fn rotation_policies() -> Vec<Doc> {
    use rotation_policy::*;
    const ALL: &str = "/v1/rotation/policies";
    const ONE: &str = "/v1/rotation/policies/{id}";
    const SECRETS: &str = "/v1/rotation/policies/{id}/secrets";
    const DUE: &[&str] = &["within_hours", "include_overdue", "policy_id", "limit", "cursor"];
    vec![
        doc("GET", ALL, "List rotation policies, by name")
            .query(&["active_only", "limit", "cursor"])
            .ok::<RotationPolicyList>(),
        doc("POST", ALL, "Create a rotation policy").body::<NewRotationPolicy>().created::<RotationPolicy>(),
        doc("GET", ONE, "A rotation policy").ok::<RotationPolicy>(),
        doc("PATCH", ONE, "Change a rotation policy").body::<RotationPolicyPatch>().ok::<RotationPolicy>(),
        doc("DELETE", ONE, "Delete a rotation policy; its secrets are detached").bare("204"),
        doc("POST", "/v1/rotation/policies/{id}/enable", "Let it rotate again").ok::<RotationPolicy>(),
        doc("POST", "/v1/rotation/policies/{id}/disable", "Let it rest; secrets stay attached").ok::<RotationPolicy>(),
        doc("GET", SECRETS, "The attached secrets").query(PAGE).ok::<SecretAssignmentList>(),
        doc("POST", SECRETS, "Attach a secret")
            .body::<NewAssignment>()
            .created::<SecretAssignment>()
            .ok::<SecretAssignment>(),
        doc("DELETE", "/v1/rotation/policies/{id}/secrets/{path}", "Detach a secret").bare("204"),
        doc("POST", "/v1/rotation/policies/{id}/rotate", "Rotate secrets of a policy now")
            .body::<PolicyRotation>()
            .ok::<RotationReport>(),
        doc("GET", "/v1/rotation/policies/{id}/history", "What became of rotations, newest first")
            .query(&["status", "limit", "cursor"])
            .ok::<RotationHistoryList>(),
        doc("GET", "/v1/rotation/due", "Secrets that are due, soonest first").query(DUE).ok::<DueSecretList>(),
        doc("GET", "/v1/rotation/pending", "Deprecated: see /v1/rotation/due").query(DUE).ok::<DueSecretList>(),
    ]
}

fn secret_policies() -> Vec<Doc> {
    use secret_policy::*;
    const ONE: &str = "/v1/secret-policies/{id}";
    vec![
        doc("GET", "/v1/secret-policies", "List recipes, by name")
            .query(&["include_inactive", "limit", "cursor"])
            .ok::<SecretPolicyList>(),
        doc("POST", "/v1/secret-policies", "Create a recipe").body::<NewSecretPolicy>().created::<SecretPolicy>(),
        doc("POST", "/v1/secret-policies/preview", "Try an unsaved recipe; nothing is stored")
            .body::<UnsavedRecipe>()
            .ok::<RecipePreview>(),
        doc("GET", ONE, "A recipe").ok::<SecretPolicy>(),
        doc("PUT", ONE, "Replace a recipe").body::<NewSecretPolicy>().ok::<SecretPolicy>(),
        doc("PATCH", ONE, "Change parts of a recipe").body::<SecretPolicyPatch>().ok::<SecretPolicy>(),
        doc("DELETE", ONE, "Delete a recipe").query(&["force"]).bare("204"),
        doc("POST", "/v1/secret-policies/{id}/preview", "Try a recipe; nothing is stored").ok::<RecipePreview>(),
        doc("POST", "/v1/secret-policies/{id}/generate", "Generate and write on the server; the value is not answered")
            .body::<Generation>()
            .created::<secret::SecretCreated>()
            .ok::<secret::SecretUpdated>(),
    ]
}

fn audits() -> Vec<Doc> {
    use audit::*;
    const TRAIL: &[&str] = &["from", "to", "limit", "cursor"];
    const LOGS: &[&str] = &[
        "from",
        "to",
        "action",
        "identity_id",
        "identity_type",
        "path_prefix",
        "success",
        "source_ip",
        "request_id",
        "stream",
        "limit",
        "cursor",
    ];
    vec![
        doc("GET", "/v1/audit/logs", "Query the trail, newest first").query(LOGS).ok::<AuditLogs>(),
        doc("GET", "/v1/audit/secrets/{path}", "The trail of one path").query(TRAIL).ok::<PathTrail>(),
        doc("GET", "/v1/audit/identities/{identity_id}", "The trail of one identity")
            .query(TRAIL)
            .ok::<IdentityTrail>(),
        doc("GET", "/v1/audit/summary", "Figures over a time").query(&["from", "to"]).ok::<AuditSummary>(),
        doc("GET", "/v1/audit/verify", "Prove the chain whole").query(&["from_seq", "to_seq"]).ok::<VerifyReport>(),
        doc("GET", "/v1/audit/checkpoints", "Signed checkpoints, newest first").query(PAGE).ok::<Checkpoints>(),
    ]
}

fn webhooks() -> Vec<Doc> {
    use webhook::*;
    const ALL: &str = "/v1/webhooks";
    const ONE: &str = "/v1/webhooks/{id}";
    vec![
        doc("GET", ALL, "List webhooks, by name").query(PAGE).ok::<WebhookList>(),
        doc("POST", ALL, "Have events posted to an address").body::<NewWebhook>().created::<Webhook>(),
        doc("GET", ONE, "A webhook, and how it goes").ok::<WebhookDetails>(),
        doc("PATCH", ONE, "Change a webhook; a new secret overlaps with the old one")
            .body::<WebhookPatch>()
            .ok::<Webhook>(),
        doc("DELETE", ONE, "Delete a webhook and what waits for it").bare("204"),
        doc("POST", "/v1/webhooks/{id}/test", "Post a test event at once").ok::<WebhookTested>(),
        doc("GET", "/v1/webhooks/{id}/deliveries", "What was posted in the last 30 days, newest first")
            .query(&["status", "limit", "cursor"])
            .ok::<WebhookDeliveryList>(),
        doc("POST", "/v1/webhooks/{id}/deliveries/{delivery_id}/redeliver", "Post the same event once more")
            .answer::<Redelivery>("202"),
    ]
}

fn subscriptions() -> Vec<Doc> {
    use subscription::*;
    const ALL: &str = "/v1/subscriptions";
    const ONE: &str = "/v1/subscriptions/{id}";
    vec![
        doc("GET", ALL, "List subscriptions, by name: one's own, with scope admin all")
            .query(PAGE)
            .ok::<SubscriptionList>(),
        doc("POST", ALL, "Subscribe to the events of some paths").body::<NewSubscription>().created::<Subscription>(),
        doc("GET", ONE, "A subscription").ok::<Subscription>(),
        doc("PATCH", ONE, "Change a subscription; how it is delivered stays")
            .body::<SubscriptionPatch>()
            .ok::<Subscription>(),
        doc("DELETE", ONE, "Delete a subscription and what waits for it").bare("204"),
        doc("GET", "/v1/subscriptions/{id}/poll", "Take what happened, or wait for it")
            .query(&["timeout", "since_event_id", "max_events"])
            .ok::<PolledEvents>(),
        doc("POST", "/v1/subscriptions/{id}/ack", "Say what was taken for good")
            .body::<Acknowledgement>()
            .ok::<Acknowledged>(),
        doc("GET", "/v1/events/stream", "What happens, as it happens: server-sent events, resumed by Last-Event-ID")
            .query(&["paths", "events"])
            .bare("200"),
    ]
}

fn systems() -> Vec<Doc> {
    use system::*;
    vec![
        doc("GET", "/v1/health", "Liveness").ok::<Health>(),
        doc("GET", "/v1/health/ready", "Readiness").ok::<Ready>().answer::<Ready>("503"),
        doc("GET", "/v1/health/detailed", "Each part and how it does").ok::<DetailedHealth>(),
        doc("GET", "/v1/version", "What runs here").ok::<Version>(),
        doc("GET", "/v1/metrics", "Prometheus text").bare("200"),
        doc("GET", "/v1/openapi.json", "This document").bare("200"),
        doc("GET", "/v1/sys/seal-status", "Sealed or not").ok::<SealStatus>(),
        doc("POST", "/v1/sys/unseal", "Unseal").body::<UnsealRequest>().ok::<SealStatus>(),
        doc("POST", "/v1/sys/seal", "Seal: keys are wiped from memory").ok::<SealStatus>(),
        doc("GET", "/v1/sys/keys", "Which keys there are; never the keys").ok::<Keys>(),
        doc("GET", "/v1/sys/jobs", "What the server has to do, and what it gave up").query(&["limit"]).ok::<Jobs>(),
        doc("POST", "/v1/sys/jobs/retry", "Have a job that was given up tried again")
            .body::<JobRetry>()
            .ok::<RetriedJob>(),
    ]
}

fn tokens() -> Vec<Doc> {
    use token::*;
    vec![
        doc("GET", "/v1/auth/whoami", "Who the token is").ok::<Whoami>(),
        doc("POST", "/v1/auth/introspect", "What a token means").body::<Introspect>().ok::<Introspection>(),
        doc("GET", "/v1/auth/tokens", "List tokens")
            .query(&["identity_id", "include_inactive", "limit", "cursor"])
            .ok::<TokenList>(),
        doc("POST", "/v1/auth/tokens", "Create a token; shown once").body::<NewToken>().created::<TokenCreated>(),
        doc("GET", "/v1/auth/tokens/{token_id}", "A token").ok::<Token>(),
        doc("DELETE", "/v1/auth/tokens/{token_id}", "Revoke a token").bare("204"),
    ]
}

fn identities() -> Vec<Doc> {
    use identity::*;
    const PAGES: &[&str] = &["page", "page_size"];
    const LISTED: &[&str] = &["status", "page", "page_size"];
    vec![
        doc("GET", "/v1/identity/partners", "List partners").query(LISTED).ok::<PartnerList>(),
        doc("POST", "/v1/identity/partners", "Create a partner and its keys").body::<NewPartner>().created::<Partner>(),
        doc("GET", "/v1/identity/partners/{partner_id}", "A partner").ok::<Partner>(),
        doc("PATCH", "/v1/identity/partners/{partner_id}", "Change a partner").body::<PartnerPatch>().ok::<Partner>(),
        doc("DELETE", "/v1/identity/partners/{partner_id}", "Delete a partner without tenants").bare("204"),
        doc("GET", "/v1/identity/tenants", "List tenants")
            .query(&["partner_id", "status", "page", "page_size"])
            .ok::<TenantList>(),
        doc("POST", "/v1/identity/tenants", "Create a tenant and its key").body::<NewTenant>().created::<Tenant>(),
        doc("GET", "/v1/identity/tenants/{tenant_id}", "A tenant").ok::<Tenant>(),
        doc("PATCH", "/v1/identity/tenants/{tenant_id}", "Change a tenant").body::<TenantPatch>().ok::<Tenant>(),
        doc("DELETE", "/v1/identity/tenants/{tenant_id}", "Delete a tenant: its key is destroyed")
            .query(&["confirm"])
            .bare("204"),
        doc("GET", "/v1/identity/tenants/{tenant_id}/users", "List users")
            .query(&["status", "q", "page", "page_size"])
            .ok::<UserList>(),
        doc("POST", "/v1/identity/tenants/{tenant_id}/users", "Create a user").body::<NewUser>().created::<User>(),
        doc("GET", "/v1/identity/users/{user_id}", "A user").ok::<User>(),
        doc("PATCH", "/v1/identity/users/{user_id}", "Change a user").body::<UserPatch>().ok::<User>(),
        doc("DELETE", "/v1/identity/users/{user_id}", "Delete a user; its tokens end").bare("204"),
        doc("GET", "/v1/identity/users/{user_id}/roles", "Roles of a user").ok::<HeldRoles>(),
        doc("PUT", "/v1/identity/users/{user_id}/roles", "Replace the roles of a user")
            .body::<RolesChange>()
            .ok::<HeldRoles>(),
        doc("GET", "/v1/identity/tenants/{tenant_id}/service-accounts", "List service accounts")
            .query(LISTED)
            .ok::<ServiceAccountList>(),
        doc(
            "POST",
            "/v1/identity/tenants/{tenant_id}/service-accounts",
            "Create a service account; its secret is shown once",
        )
        .body::<NewServiceAccount>()
        .created::<ServiceAccountCreated>(),
        doc("GET", "/v1/identity/service-accounts/{service_account_id}", "A service account").ok::<ServiceAccount>(),
        doc("PATCH", "/v1/identity/service-accounts/{service_account_id}", "Change a service account")
            .body::<ServiceAccountPatch>()
            .ok::<ServiceAccount>(),
        doc("DELETE", "/v1/identity/service-accounts/{service_account_id}", "Delete a service account; its tokens end")
            .bare("204"),
        doc("GET", "/v1/identity/service-accounts/{service_account_id}/roles", "Roles of a service account")
            .ok::<HeldRoles>(),
        doc(
            "PUT",
            "/v1/identity/service-accounts/{service_account_id}/roles",
            "Replace the roles of a service account",
        )
        .body::<RolesChange>()
        .ok::<HeldRoles>(),
        doc("GET", "/v1/identity/service-accounts/{service_account_id}/credentials", "List client secrets")
            .query(PAGES)
            .ok::<CredentialList>(),
        doc(
            "POST",
            "/v1/identity/service-accounts/{service_account_id}/credentials",
            "Make a client secret; shown once",
        )
        .body::<NewCredential>()
        .created::<CredentialCreated>(),
        doc(
            "DELETE",
            "/v1/identity/service-accounts/{service_account_id}/credentials/{credential_id}",
            "Delete a client secret",
        )
        .bare("204"),
        doc("GET", "/v1/identity/tenants/{tenant_id}/groups", "List groups").query(LISTED).ok::<GroupList>(),
        doc("POST", "/v1/identity/tenants/{tenant_id}/groups", "Create a group").body::<NewGroup>().created::<Group>(),
        doc("GET", "/v1/identity/groups/{group_id}", "A group").ok::<Group>(),
        doc("PATCH", "/v1/identity/groups/{group_id}", "Change a group").body::<GroupPatch>().ok::<Group>(),
        doc("DELETE", "/v1/identity/groups/{group_id}", "Delete a group with its memberships and bindings").bare("204"),
        doc("GET", "/v1/identity/groups/{group_id}/members", "Members, direct and through groups")
            .query(PAGES)
            .ok::<MemberList>(),
        doc("POST", "/v1/identity/groups/{group_id}/members", "Add a member").body::<NewMember>().created::<Member>(),
        doc("DELETE", "/v1/identity/groups/{group_id}/members/{member_id}", "Remove a member").bare("204"),
        doc("GET", "/v1/identity/resolve/{identity_type}/{identity_id}", "An identity by either form of its id")
            .ok::<ResolvedIdentity>(),
        doc("GET", "/v1/identity/roles", "The roles there are").ok::<RoleCatalogue>(),
    ]
}
