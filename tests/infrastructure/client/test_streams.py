"""The client goes on with exports and streams where a connection broke: nothing twice, no gap."""

import csv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any, cast

import pytest

from infrastructure.api import feed
from infrastructure.api.streams import Streams
from infrastructure.client import Stratal, StratalProblem, StratalUnreachable
from infrastructure.client import streams as patient
from infrastructure.client.transport import Transport
from tests.support.api import SYNTAX, ApiWorld
from tests.support.cutting import cutting
from tests.support.postgres import copy_of
from tests.support.projecting import read_models
from tests.support.service import until
from tests.support.sse import Serving, serving

pytestmark = pytest.mark.postgres

CUT_BYTES = 4000
"""Room for the head of a reply and some lines."""


@pytest.fixture(scope="module")
def world(cluster: str, template: str) -> Iterator[ApiWorld]:
    """A log with some facts of a tenant."""
    with copy_of(template, cluster) as conninfo, read_models(conninfo) as models:
        world = ApiWorld(models)
        with serving(world.app()) as at, Stratal(at.url, "acme", "ada") as api:
            for number in range(30):
                api.datasets.create(f"d{number}")
            api.programs.create("triage", SYNTAX)
            api.programs.start_testing("triage")
        yield world


@pytest.fixture
def streams() -> Streams:
    return Streams()


@pytest.fixture
def at(world: ApiWorld, streams: Streams) -> Iterator[Serving]:
    with serving(world.app(streams=streams)) as serving_:
        yield serving_


def test_an_export_is_whole_over_a_network_that_cuts(at: Serving, world: ApiWorld) -> None:
    with Stratal(at.url, "acme") as near:
        whole = list(near.export_audit())
        in_cells = list(near.export_audit_lines("csv"))
    assert [each["position"] for each in whole] == [*range(1, len(world.log.recorded) + 1)]
    with cutting(at.url, CUT_BYTES) as proxy, Stratal(proxy.url, "acme") as far:
        assert list(far.export_audit()) == whole
        assert proxy.cuts > 3
        assert list(far.export_audit_lines("csv")) == in_cells
        assert list(far.export_audit(after=30, topic=("program.*",))) == whole[30:32]
    rows = list(csv.DictReader(line.decode() for line in in_cells))
    assert [each["sentence"] for each in rows] == [each["sentence"] for each in whole]


def test_facts_are_followed_over_a_network_that_cuts(at: Serving, streams: Streams) -> None:
    with Stratal(at.url, "acme") as near:
        whole = list(near.events())
        assert list(near.events(topics=["program.testing_started"])) == whole[31:32]
        with cutting(at.url, CUT_BYTES) as proxy, Stratal(proxy.url, "acme") as far:
            told = far.follow()
            assert list(islice(told, len(whole))) == whole
            assert proxy.cuts > 3
            near.datasets.create("later")
            streams.heard(None)
            assert next(told)["data"]["name"] == "later"
            told = far.follow(after=len(whole), topics=("dataset.*", "program.*"))
            assert next(told)["data"]["name"] == "later"


