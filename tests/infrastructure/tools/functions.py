"""Functions that the tests let tools call."""

from datetime import date
from subprocess import run as imported_run

__all__ = ["imported_run"]

NOTHING = None


def search(query: str, limit: int = 3) -> list[str]:
    return [f"{query} {number}" for number in range(limit)]


async def later(query: str) -> dict[str, object]:
    return {"query": query, "day": date(2030, 1, 1)}


def unspeakable(query: str) -> object:
    return object() if query else None


def leaves(query: str) -> None:
    raise SystemExit(query)


def fails(query: str) -> None:
    raise ValueError(query)


def _private(query: str) -> str:
    return query
