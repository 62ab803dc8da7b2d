"""The notary's tables: what it kept of every event, and what it signed. Rows are only added."""

from typing import LiteralString

_TABLES: LiteralString = """
-- The name of this log in its checkpoints: a key may sign for several logs.
CREATE TABLE stratal.notary_log (origin text NOT NULL);
INSERT INTO stratal.notary_log VALUES ('stratal/' || gen_random_uuid());

-- Leaves number first, first + 1, … of the tree: 40 bytes each, an event's position and the hash of
-- its leaf. No row reaches over a multiple of 256.
CREATE TABLE stratal.notary_leaves (
    first         bigint PRIMARY KEY,
    last_position bigint NOT NULL UNIQUE,
    entries       bytea  NOT NULL CHECK (length(entries) % 40 = 0)
);
-- Hashes do not compress: store them as they are.
ALTER TABLE stratal.notary_leaves ALTER COLUMN entries SET STORAGE EXTERNAL;

-- The roots of complete subtrees of 2 ^ height leaves, from 256 on. Leaves make up smaller ones.
CREATE TABLE stratal.notary_nodes (
    height smallint NOT NULL CHECK (height >= 8),
    place  bigint   NOT NULL,
    hash   bytea    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (height, place)
);

-- Signed notes. What else a checkpoint says is in its note alone.
CREATE TABLE stratal.checkpoints (
    size bigint PRIMARY KEY,
    note text   NOT NULL
);
"""

MIGRATIONS: tuple[tuple[str, LiteralString], ...] = (("notary.1", _TABLES),)
