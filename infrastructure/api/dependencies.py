"""What the API needs of the rest, and one request's way to it: in whose name, and how fresh."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Annotated, Final, Protocol, TypeVar
from uuid import UUID, uuid5

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Header, Path, Query, Request, Response
from pydantic import ValidationError

from application.auditing import AddressMode, Attempts
from application.commands import Command
from application.context import Context, within
from application.credit import Credit
from application.errors import AggregateNotFound, IdIsDerived
from application.ports import Names, PayloadStore, Receipt
from application.tracing import Tracing
from domain.kernel import Recorded
from infrastructure.api.as_of import AsOf, Past
from infrastructure.api.attempts import Mark, marked
from infrastructure.api.callers import Anybody, Callers, context
from infrastructure.api.etags import POSITION, placed, version_in
from infrastructure.api.live import LiveHub
from infrastructure.api.problems import invalid_body
from infrastructure.api.proving import Proofs
from infrastructure.api.rates import Rates
from infrastructure.api.streams import Streams
from projections.kernel import ReadStore

T = TypeVar("T")
C = TypeVar("C", bound=Command)

LATE_AFTER_S: Final = 5.0
"""How long a query waits for the read models to reach ``at_least``."""

_DERIVED: Final = 5
"""The version of ids that follow from words, such as ours from an Idempotency-Key."""
_IDS: Final = UUID("5b6c1f0e-2c52-4c0e-9a53-6d1f4d5f7a10")
"""Namespace of the ids that are derived from an Idempotency-Key. Never change it."""


class Expectation(Protocol):
    async def await_(self, timeout_s: float) -> bool:
        """Wait until it happened, or may have: look again. False: nothing within *timeout_s*."""
        ...

    def fulfil(self) -> None:
        """Wake whoever waits, from any thread."""
        ...


class Facts(Protocol):
    def __call__(
        self,
        after_position: int,
        limit: int,
        *,
        tenant: str,
        topics: Sequence[str] = (),
        stop: int | None = None,
    ) -> Sequence[Recorded]:
        """The next events after a position: of one tenant, of some topics, up to *stop*."""
        ...


class Lag(Protocol):
    """Where a projection is, where the log ends, and when its runner last said it is alive."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def position(self) -> int: ...
    @property
    def head(self) -> int: ...
    @property
    def behind_s(self) -> float: ...
    @property
    def heartbeat_age_s(self) -> float: ...
    @property
    def parked(self) -> int: ...
    @property
    def parked_because(self) -> str | None: ...
    @property
    def failure(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class ApiDependencies:
    """All that ``create_app`` is given. Everything but ``expect`` blocks and runs in a thread.

    Args:
        dispatch: Carries a command out; with a fingerprint in the context only once.
        store: The read models.
        past: The same as they were.
        payloads: Texts by digest, of the tenant of the current context.
        names: Who holds a name now, without the delay of a read model.
        history: The events of one stream, oldest first; empty when the tenant has none.
        events: The next events of the log.
        everything: The same of every tenant, for the one tail that all streams share.
        head: The position of the last event of the log, 0 without any.
        streams: Who follows the log over this process.
        live: Who follows executions more closely.
        expect: Registers for topics of a stream for as long as the block runs.
        wait_for: Blocks until every read model has reached a position, at most so many seconds;
            raises ``ProjectionIsLate``.
        lags: How far each read model is behind.
        proofs: What the notary signed, and proofs of it.
        attempts: Keeps commands that left no event, with as much of addresses as ``addresses``.
        credit: How budgets stand.
        ids: Makes ids that sort by time.
        deadline_s: How long executions may take whose callers wait, if nobody says otherwise.
        threads: How many blocking calls run at once; not more than there are connections.
        callers: Tells who asks.
        rates: How often they may.
    """

    dispatch: Callable[[Command, Context], Receipt]
    store: ReadStore
    past: Past
    payloads: PayloadStore
    names: Names
    history: Callable[[UUID], Sequence[Recorded]]
    events: Facts
    everything: Callable[[int, int], Sequence[Recorded]]
    head: Callable[[], int]
    expect: Callable[[UUID, frozenset[str]], AbstractContextManager[Expectation]]
    wait_for: Callable[[int, float], None]
    lags: Callable[[], Sequence[Lag]]
    proofs: Proofs
    attempts: Attempts
    credit: Credit
    ids: Callable[[], UUID]
    tracing: Tracing
    version: str
    live: LiveHub
    streams: Streams = field(default_factory=Streams)
    threads: int = 16
    addresses: AddressMode = "network"
    callers: Callers = field(default_factory=Anybody)
    rates: Rates = field(default_factory=Rates)
    deadline_s: float = 30.0


class Desk:
    """Where one request meets the application; every blocking call runs in a thread."""

    def __init__(self, deps: ApiDependencies, limiter: CapacityLimiter, context: Context) -> None:
        self.deps, self.context = deps, context
        self._limiter = limiter

    @property
    def tenant(self) -> str:
        """Whose things this request may see."""
        return self.context.tenant

    async def run(self, work: Callable[[], T]) -> T:
        """Run *work* in a thread on behalf of the caller."""
        return await to_thread.run_sync(partial(_as, self.context, work), limiter=self._limiter)

    def history(self, kind: str, id: UUID) -> Sequence[Recorded]:
        """The events of the caller's *kind* with *id*. Blocks.

        Raises:
            AggregateNotFound: The tenant has none.
        """
        found = self.deps.history(id)
        if not found or not _belongs(found[0], kind, self.tenant):
            raise AggregateNotFound(kind, id)
        return found

    async def id_of(self, kind: str, id_or_name: str) -> UUID:
        """The id of the *kind* that is called so now.

        Raises:
            AggregateNotFound: Nothing holds that name.
        """
        if isinstance(wanted := id_or(id_or_name), UUID):
            return wanted
        holder = await self.run(partial(self.deps.names.holder, kind, wanted))
        if holder is None:
            raise AggregateNotFound(kind, wanted)
        return holder


class Reader(Desk):
    """A desk for questions: about what was at *as_of*, or no staler than position *at_least*."""

    def __init__(
        self,
        deps: ApiDependencies,
        limiter: CapacityLimiter,
        context: Context,
        response: Response,
        *,
        at_least: int | None,
        as_of: int | datetime | None,
    ) -> None:
        super().__init__(deps, limiter, context)
        self._at_least, self._as_of = at_least, as_of
        self._response = response
        self._at: int | None = None

    @property
    def moment(self) -> datetime | None:
        """The time that is asked about; ``None`` if that is the present, or a position."""
        return self._as_of if isinstance(self._as_of, datetime) else None

    @property
    def headers(self) -> Mapping[str, str]:
        """What a response of the route's own says of the position that it is exact for."""
        return {} if self._at is None else {POSITION: str(self._at)}

    async def read(self, query: Callable[[ReadStore], T]) -> T:
        """Ask the read models *query*, once they have seen enough of the log.

        Raises:
            ProjectionIsLate: They did not catch up within ``LATE_AFTER_S``.
            AsOfIsAhead, AsOfIsTooCostly, AsOfIsBusy: See there.
        """
        return await self.run(partial(self._read, query))

    def history(self, kind: str, id: UUID) -> Sequence[Recorded]:
        """The events of the caller's *kind* with *id*, as many as there were. Blocks.

        The position comes first: all up to it can be read once it is known.

        Raises:
            AggregateNotFound: The tenant has none, or had none then.
            AsOfIsAhead: See there.
        """
        position = self._position()
        found = super().history(kind, id)
        if position is None:
            return found
        if not (past := [each for each in found if (each.position or 0) <= position]):
            raise AggregateNotFound(kind, id)
        return past

    def _read(self, query: Callable[[ReadStore], T]) -> T:
        if (position := self._position()) is not None:
            with self.deps.past.at(self.tenant, position) as store:
                return query(store)
        if self._at_least:
            self.deps.wait_for(self._at_least, LATE_AFTER_S)
        return query(self.deps.store)

    def _position(self) -> int | None:
        """The position that is asked about, found once; ``None`` if it is the present."""
        if self._as_of is not None and self._at is None:
            self._at = self.deps.past.position(self._as_of)
            placed(self._response, self._at)
        return self._at


class Writer(Desk):
    """A desk for commands; with an Idempotency-Key a repeated one gets the first one's answer."""

    def __init__(
        self,
        deps: ApiDependencies,
        limiter: CapacityLimiter,
        context: Context,
        key: str | None,
        mark: Mark,
    ) -> None:
        super().__init__(deps, limiter, context)
        self.key, self._mark = key, mark

    def new_id(self, kind: str, given: UUID | None = None) -> UUID:
        """The id of a new *kind*: the one that was given, or the same again for the same key.

        Without a key, one that was given is the key: a repeat gets the first one's answer.

        Raises:
            IdIsDerived: The one that was given could be guessed.
        """
        if given is not None:
            if given.version == _DERIVED:
                raise IdIsDerived(given)
            self.key = self.key or f"id {given}"  # no key of a caller's holds a space
            return given
        if self.key is None:
            return self.deps.ids()
        return uuid5(_IDS, "\n".join((self.tenant, kind, self.key)))

    async def dispatch(self, command: Command, *, part: str | None = None) -> Receipt:
        """Carry *command* out, and say what it did; one of several of a request is its *part*."""
        self._mark.became(command)
        key = self.key if self.key is None or part is None else f"{self.key} {part}"
        receipt = await self.run(partial(self._dispatch, command, key))
        self._mark.did(receipt)
        return receipt

    def _dispatch(self, command: Command, key: str | None) -> Receipt:
        if key is None:
            return self.deps.dispatch(command, self.context)
        once = replace(self.context, command_id=key, fingerprint=command.fingerprint)
        return self.deps.dispatch(command, once)


def wish(command: type[C], **values: object) -> C:
    """Make a *command* of what a request holds.

    Raises:
        RequestIsInvalid: Some values do not fit; it names them all.
    """
    try:
        return command.model_validate(values)
    except ValidationError as error:
        raise invalid_body(error, command.__name__) from None


def id_or(name: str) -> UUID | str:
    """*name* as an id if it reads as one: no name does."""
    try:
        return UUID(name)
    except ValueError:
        return name


def _as(context: Context, work: Callable[[], T]) -> T:
    with within(context):
        return work()


def _belongs(first: Recorded, kind: str, tenant: str) -> bool:
    return first.event.TOPIC.partition(".")[0] == kind and first.envelope.tenant == tenant


_KEY: Final = r"^[\x21-\x7e]{1,255}$"


Freshness = Annotated[
    int | None,
    Query(
        ge=0,
        lt=2**63,
        description="Answer no staler than this position: X-Stratal-Position of a write.",
    ),
]


async def present_desk(request: Request, context: Annotated[Context, Depends(context)]) -> Desk:
    return Desk(request.app.state.deps, request.app.state.limiter, context)


async def reader(
    request: Request,
    response: Response,
    context: Annotated[Context, Depends(context)],
    at_least: Freshness = None,
    as_of: AsOf = None,
) -> Reader:
    state = request.app.state
    return Reader(state.deps, state.limiter, context, response, at_least=at_least, as_of=as_of)


async def writer(
    request: Request,
    context: Annotated[Context, Depends(context)],
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            pattern=_KEY,
            description="Makes the request safe to repeat: a repeat gets the first one's answer.",
        ),
    ] = None,
) -> Writer:
    state = request.app.state
    return Writer(state.deps, state.limiter, context, key, marked(request.scope))


async def expected_version(
    if_match: Annotated[
        str | None,
        Header(
            alias="If-Match",
            description='The ETag you decided on, e.g. "3". If it changed since: 412.',
        ),
    ] = None,
) -> int | None:
    return None if if_match is None else version_in(if_match)


Reading = Annotated[Reader, Depends(reader)]
ReadingNow = Annotated[Desk, Depends(present_desk)]
"""For what is read of the log itself: it is never behind, and has no past to ask about."""
Writing = Annotated[Writer, Depends(writer)]
Expected = Annotated[int | None, Depends(expected_version)]
IdOrName = Annotated[str, Path(min_length=1, max_length=200, description="An id, or a name.")]

Responses = Mapping[int | str, dict[str, object]]
