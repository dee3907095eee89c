-- What happened, a row for each tenant that hears of it. Ids rise in the order of commits; kept for seven days.
-- Beside the envelope stands what listeners filter by: the secret's type and tags as they were, and the rotation policy.
CREATE TABLE event (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    at BIGINT NOT NULL,
    event_type TEXT NOT NULL,
    partner_id TEXT NOT NULL,
    identity_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    namespace TEXT,
    path TEXT,
    secret_type TEXT,
    tags TEXT NOT NULL,
    rotation_policy_id TEXT,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
) /* clustered */;

-- The newest event of a tenant, and the newest that was handed to its webhooks and subscriptions.
CREATE TABLE event_head (
    tenant_id TEXT PRIMARY KEY,
    last_id TEXT NOT NULL,
    dispatched_id TEXT NOT NULL
);
CREATE INDEX event_head_pending ON event_head (tenant_id) WHERE last_id > dispatched_id;

-- What has to happen at a time. One row a kind and subject; the row lives until there is nothing left to do.
-- claim rises with every taking: what was taken by a server that died is fenced off. It begins at the time of the first plan, so that
-- a row that takes the place of a cancelled one begins above it. plans rises with every new plan: a job that was planned anew while it
-- ran stays.
CREATE TABLE job (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    run_at BIGINT NOT NULL,
    planned_at BIGINT NOT NULL,
    plans BIGINT NOT NULL,
    claim BIGINT NOT NULL,
    lease_until BIGINT,
    failures BIGINT NOT NULL,
    error TEXT,
    died_at BIGINT,
    PRIMARY KEY (kind, subject)
) /* clustered */;
-- By kind: a million jobs of one kind that are due do not stand before those of another.
CREATE INDEX job_due ON job (kind, run_at) WHERE died_at IS NULL;
CREATE INDEX job_dead ON job (died_at) WHERE died_at IS NOT NULL;
CREATE INDEX job_tenant ON job (tenant_id);
-- After the clock was set back: what was planned in a future that is none.
CREATE INDEX job_planned ON job (planned_at) WHERE died_at IS NULL;
