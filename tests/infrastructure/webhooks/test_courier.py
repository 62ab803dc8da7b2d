"""Deliveries: each event at least once, in order, to everybody who takes it."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from domain.kernel import Recorded
from domain.values import Failure
from infrastructure.webhooks.courier import (
    Courier,
    DeliveryFailed,
    Patience,
    Sent,
    World,
    retry_after_s,
)
from infrastructure.webhooks.cursors import Cursors
from tests.support.histories import Log, an_id, dataset_created

pytestmark = pytest.mark.postgres

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Hook:
    """A webhook of a tenant."""

    url: str
    tenant: str = "acme"
    webhook_id: UUID = field(default_factory=uuid4)
    begins_after: int = 0


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at


class Receivers:
    """A log of 7 events, and receivers that answer as a test says."""

    def __init__(self, conninfo: str) -> None:
        self.conninfo, self.clock = conninfo, Clock()
        self.log = Log()
        for number in range(7):
            self.log.append(an_id(f"dataset {number}"), dataset_created(f"dataset {number}"))
        self.hooks: list[Hook] = []
        self.got: list[tuple[str, int, dict[str, str]]] = []
        self.answers: dict[str, Callable[[int], Sent]] = {}
        self.given_up: list[tuple[Hook, int, int, Failure]] = []
        self.lock = threading.Lock()
        self.courier = self.another_courier()

    def another_courier(self, patience: Patience | None = None) -> Courier[Hook]:
        world = World(
            subscriptions=lambda: self.hooks,
            events=self._events,
            head=lambda: self.log.position,
            secret_of=lambda hook: "whsec_c2VjcmV0",
            post=self._post,
            give_up=lambda hook, position, tries, why: self.given_up.append(
                (hook, position, tries, why)
            ),
            cursors=self._cursors,
            clock=self.clock,
            chance=lambda: 0.0,
        )
        return Courier(world, patience or Patience(first_s=0.01, at_least=3))

    def subscribed(self, url: str, answer: Callable[[int], Sent] = lambda _: Sent(204)) -> Hook:
        self.hooks.append(Hook(url))
        self.answers[url] = answer
        return self.hooks[-1]

    def deliver(self, until: Callable[[], bool]) -> None:
        """Look again and again, as a leader does."""
        deadline_s = time.monotonic() + 30
        while not until():
            assert time.monotonic() < deadline_s, self.got
            self.courier.look()
            time.sleep(0.005)
        while self.courier.is_busy:
            time.sleep(0.005)

    def taken(self, url: str) -> list[int]:
        """The positions of what a receiver was sent, in that order."""
        return [position for each, position, _ in self.got if each == url]

    def cursor(self, hook: Hook) -> tuple[int, int]:
        with self._cursors() as cursors:
            found = cursors.open(hook.tenant, hook.webhook_id, hook.begins_after)
        return found.position, found.tries

    def _events(self, hook: Hook, after: int, limit: int, stop: int) -> Sequence[Recorded]:
        return [each for each in self.log.recorded if after < (each.position or 0) <= stop][:limit]

    def _post(self, url: str, headers: dict[str, str], body: bytes) -> Sent:
        position = int(headers["Stratal-Position"])
        with self.lock:
            self.got.append((url, position, headers))
        return self.answers[url](position)

    @contextmanager
    def _cursors(self) -> Iterator[Cursors]:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            yield Cursors(connection)


@pytest.fixture
def receivers(database: str) -> Receivers:
    return Receivers(database)


EVERYTHING = [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.feature("VIS-17")
def test_vis_17_what_happens_is_delivered_once_in_order_with_a_signature(
    receivers: Receivers,
) -> None:
    hook = receivers.subscribed("https://a.example")
    receivers.deliver(lambda: receivers.cursor(hook)[0] == 7)
    assert receivers.taken(hook.url) == EVERYTHING
    first = receivers.got[0][2]
    assert first["webhook-id"] == str(receivers.log.recorded[0].envelope.event_id)
    assert first["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert first["webhook-signature"].startswith("v1,")
    assert first["Stratal-Topic"] == "dataset.created"
    receivers.log.append(an_id("later"), dataset_created("later"))
    receivers.deliver(lambda: receivers.cursor(hook)[0] == 8)
    assert receivers.taken(hook.url) == [*EVERYTHING, 8]


def test_one_that_takes_nothing_holds_nobody_up(receivers: Receivers) -> None:
    hanging = threading.Event()

    def hang(_: int) -> Sent:
        hanging.wait(30)
        return Sent(204)

    slow = receivers.subscribed("https://slow.example", hang)
    down = receivers.subscribed("https://down.example", lambda _: Sent(503))
    well = receivers.subscribed("https://well.example")
    deadline_s = time.monotonic() + 30
    while receivers.cursor(well)[0] < 7:
        assert time.monotonic() < deadline_s
        receivers.courier.look()
        time.sleep(0.005)
    assert receivers.taken(well.url) == EVERYTHING
    assert set(receivers.taken(down.url)) == {1}
    assert receivers.taken(slow.url) == [1]
    hanging.set()
    receivers.hooks.remove(down)
    receivers.deliver(lambda: receivers.cursor(slow)[0] == 7)


def test_one_that_is_far_behind_gives_its_thread_to_others(receivers: Receivers) -> None:
    def slow(_: int) -> Sent:
        time.sleep(0.02)
        return Sent(204)

    for url in ("behind", "other"):
        receivers.subscribed(url, slow)
    receivers.courier = receivers.another_courier(Patience(threads=1, slice_s=0.01))
    receivers.deliver(lambda: len(receivers.got) >= receivers.log.position)
    assert {url for url, _, _ in receivers.got[: receivers.log.position]} == {"behind", "other"}


def test_what_is_refused_is_sent_again_and_nothing_before_it(receivers: Receivers) -> None:
    refusals = iter([Sent(500), Sent(429), Sent(204)])
    hook = receivers.subscribed(
        "https://a.example", lambda at: next(refusals) if at == 3 else Sent(200)
    )

    def moved() -> bool:
        receivers.clock.at += timedelta(seconds=1)
        return receivers.cursor(hook) == (7, 0)

    receivers.deliver(moved)
    assert receivers.taken(hook.url) == [1, 2, 3, 3, 3, 4, 5, 6, 7]
    ids = [headers["webhook-id"] for _, at, headers in receivers.got if at == 3]
    assert len(set(ids)) == 1, "a repeat has the same id"


def test_a_receiver_that_was_down_too_long_is_given_up(receivers: Receivers) -> None:
    hook = receivers.subscribed("https://a.example", lambda _: Sent(500))

    def hours_pass() -> bool:
        receivers.clock.at += timedelta(hours=7)
        return bool(receivers.given_up)

    receivers.deliver(hours_pass)
    [(given_up, position, tries, why)] = receivers.given_up
    assert (given_up, position, why.provider_status) == (hook, 1, 500)
    assert tries >= 3
    assert receivers.cursor(hook) == (0, 0), "it begins anew if it is resumed"


def test_a_receiver_that_says_it_is_gone_is_given_up_at_once(receivers: Receivers) -> None:
    receivers.subscribed("https://a.example", lambda _: Sent(410))
    receivers.deliver(lambda: bool(receivers.given_up))
    assert len(receivers.got) == 1


def test_one_that_was_given_up_begins_soon_once_it_is_resumed(receivers: Receivers) -> None:
    hook = receivers.subscribed("moved", lambda _: Sent(204 if receivers.given_up else 410))
    receivers.courier = receivers.another_courier(Patience(first_s=3600))
    receivers.deliver(lambda: receivers.cursor(hook) == (receivers.log.position, 0))


def test_a_redirect_is_refused_and_said_so(receivers: Receivers) -> None:
    hook = receivers.subscribed("https://a.example", lambda _: Sent(302))
    receivers.deliver(lambda: receivers.cursor(hook)[1] > 0)
    with psycopg.connect(receivers.conninfo) as connection:
        [[failure]] = connection.execute("SELECT failure FROM stratal.webhook_cursors").fetchall()
    assert failure["code"] == "webhook.redirected"


def test_what_was_sent_and_not_noted_is_sent_again_by_the_next(receivers: Receivers) -> None:
    """A courier that dies after the answer came: at least once."""

    class Died(Exception):
        pass

    hook = receivers.subscribed("https://a.example")

    def die(position: int) -> Sent:
        if position == 4 and receivers.taken(hook.url).count(4) == 1:
            raise Died
        return Sent(204)

    receivers.answers[hook.url] = die
    receivers.deliver(lambda: receivers.taken(hook.url).count(4) == 1)
    receivers.courier = receivers.another_courier()
    receivers.deliver(lambda: receivers.cursor(hook)[0] == 7)
    assert receivers.taken(hook.url) == [1, 2, 3, 4, 4, 5, 6, 7]


def test_a_failure_to_send_is_noted_and_the_wait_outlives_the_courier(
    receivers: Receivers,
) -> None:
    def fail(_: int) -> Sent:
        raise DeliveryFailed(Failure(code="webhook.unreachable", message="Nobody is there."))

    hook = receivers.subscribed("https://a.example", fail)
    receivers.courier = receivers.another_courier(Patience(first_s=60))
    receivers.deliver(lambda: receivers.cursor(hook)[1] == 1)
    receivers.courier = receivers.another_courier(Patience(first_s=60))
    receivers.courier.look()
    while receivers.courier.is_busy:
        time.sleep(0.005)
    assert receivers.taken(hook.url) == [1]


def test_pauses_grow_and_are_bounded_and_what_is_asked_for_is_waited() -> None:
    patience = Patience()
    assert [patience.pause_s(tries, 0, None) for tries in (1, 2, 3, 40)] == [1, 2, 4, 3600]
    assert patience.pause_s(3, 1, None) == 2
    assert patience.pause_s(1, 0, 30) == 30
    assert patience.pause_s(1, 0, 10**9) == 3600


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (None, None),
        ("30", 30.0),
        ("Tue, 01 Jan 2030 00:01:00 GMT", 60.0),
        ("Mon, 31 Dec 2029 00:00:00 GMT", 0.0),
        ("soon", None),
        ("²", None),
        ("9" * 400, math.inf),
        ("Tue, 01 Jan 2030 00:01:00 +" + "9" * 30, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(told: str | None, expected: float | None) -> None:
    assert retry_after_s(told, NOW) == expected
