"""What the projections keep beside the log, as migrations in their order."""

from typing import LiteralString

PARKED: LiteralString = """
-- Whoever changes a projection's tables from outside raises its epoch in the same transaction; the
-- leader that does not know of it writes nothing more until it has looked again.
ALTER TABLE stratal.projections ADD COLUMN epoch integer NOT NULL DEFAULT 1;
-- From now on a failure is one of the tables, which are made anew. An event that could not be
-- folded is tried again.
UPDATE stratal.projections SET failure = NULL;

CREATE TABLE stratal.parked (
    projection text        NOT NULL,
    version    integer     NOT NULL,
    position   bigint      NOT NULL,
    stream     uuid        NOT NULL,
    topic      text        NOT NULL,
    reason     text        NOT NULL,
    attempts   integer     NOT NULL,
    parked_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (projection, version, position),
    FOREIGN KEY (projection, version) REFERENCES stratal.projections (name, version)
        ON DELETE CASCADE
);

CREATE FUNCTION stratal.move_projections(
    names text[], versions integer[], epochs integer[], positions bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    moved bigint;
BEGIN
    UPDATE stratal.projections AS p
    SET position = m.position, failure = NULL, updated_at = clock_timestamp()
    FROM unnest(names, versions, epochs, positions) AS m (name, version, epoch, position)
    WHERE p.name = m.name AND p.version = m.version AND p.epoch = m.epoch;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> cardinality(names) THEN
        RAISE EXCEPTION 'the tables were changed by another' USING ERRCODE = 'ST010';
    END IF;
END $$;
"""

TOLD: LiteralString = """
ALTER TABLE stratal.parked ADD COLUMN told boolean NOT NULL DEFAULT false;
"""
"""Whether the log has an event about it."""

FORWARD: LiteralString = """
-- A position only moves forward, so what was written already is not written a second time.
CREATE OR REPLACE FUNCTION stratal.move_projections(
    names text[], versions integer[], epochs integer[], positions bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    moved bigint;
BEGIN
    UPDATE stratal.projections AS p
    SET position = m.position, failure = NULL, updated_at = clock_timestamp()
    FROM unnest(names, versions, epochs, positions) AS m (name, version, epoch, position)
    WHERE p.name = m.name AND p.version = m.version AND p.epoch = m.epoch
      AND p.position < m.position;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> cardinality(names) THEN
        RAISE EXCEPTION 'the tables were changed by another' USING ERRCODE = 'ST010';
    END IF;
END $$;
"""

MIGRATIONS: tuple[tuple[str, LiteralString], ...] = (
    ("projections_parked", PARKED),
    ("projections_parked_told", TOLD),
    ("projections_forward", FORWARD),
)
