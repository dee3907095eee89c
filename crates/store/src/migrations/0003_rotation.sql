-- What was done about the due time of a secret under a rotation policy; another due time begins with nothing done. Not a part of the
-- secret's row: it changes without the secret being written.
CREATE TABLE rotation_state (
    secret_id TEXT PRIMARY KEY,
    policy_tenant_id TEXT NOT NULL,
    policy_id TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    overdue_at BIGINT NOT NULL,
    -- 1 while the policy is disabled or the secret lies in the trash.
    rests BIGINT NOT NULL,
    warned_seconds BIGINT,
    due_told BIGINT NOT NULL,
    overdue_told BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    next_attempt_at BIGINT
) /* clustered */;
CREATE INDEX rotation_state_due ON rotation_state (policy_tenant_id, due_at) WHERE rests = 0;
CREATE INDEX rotation_state_policy ON rotation_state (policy_tenant_id, policy_id, due_at);

-- One row a rotation that happened, failed or is waited for. Ids rise within a policy.
CREATE TABLE rotation_history (
    policy_tenant_id TEXT NOT NULL,
    policy_id TEXT NOT NULL,
    id TEXT NOT NULL,
    secret_id TEXT NOT NULL,
    path TEXT NOT NULL,
    status TEXT NOT NULL,
    cause TEXT NOT NULL,
    old_version BIGINT,
    new_version BIGINT,
    started_at BIGINT NOT NULL,
    completed_at BIGINT,
    error_code TEXT,
    error_message TEXT,
    PRIMARY KEY (policy_tenant_id, policy_id, id)
) /* clustered */;
CREATE INDEX rotation_history_status ON rotation_history (policy_tenant_id, policy_id, status, id);
CREATE INDEX rotation_history_pending ON rotation_history (secret_id) WHERE status = 'pending';
CREATE INDEX rotation_history_age ON rotation_history (started_at);

-- How far the secrets of a changed policy were planned anew.
CREATE TABLE rotation_replan (
    policy_tenant_id TEXT NOT NULL,
    policy_id TEXT NOT NULL,
    path TEXT NOT NULL,
    namespace TEXT NOT NULL,
    PRIMARY KEY (policy_tenant_id, policy_id)
);

-- Secrets that were attached before there were jobs: each finds its own time.
INSERT INTO job (kind, subject, tenant_id, namespace, run_at, planned_at, plans, claim, failures)
SELECT 'rotation', s.id, s.policy_tenant_id, s.namespace, 0, 0, 0, 0, 0 FROM secret s
WHERE s.rotation_policy_id IS NOT NULL AND s.deleted_at IS NULL
  AND EXISTS (SELECT 1 FROM tenant t WHERE t.id = s.policy_tenant_id AND t.status <> 'DELETED');
