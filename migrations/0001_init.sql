-- The schema of CEOAgent, first release. Forward only. Rules that hold for every table:
--  * tenant_id is there from the first day; row-level security is FORCEd, so that even the owner of
--    the tables sees a row only through a policy;
--  * programs log in as a user that has no rights of its own here but may switch to one of two NOLOGIN
--    roles: ceoagent_app (one tenant at a time) and ceoagent_service (sweeps and key look-up);
--  * the tenant, the user and "may see others' rows" come from settings that live for one transaction
--    only. current_setting(..., true) is '' once such a transaction has ended, hence NULLIF.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ceoagent_app') THEN
        CREATE ROLE ceoagent_app NOLOGIN NOINHERIT;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ceoagent_service') THEN
        CREATE ROLE ceoagent_service NOLOGIN NOINHERIT;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; -- another database of this server
END $$;
GRANT ceoagent_app, ceoagent_service TO CURRENT_USER;
GRANT USAGE ON SCHEMA public TO ceoagent_app, ceoagent_service;

CREATE FUNCTION app_tenant() RETURNS uuid LANGUAGE sql STABLE AS
    $$ SELECT NULLIF(current_setting('app.tenant', true), '')::uuid $$;
CREATE FUNCTION app_user() RETURNS uuid LANGUAGE sql STABLE AS
    $$ SELECT NULLIF(current_setting('app.user', true), '')::uuid $$;
CREATE FUNCTION app_sees_all() RETURNS boolean LANGUAGE sql STABLE AS
    $$ SELECT COALESCE(current_setting('app.see_all', true), '') = 'on' $$;

