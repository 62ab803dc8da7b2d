"""The function that appends what several requests bring, as migrations."""

from typing import LiteralString

_INTRODUCTION: LiteralString = """
DROP FUNCTION stratal.append_events(
    uuid[], bigint[], text[], bytea[], uuid[], text[], text[], jsonb, jsonb, text
);

-- Appends what several requests bring, all or nothing, and returns the position of the first event.
-- Refused requests are named in the detail of the error, each with its reason, so that the others
-- can be sent again without them. No two requests of a call may touch the same stream, receipt or
-- name: the caller sees to that, it has them in hand.
--
-- One writer at a time from here to the end of its transaction: the lock is taken before a position
-- is, and let go after the commit is visible, so positions appear in their order and a reader who
-- asks for what lies beyond the last one it saw misses nothing. Streams, receipts and claims are
-- checked behind the same lock, so they cannot race either.
--
-- The plans of this function live as long as a session, so they must suit large tables from the
-- start: what could be read whole while it is small is read by index always.
"""

_SIGNATURE: LiteralString = """ stratal.append_events(
    requests int[], ids uuid[], versions bigint[], topics text[], states bytea[], event_ids uuid[],
    tenants text[], metadatas text[], stream_count int, claims jsonb, receipts jsonb,
    announcement text
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    size int := cardinality(ids);
    head bigint;
    clock_us bigint;
    streams_written int := 0;
    updated int;
    refused text := '';
"""

CHECKS: LiteralString = """\
BEGIN
    PERFORM pg_advisory_xact_lock(7301, 1);
    head := coalesce(pg_sequence_last_value('stratal.log_position'), 0);

    IF receipts IS NOT NULL THEN
        WITH given AS (
            SELECT * FROM jsonb_to_recordset(receipts) AS r(
                request int, place int, tenant text, command_id text, fingerprint text,
                command text, aggregate_id uuid, version bigint
            )
        ), written AS (
            INSERT INTO stratal.receipts
                (tenant, command_id, fingerprint, command, aggregate_id, version, position)
            SELECT tenant, command_id, fingerprint, command, aggregate_id, version,
                   CASE WHEN place > 0 THEN head + place ELSE 0 END
            FROM given
            ON CONFLICT DO NOTHING
            RETURNING tenant, command_id
        )
        SELECT coalesce(string_agg(request || ':receipt ', ''), '') INTO refused FROM given
        WHERE (tenant, command_id) NOT IN (SELECT tenant, command_id FROM written);
    END IF;

    IF claims IS NOT NULL THEN
        WITH given AS (
            SELECT * FROM jsonb_to_recordset(claims)
                AS c(request int, tenant text, kind text, name text, holder uuid)
        ), written AS (
            INSERT INTO stratal.claims (tenant, kind, name, holder)
            SELECT tenant, kind, name, holder FROM given
            ON CONFLICT (tenant, kind, name) DO UPDATE SET holder = EXCLUDED.holder
                WHERE claims.holder = EXCLUDED.holder
            RETURNING tenant, kind, name
        )
        SELECT refused || coalesce(string_agg(request || ':name ', ''), '') INTO refused FROM given
        WHERE (tenant, kind, name) NOT IN (SELECT tenant, kind, name FROM written);
    END IF;

    IF size > 0 THEN
"""

_MOVE_STREAMS: LiteralString = """\
        INSERT INTO stratal.streams (originator_id, tenant, version, first_position, last_position)
        SELECT e.id, min(e.tenant), max(e.version), head + min(e.place), head + max(e.place)
        FROM unnest(ids, versions, tenants) WITH ORDINALITY AS e(id, version, tenant, place)
        GROUP BY e.id HAVING min(e.version) <= 1 AND max(e.version) - min(e.version) + 1 = count(*)
        ON CONFLICT (originator_id) DO NOTHING;
        GET DIAGNOSTICS streams_written = ROW_COUNT;

        IF streams_written < stream_count THEN
            UPDATE stratal.streams AS s SET version = e.last, last_position = head + e.place
            FROM (
                SELECT g.id, min(g.tenant) AS tenant, min(g.version) AS first,
                       max(g.version) AS last, max(g.place) AS place, count(*) AS size
                FROM unnest(ids, versions, tenants) WITH ORDINALITY AS g(id, version, tenant, place)
                GROUP BY g.id
            ) AS e
            WHERE s.originator_id = e.id AND s.version = e.first - 1 AND s.tenant = e.tenant
              AND e.last - e.first + 1 = e.size;
            GET DIAGNOSTICS updated = ROW_COUNT;
            streams_written := streams_written + updated;
        END IF;
"""

