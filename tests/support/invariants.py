"""What holds of a database whatever was done to the processes: I-01 to 06, 08, 09."""

import re
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, LiteralString
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from domain.evaluation.events import EvaluationLmCalled, EvaluationStarted, EvaluationToolCalled
from domain.execution.events import ExecutionLmCalled, ExecutionStarted, ExecutionToolCalled
from domain.kernel import Recorded
from domain.optimization.events import (
    OptimizationLmCalled,
    OptimizationStarted,
    OptimizationToolCalled,
    TrialScored,
)
from domain.values import LmCall, LmSpend
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog
from infrastructure.notary.archive import Archive
from infrastructure.notary.follower import Notary
from infrastructure.notary.keys import signer
from infrastructure.notary.publishing import Publisher
from infrastructure.notary.verifier.examination import Report
from infrastructure.postgres.pool import open_pool
from infrastructure.system import SystemClock
from tests.support.credit import standings
from tests.support.postgres import owner_of, prepared
from tests.support.projecting import read_models

QUIET_S: Final = 30.0

_BUDGETS: LiteralString = """
    SELECT budget_id, granted_usd, held_usd, charged_usd,
           granted_usd + overdrawn_usd - held_usd - charged_usd FROM stratal.budgets"""

Started = ExecutionStarted | OptimizationStarted | EvaluationStarted
Called = ExecutionLmCalled | OptimizationLmCalled | EvaluationLmCalled
Used = ExecutionToolCalled | OptimizationToolCalled | EvaluationToolCalled

_RUNS: Final = {"execution", "optimization", "evaluation"}
_LETTERS: Final = {
    "requested": "R",
    "started": "S",
    "lm_called": "c",
    "tool_called": "c",
    "trial_scored": "c",
    "warned": "c",
    "routed": "c",
    "completed": "E",
    "failed": "E",
    "cancelled": "E",
    "credit_held": "H",
    "credit_settled": "B",
    "approved": "A",
    "rejected": "A",
    "replay_requested": "Q",
    "replay_verified": "V",
    "replay_diverged": "V",
}
_LIFE_OF_A_RUN: Final = re.compile(r"R(Sc*)*(EA?)?[QV]*|RH(Sc*)*(BE[QV]*)?")
"""Requested, taken up any number of times, ended once; then judged, or replayed.

What is held for one is settled with its end.
"""

_FIRST: Final = {
    "api_key": "issued",
    "batch": "requested",
    "budget": "opened",
    "job": "retried",
    "default_provider": "chosen",
    "parking": "event_parked",
    "price": "set",
    "provider": "registered",
    "queue": "paused",
    "signature": "defined",
    "webhook": "subscribed",
    "workflow": "defined",
    "workflow_run": "started",
}
"""How the life of a thing begins, where that is not ``created``."""

_GAPS: Final[LiteralString] = """
    SELECT originator_id, count(*), count(DISTINCT originator_version), max(originator_version)
    FROM stratal.events GROUP BY originator_id
    HAVING count(*) <> max(originator_version)
        OR count(DISTINCT originator_version) <> max(originator_version)
"""
_PARKED: Final[LiteralString] = """
    SELECT projection, position, topic, reason FROM stratal.parked ORDER BY position
"""
_BEHIND: Final[LiteralString] = """
    SELECT name, failure FROM stratal.projections WHERE live AND (failure IS NOT NULL
        OR position < (SELECT coalesce(max(notification_id), 0) FROM stratal.events))
"""


def check(
    conninfo: str, *, acknowledged: Collection[str] = (), refused: Collection[str] = ()
) -> Sequence[Recorded]:
    """Check every invariant; *acknowledged* and *refused* are Idempotency-Keys of clients.

    Returns:
        The whole log, for what else a test wants to know of it.
    """
    check_streams(conninfo)
    recorded = whole_log(conninfo)
    check_commands(recorded, acknowledged=acknowledged, refused=refused)
    streams = by_stream(recorded)
    for stream in streams.values():
        check_life(stream)
        check_sums(stream)
    check_budgets(conninfo, recorded)
    check_read_models(conninfo, recorded)
    return recorded


def whole_log(conninfo: str) -> Sequence[Recorded]:
    """Every event of every tenant, in order."""
    with open_pool(conninfo, min_size=1, max_size=1, name="invariants") as pool:
        log = EventLog(PostgresRecorder(pool))
        found: list[Recorded] = []
        while part := log.events(found[-1].position or 0 if found else 0, 1000):
            found += part
    return found


def by_stream(recorded: Sequence[Recorded]) -> Mapping[UUID, Sequence[Recorded]]:
    """The events of each stream, in order."""
    streams: dict[UUID, list[Recorded]] = defaultdict(list)
    for each in recorded:
        streams[each.originator_id].append(each)
    return streams


def check_streams(conninfo: str) -> None:
    """I-01: the versions of each stream are 1..n; the order of the log is that of each stream."""
    with psycopg.connect(conninfo) as connection:
        assert connection.execute(_GAPS).fetchall() == []
    for stream in by_stream(whole_log(conninfo)).values():
        assert [each.originator_version for each in stream] == [*range(1, len(stream) + 1)]


