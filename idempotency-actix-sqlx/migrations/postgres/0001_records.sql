-- The records of idempotency-actix. Times are microseconds since 1970, durations are microseconds.
--
-- kind: 1 claim, 2 answer, 3 answer that was not kept, 4 given up (remembers its generation).
-- A renewal changes `seen` alone, which no index has: it is a HOT update, in the room that the fill factor leaves.
CREATE TABLE IF NOT EXISTS "idempotency_records" (
    id bytea PRIMARY KEY,
    kind integer NOT NULL,
    token bytea NOT NULL,
    generation bigint NOT NULL,
    fingerprint bytea NOT NULL,
    lease bigint,
    retention bigint,
    begun bigint NOT NULL,
    seen bigint NOT NULL,
    expires bigint NOT NULL,
    answer bytea,
    method text,
    route text,
    label text
) WITH (fillfactor = 80);

CREATE INDEX IF NOT EXISTS "idempotency_records_expires" ON "idempotency_records" (expires);

-- Claims in the order in which they were taken, for the listing of unknown outcomes.
CREATE INDEX IF NOT EXISTS "idempotency_records_claims" ON "idempotency_records" (begun, id)
    WHERE kind = 1 AND method IS NOT NULL;

-- For operators: no key, no caller, no answer. A label is what the application gives for operators.
CREATE OR REPLACE VIEW "idempotency_records_view" AS
SELECT
    encode(id, 'hex') AS id,
    CASE
        WHEN kind = 1 AND seen + lease > extract(epoch FROM clock_timestamp()) * 1000000 THEN 'in flight'
        WHEN kind = 1 THEN 'unknown'
        WHEN kind = 2 THEN 'completed'
        WHEN kind = 3 THEN 'not kept'
        WHEN kind = 4 THEN 'given up'
        ELSE 'unreadable'
    END AS state,
    method,
    route,
    label,
    generation,
    to_timestamp(begun / 1000000.0) AS begun,
    to_timestamp(seen / 1000000.0) AS last_seen,
    to_timestamp(
        CASE kind WHEN 1 THEN seen + greatest(lease, retention) ELSE expires END / 1000000.0
    ) AS expires,
    octet_length(answer) AS octets
FROM "idempotency_records";
