"""Delivers events to webhooks: at least once, in the order of the log, none in another's way."""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from time import monotonic
from typing import Final, Generic, Protocol, TypeVar
from uuid import UUID

from application.feed import public
from application.ports import Clock
from domain.kernel import Recorded
from domain.values import Failure
from infrastructure.webhooks.cursors import Cursors
from infrastructure.webhooks.signing import signed_headers

logger = logging.getLogger("stratal.webhooks")

DEADLINE_S: Final = 10.0
"""How long a receiver has to answer."""

BATCH: Final = 50
WINDOW: Final = 10_000
"""So many positions of the log are looked through at once."""

IDLE_S: Final = 1.0
"""How often is looked for webhooks while there are none."""

AGAIN_S: Final = 1.0
"""After a fault of ours, such as a database that is away."""


class Subscribed(Protocol):
    """A webhook that is active."""

    @property
    def tenant(self) -> str: ...
    @property
    def webhook_id(self) -> UUID: ...
    @property
    def url(self) -> str: ...
    @property
    def begins_after(self) -> int: ...


S = TypeVar("S", bound=Subscribed)


@dataclass(frozen=True, slots=True)
class Sent:
    """What a receiver answered; ``retry_after_s`` is what it asked for, if it did."""

    status: int
    retry_after_s: float | None = None


class DeliveryFailed(Exception):
    """Nothing could be sent, or no answer came."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a webhook that takes nothing is tried again, and how often at most.

    It is disabled once ``gives_up_after`` has passed and it was tried ``at_least`` times.
    """

    first_s: float = 1.0
    longest_s: float = 3600.0
    gives_up_after: timedelta = timedelta(hours=24)
    at_least: int = 8
    slice_s: float = 5.0
    threads: int = 8

    def pause_s(self, tries: int, chance: float, asked_s: float | None) -> float:
        """How long to wait after so many *tries*: *chance*, from 0 to 1, takes half of it or less.

        What the receiver asked for is waited at least, but never longer than ``longest_s``.
        """
        growing_s = min(self.first_s * 2.0 ** min(tries - 1, 30), self.longest_s)
        return max(growing_s * (1 - chance / 2), min(asked_s or 0, self.longest_s))


@dataclass(frozen=True, slots=True)
class World(Generic[S]):
    """What a courier needs; everything may block.

    Args:
        subscriptions: The active webhooks of every tenant.
        events: The next events for one of them: after a position, at most so many, up to another.
        head: Where the log ends.
        secret_of: What signs for one of them; raises ``DeliveryFailed`` if it is not there.
        post: Sends headers and a body to an address; raises ``DeliveryFailed``.
        give_up: Has a webhook disabled, which did not take the event at a position so often.
        cursors: The table of cursors, for the length of a block.
        clock: What time it is.
        chance: A number from 0 to 1.
    """

    subscriptions: Callable[[], Sequence[S]]
    events: Callable[[S, int, int, int], Sequence[Recorded]]
    head: Callable[[], int]
    secret_of: Callable[[S], str]
    post: Callable[[str, dict[str, str], bytes], Sent]
    give_up: Callable[[S, int, int, Failure], None]
    cursors: Callable[[], AbstractContextManager[Cursors]]
    clock: Clock
    chance: Callable[[], float]


