"""So many a minute and no more, over all processes: a row that says when the next may go.

Every call books its place at once and waits by itself, so places are given in the order of asking,
and one that would come too late is not booked. The clock is that of the database.
"""

from typing import Final, LiteralString, NamedTuple

from infrastructure.postgres.pool import Pool

_TABLE: LiteralString = """
-- When the next call of each line may go, in seconds since 1970. Nothing is lost with it but a
-- little patience, so it is not in the write-ahead log.
CREATE UNLOGGED TABLE stratal.lm_rates (
    line       text PRIMARY KEY,
    calls_due  double precision NOT NULL,
    tokens_due double precision NOT NULL
) WITH (fillfactor = 50);
"""

MIGRATIONS: tuple[tuple[str, LiteralString], ...] = (("rates.1", _TABLE),)

MINUTE_S: Final = 60.0

_BOOK: LiteralString = """
    WITH at AS MATERIALIZED (SELECT extract(epoch FROM clock_timestamp())::float8 AS now_s)
    INSERT INTO stratal.lm_rates AS kept (line, calls_due, tokens_due)
    SELECT %(line)s, now_s + %(calls_s)s, now_s + %(tokens_s)s FROM at
    ON CONFLICT (line) DO UPDATE
    SET calls_due = greatest(kept.calls_due, excluded.calls_due - %(calls_s)s) + %(calls_s)s,
        tokens_due = greatest(kept.tokens_due, excluded.tokens_due - %(tokens_s)s) + %(tokens_s)s
    WHERE greatest(kept.calls_due, kept.tokens_due)
          <= excluded.calls_due - %(calls_s)s + %(within_s)s
    RETURNING greatest(calls_due - %(calls_s)s, tokens_due - %(tokens_s)s)
              - extract(epoch FROM clock_timestamp())::float8
"""
_LEFT: LiteralString = """
    SELECT greatest(calls_due, tokens_due) - extract(epoch FROM clock_timestamp())::float8
    FROM stratal.lm_rates WHERE line = %(line)s
"""
_SETTLE: LiteralString = """
    UPDATE stratal.lm_rates SET tokens_due = tokens_due + %(tokens_s)s WHERE line = %(line)s
"""

_GIVE_BACK: LiteralString = """
    UPDATE stratal.lm_rates
    SET calls_due = calls_due - %(calls_s)s, tokens_due = tokens_due - %(tokens_s)s
    WHERE line = %(line)s
"""


class Limits(NamedTuple):
    """What a line may take in a minute; ``None`` is no limit."""

    calls: int | None = None
    tokens: int | None = None


class RateIsUsedUp(Exception):
    """The next place is further away than the caller can wait; ``after_s`` seconds."""

    def __init__(self, after_s: float) -> None:
        super().__init__()
        self.after_s = after_s


class Rate:
    """The places of *line*, evenly apart: providers count by the second, too.

    A call of many tokens goes when those before it are paid for, and is paid for by those after it.
    """

    def __init__(self, pool: Pool, line: str, limits: Limits) -> None:
        self._pool, self._line = pool, line
        self._call_s, self._token_s = _apart_s(limits.calls), _apart_s(limits.tokens)
        self.counts_tokens = limits.tokens is not None

    def book(self, tokens: int, *, within_s: float) -> float:
        """Take the next place for a call of *tokens*; the seconds until then, 0 or less for now.

        Raises:
            RateIsUsedUp: It is more than *within_s* away; nothing was booked.
        """
        told = {**self._place(tokens), "within_s": within_s}
        with self._pool.connection() as connection:
            row = connection.execute(_BOOK, told).fetchone()
            if row is None:
                left = connection.execute(_LEFT, told).fetchone()
                raise RateIsUsedUp(0.0 if left is None else float(left[0]))
        return float(row[0])

    def give_back(self, tokens: int) -> None:
        """Let others have what was booked for a call of *tokens* that is not made."""
        with self._pool.connection() as connection:
            connection.execute(_GIVE_BACK, self._place(tokens))

    def settle(self, tokens: int) -> None:
        """Book *tokens* more than were known of, or fewer if it is negative."""
        told = {"line": self._line, "tokens_s": self._token_s * tokens}
        with self._pool.connection() as connection:
            connection.execute(_SETTLE, told)

    def _place(self, tokens: int) -> dict[str, str | float]:
        return {
            "line": self._line,
            "calls_s": self._call_s,
            "tokens_s": self._token_s * tokens,
        }


def _apart_s(limit: int | None) -> float:
    return 0.0 if limit is None else MINUTE_S / limit