def check_commands(
    recorded: Sequence[Recorded], *, acknowledged: Collection[str], refused: Collection[str]
) -> None:
    """I-02: what was acknowledged is in the log once; what was refused is not."""
    times = Counter(each.envelope.command_id for each in recorded)
    assert {key: times[key] for key in acknowledged if times[key] != 1} == {}
    assert {key: times[key] for key in refused if times[key]} == {}


def check_life(stream: Sequence[Recorded]) -> None:
    """I-05 and I-08: a run ends exactly once; every stream goes a legal way from its beginning."""
    topics = [each.event.TOPIC for each in stream]
    kind = topics[0].partition(".")[0]
    steps = [topic.removeprefix(f"{kind}.") for topic in topics]
    if kind in _RUNS:
        life = "".join(_LETTERS[step] for step in steps)
        assert _LIFE_OF_A_RUN.fullmatch(life), f"{kind} {stream[0].originator_id}: {steps}"
        attempts = [event.attempt for event in _events(stream) if isinstance(event, Started)]
        assert attempts == [*range(1, len(attempts) + 1)]
    else:
        assert steps[0] == _FIRST.get(kind, "created"), f"{kind} {stream[0].originator_id}: {steps}"
        assert "retired" not in steps[:-1]


def check_budgets(conninfo: str, recorded: Sequence[Recorded]) -> None:
    """I-06: granted - charged - held is what is left, never below 0, for each budget."""
    with psycopg.connect(conninfo) as connection:
        rows = {key: tuple(sums) for key, *sums in connection.execute(_BUDGETS)}
    assert all(left >= 0 for *_, left in rows.values())
    assert rows == {
        key: (each.granted_usd, each.held_usd, each.charged_usd, each.left_usd)
        for key, each in standings(recorded).items()
    }


def check_ended(streams: Mapping[UUID, Sequence[Recorded]]) -> None:
    """I-05: no run is left unfinished."""
    for stream in streams.values():
        kind, _, _ = stream[0].event.TOPIC.partition(".")
        if kind in _RUNS:
            ends = [_LETTERS[each.event.TOPIC.partition(".")[2]] for each in stream].count("E")
            assert ends == 1, f"{kind} {stream[0].originator_id} ended {ends} times"


def check_sums(stream: Sequence[Recorded]) -> None:
    """I-06: what a run spent is the sum over its calls; nothing is booked twice."""
    made = calls(stream)
    spend = LmSpend()
    for call in made:
        spend = spend.plus(call)
    answered = Counter(call.key for call in made if call.response is not None)
    answered.update(event.call.key for event in _events(stream) if isinstance(event, Used))
    assert [key for key, times in answered.items() if times > 1] == []
    for event in _events(stream):
        assert getattr(event, "spend", spend) == spend
    trials = [event.trial for event in _events(stream) if isinstance(event, TrialScored)]
    assert trials == [*range(1, len(trials) + 1)]


def calls(stream: Sequence[Recorded]) -> Sequence[LmCall]:
    """The model calls that a stream has on record."""
    return [event.call for event in _events(stream) if isinstance(event, Called)]


def check_read_models(conninfo: str, recorded: Sequence[Recorded]) -> None:
    """I-03 and I-04: every read model reaches the head, and equals one made anew from the log.

    None of them does without an event.
    """
    _wait_until_quiet(conninfo)
    with (
        _beside(conninfo) as empty,
        read_models(empty) as fresh,
        read_models(conninfo) as live,
    ):
        fresh.project(recorded)
        for tenant in sorted({each.envelope.tenant for each in recorded}):
            assert live.dump(tenant) == fresh.dump(tenant)


def check_proof(conninfo: str, home: Path) -> Report:
    """I-09: every event is what the notary of *home* saw, and in the end all of them are signed."""
    signs, deadline_s = signer(None, home), time.monotonic() + QUIET_S
    with closing(Notary(conninfo, signs, Publisher(None, None), SystemClock())) as notary:
        while True:
            notary.step()  # unless one of the service leads, which signs every few seconds
            report = Archive(conninfo, [signs.key], []).verify(lambda _: None)
            found = [str(each) for each in report.findings if each.kind != "unsigned"]
            assert not found, found
            if not report.unsigned:
                return report
            assert time.monotonic() < deadline_s, f"{report.unsigned} events are not signed"
            time.sleep(0.1)


def _wait_until_quiet(conninfo: str) -> None:
    deadline_s = time.monotonic() + QUIET_S
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while behind := connection.execute(_BEHIND).fetchall():
            assert time.monotonic() < deadline_s, f"Behind the log after {QUIET_S} s: {behind}"
            time.sleep(0.1)
        assert connection.execute(_PARKED).fetchall() == []


@contextmanager
def _beside(conninfo: str) -> Generator[str]:
    """A fresh database of ours on the same server."""
    name = f"beside_{uuid4().hex[:12]}"
    with psycopg.connect(owner_of(conninfo), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield prepared(make_conninfo(owner_of(conninfo), dbname=name))
        drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
        connection.execute(drop.format(sql.Identifier(name)))


def _events(stream: Sequence[Recorded]) -> Iterator[object]:
    return (each.event for each in stream)
