-- A stream is one chain here, without a name. Chains have names where a stream has several: one a node on PostgreSQL, and in a
-- database that was copied from there.

CREATE TABLE audit_entry_new (
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
    PRIMARY KEY (stream, chain, seq)
) /* clustered */;
INSERT INTO audit_entry_new
SELECT stream, '', seq, id, at, action, identity_type, identity_id, secret_path, source_ip, user_agent, status_code, error_code,
       duration_ms, request_id, extra_data, acting_partner_id, acting_tenant_id, target_tenant_id, resource_id, token_ref, prev_hash, hash
FROM audit_entry ORDER BY stream, seq;
DROP TABLE audit_entry;
ALTER TABLE audit_entry_new RENAME TO audit_entry;

CREATE TABLE audit_checkpoint_new (
    stream TEXT NOT NULL,
    chain TEXT NOT NULL,
    seq BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    at BIGINT NOT NULL,
    key_id TEXT NOT NULL,
    signature BYTEA NOT NULL,
    PRIMARY KEY (stream, chain, seq)
) /* clustered */;
INSERT INTO audit_checkpoint_new SELECT stream, '', seq, hash, at, key_id, signature FROM audit_checkpoint;
DROP TABLE audit_checkpoint;
ALTER TABLE audit_checkpoint_new RENAME TO audit_checkpoint;

CREATE TABLE audit_anchor_new (
    stream TEXT NOT NULL,
    chain TEXT NOT NULL,
    seq BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    at BIGINT NOT NULL,
    key_id TEXT NOT NULL,
    signature BYTEA NOT NULL,
    PRIMARY KEY (stream, chain)
);
INSERT INTO audit_anchor_new SELECT stream, '', seq, hash, at, key_id, signature FROM audit_anchor;
DROP TABLE audit_anchor;
ALTER TABLE audit_anchor_new RENAME TO audit_anchor;

-- The end of each chain. Moving it on names where it was, so that no chain can fork.
CREATE TABLE audit_head (
    stream TEXT NOT NULL,
    chain TEXT NOT NULL,
    seq BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (stream, chain)
) /* clustered */;
-- Where retention took every entry, the chain goes on behind its anchor.
INSERT INTO audit_head SELECT stream, chain, seq, hash FROM audit_anchor;
INSERT INTO audit_head
SELECT e.stream, e.chain, e.seq, e.hash
FROM (SELECT stream, chain, MAX(seq) AS seq FROM audit_entry GROUP BY stream, chain) m
JOIN audit_entry e ON e.stream = m.stream AND e.chain = m.chain AND e.seq = m.seq
WHERE true
ON CONFLICT (stream, chain) DO UPDATE SET seq = excluded.seq, hash = excluded.hash;