CREATE TABLE tenants (
    tenant_id  uuid PRIMARY KEY,
    name       text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
    status     text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    limits     jsonb NOT NULL DEFAULT '{}',  -- {budget: {steps, seconds, tokens, usd}} over the settings
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO tenants (tenant_id, name) VALUES ('00000000-0000-7000-8000-000000000001', 'default');

CREATE TABLE users (
    user_id       uuid PRIMARY KEY,
    tenant_id     uuid NOT NULL REFERENCES tenants,
    kind          text NOT NULL CHECK (kind IN ('person', 'service')),
    email         text,
    name          text NOT NULL,
    roles         text[] NOT NULL,
    password_hash text,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (tenant_id, email)
);

-- The key itself is shown once, at creation; its SHA-256 is what stays.
CREATE TABLE api_keys (
    key_id       uuid PRIMARY KEY,
    tenant_id    uuid NOT NULL REFERENCES tenants,
    principal_id uuid NOT NULL REFERENCES users,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    key_sha256   bytea NOT NULL UNIQUE CHECK (length(key_sha256) = 32),
    role         text NOT NULL,
    rate         text NOT NULL DEFAULT 'default',  -- 'default', 'none', or requests per minute
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz,
    revoked_at   timestamptz
);

-- The key ring: which keys were ever used to encrypt here. The keys are in the environment.
CREATE TABLE encryption_keys (
    key_id     bytea PRIMARY KEY CHECK (length(key_id) = 8),
    first_used timestamptz NOT NULL DEFAULT clock_timestamp(),
    retired_at timestamptz
);

-- One row a decision. What the agents do to it is fenced by lease_epoch; what happened is in
-- decision_trails, whose head (seq and hash) stands here, so that an append is one compare-and-set.
CREATE TABLE decisions (
    decision_id     uuid PRIMARY KEY,
    tenant_id       uuid NOT NULL REFERENCES tenants,
    user_id         uuid NOT NULL,
    query           text NOT NULL,
    context         bytea,               -- sealed: the exact bytes that the client sent
    options         text[] NOT NULL DEFAULT '{}',
    documents       uuid[] NOT NULL DEFAULT '{}',
    decision_type   text NOT NULL DEFAULT 'general',
    agent_mode      text NOT NULL DEFAULT 'auto',
    params          jsonb NOT NULL DEFAULT '{}',  -- budget, include_analysis, webhook_url, form
    session_id      uuid NOT NULL,
    request_id      text NOT NULL,
    traceparent     text,
    status          text NOT NULL DEFAULT 'pending' CHECK (status IN
                        ('pending', 'running', 'waiting_input', 'completed', 'failed', 'cancelled')),
    head_seq        bigint NOT NULL DEFAULT 0,
    head_hash       bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    lease_epoch     bigint NOT NULL DEFAULT 0,
    lease_owner     text,
    lease_until     timestamptz,
    attempts        int NOT NULL DEFAULT 0,
    due_at          timestamptz NOT NULL DEFAULT clock_timestamp(),  -- not to be claimed before
    cancel_asked_at timestamptz,
    lang            text,
    degraded        boolean NOT NULL DEFAULT false,
    skills_used     text[] NOT NULL DEFAULT '{}',
    decision_result jsonb,
    agent           jsonb,
    usage           jsonb,
    error           jsonb,
    user_feedback   jsonb,
    outcome         text,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    completed_at    timestamptz
);
CREATE INDEX decisions_user ON decisions (user_id);
CREATE INDEX decisions_created ON decisions (created_at);
CREATE INDEX decisions_user_created ON decisions (user_id, created_at DESC, decision_id DESC);
CREATE INDEX decisions_tenant_created ON decisions (tenant_id, created_at DESC, decision_id DESC);
CREATE INDEX decisions_query ON decisions USING gin (to_tsvector('simple', query));
CREATE INDEX decisions_open ON decisions (due_at)
    WHERE status IN ('pending', 'running', 'waiting_input');

-- The event log. payload is sealed; digest = SHA-256(salt || plaintext); hash = SHA-256(previous
-- hash || decision id || seq big-endian || digest). An erased payload leaves the chain verifiable.
CREATE TABLE decision_trails (
    decision_id   uuid NOT NULL REFERENCES decisions ON DELETE CASCADE,
    seq           bigint NOT NULL CHECK (seq > 0),
    tenant_id     uuid NOT NULL,
    type          text NOT NULL CHECK (type IN ('reason', 'plan', 'tool', 'observe', 'ask', 'repair',
                                                'budget', 'resume', 'final', 'error', 'cancel')),
    name          text,
    action_id     text NOT NULL,
    parent_id     text,
    actor         text NOT NULL,
    taint         boolean NOT NULL,
    model         text,
    tokens_in     bigint,
    tokens_out    bigint,
    cost_usd      double precision,
    payload       bytea,
    salt          bytea CHECK (length(salt) = 16),
    digest        bytea NOT NULL CHECK (length(digest) = 32),
    hash          bytea NOT NULL CHECK (length(hash) = 32),
    previous_hash bytea NOT NULL CHECK (length(previous_hash) = 32),
    format        smallint NOT NULL DEFAULT 1,
    started_at    timestamptz NOT NULL,
    duration_ms   bigint NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (decision_id, seq)
);

-- Written in the decision's own transaction.
CREATE TABLE idempotency_keys (
    tenant_id   uuid NOT NULL,
    user_id     uuid NOT NULL,
    key         text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    route       text NOT NULL,
    body_sha256 bytea NOT NULL CHECK (length(body_sha256) = 32),
    target_id   uuid NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, user_id, key)
);
CREATE INDEX idempotency_created ON idempotency_keys (created_at);

