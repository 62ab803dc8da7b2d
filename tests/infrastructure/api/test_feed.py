"""The feed: every fact of a tenant once and in order, by pages and as a stream that goes on."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from threading import Event as Flag
from typing import Any

import pytest
from fastapi.testclient import TestClient

from application.errors import StoreIsUnavailable
from domain.kernel import Event
from infrastructure.api import feed, streams
from infrastructure.api.streams import Streams
from tests.support import histories as build
from tests.support.api import ApiWorld
from tests.support.histories import Log, an_id
from tests.support.service import until
from tests.support.sse import Serving, blocks, sent, serving, stream


@dataclass
class Followed:
    """A log that grows while it is followed."""

    world: ApiWorld
    streams: Streams
    serving: Serving

    @property
    def url(self) -> str:
        return self.serving.url

    def append(self, tenant: str, *events: Event, announced: bool = True) -> None:
        """Append one stream of *events*; who listens hears of it."""
        position = len(self.world.log.recorded)
        log = Log(tenant, position=position)
        self.world.log.recorded += log.append(an_id(f"{tenant} {position}"), *events)
        if announced:
            self.streams.heard(None)


@pytest.fixture
def open_streams() -> Streams:
    return Streams(most=4)


@pytest.fixture
def followed(open_streams: Streams) -> Iterator[Followed]:
    world = ApiWorld()
    with serving(world.app(streams=open_streams)) as at:
        yield Followed(world, open_streams, at)


@pytest.fixture
def pages(followed: Followed) -> Callable[..., list[dict[str, Any]]]:
    """Reads the whole feed of ``acme``, page after page."""

    def read(**query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        with TestClient(followed.world.app(), headers={"X-Stratal-Tenant": "acme"}) as api:
            page = {"next": 0, "head": 1}
            while page["next"] < page["head"]:
                page = api.get("/v1/events", params={**query, "after": page["next"]}).json()
                found += page["items"]
        return found

    return read


def a_busy_log(followed: Followed) -> None:
    """Some facts of ``acme`` among many of others."""
    for number in range(12):
        followed.append("others", build.dataset_created(), *[build.rows_loaded()] * 5)
        followed.append("acme", build.dataset_created(f"d{number}"), build.rows_loaded())


@pytest.mark.parametrize(("window", "windows"), [(1, 1), (3, 2), (7, 20), (10_000, 20)])
def test_pages_hold_every_fact_once_however_far_apart(
    followed: Followed,
    pages: Callable[..., list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    window: int,
    windows: int,
) -> None:
    monkeypatch.setattr(feed, "_WINDOW", window)
    monkeypatch.setattr(feed, "_WINDOWS", windows)
    a_busy_log(followed)
    mine = [each for each in followed.world.log.recorded if each.envelope.tenant == "acme"]
    assert [each["position"] for each in pages(limit=5)] == [each.position for each in mine]
    loaded = pages(topic="dataset.rows_loaded", limit=5)
    assert [each["topic"] for each in loaded] == ["dataset.rows_loaded"] * 12
    assert len(pages(topic=["dataset.*", "program.*"])) == 24
    assert pages(topic="program.*") == []


def test_a_page_that_reached_the_end_says_so(followed: Followed) -> None:
    a_busy_log(followed)
    head = len(followed.world.log.recorded)
    with TestClient(followed.world.app(), headers={"X-Stratal-Tenant": "acme"}) as api:
        whole = api.get("/v1/events", params={"topic": "program.*"}).json()
        assert whole == {"items": [], "next": head, "head": head}
        beyond = api.get("/v1/events", params={"after": head + 5}).json()
        assert beyond == {"items": [], "next": head + 5, "head": head}


def test_a_stream_tells_the_past_and_goes_on_as_things_happen(
    followed: Followed, pages: Callable[..., list[dict[str, Any]]]
) -> None:
    a_busy_log(followed)
    with stream(followed.url, "acme") as reply:
        events = sent(reply)
        told = list(islice(events, 24))
        for number in range(5):
            followed.append("others", build.dataset_created())
            followed.append("acme", build.dataset_created(f"new {number}"))
            told += islice(events, 1)
    assert [each.data for each in told] == pages(limit=200)
    assert [each.id for each in told] == [str(each.data["position"]) for each in told]
    assert [each.event for each in told] == [each.data["topic"] for each in told]


@pytest.mark.parametrize("cut", [0, 1, 11, 23])
def test_a_stream_goes_on_after_the_last_event_that_arrived(followed: Followed, cut: int) -> None:
    a_busy_log(followed)
    with stream(followed.url, "acme") as reply:
        whole = list(islice(sent(reply), 24))
    last = int(whole[cut].id)
    # A browser asks for the address it first had, and says how far it got.
    with stream(followed.url, "acme", after=3, last_event_id=last) as reply:
        assert list(islice(sent(reply), 23 - cut)) == whole[cut + 1 :]


def test_a_stream_tells_only_the_topics_that_were_asked_for(followed: Followed) -> None:
    a_busy_log(followed)
    with stream(followed.url, "acme", topic="dataset.rows_loaded") as reply:
        events = sent(reply)
        told = list(islice(events, 12))
        followed.append("acme", build.dataset_created(), build.rows_loaded())
        told += islice(events, 1)
    assert {each.event for each in told} == {"dataset.rows_loaded"}
    assert told[-1].id == str(len(followed.world.log.recorded))


def test_a_stream_from_beyond_the_end_waits_and_changes_nothing_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed, "LOOK_AGAIN_S", 0.02)
    monkeypatch.setattr(feed, "HEARTBEAT_S", 0.05)
    world, open_streams = ApiWorld(), Streams()
    alone: list[int] = []

    def events(after: int, *given: Any, **narrowed: Any) -> Any:
        alone.extend([after] if narrowed else [])
        return world.events(after, *given, **narrowed)

    with serving(world.app(streams=open_streams, events=events)) as at:
        followed, beyond = Followed(world, open_streams, at), 2**63 - 2
        with stream(at.url, "acme", after=beyond) as waiting, stream(at.url, "acme") as reply:
            _, *beats = islice(blocks(waiting), 3)
            assert [each["id"] for each in beats] == [str(beyond)] * 2
            told = sent(reply)
            for number in range(1, 5):
                followed.append("acme", build.dataset_created())
                assert next(told).id == str(number)
    assert alone in ([], [0])  # whoever has come to the end is told by one read for all


def test_what_was_never_announced_is_told_all_the_same(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "LOOK_AGAIN_S", 0.05)
    monkeypatch.setattr(streams, "LOOK_AGAIN_S", 0.05)
    followed.append("acme", build.dataset_created())
    with stream(followed.url, "acme") as reply:
        events = sent(reply)
        assert next(events).id == "1"
        followed.append("acme", build.dataset_created(), announced=False)
        assert next(events).id == "2"


def test_a_silent_stream_says_that_it_is_open_and_how_far_it_looked(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "LOOK_AGAIN_S", 0.02)
    monkeypatch.setattr(feed, "HEARTBEAT_S", 0.05)
    followed.append("others", build.dataset_created(), build.rows_loaded())
    with stream(followed.url, "acme") as reply:
        first, *later = islice(blocks(reply), 3)
    assert first == {"retry": "1000"}
    assert later == [{"": "nothing new", "id": "2"}] * 2


def test_streams_are_bounded_and_make_room_when_they_end(followed: Followed) -> None:
    followed.append("acme", build.dataset_created())
    for _ in range(2):
        with ExitStack() as held:
            open_ = [sent(held.enter_context(stream(followed.url, "acme"))) for _ in range(4)]
            assert [next(each).id for each in open_] == ["1"] * 4
            refused = held.enter_context(stream(followed.url, "acme"))
            assert refused.status_code == 503
            assert refused.headers["Retry-After"] == "1"
            assert refused.headers["Content-Type"] == "application/problem+json"
            assert '"code":"feed.full"' in refused.read().decode()
        until(lambda: followed.streams.count, lambda count: count == 0, timeout_s=10)


def test_who_falls_behind_the_tail_reads_on_by_pages(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_KEPT", 2)
    with stream(followed.url, "acme") as reply:
        events = sent(reply)
        for burst in range(5):
            followed.append("acme", build.dataset_created(), *[build.rows_loaded()] * 9)
            told = [each.id for each in islice(events, 10)]
            assert told == [str(burst * 10 + n) for n in range(1, 11)]


def test_a_stream_ends_well_when_the_database_is_away_and_another_goes_on() -> None:
    world, away = ApiWorld(), Flag()

    def head() -> int:
        if away.is_set():
            raise StoreIsUnavailable("it does not answer")
        return len(world.log.recorded)

    def events(*given: Any, **narrowed: Any) -> Any:
        head()
        return world.events(*given, **narrowed)

    open_streams = Streams()
    facts = {"head": head, "events": events, "everything": events}
    with serving(world.app(streams=open_streams, **facts)) as at:
        followed = Followed(world, open_streams, at)
        followed.append("acme", build.dataset_created())
        with stream(at.url, "acme") as reply:
            told = sent(reply)
            assert next(told).id == "1"
            away.set()
            followed.append("acme", build.dataset_created())
            assert list(told) == []
        with stream(at.url, "acme", last_event_id=1) as reply:
            assert list(sent(reply)) == []
        away.clear()
        with stream(at.url, "acme", last_event_id=1) as reply:
            assert next(sent(reply)).id == "2"


def test_a_client_that_does_not_read_holds_nobody_up(followed: Followed) -> None:
    large = build.dataset_created("x" * 200_000)
    with stream(followed.url, "acme"), stream(followed.url, "acme") as reply:
        events = sent(reply)
        for number in range(1, 41):  # far more than a socket takes
            followed.append("acme", large)
            assert next(events).id == str(number)


def test_streams_end_well_when_the_server_stops(followed: Followed) -> None:
    followed.append("acme", build.dataset_created())
    with stream(followed.url, "acme") as reply:
        events = sent(reply)
        assert next(events).id == "1"
        followed.serving.stop()
        assert list(events) == []  # a connection that was cut would raise here


def test_a_place_to_go_on_that_is_none_is_refused(followed: Followed) -> None:
    with TestClient(followed.world.app()) as api:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": "yesterday"}
        reply = api.get("/v1/events", headers=headers)
        assert reply.status_code == 422
        assert reply.json()["faults"][0]["pointer"] == "/Last-Event-ID"
        unknown = api.get("/v1/events", params={"topic": "programs.*"}).json()
        assert unknown["code"] == "topic.unknown"