class Courier(Generic[S]):
    """One of all processes delivers at a time; each webhook has a thread of its own while it does.

    What a killed courier had sent and not yet noted is sent again by the next one.
    """

    def __init__(self, world: World[S], patience: Patience = Patience()) -> None:
        self._world, self._patience = world, patience
        self._lock = threading.Lock()
        self._busy: set[UUID] = set()
        self._begun_at: dict[UUID, float] = {}
        self._drained: dict[UUID, int] = {}
        self._rests_until: dict[UUID, float] = {}
        self._idle_until = 0.0

    def look(self) -> None:
        """Begin to deliver what is there to be delivered, as far as threads are free.

        Raises:
            StoreIsUnavailable: The database is away.
        """
        if monotonic() < self._idle_until:
            return
        subscriptions = self._world.subscriptions()
        if not subscriptions:
            self._idle_until = monotonic() + IDLE_S
            return
        head = self._world.head()
        # Who waited longest comes first: one that is far behind would else keep its thread.
        for each in sorted(subscriptions, key=lambda it: self._begun_at.get(it.webhook_id, 0.0)):
            if self._begins(each.webhook_id, head):
                name = f"webhook {each.webhook_id}"
                threading.Thread(target=self._run, args=(each,), name=name, daemon=True).start()

    @property
    def is_busy(self) -> bool:
        """Whether anything is being delivered."""
        return bool(self._busy)

    def _begins(self, webhook_id: UUID, head: int) -> bool:
        with self._lock:
            if webhook_id in self._busy or len(self._busy) >= self._patience.threads:
                return False
            if self._drained.get(webhook_id) == head:
                return False
            if monotonic() < self._rests_until.get(webhook_id, 0):
                return False
            self._busy.add(webhook_id)
            self._begun_at[webhook_id] = monotonic()
            return True

    def _run(self, webhook: S) -> None:
        try:
            self._deliver(webhook)
        except Exception as error:  # noqa: BLE001 - the next look tries again
            logger.warning("Deliveries to %s wait: %s", webhook.webhook_id, error)
            self._rest(webhook, AGAIN_S)
        finally:
            with self._lock:
                self._busy.discard(webhook.webhook_id)

    def _deliver(self, webhook: S) -> None:
        """Deliver what is due, for a while: others wait for the thread."""
        world, key = self._world, (webhook.tenant, webhook.webhook_id)
        with world.cursors() as cursors:
            cursor = cursors.open(*key, webhook.begins_after)
        if (left_s := (cursor.next_at - world.clock.now()).total_seconds()) > 0:
            self._rest(webhook, left_s)
            return
        position, tries = cursor.position, cursor.tries + 1
        until = monotonic() + self._patience.slice_s
        while monotonic() < until:
            head = world.head()
            if position >= head:
                self._drained[webhook.webhook_id] = head
                return
            stop = min(position + WINDOW, head)
            found = world.events(webhook, position, BATCH, stop)
            for recorded in found:
                if not self._send(webhook, recorded, tries) or monotonic() > until:
                    return
                tries = 1
            position = stop if len(found) < BATCH else found[-1].position or 0
            with world.cursors() as cursors:
                cursors.passed(*key, position)

    def _send(self, webhook: S, recorded: Recorded, tries: int) -> bool:
        """Send one event; whether it was taken."""
        world, at = self._world, self._world.clock.now()
        view = public(recorded)
        body, asked_s = view.model_dump_json().encode(), None
        try:
            signed = signed_headers(
                world.secret_of(webhook), view.event_id, body, at_s=int(at.timestamp())
            )
            headers = {
                "Content-Type": "application/json",
                "Stratal-Topic": view.topic,
                "Stratal-Position": str(view.position),
                **signed,
            }
            sent = world.post(webhook.url, headers, body)
        except DeliveryFailed as error:
            failure = error.failure
        else:
            if HTTPStatus.OK <= sent.status < HTTPStatus.MULTIPLE_CHOICES:
                with world.cursors() as cursors:
                    cursors.taken(webhook.tenant, webhook.webhook_id, view.position, at)
                return True
            failure, asked_s = _refusal(sent.status), sent.retry_after_s
        self._refused(
            webhook, view.position, failure, self._patience.pause_s(tries, world.chance(), asked_s)
        )
        return False

    def _refused(self, webhook: S, position: int, failure: Failure, pause_s: float) -> None:
        world, key = self._world, (webhook.tenant, webhook.webhook_id)
        at = world.clock.now()
        next_at = at + timedelta(seconds=pause_s)
        with world.cursors() as cursors:
            tries, since = cursors.refused(*key, position, failure, at=at, next_at=next_at)
        self._rest(webhook, pause_s)
        if self._gives_up(failure, tries, at - since):
            world.give_up(webhook, position, tries, failure)
            with world.cursors() as cursors:
                cursors.afresh(*key)
            self._rest(webhook, AGAIN_S)  # somebody may resume it any moment

    def _gives_up(self, failure: Failure, tries: int, passed: timedelta) -> bool:
        patience = self._patience
        lost = tries >= patience.at_least and passed >= patience.gives_up_after
        return lost or failure.provider_status == HTTPStatus.GONE

    def _rest(self, webhook: S, pause_s: float) -> None:
        self._rests_until[webhook.webhook_id] = monotonic() + pause_s


def _refusal(status: int) -> Failure:
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        message = f"The receiver redirects ({status}). Subscribe the address that it leads to."
        return Failure(code="webhook.redirected", message=message, provider_status=status)
    message = f"The receiver answered {status}."
    return Failure(code="webhook.refused", message=message, retryable=True, provider_status=status)


def retry_after_s(told: str | None, now: datetime) -> float | None:
    """How many seconds *told*, a ``Retry-After``, asks for; ``None`` if it cannot be read."""
    if told is None:
        return None
    if (digits := told.strip()).isascii() and digits.isdigit():
        return float(digits)
    try:
        then = parsedate_to_datetime(told)
    except (ValueError, OverflowError):  # it says what it likes
        return None
    return max(0.0, (then - now).total_seconds()) if then.tzinfo else None
