-- Who asked for the events of some paths. The owner is the internal id of an identity, of this tenant or of another one that may act
-- here: whoever later has the same name inherits nothing.
-- start_id: the newest event when it was made or switched on; only later ones are for it.
-- buffered: rows of its buffer. dropped: events that were pushed out and not told of for good; dropped_told: how many of these the
-- last answer named.
CREATE TABLE subscription (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    name TEXT NOT NULL,
    paths TEXT NOT NULL,
    events TEXT NOT NULL,
    secret_type TEXT,
    tags TEXT NOT NULL,
    delivery TEXT NOT NULL,
    buffer_size BIGINT NOT NULL,
    enabled BIGINT NOT NULL,
    start_id TEXT NOT NULL,
    buffered BIGINT NOT NULL,
    dropped BIGINT NOT NULL,
    dropped_told BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
) /* clustered */;
CREATE UNIQUE INDEX subscription_name ON subscription (tenant_id, owner_id, name);
CREATE INDEX subscription_order ON subscription (tenant_id, name, id);
CREATE INDEX subscription_owner ON subscription (owner_id);

-- What a polling subscription has not acknowledged. The events themselves stand in event: a row without one has lapsed.
CREATE TABLE subscription_buffer (
    tenant_id TEXT NOT NULL,
    subscription_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (tenant_id, subscription_id, event_id)
) /* clustered */;
