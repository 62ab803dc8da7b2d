"""What takes SQL statements, so that whoever brings some need not know what becomes of them."""

from typing import LiteralString, Protocol

from psycopg.abc import Params


class Statements(Protocol):
    """Takes statements into a transaction. A cursor of psycopg is one."""

    def execute(
        self, query: LiteralString, params: Params | None = None, *, prepare: bool | None = None
    ) -> object:
        """Have *query* executed in the transaction, after those that came before."""
        ...
