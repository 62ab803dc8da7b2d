"""The log in partitions with the heads of its streams, and how it is read, as migrations."""

from typing import LiteralString

STREAMS: LiteralString = """
-- Where the partitions of the log begin and end; one that was detached stays on record.
CREATE TABLE stratal.partitions (
    first_position bigint      PRIMARY KEY,
    last_position  bigint      NOT NULL,
    table_name     text        NOT NULL UNIQUE,
    detached_at    timestamptz
);

-- The head of every stream: what decides whether an append comes too late, and between which
-- positions its events lie.
CREATE TABLE stratal.streams (
    originator_id  uuid   PRIMARY KEY,
    tenant         text   NOT NULL,
    version        bigint NOT NULL,
    first_position bigint NOT NULL,
    last_position  bigint NOT NULL
) WITH (fillfactor = 80);

-- The last position given, and the last time (microseconds since 1970). They are taken and moved on
-- under the lock of the log, so that both only rise.
CREATE SEQUENCE stratal.log_position;
CREATE SEQUENCE stratal.log_clock;

ALTER TABLE stratal.events RENAME TO events_before;
CREATE TABLE stratal.events (
    originator_id      uuid        NOT NULL,
    originator_version bigint      NOT NULL,
    topic              text        NOT NULL,
    state              bytea       NOT NULL,
    notification_id    bigint      NOT NULL,
    event_id           uuid        NOT NULL,
    tenant             text        NOT NULL,
    metadata           json        NOT NULL,
    recorded_at        timestamptz NOT NULL,
    CONSTRAINT events_position PRIMARY KEY (notification_id)
) PARTITION BY RANGE (notification_id);
CREATE INDEX events_stream ON stratal.events (originator_id, originator_version);

CREATE FUNCTION stratal.make_partition(first bigint, last bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    part text := 'events_from_' || first;
BEGIN
    -- Attaching lets readers and writers of the table go on; CREATE TABLE … PARTITION OF would not.
    EXECUTE format('CREATE TABLE stratal.%I (LIKE stratal.events INCLUDING ALL)', part);
    EXECUTE format(
        'ALTER TABLE stratal.events ATTACH PARTITION stratal.%I FOR VALUES FROM (%s) TO (%s)',
        part, first, last + 1
    );
    INSERT INTO stratal.partitions (first_position, last_position, table_name)
    VALUES (first, last, part);
END $$;

CREATE FUNCTION stratal.make_room(up_to bigint, width bigint DEFAULT 5000000) RETURNS void
LANGUAGE plpgsql AS $$
-- Called by appends from the middle of the last partition on, so there is half a partition of time
-- in which another session's work on the table may be in the way.
DECLARE
    tail stratal.partitions;
BEGIN
    LOOP
        SELECT * INTO tail FROM stratal.partitions ORDER BY first_position DESC LIMIT 1;
        EXIT WHEN up_to <= tail.first_position + (tail.last_position - tail.first_position) / 2;
        BEGIN
            IF up_to > tail.last_position THEN
                LOCK TABLE stratal.events IN SHARE UPDATE EXCLUSIVE MODE;
            ELSE
                LOCK TABLE stratal.events IN SHARE UPDATE EXCLUSIVE MODE NOWAIT;
            END IF;
            PERFORM stratal.make_partition(tail.last_position + 1, tail.last_position + width);
        EXCEPTION WHEN lock_not_available THEN
            IF up_to > tail.last_position THEN
                RAISE;
            END IF;
            EXIT;
        END;
    END LOOP;
END $$;

DO $$
DECLARE
    head bigint := coalesce((SELECT max(notification_id) FROM stratal.events_before), 0);
    clock timestamptz;
BEGIN
    PERFORM stratal.make_partition(1, 5000000);
    PERFORM stratal.make_room(head);

    INSERT INTO stratal.events
    SELECT originator_id, originator_version, topic, state, notification_id, event_id, tenant,
           metadata::text::json, max(recorded_at) OVER (ORDER BY notification_id)
    FROM stratal.events_before;

    INSERT INTO stratal.streams
    SELECT originator_id, min(tenant), max(originator_version), min(notification_id),
           max(notification_id)
    FROM stratal.events_before GROUP BY originator_id;

    IF head > 0 THEN
        SELECT max(recorded_at) INTO clock FROM stratal.events_before;
        PERFORM setval('stratal.log_position', head);
        PERFORM setval('stratal.log_clock', (extract(epoch FROM clock) * 1000000)::bigint);
    END IF;
END $$;
DROP TABLE stratal.events_before;
"""

