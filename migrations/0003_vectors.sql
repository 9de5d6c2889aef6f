-- Vectors of the chunks. They stand here first: the vector store is filled from these rows by way of
-- the outbox, and refilled from them when it has lost its data, without asking the model again.

-- Which embedding models are in use. New vectors go to the index of the configured model; queries are
-- asked of the serving one. After a change of model the new index is 'building' until every document
-- has its vectors there, then it serves and the old one is 'retired', which drops it.
CREATE TABLE vector_indexes (
    model       text PRIMARY KEY CHECK (length(model) BETWEEN 1 AND 200),
    class       text NOT NULL UNIQUE,     -- the class in Weaviate
    dimension   int CHECK (dimension BETWEEN 1 AND 16384),  -- known with the first vector
    state       text NOT NULL CHECK (state IN ('building', 'serving', 'retired')),
    refilled_at timestamptz,              -- the store was found empty and everything was sent again
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX vector_indexes_serving ON vector_indexes (state) WHERE state = 'serving';

CREATE TABLE chunk_vectors (
    chunk_id    uuid NOT NULL REFERENCES chunks ON DELETE CASCADE,
    model       text NOT NULL,
    tenant_id   uuid NOT NULL,
    document_id uuid NOT NULL,
    text_sha256 bytea NOT NULL CHECK (length(text_sha256) = 32),  -- of what was embedded
    dimension   int NOT NULL CHECK (dimension BETWEEN 1 AND 16384),
    vector      bytea NOT NULL CHECK (length(vector) = 4 * dimension),  -- float32, little endian
    PRIMARY KEY (chunk_id, model)
);
CREATE INDEX chunk_vectors_text ON chunk_vectors (tenant_id, model, text_sha256);

ALTER TABLE documents
    ADD COLUMN vectors_model  text,         -- all its chunks have vectors of this model
    ADD COLUMN vectors_due_at timestamptz,  -- a worker has it in hand, or a failure pauses it until then
    ADD COLUMN vectors_tries  int NOT NULL DEFAULT 0;
CREATE INDEX documents_vectors ON documents (vectors_model) WHERE status = 'ready';

GRANT SELECT ON vector_indexes TO ceoagent_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON vector_indexes, chunk_vectors TO ceoagent_service;
GRANT SELECT ON chunk_vectors TO ceoagent_app;
ALTER TABLE vector_indexes ENABLE ROW LEVEL SECURITY;
ALTER TABLE vector_indexes FORCE ROW LEVEL SECURITY;
ALTER TABLE chunk_vectors ENABLE ROW LEVEL SECURITY;
ALTER TABLE chunk_vectors FORCE ROW LEVEL SECURITY;
CREATE POLICY index_rows ON vector_indexes TO ceoagent_app, ceoagent_service USING (true)
    WITH CHECK (current_user = 'ceoagent_service');
CREATE POLICY app_rows ON chunk_vectors TO ceoagent_app USING (tenant_id = (SELECT app_tenant()))
    WITH CHECK (tenant_id = (SELECT app_tenant()));
CREATE POLICY service_rows ON chunk_vectors TO ceoagent_service USING (current_user = 'ceoagent_service')
    WITH CHECK (current_user = 'ceoagent_service');