LATE: LiteralString = """
        IF streams_written < stream_count THEN
            -- Those that were written have moved to the position of their last event here.
            SELECT refused || coalesce(string_agg(e.request || ':version ', ''), '') INTO refused
            FROM (
                SELECT g.id, min(g.request) AS request, max(g.place) AS place
                FROM unnest(requests, ids) WITH ORDINALITY AS g(request, id, place)
                GROUP BY g.id
            ) AS e
            LEFT JOIN stratal.streams AS s ON s.originator_id = e.id
            WHERE s.last_position IS DISTINCT FROM head + e.place;
        END IF;
    END IF;

"""

_REFUSE: LiteralString = """\
    IF refused <> '' THEN
"""

POSITIONS: LiteralString = """\
        RAISE EXCEPTION 'some of these appends come too late'
            USING ERRCODE = 'ST003', DETAIL = refused;
    END IF;
    IF size = 0 THEN
        RETURN 0;
    END IF;

    IF head + size > (
        SELECT p.first_position + (p.last_position - p.first_position) / 2
        FROM stratal.partitions AS p ORDER BY p.first_position DESC LIMIT 1
    ) THEN
        PERFORM stratal.make_room(head + size);
    END IF;
    clock_us := greatest(
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
        pg_sequence_last_value('stratal.log_clock')
    );
    PERFORM setval('stratal.log_clock', clock_us), setval('stratal.log_position', head + size);

"""

STORE: LiteralString = """\
    INSERT INTO stratal.events (
        originator_id, originator_version, topic, state, notification_id, event_id, tenant,
        metadata, recorded_at
    )
    SELECT e.id, e.version, e.topic, e.state, head + e.place, e.event_id, e.tenant,
           e.metadata::json, 'epoch'::timestamptz + clock_us * interval '1 microsecond'
    FROM unnest(ids, versions, topics, states, event_ids, tenants, metadatas) WITH ORDINALITY
        AS e(id, version, topic, state, event_id, tenant, metadata, place);
"""

END: LiteralString = """
    PERFORM pg_notify('stratal_log', head + size || announcement);
    RETURN head + 1;
END $$;
"""

# One event in a transaction is what a caller alone sends. A set of one row costs more to make than
# to use, so without sets the server takes a quarter less time for it.
_MOVE_ONE_STREAM: LiteralString = """\
        IF size = 1 THEN
            IF versions[1] <= 1 THEN
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

STORE_ONE: LiteralString = """\
    IF size = 1 THEN
        INSERT INTO stratal.events (
            originator_id, originator_version, topic, state, notification_id, event_id, tenant,
            metadata, recorded_at
        )
        VALUES (
            ids[1], versions[1], topics[1], states[1], head + 1, event_ids[1], tenants[1],
            metadatas[1]::json, 'epoch'::timestamptz + clock_us * interval '1 microsecond'
        );
    ELSE
"""

END_IF: LiteralString = "END IF;\n"

APPEND_BATCH: LiteralString = (
    _INTRODUCTION
    + "CREATE FUNCTION"
    + _SIGNATURE
    + CHECKS
    + _MOVE_STREAMS
    + LATE
    + _REFUSE
    + POSITIONS
    + STORE
    + END
)

APPEND_ONE: LiteralString = (
    "CREATE OR REPLACE FUNCTION"
    + _SIGNATURE
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
)
