"""The function that appends, now sure of the log whatever its caller says, as a migration."""

from typing import LiteralString

from infrastructure.eventstore.migration_append import (
    CHECKS,
    END,
    END_IF,
    LATE,
    POSITIONS,
    STORE,
    STORE_ONE,
)

_SIGNATURE: LiteralString = """
DROP FUNCTION stratal.append_events(
    int[], uuid[], bigint[], text[], bytea[], uuid[], text[], text[], int, jsonb, jsonb, text
);

-- As before, but nothing that keeps a stream whole is left to the caller, who may be anybody with
-- the service's role: the streams are counted here, the versions of each must go on without a gap
-- in the order in which they are given, and an append that moved fewer streams is refused even
-- where no request can be named.
CREATE FUNCTION stratal.append_events(
    requests int[], ids uuid[], versions bigint[], topics text[], states bytea[], event_ids uuid[],
    tenants text[], metadatas text[], claims jsonb, receipts jsonb, announcement text
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    size int := coalesce(cardinality(ids), 0);
    head bigint;
    clock_us bigint;
    stream_count int := 0;
    streams_written int := 0;
    updated int;
    refused text := '';
"""

_MOVE_ONE_STREAM: LiteralString = """\
        IF size = 1 THEN
            stream_count := 1;
            IF versions[1] IN (0, 1) THEN
                INSERT INTO stratal.streams
                    (originator_id, tenant, version, first_position, last_position)
                VALUES (ids[1], tenants[1], versions[1], head + 1, head + 1)
                ON CONFLICT (originator_id) DO NOTHING;
                GET DIAGNOSTICS streams_written = ROW_COUNT;
            END IF;
            IF streams_written = 0 THEN
                UPDATE stratal.streams SET version = versions[1], last_position = head + 1
                WHERE originator_id = ids[1] AND version = versions[1] - 1 AND tenant = tenants[1];
                GET DIAGNOSTICS streams_written = ROW_COUNT;
            END IF;
        ELSE
"""

_MOVE_STREAMS: LiteralString = """\
        -- ``before`` is what the version of the stream must have been, by each of its events.
        INSERT INTO stratal.streams (originator_id, tenant, version, first_position, last_position)
        SELECT e.id, min(e.tenant), max(e.version), head + min(e.place), head + max(e.place)
        FROM (
            SELECT g.*, g.version - row_number() OVER (PARTITION BY g.id ORDER BY g.place) AS before
            FROM unnest(ids, versions, tenants) WITH ORDINALITY AS g(id, version, tenant, place)
        ) AS e
        GROUP BY e.id
        HAVING min(e.before) IN (-1, 0) AND min(e.before) = max(e.before)
           AND min(e.tenant) = max(e.tenant)
        ON CONFLICT (originator_id) DO NOTHING;
        GET DIAGNOSTICS streams_written = ROW_COUNT;

        stream_count := (SELECT count(DISTINCT id) FROM unnest(ids) AS id);
        IF streams_written < stream_count THEN
            UPDATE stratal.streams AS s SET version = e.last, last_position = head + e.place
            FROM (
                SELECT b.id, min(b.tenant) AS tenant, min(b.before) AS before,
                       max(b.version) AS last, max(b.place) AS place
                FROM (
                    SELECT g.*,
                        g.version - row_number() OVER (PARTITION BY g.id ORDER BY g.place) AS before
                    FROM unnest(ids, versions, tenants) WITH ORDINALITY
                        AS g(id, version, tenant, place)
                ) AS b
                GROUP BY b.id
                HAVING min(b.before) = max(b.before) AND min(b.tenant) = max(b.tenant)
            ) AS e
            WHERE s.originator_id = e.id AND s.version = e.before AND s.tenant = e.tenant;
            GET DIAGNOSTICS updated = ROW_COUNT;
            streams_written := streams_written + updated;
        END IF;
"""

_REFUSE: LiteralString = """\
    IF refused <> '' OR streams_written < stream_count THEN
"""

_RIGHTS: LiteralString = """
REVOKE EXECUTE ON FUNCTION
    stratal.append_events(
        int[], uuid[], bigint[], text[], bytea[], uuid[], text[], text[], jsonb, jsonb, text
    ),
    stratal.make_room(bigint, bigint),
    stratal.make_partition(bigint, bigint)
FROM PUBLIC;
"""

APPEND_GUARDED: LiteralString = (
    _SIGNATURE
    + CHECKS
    + _MOVE_ONE_STREAM
    + _MOVE_STREAMS
    + END_IF
    + LATE
    + _REFUSE
    + POSITIONS
    + STORE_ONE
    + STORE
    + END_IF
    + END
    + _RIGHTS
)
