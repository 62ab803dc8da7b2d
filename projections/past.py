"""Tables that keep their past: what an event replaces is kept, with the position that replaced it.

For a table of things, one row each, whose key is ``(tenant, <table>_id)``, whose ``version`` is
that of the last event and whose ``position`` that of the first. Beside it ``<table>_past`` has the
changing columns of every former state, each valid before the position ``until``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString


@dataclass(frozen=True, slots=True)
class Kept:
    """A table by name, the columns that stay, and those that its events change."""

    table: LiteralString
    fixed: Sequence[LiteralString]
    changing: Sequence[LiteralString]

    @property
    def schema(self) -> LiteralString:
        """Makes ``<table>_past``, once the table is there."""
        return self._filled(_SCHEMA)

    def update(self, assignments: LiteralString) -> LiteralString:
        """Make *assignments* to the thing that an event is about, and keep what it was before.

        Both parts of the statement see the row as it was. An event that the row has already
        changes nothing.
        """
        return self._filled(_UPDATE) + assignments + self._filled(" <its_row>")

    @property
    def past(self) -> LiteralString:
        """The table as it was at position ``%(as_of)s``, for a WITH list.

        A thing was as its first state that was replaced later; or, where none was, as it is. An
        index finds that state, so the question costs about what it costs of the present.
        """
        return self._filled(_PAST)

    def _filled(self, template: LiteralString) -> LiteralString:
        return (
            template.replace("<its_row>", _ITS_ROW)
            .replace("<changing>", ", ".join(self.changing))
            .replace("<was.changing>", _of("was.", self.changing))
            .replace("<now.changing>", _of("now.", self.changing))
            .replace("<now.fixed>", _of("now.", self.fixed))
            .replace("<table>", self.table)
        )


def grown(table: LiteralString, position: LiteralString = "position") -> LiteralString:
    """The rows of *table* that were there at ``%(as_of)s``, for a WITH list; none ever changes.

    Args:
        table: A table that only grows.
        position: The column that says when a row came.
    """
    return _GROWN.replace("<table>", table).replace("<position>", position)


def _of(alias: LiteralString, columns: Sequence[LiteralString]) -> LiteralString:
    separator: LiteralString = ", " + alias
    return alias + separator.join(columns)


_SCHEMA: LiteralString = """
        CREATE TABLE <table>_past AS
            SELECT tenant, <table>_id, 0::bigint AS until, <changing> FROM <table> WITH NO DATA;
        ALTER TABLE <table>_past ADD PRIMARY KEY (tenant, <table>_id, until);
    """

_ITS_ROW: LiteralString = (
    "WHERE tenant = %(tenant)s AND <table>_id = %(id)s AND version < %(version)s"
)

_UPDATE: LiteralString = """
    WITH kept AS (
        INSERT INTO <table>_past (tenant, <table>_id, until, <changing>)
        SELECT tenant, <table>_id, %(position)s::bigint, <changing> FROM <table> <its_row>)
    UPDATE <table> SET version = %(version)s, updated_at = %(at)s, """

_PAST: LiteralString = """<table> AS NOT MATERIALIZED (
    SELECT now.tenant, now.<table>_id, now.position, <now.fixed>, <was.changing>
    FROM <table> AS now CROSS JOIN LATERAL (
        (SELECT until, <changing> FROM <table>_past AS past
         WHERE past.tenant = now.tenant AND past.<table>_id = now.<table>_id
           AND past.until > %(as_of)s
         ORDER BY until LIMIT 1)
        UNION ALL (SELECT 9223372036854775807, <now.changing>)
        ORDER BY until LIMIT 1) AS was
    WHERE now.position <= %(as_of)s)"""

_GROWN: LiteralString = """<table> AS NOT MATERIALIZED (
    SELECT * FROM <table> WHERE <position> <= %(as_of)s)"""