READS: LiteralString = """
-- Each asks one partition after the other, by its own name. A query of the whole table would be
-- planned over all partitions, and lock them all, however few rows it wants.

CREATE FUNCTION stratal.stream_events(
    stream uuid, after_version bigint, up_to_version bigint, up_to bigint, backwards boolean,
    size bigint
) RETURNS SETOF stratal.events
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part text;
    found_here bigint;
BEGIN
    FOR part IN
        SELECT p.table_name
        FROM stratal.streams AS s JOIN stratal.partitions AS p
          ON p.last_position >= s.first_position AND p.first_position <= s.last_position
        WHERE s.originator_id = stream AND p.detached_at IS NULL
          AND (up_to IS NULL OR p.first_position <= up_to)
        ORDER BY CASE WHEN backwards THEN -p.first_position ELSE p.first_position END
    LOOP
        RETURN QUERY EXECUTE format(
            'SELECT * FROM stratal.%I
             WHERE originator_id = $1 AND originator_version > $2 AND originator_version <= $3
               AND ($4 IS NULL OR notification_id <= $4)
             ORDER BY originator_version %s LIMIT $5',
            part, CASE WHEN backwards THEN 'DESC' ELSE '' END
        )
        USING stream, coalesce(after_version, -1), coalesce(up_to_version, 9223372036854775807),
            up_to, size;
        GET DIAGNOSTICS found_here = ROW_COUNT;
        size := size - found_here;
        EXIT WHEN size <= 0;
    END LOOP;
END $$;

CREATE FUNCTION stratal.events_after(
    after bigint, up_to bigint, of_topics text[], of_tenant text, size bigint
) RETURNS SETOF stratal.events
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part text;
    found_here bigint;
BEGIN
    FOR part IN
        SELECT table_name FROM stratal.partitions
        WHERE last_position > after AND detached_at IS NULL
          AND (up_to IS NULL OR first_position <= up_to)
        ORDER BY first_position
    LOOP
        RETURN QUERY EXECUTE format(
            'SELECT * FROM stratal.%I
             WHERE notification_id > $1
               AND ($2 IS NULL OR notification_id <= $2)
               AND ($3 IS NULL OR topic = ANY ($3))
               AND ($4 IS NULL OR tenant = $4)
             ORDER BY notification_id LIMIT $5', part
        )
        USING after, up_to, of_topics, of_tenant, size;
        GET DIAGNOSTICS found_here = ROW_COUNT;
        size := size - found_here;
        EXIT WHEN size <= 0;
    END LOOP;
END $$;

CREATE FUNCTION stratal.head() RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- The last position that is committed. The sequence may be ahead of it by an append that is under
-- way or was rolled back; it only says where to look.
DECLARE
    part text;
    head bigint;
BEGIN
    FOR part IN
        SELECT table_name FROM stratal.partitions
        WHERE first_position <= pg_sequence_last_value('stratal.log_position')
          AND detached_at IS NULL
        ORDER BY first_position DESC
    LOOP
        EXECUTE format('SELECT max(notification_id) FROM stratal.%I', part) INTO head;
        EXIT WHEN head IS NOT NULL;
    END LOOP;
    RETURN coalesce(head, 0);
END $$;

CREATE FUNCTION stratal.position_at(moment timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- The last position recorded at or before *moment*, 0 if there is none: times rise with positions,
-- so halving finds it, first among the partitions, then within one.
DECLARE
    parts stratal.partitions[] := ARRAY(
        SELECT p FROM stratal.partitions AS p WHERE p.detached_at IS NULL ORDER BY p.first_position
    );
    low bigint := 1;
    high bigint := cardinality(parts) + 1;
    middle bigint;
    part text;
    at timestamptz;
    here bigint;
BEGIN
    WHILE high - low > 1 LOOP
        middle := (low + high) / 2;
        EXECUTE format(
            'SELECT recorded_at FROM stratal.%I ORDER BY notification_id LIMIT 1',
            parts[middle].table_name
        ) INTO at;
        IF at <= moment THEN low := middle; ELSE high := middle; END IF;
    END LOOP;
    part := parts[low].table_name;
    high := parts[low].last_position + 1;
    low := parts[low].first_position - 1;
    here := 0;
    WHILE high - low > 1 LOOP
        middle := (low + high) / 2;
        EXECUTE format(
            'SELECT notification_id, recorded_at FROM stratal.%I
             WHERE notification_id >= $1 AND notification_id < $2 ORDER BY notification_id LIMIT 1',
            part
        ) INTO here, at USING middle, high;
        IF at <= moment THEN low := here; ELSE high := middle; END IF;
    END LOOP;
    RETURN CASE WHEN low < parts[1].first_position THEN 0 ELSE low END;
END $$;
"""
