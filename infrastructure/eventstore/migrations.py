"""The tables of the log and the one function that appends to it, as migrations in their order."""

from typing import LiteralString

from infrastructure.eventstore.migration_append import APPEND_BATCH, APPEND_ONE
from infrastructure.eventstore.migration_append_guarded import APPEND_GUARDED
from infrastructure.eventstore.migration_streams import READS, STREAMS
from infrastructure.eventstore.migration_walls import WALLS

LOG: LiteralString = """
CREATE TABLE stratal.events (
    originator_id      uuid        NOT NULL,
    originator_version bigint      NOT NULL,
    topic              text        NOT NULL,
    state              bytea       NOT NULL,
    notification_id    bigint      NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
    event_id           uuid        NOT NULL UNIQUE,
    tenant             text        NOT NULL,
    metadata           jsonb       NOT NULL,
    recorded_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (originator_id, originator_version)
);

CREATE TABLE stratal.claims (
    tenant text NOT NULL,
    kind   text NOT NULL,
    name   text NOT NULL,
    holder uuid NOT NULL,
    PRIMARY KEY (tenant, kind, name)
);

CREATE TABLE stratal.receipts (
    tenant       text        NOT NULL,
    command_id   text        NOT NULL,
    fingerprint  text        NOT NULL,
    command      text        NOT NULL,
    aggregate_id uuid        NOT NULL,
    version      bigint      NOT NULL,
    position     bigint      NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, command_id)
);
"""

APPEND: LiteralString = """
-- One writer at a time from here to the end of its transaction: the lock is taken before the
-- sequence and let go after the commit is visible, so positions appear in their order and a reader
-- who asks for what lies beyond the last one it saw misses nothing. Receipts and claims are checked
-- behind the same lock, so they cannot race either.
CREATE FUNCTION stratal.append_events(
    ids uuid[], versions bigint[], topics text[], states bytea[], event_ids uuid[], tenants text[],
    metadatas text[], claim jsonb, receipt jsonb, announcement text
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    positions bigint[];
    head bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(7301, 1);

    IF EXISTS (
        SELECT FROM stratal.receipts AS r
        WHERE r.tenant = receipt->>'tenant' AND r.command_id = receipt->>'command_id'
    ) THEN
        RAISE EXCEPTION 'this command has a receipt' USING ERRCODE = 'ST001';
    END IF;

    IF claim IS NOT NULL THEN
        INSERT INTO stratal.claims (tenant, kind, name, holder)
        VALUES (claim->>'tenant', claim->>'kind', claim->>'name', (claim->>'holder')::uuid)
        ON CONFLICT (tenant, kind, name) DO UPDATE SET holder = EXCLUDED.holder
            WHERE claims.holder = EXCLUDED.holder;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'this name is held by another' USING ERRCODE = 'ST002';
        END IF;
    END IF;

    WITH appended AS (
        INSERT INTO stratal.events
            (originator_id, originator_version, topic, state, event_id, tenant, metadata)
        SELECT e.id, e.version, e.topic, e.state, e.event_id, e.tenant, e.metadata::jsonb
        FROM unnest(ids, versions, topics, states, event_ids, tenants, metadatas) WITH ORDINALITY
            AS e(id, version, topic, state, event_id, tenant, metadata, place)
        ORDER BY e.place
        RETURNING notification_id
    )
    SELECT array_agg(notification_id ORDER BY notification_id), max(notification_id)
    INTO positions, head FROM appended;

    IF receipt IS NOT NULL THEN
        INSERT INTO stratal.receipts
            (tenant, command_id, fingerprint, command, aggregate_id, version, position)
        VALUES (
            receipt->>'tenant', receipt->>'command_id', receipt->>'fingerprint',
            receipt->>'command', (receipt->>'aggregate_id')::uuid,
            (receipt->>'version')::bigint, coalesce(head, 0)
        );
    END IF;

    IF head IS NOT NULL THEN
        PERFORM pg_notify('stratal_log', head || announcement);
    END IF;
    RETURN coalesce(positions, '{}');
END $$;
"""

PROJECTIONS: LiteralString = """
CREATE TABLE stratal.projections (
    name       text        NOT NULL,
    version    integer     NOT NULL,
    position   bigint      NOT NULL DEFAULT 0,
    live       boolean     NOT NULL DEFAULT false,
    failure    text,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (name, version)
);
CREATE UNIQUE INDEX projections_live ON stratal.projections (name) WHERE live;
"""

MIGRATIONS: tuple[tuple[str, LiteralString], ...] = (
    ("eventstore_log", LOG),
    ("eventstore_append", APPEND),
    ("eventstore_projections", PROJECTIONS),
    ("eventstore_streams", STREAMS),
    ("eventstore_reads", READS),
    ("eventstore_append_batch", APPEND_BATCH),
    ("eventstore_append_one", APPEND_ONE),
    ("eventstore_append_guarded", APPEND_GUARDED),
    ("eventstore_walls", WALLS),
)