-- A row behind each job that somebody waits for; the message in Redis only names it.
CREATE TABLE jobs (
    job_id      uuid PRIMARY KEY,
    tenant_id   uuid NOT NULL,
    task        text NOT NULL,
    queue       text NOT NULL,
    priority    smallint NOT NULL DEFAULT 0,
    args        bytea NOT NULL,          -- sealed JSON
    decision_id uuid REFERENCES decisions ON DELETE CASCADE,
    action_id   text,
    status      text NOT NULL DEFAULT 'pending'
                    CHECK (status IN ('pending', 'running', 'success', 'failure', 'revoked')),
    result      bytea,                   -- sealed JSON
    error       jsonb,
    attempts    int NOT NULL DEFAULT 0,
    lease_epoch bigint NOT NULL DEFAULT 0,
    lease_owner text,
    lease_until timestamptz,
    due_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    traceparent text,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    UNIQUE (decision_id, action_id)
);
CREATE INDEX jobs_open ON jobs (due_at) WHERE status IN ('pending', 'running');
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;

-- What goes out goes out: at least once, in order per decision, each with a stable id.
CREATE TABLE outbox (
    outbox_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id     uuid NOT NULL UNIQUE,
    tenant_id    uuid NOT NULL,
    decision_id  uuid,
    topic        text NOT NULL,           -- decision.completed, decision.failed, ...
    target       text NOT NULL,           -- 'events' (live and Kafka) or 'webhook'
    url          text,
    payload      jsonb NOT NULL,
    attempts     int NOT NULL DEFAULT 0,
    due_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at timestamptz,
    dead_at      timestamptz,
    last_error   text
);
CREATE INDEX outbox_open ON outbox (due_at, outbox_id) WHERE published_at IS NULL AND dead_at IS NULL;
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;
CREATE INDEX outbox_decision ON outbox (decision_id, target, outbox_id)
    WHERE published_at IS NULL AND dead_at IS NULL;

CREATE TABLE decision_feedback (
    decision_id  uuid NOT NULL REFERENCES decisions ON DELETE CASCADE,
    user_id      uuid NOT NULL,
    tenant_id    uuid NOT NULL,
    rating       int NOT NULL CHECK (rating BETWEEN 1 AND 5),
    comment      text,
    outcome      text CHECK (outcome IN ('right', 'partly', 'wrong')),
    outcome_note text,
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (decision_id, user_id)
);

CREATE TABLE documents (
    document_id   uuid PRIMARY KEY,
    tenant_id     uuid NOT NULL REFERENCES tenants,
    user_id       uuid NOT NULL,
    title         text NOT NULL,
    content_type  text NOT NULL,
    type          text,
    source        text,
    metadata      jsonb NOT NULL DEFAULT '{}',
    sha256        bytea NOT NULL CHECK (length(sha256) = 32),
    content       bytea NOT NULL,         -- sealed original
    bytes         bigint NOT NULL,
    version       int NOT NULL DEFAULT 1,
    status        text NOT NULL DEFAULT 'queued'
                      CHECK (status IN ('queued', 'reading', 'ready', 'failed')),
    progress_done bigint NOT NULL DEFAULT 0,
    progress_of   bigint NOT NULL DEFAULT 0,
    error         text,
    chunks        int NOT NULL DEFAULT 0,
    attempts      int NOT NULL DEFAULT 0,
    lease_epoch   bigint NOT NULL DEFAULT 0,
    lease_until   timestamptz,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (tenant_id, sha256)
);
CREATE INDEX documents_open ON documents (updated_at) WHERE status IN ('queued', 'reading');

-- Plain, since search needs the text. start/end are byte offsets in the original.
CREATE TABLE chunks (
    chunk_id     uuid PRIMARY KEY,
    tenant_id    uuid NOT NULL,
    document_id  uuid NOT NULL REFERENCES documents ON DELETE CASCADE,
    ordinal      int NOT NULL,
    heading      text,
    text         text NOT NULL,
    start_offset bigint NOT NULL,
    end_offset   bigint NOT NULL,
    UNIQUE (document_id, ordinal)
);

-- The words of a chunk, of its heading and its document's title: English stems and, for Chinese, Japanese
-- and Korean, bigrams that our code makes. A table of its own, since under row-level security a
-- condition with @@ (not leakproof) may not use an index unless it is part of the policy itself:
-- app_query() is the query, set for one transaction like the tenant, and the policy below has it.
CREATE FUNCTION app_query() RETURNS tsquery LANGUAGE sql STABLE AS
    $$ SELECT NULLIF(current_setting('app.query', true), '')::tsquery $$;
