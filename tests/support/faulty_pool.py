"""A pool whose connections fail where and how a test says."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Self

import psycopg
from psycopg import Connection, Cursor
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from infrastructure.eventstore.failures import lost
from infrastructure.postgres.sessions import session

When = Literal["sent", "answered"]


@dataclass
class Plan:
    """Raise the error of *code* at statements that contain *part*, as often as *times* says."""

    part: str
    code: str
    when: When
    times: int


class Fault:
    """Raises what was planned, one plan after the other.

    Either instead of sending a statement, or once it was answered, in place of the answer.
    """

    def __init__(self) -> None:
        self.plans: list[Plan] = []

    def plan(self, part: str, code: str, *, when: When = "sent", times: int = 1) -> None:
        self.plans.append(Plan(part, code, when, times))

    def strike(self, statement: str, when: When) -> None:
        if not self.plans:
            return
        plan = self.plans[0]
        if plan.when == when and plan.part in statement:
            plan.times -= 1
            if not plan.times:
                del self.plans[0]
            raise psycopg.errors.lookup(plan.code)("injected")


@contextmanager
def faulty_pool(
    conninfo: str,
) -> Generator[tuple[Fault, ConnectionPool[Connection[TupleRow]]], None, None]:
    """The fault, which waits to be planned, and a pool that has it."""
    fault = Fault()

    class FaultyCursor(Cursor[TupleRow]):
        statement = ""

        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Self:
            self.statement = str(query)
            self.strike("sent")
            return super().execute(query, *args, **kwargs)

        def fetchone(self) -> TupleRow | None:
            row = super().fetchone()
            self.strike("answered")
            return row

        def strike(self, when: When) -> None:
            try:
                fault.strike(self.statement, when)
            except psycopg.Error as error:
                if lost(error):
                    self.connection.close()
                raise

    with ConnectionPool(
        session(conninfo, "faulty"),
        kwargs={"autocommit": True, "cursor_factory": FaultyCursor},
        min_size=2,
        max_size=4,
        timeout=2,
        open=True,
    ) as pool:
        yield fault, pool