@pytest.mark.feature("EXE-11")
def test_exe_11_an_execution_is_followed_over_a_network_that_cuts(
    at: Serving, world: ApiWorld
) -> None:
    with (
        cutting(at.url, CUT_BYTES // 2) as proxy,
        Stratal(proxy.url, "acme") as far,
        Stratal(at.url, "acme") as near,
    ):
        told = list(far.programs.stream("triage", {"message": "It crashes."}))
        assert proxy.cuts > 0
        statuses = [each["status"] for each in told if each["event"] == "state"]
        assert statuses == ["pending", "running", "completed"]
        execution, version = told[-1]["execution_id"], told[-1]["version"]
        assert list(near.executions.stream(execution, after=version)) == []
        assert list(near.executions.stream(execution, after=version - 1)) == told[-1:]


def test_an_execution_is_followed_on_when_a_server_has_stopped(world: ApiWorld) -> None:
    with ThreadPoolExecutor() as threads, Stratal("http://127.0.0.1:1", "acme") as far:
        world.has_worker = False
        streams = Streams()
        with serving(world.app(streams=streams)) as first:
            far._transport = Transport(first.url, {"X-Stratal-Tenant": "acme"}, timeout_s=30)
            told = far.programs.stream("triage", {"message": "It crashes."})
            assert next(told)["status"] == "pending"
            rest = threads.submit(list, told)
            first.stop()
            world.has_worker = True
            world.work()
            with serving(world.app()) as second:
                far._transport._address = ("127.0.0.1", int(second.url.rpartition(":")[2]))
                assert rest.result(timeout=30)[-1]["status"] == "completed"


def test_a_quiet_stream_over_a_network_that_cuts_goes_on_where_it_had_looked(
    world: ApiWorld, streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "LOOK_AGAIN_S", 0.01)
    monkeypatch.setattr(feed, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(patient, "_PATIENT_TRIES", 2)
    looked: list[int] = []

    def events(after: int, *given: Any, **narrowed: Any) -> Any:
        looked.extend([after] if narrowed else [])
        return world.events(after, *given, **narrowed)

    with (
        ThreadPoolExecutor() as threads,
        serving(world.app(streams=streams, events=events)) as at,
        cutting(at.url, CUT_BYTES // 2) as proxy,
        Stratal(proxy.url, "acme") as far,
        Stratal(at.url, "acme") as near,
    ):
        told = threads.submit(next, far.follow(topics=["signature.defined"]))
        until(lambda: proxy.cuts, lambda cuts: cuts > 3 or told.done(), timeout_s=30)
        assert looked == [0]  # the past is read once, not after each cut
        near.signatures.create("later", SYNTAX)
        streams.heard(None)
        assert told.result(timeout=30)["data"]["name"] == "later"


class Quiet(Exception):
    """The test has seen enough."""


class Resets:
    """A network that loses the first replies before a line of them has come."""

    url = "http://far"

    def __init__(self, losses: int) -> None:
        self.losses = losses

    @contextmanager
    def opened(self, *_path: str, **_request: object) -> Iterator[Any]:
        yield self

    def readline(self) -> bytes:
        if self.losses:
            self.losses -= 1
            raise ConnectionResetError
        raise Quiet


def test_a_quiet_stream_may_be_cut_again_and_again_before_it_says_that_it_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patient, "_PATIENT_TRIES", 3)
    monkeypatch.setattr(patient, "_LONGEST_PAUSE_S", 0.0)
    monkeypatch.setattr(patient, "_FIRST_PAUSE_S", 0.0)
    network = Resets(losses=50)
    told = patient.facts(cast(Transport, network), 0, ())
    with pytest.raises(Quiet):
        next(told)
    assert network.losses == 0


def test_a_refusal_ends_it(at: Serving) -> None:
    with Stratal(at.url, "acme") as api:
        for asked in (api.follow(topics=["nothing"]), api.export_audit(topic="nothing")):
            with pytest.raises(StratalProblem) as refused:
                next(asked)
            assert refused.value.code == "topic.unknown"


def test_a_server_that_is_gone_ends_it_after_some_tries(
    at: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patient, "_PATIENT_TRIES", 3)
    with Stratal(at.url, "acme") as api:
        told = api.follow(after=31)
        assert next(told)["topic"] == "program.testing_started"
        at.stop()
        with pytest.raises(StratalUnreachable):
            list(islice(told, 10_000))  # what had come before it was gone is told first


def test_the_history_of_a_thing_is_read_through_its_pages(at: Serving) -> None:
    with Stratal(at.url, "acme") as api:
        topics = [each["topic"] for each in api.programs.history("triage", limit=1)]
        assert topics == ["program.testing_started", "program.created"]
        (first,) = api.programs.history("triage", status="draft", mode="snapshot")
        assert first["snapshot"]["stage"] == "draft"
