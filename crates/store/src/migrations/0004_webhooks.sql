-- Where deliveries go: what webhooks and subscriptions delivered by webhook have in common. The id is that of the webhook (wh_) or of
-- the subscription (sub_). Secrets are sealed under the tenant's key; the previous one also signs until it ends.
-- recent holds the last ten attempts, a bit each, 1 = failed. failing_since is the time of the tenth failure in a row.
CREATE TABLE delivery_target (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    url TEXT NOT NULL,
    secret BYTEA NOT NULL,
    previous_secret BYTEA,
    previous_secret_ends_at BIGINT,
    enabled BIGINT NOT NULL,
    recent BIGINT NOT NULL,
    failing_since BIGINT,
    PRIMARY KEY (tenant_id, id)
) /* clustered */;

CREATE TABLE webhook (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    events TEXT NOT NULL,
    path_prefix TEXT,
    secret_type TEXT,
    tags TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
) /* clustered */;
CREATE UNIQUE INDEX webhook_name ON webhook (tenant_id, name);

-- One event on its way to one target. body is the envelope as it was when the event was handed on: events are kept for seven days,
-- deliveries for thirty. status is pending, success or failed; next_attempt_at is there while it is pending. planned_at is when that was
-- said: one that lies ahead was written while the clock was wrong.
CREATE TABLE webhook_delivery (
    tenant_id TEXT NOT NULL,
    target_id TEXT NOT NULL,
    id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    path TEXT,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    status TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    response_code BIGINT,
    duration_ms BIGINT,
    error TEXT,
    next_attempt_at BIGINT,
    planned_at BIGINT NOT NULL,
    finished_at BIGINT,
    PRIMARY KEY (tenant_id, target_id, id)
);
CREATE INDEX webhook_delivery_pending ON webhook_delivery (tenant_id, target_id, next_attempt_at, event_id) WHERE status = 'pending';
CREATE INDEX webhook_delivery_status ON webhook_delivery (tenant_id, target_id, status, id);
CREATE INDEX webhook_delivery_created ON webhook_delivery (created_at);
