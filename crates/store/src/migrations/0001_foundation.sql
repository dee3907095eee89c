-- Times are microseconds since 1970 UTC; flags are 0 or 1; ids are text with their prefix.
-- BYTEA and /* clustered */ are what the engines spell differently (engine/sqlite.rs).

CREATE TABLE instance (
    id BIGINT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    provider TEXT NOT NULL,
    kdf_salt BYTEA,
    touched BIGINT NOT NULL
);

-- Every key but the root key and the data keys, wrapped by the level above.
CREATE TABLE wrapped_key (
    key_id TEXT PRIMARY KEY,
    level TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    wrapped BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX wrapped_key_owner ON wrapped_key (level, owner_id);

CREATE TABLE signing_key (
    key_id TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,
    public_key BYTEA NOT NULL,
    wrapped BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE partner (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    region TEXT,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    last_synced_at BIGINT
);

CREATE TABLE tenant (
    id TEXT PRIMARY KEY,
    partner_id TEXT NOT NULL REFERENCES partner (id),
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    status TEXT NOT NULL,
    settings TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    last_synced_at BIGINT
);
CREATE INDEX tenant_partner ON tenant (partner_id);

CREATE TABLE directory_user (
    id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    email TEXT NOT NULL,
    display_name TEXT,
    password_hash TEXT,
    allowed_scopes BIGINT,
    roles BIGINT NOT NULL,
    mfa_enabled BIGINT NOT NULL,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    last_synced_at BIGINT,
    -- E-mail and name in lower case: the engines do not agree on LOWER().
    search TEXT NOT NULL
);
-- Deleted rows stay (audit names them); only the living hold their e-mail.
CREATE UNIQUE INDEX directory_user_email ON directory_user (tenant_id, email) WHERE status <> 'DELETED';

CREATE TABLE service_account (
    id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    name TEXT NOT NULL,
    description TEXT,
    allowed_scopes BIGINT,
    roles BIGINT NOT NULL,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX service_account_name ON service_account (tenant_id, name) WHERE status <> 'DELETED';

CREATE TABLE credential (
    id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    service_account_id TEXT NOT NULL REFERENCES service_account (id),
    secret_hash BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT
);
CREATE INDEX credential_account ON credential (service_account_id);

CREATE TABLE directory_group (
    id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    name TEXT NOT NULL,
    description TEXT,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    last_synced_at BIGINT
);
CREATE UNIQUE INDEX directory_group_name ON directory_group (tenant_id, name) WHERE status <> 'DELETED';

-- member_id is the id of a user, a service account or a group.
CREATE TABLE membership (
    group_id TEXT NOT NULL REFERENCES directory_group (id),
    member_id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (group_id, member_id)
);
CREATE INDEX membership_member ON membership (member_id);

CREATE TABLE token (
    id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    identity_id TEXT NOT NULL,
    hash BYTEA NOT NULL,
    token_ref TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes BIGINT NOT NULL,
    ip_ranges TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    last_used_at BIGINT,
    mfa_verified_at BIGINT
);
CREATE UNIQUE INDEX token_hash ON token (hash);
CREATE INDEX token_identity ON token (tenant_id, identity_id, id);
CREATE INDEX token_tenant ON token (tenant_id, id);

-- owner_id is the tenant's id, or the partner's for scope 'partner'.
CREATE TABLE policy (
    id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    is_active BIGINT NOT NULL,
    rules TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX policy_name ON policy (owner_id, name);

-- identity_key is the internal id (a new user with an old e-mail inherits nothing), or 'dynamic:...', 'federation:...'.
CREATE TABLE binding (
    id TEXT PRIMARY KEY,
    policy_id TEXT NOT NULL REFERENCES policy (id),
    tenant_id TEXT NOT NULL,
    identity_type TEXT NOT NULL,
    identity_key TEXT NOT NULL,
    expires_at BIGINT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL
);
CREATE UNIQUE INDEX binding_identity ON binding (policy_id, tenant_id, identity_key);
CREATE INDEX binding_key ON binding (tenant_id, identity_key);

CREATE TABLE rotation_policy (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    interval_text TEXT NOT NULL,
    grace_text TEXT NOT NULL,
    warn_before TEXT NOT NULL,
    auto_generate BIGINT NOT NULL,
    secret_policy_id TEXT,
    webhook_ids TEXT NOT NULL,
    is_active BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX rotation_policy_name ON rotation_policy (tenant_id, name);

CREATE TABLE secret_policy (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    policy_type TEXT NOT NULL,
    fields TEXT NOT NULL,
    is_active BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX secret_policy_name ON secret_policy (tenant_id, name);

-- namespace is a tenant's id, or a partner's for shared secrets; policy_tenant_id owns the attached policies.
CREATE TABLE secret (
    id TEXT PRIMARY KEY,
    namespace TEXT NOT NULL,
    path TEXT NOT NULL,
    secret_type TEXT NOT NULL,
    description TEXT,
    tags TEXT NOT NULL,
    owner TEXT,
    custom TEXT NOT NULL,
    current_version BIGINT NOT NULL,
    last_version BIGINT NOT NULL,
    max_versions BIGINT NOT NULL,
    expires_in TEXT,
    expires_at BIGINT,
    notify_before TEXT NOT NULL,
    policy_tenant_id TEXT NOT NULL,
    rotation_policy_id TEXT,
    rotation_assigned_at BIGINT,
    rotation_assigned_by TEXT,
    last_rotated_at BIGINT,
    secret_policy_id TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    recoverable_until BIGINT
);
CREATE UNIQUE INDEX secret_path ON secret (namespace, path);
CREATE INDEX secret_updated ON secret (namespace, updated_at DESC, path);
CREATE INDEX secret_expiry ON secret (namespace, expires_at, path) WHERE expires_at IS NOT NULL;
CREATE INDEX secret_rotation ON secret (policy_tenant_id, rotation_policy_id, path) WHERE rotation_policy_id IS NOT NULL;
CREATE INDEX secret_recipe ON secret (policy_tenant_id, secret_policy_id) WHERE secret_policy_id IS NOT NULL;
CREATE INDEX secret_trash ON secret (recoverable_until) WHERE deleted_at IS NOT NULL;

-- A removed version keeps its number and time as a tombstone; its key and ciphertext are gone.
CREATE TABLE secret_version (
    secret_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    readable_until BIGINT,
    removed_at BIGINT,
    data_key BYTEA,
    ciphertext BYTEA,
    PRIMARY KEY (secret_id, version)
);

CREATE TABLE secret_tag (
    namespace TEXT NOT NULL,
    tag TEXT NOT NULL,
    path TEXT NOT NULL,
    secret_id TEXT NOT NULL,
    PRIMARY KEY (namespace, tag, path)
) /* clustered */;

-- Successful value reads by hour (hours since 1970).
CREATE TABLE secret_access (
    secret_id TEXT NOT NULL,
    hour BIGINT NOT NULL,
    reads BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (secret_id, hour)
) /* clustered */;

-- The audit trail. No index but its key: it takes an entry for every request, and an index would double the cost of each.
-- Columns, not a document: what is read is what was hashed, so changing any of them shows.
CREATE TABLE audit_entry (
    stream TEXT NOT NULL,
    seq BIGINT NOT NULL,
    id TEXT NOT NULL,
    at BIGINT NOT NULL,
    action TEXT NOT NULL,
    identity_type TEXT,
    identity_id TEXT,
    secret_path TEXT,
    source_ip TEXT,
    user_agent TEXT,
    status_code BIGINT NOT NULL,
    error_code TEXT,
    duration_ms BIGINT NOT NULL,
    request_id TEXT NOT NULL,
    extra_data TEXT NOT NULL,
    acting_partner_id TEXT,
    acting_tenant_id TEXT,
    target_tenant_id TEXT,
    resource_id TEXT,
    token_ref TEXT,
    prev_hash BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (stream, seq)
) /* clustered */;

CREATE TABLE audit_checkpoint (
    stream TEXT NOT NULL,
    seq BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    at BIGINT NOT NULL,
    key_id TEXT NOT NULL,
    signature BYTEA NOT NULL,
    PRIMARY KEY (stream, seq)
) /* clustered */;

-- What retention cut off: the last removed entry of a stream, so that the rest still verifies.
CREATE TABLE audit_anchor (
    stream TEXT PRIMARY KEY,
    seq BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    at BIGINT NOT NULL,
    key_id TEXT NOT NULL,
    signature BYTEA NOT NULL
);

-- request_key is a digest of (tenant, identity, method, url, key); reply is sealed under the tenant's key.
CREATE TABLE idempotency (
    request_key BYTEA PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    body_hash BYTEA NOT NULL,
    reply BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX idempotency_age ON idempotency (created_at);
