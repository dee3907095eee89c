-- No database of this engine is older than this: nothing has to be carried over.

DROP TABLE audit_entry;
-- By time, so that retention drops whole parts. What no part was made for yet, and what a clock that stood wrong wrote, goes to the
-- last one.
CREATE TABLE audit_entry (
    stream TEXT NOT NULL,
    chain TEXT NOT NULL,
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
    PRIMARY KEY (stream, chain, seq, at)
) PARTITION BY RANGE (at);
CREATE TABLE audit_entry_rest PARTITION OF audit_entry DEFAULT;

DROP TABLE audit_checkpoint;
CREATE TABLE audit_checkpoint (
    stream TEXT NOT NULL,
    chain TEXT NOT NULL,
    seq BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    at BIGINT NOT NULL,
    key_id TEXT NOT NULL,
    signature BYTEA NOT NULL,
    PRIMARY KEY (stream, chain, seq)
);

DROP TABLE audit_anchor;
CREATE TABLE audit_anchor (
    stream TEXT NOT NULL,
    chain TEXT NOT NULL,
    seq BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    at BIGINT NOT NULL,
    key_id TEXT NOT NULL,
    signature BYTEA NOT NULL,
    PRIMARY KEY (stream, chain)
);

-- The end of each chain. Moving it on names where it was, so that no chain can fork.
CREATE TABLE audit_head (
    stream TEXT NOT NULL,
    chain TEXT NOT NULL,
    seq BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (stream, chain)
) WITH (fillfactor = 50);

-- Who serves this database. incarnation tells a restarted node from the one before.
CREATE TABLE node (
    id TEXT PRIMARY KEY,
    incarnation TEXT NOT NULL,
    program_version TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    ended_at BIGINT
);

-- What commits changed, for the caches of the other nodes. Read by transaction id: what a snapshot sees and the one before did not.
-- Rows are kept for minutes.
CREATE TABLE change_feed (
    xid BIGINT NOT NULL,
    origin TEXT NOT NULL,
    at BIGINT NOT NULL,
    changes TEXT NOT NULL,
    PRIMARY KEY (xid, origin)
);
CREATE INDEX change_feed_age ON change_feed (at);
