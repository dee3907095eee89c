-- What was told of a secret's expiry: everything up to settled_until, for this end and these warnings. No row without an expiry.
CREATE TABLE secret_expiry_state (
    secret_id TEXT PRIMARY KEY,
    expires_at BIGINT NOT NULL,
    notify_before TEXT NOT NULL,
    settled_until BIGINT NOT NULL
);

-- When the end of a binding was told of; the row stays until somebody removes it.
ALTER TABLE binding ADD COLUMN lapsed_at BIGINT;

-- What is there already: of the warnings that have passed at most the latest is told, or once that it has expired.
INSERT INTO secret_expiry_state (secret_id, expires_at, notify_before, settled_until)
SELECT id, expires_at, notify_before, updated_at FROM secret WHERE expires_at IS NOT NULL;

-- A shared secret is looked after in the name of a tenant of its partner.
INSERT INTO job (kind, subject, tenant_id, namespace, run_at, planned_at, plans, claim, failures)
SELECT 'secret_expiry', s.id,
       (SELECT MIN(t.id) FROM tenant t WHERE t.status <> 'DELETED' AND (t.id = s.namespace OR t.partner_id = s.namespace)),
       s.namespace, 0, 0, 0, 0, 0
FROM secret s
WHERE s.expires_at IS NOT NULL AND s.deleted_at IS NULL
  AND EXISTS (SELECT 1 FROM tenant t WHERE t.status <> 'DELETED' AND (t.id = s.namespace OR t.partner_id = s.namespace));

INSERT INTO job (kind, subject, tenant_id, namespace, run_at, planned_at, plans, claim, failures)
SELECT 'binding_lapse', b.id, b.tenant_id, b.tenant_id, b.expires_at, 0, 0, 0, 0
FROM binding b WHERE b.expires_at IS NOT NULL;
