-- The records of idempotency-actix. Times are microseconds since 1970, durations are microseconds.
--
-- kind: 1 claim, 2 answer, 3 answer that was not kept, 4 given up (remembers its generation).
CREATE TABLE IF NOT EXISTS "idempotency_records" (
    id BLOB NOT NULL PRIMARY KEY,
    kind INTEGER NOT NULL,
    token BLOB NOT NULL,
    generation INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    lease INTEGER,
    retention INTEGER,
    begun INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    answer BLOB,
    method TEXT,
    route TEXT,
    label TEXT
) STRICT;

CREATE INDEX IF NOT EXISTS "idempotency_records_expires" ON "idempotency_records" (expires);

-- Claims in the order in which they were taken, for the listing of unknown outcomes.
CREATE INDEX IF NOT EXISTS "idempotency_records_claims" ON "idempotency_records" (begun, id)
    WHERE kind = 1 AND method IS NOT NULL;

-- For operators: no key, no caller, no answer. A label is what the application gives for operators.
CREATE VIEW IF NOT EXISTS "idempotency_records_view" AS
SELECT
    lower(hex(id)) AS id,
    CASE
        WHEN kind = 1 AND seen + lease > unixepoch('subsec') * 1000000 THEN 'in flight'
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
    strftime('%Y-%m-%dT%H:%M:%fZ', begun / 1000000.0, 'unixepoch') AS begun,
    strftime('%Y-%m-%dT%H:%M:%fZ', seen / 1000000.0, 'unixepoch') AS last_seen,
    strftime(
        '%Y-%m-%dT%H:%M:%fZ',
        CASE kind WHEN 1 THEN seen + max(lease, retention) ELSE expires END / 1000000.0,
        'unixepoch'
    ) AS expires,
    length(answer) AS octets
FROM "idempotency_records";
