-- The settings that the policies read are the same for a whole statement: asked in a sub-select they are
-- read once a statement instead of once a row (a count over many rows takes half the time).
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['tenants', 'users', 'api_keys', 'decision_trails', 'idempotency_keys', 'jobs',
                             'outbox', 'decision_feedback', 'documents', 'chunks', 'audit_logs']
    LOOP
        EXECUTE format('ALTER POLICY app_rows ON %I USING (tenant_id = (SELECT app_tenant()))
                        WITH CHECK (tenant_id = (SELECT app_tenant()))', t);
    END LOOP;
END $$;
ALTER POLICY app_rows ON decisions
    USING (tenant_id = (SELECT app_tenant())
           AND ((SELECT app_sees_all()) OR user_id = (SELECT app_user())))
    WITH CHECK (tenant_id = (SELECT app_tenant())
                AND ((SELECT app_sees_all()) OR user_id = (SELECT app_user())));