CREATE TABLE chunk_words (
    chunk_id    uuid PRIMARY KEY REFERENCES chunks ON DELETE CASCADE,
    tenant_id   uuid NOT NULL,
    document_id uuid NOT NULL,
    words       tsvector NOT NULL
);
CREATE INDEX chunk_words_words ON chunk_words USING gin (words);

CREATE TABLE audit_logs (
    log_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id     uuid NOT NULL,
    user_id       uuid,
    action        text NOT NULL,
    resource_type text,
    resource_id   text,
    details       jsonb NOT NULL DEFAULT '{}',
    ip_address    text,
    user_agent    text,
    result        text NOT NULL CHECK (result IN ('success', 'failure')),
    timestamp     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX audit_tenant_time ON audit_logs (tenant_id, timestamp DESC);

-- Rights and policies, by table: what the app role may do, and whether rows have an owner. The login user
-- inherits both roles' policies as their member, so the service's policy also asks for the switch itself:
-- a transaction that forgot set_config('role', ...) sees nothing.
DO $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT * FROM (VALUES
        ('tenants',           'SELECT',                         false),
        ('users',             'SELECT, INSERT, UPDATE, DELETE', false),
        ('api_keys',          'SELECT, INSERT, UPDATE',         false),
        ('decisions',         'SELECT, INSERT, UPDATE, DELETE', true),
        ('decision_trails',   'SELECT, INSERT',                 false),
        ('idempotency_keys',  'SELECT, INSERT, UPDATE, DELETE', false),
        ('jobs',              'SELECT, INSERT, UPDATE, DELETE', false),
        ('outbox',            'SELECT, INSERT, DELETE',         false),
        ('decision_feedback', 'SELECT, INSERT, UPDATE, DELETE', false),
        ('documents',         'SELECT, INSERT, UPDATE, DELETE', false),
        ('chunks',            'SELECT, INSERT, DELETE',         false),
        ('chunk_words',       'SELECT, INSERT',                 false),
        ('audit_logs',        'SELECT, INSERT',                 false)) AS v (name, rights, owned)
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t.name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t.name);
        EXECUTE format('GRANT %s ON %I TO ceoagent_app', t.rights, t.name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO ceoagent_service', t.name);
        EXECUTE format('CREATE POLICY app_rows ON %I TO ceoagent_app USING (tenant_id = app_tenant()%s)
                        WITH CHECK (tenant_id = app_tenant()%s)', t.name,
                       CASE WHEN t.owned THEN ' AND (app_sees_all() OR user_id = app_user())' ELSE '' END,
                       CASE WHEN t.owned THEN ' AND (app_sees_all() OR user_id = app_user())' ELSE '' END);
        EXECUTE format('CREATE POLICY service_rows ON %I TO ceoagent_service USING (current_user = ''ceoagent_service'')
                        WITH CHECK (current_user = ''ceoagent_service'')', t.name);
    END LOOP;
END $$;
-- Events and audit records are append-only for the app role; outbox rows may only go with their decision.
-- Words are found by the query of the transaction alone; without one nobody sees a row.
DROP POLICY app_rows ON chunk_words;
CREATE POLICY app_search ON chunk_words FOR SELECT TO ceoagent_app
    USING (tenant_id = app_tenant() AND words @@ app_query());
CREATE POLICY app_insert ON chunk_words FOR INSERT TO ceoagent_app WITH CHECK (tenant_id = app_tenant());
GRANT SELECT, INSERT, UPDATE ON encryption_keys TO ceoagent_app, ceoagent_service;
ALTER TABLE encryption_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE encryption_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY key_rows ON encryption_keys TO ceoagent_app, ceoagent_service USING (true) WITH CHECK (true);
