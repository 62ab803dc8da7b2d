"""What the replies about executions, optimizations and evaluations share."""

import re
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal
from time import monotonic
from typing import Annotated, ClassVar, Final, Protocol, TypeVar

from fastapi import Depends, Header, Query, Response
from pydantic import Field

from application.ports import Receipt
from domain.run import RunStatus
from domain.values import LmCall
from infrastructure.api.dependencies import Expectation
from infrastructure.api.etags import Written, written
from infrastructure.api.problems import EdgeError
from projections.runs import Spend

DEFAULT_WAIT_S: Final = 30.0
LONGEST_WAIT_S: Final = 300.0
_LOOK_AGAIN_S: Final = 2.0
"""An announcement can be lost with its connection; the log cannot: look there this often."""

_PREFERENCE: Final = re.compile(r"(?:^|[,;\s])wait\s*=\s*([0-9]{1,4})(?:$|[,;\s])")


class Ending(Protocol):
    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        ...


N = TypeVar("N", int, Decimal)
V = TypeVar("V", bound=Ending)


class WaitIsTooLong(EdgeError):
    """A wait beyond what a connection should be held for."""

    code: ClassVar[str] = "wait.too_long"
    status: ClassVar[int] = 422

    def __init__(self) -> None:
        super().__init__(
            f"A request waits {LONGEST_WAIT_S:.0f} s at most. Ask again later instead."
        )


class Requested(Written):
    """A run was requested and goes on in the background. Ask its Location how it fares."""

    status: RunStatus = Field(default=RunStatus.PENDING, description="As it was when requested.")


def requested(response: Response, receipt: Receipt, path: str) -> Requested:
    """Say that a run was requested, and where to ask how it fares."""
    return Requested.model_validate(written(response, receipt, path).model_dump())


async def waiting(
    wait: Annotated[
        float | None,
        Query(
            ge=0,
            le=LONGEST_WAIT_S,
            description="Seconds to wait for the end; 0 replies 202 at once. 30 if left out.",
        ),
    ] = None,
    prefer: Annotated[
        str | None, Header(description="RFC 7240, `wait=5`: used when `wait` is left out.")
    ] = None,
) -> float | None:
    """How long the caller wants to wait, if it says so in query or header."""
    if wait is not None or prefer is None or (found := _PREFERENCE.search(prefer)) is None:
        return wait
    if (preferred := float(found.group(1))) > LONGEST_WAIT_S:
        raise WaitIsTooLong
    return preferred


Wait = Annotated[float | None, Depends(waiting)]


async def until_ended(
    expectation: Expectation,
    look: Callable[[], Awaitable[V]],
    timeout_s: float,
    *,
    is_new: bool,
) -> V:
    """What *look* sees once it has ended, or after *timeout_s*; between, wait for announcements.

    What *is_new* cannot have ended, so the first look is spared; a repeated request looks at once.
    """
    deadline_s = monotonic() + timeout_s
    if is_new and timeout_s:
        await expectation.await_(min(timeout_s, _LOOK_AGAIN_S))
    view = await look()
    while not view.ended and (left_s := deadline_s - monotonic()) > 0:
        await expectation.await_(min(left_s, _LOOK_AGAIN_S))
        view = await look()
    return view


def spent(calls: Iterable[LmCall]) -> Spend:
    """The sum over *calls*; one unknown part makes that sum unknown."""
    made = list(calls)
    return Spend(
        calls=len(made),
        prompt_tokens=_sum((each.usage.prompt_tokens for each in made), 0),
        completion_tokens=_sum((each.usage.completion_tokens for each in made), 0),
        cached_tokens=_sum((each.usage.cached_tokens for each in made), 0),
        reasoning_tokens=_sum((each.usage.reasoning_tokens for each in made), 0),
        total_tokens=_sum((each.usage.total_tokens for each in made), 0),
        cost_usd=_sum((each.cost_usd for each in made), Decimal(0)),
    )


def _sum(parts: Iterable[N | None], zero: N) -> N | None:
    total = zero
    for part in parts:
        if part is None:
            return None
        total += part
    return total
