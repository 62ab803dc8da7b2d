"""The limits of a provider over all workers: calls at once, and calls and tokens a minute."""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from threading import Event
from time import monotonic
from typing import Final, NamedTuple

import psycopg
from psycopg_pool import PoolClosed

from application.context import current
from application.errors import StoreIsUnavailable
from application.turns import NoTurn, Settle
from infrastructure.postgres.pool import Pool
from infrastructure.postgres.rates import Limits, Rate, RateIsUsedUp
from infrastructure.postgres.slots import NoSlot, Slots

PATIENCE: Final = 0.9
"""The part of its time that a call may wait for its turn: it has to be answered, too."""


class ProviderLimits(NamedTuple):
    """What a provider takes from all workers, and from one tenant; ``None`` is no limit."""

    at_once: int | None = None
    whole: Limits = Limits()
    tenant: Limits = Limits()

    @property
    def are_none(self) -> bool:
        """Whether nothing is limited, so that nobody has to ask."""
        return self == ProviderLimits()


class PostgresTurns:
    """Turns at *provider* within *limits*; close it when done."""

    def __init__(self, conninfo: str, pool: Pool, provider: str, limits: ProviderLimits) -> None:
        self._pool, self._provider, self._limits = pool, provider, limits
        self._slots = None if limits.at_once is None else Slots(conninfo, provider, limits.at_once)

    def line(self) -> "PostgresLine":
        """The line of the current tenant."""
        tenant, provider = current().tenant, self._provider
        # A tenant's own limit first: who is over it takes no place from the others.
        wanted = (
            (f"calls of {tenant} to {provider}", f"{provider}/{tenant}", self._limits.tenant),
            (f"calls to {provider}", provider, self._limits.whole),
        )
        rates = [
            (f"the limit of {what}", Rate(self._pool, line, limits))
            for what, line, limits in wanted
            if limits != Limits()
        ]
        return PostgresLine(self._provider, self._slots, rates)

    def close(self) -> None:
        """Give up every slot."""
        if self._slots is not None:
            self._slots.close()


@dataclass(frozen=True, slots=True)
class PostgresLine:
    """One tenant's calls to one provider."""

    provider: str
    slots: Slots | None
    rates: Sequence[tuple[str, Rate]]

    @contextmanager
    def turn(
        self, tokens: Callable[[], int], *, within_s: float, stopped: Event
    ) -> Generator[Settle, None, None]:
        """Wait for a place in every rate and for a slot, which is held as long as the block.

        The call has *within_s* seconds.

        Raises:
            NoTurn: There would be none in nine tenths of that time, or the run was stopped.
            StoreIsUnavailable: The database cannot be asked.
        """
        ends_s = monotonic() + within_s * PATIENCE
        counting = [rate for _, rate in self.rates if rate.counts_tokens]
        expected = tokens() if counting else 0
        with ExitStack() as stack:
            with _asking():
                self._placed(expected, ends_s, stopped)
                if self.slots is not None:
                    stack.enter_context(self._slot(self.slots, ends_s, stopped))

            def settle(taken: int) -> None:
                # The answer is there: it is worth more than an exact count.
                with suppress(psycopg.Error, PoolClosed):
                    for rate in counting:
                        rate.settle(taken - expected)

            yield settle

    @contextmanager
    def _slot(self, slots: Slots, ends_s: float, stopped: Event) -> Generator[None, None, None]:
        with ExitStack() as stack:
            try:
                stack.enter_context(slots.one(within_s=ends_s - monotonic(), stopped=stopped))
            except NoSlot:
                raise NoTurn(f"the limit of calls at once to {self.provider}", 0) from None
            yield

    def _placed(self, tokens: int, ends_s: float, stopped: Event) -> None:
        for before, (limit, rate) in enumerate(self.rates):
            try:
                wait_s = rate.book(tokens, within_s=max(0.0, ends_s - monotonic()))
            except RateIsUsedUp as refused:
                # A tenant whose call was not made for others' sake has used nothing of its own.
                for _, own in self.rates[:before]:
                    own.give_back(tokens)
                raise NoTurn(limit, refused.after_s) from None
            if wait_s > 0 and stopped.wait(wait_s):
                raise NoTurn(limit, 0)


@contextmanager
def _asking() -> Generator[None, None, None]:
    try:
        yield
    except (psycopg.Error, PoolClosed) as error:
        raise StoreIsUnavailable(
            type(error).__name__, "Limits cannot be kept without it."
        ) from error
