"""Jobs over Postgres: queued with the append, done once, lost with no worker and no restart."""

import signal
import time
from statistics import quantiles

import psycopg
import pytest

from infrastructure.workers import settlement
from tests.support.throwaway_cluster import throwaway_cluster
from tests.support.workers import (
    LANES,
    Note,
    NoteAside,
    Notebook,
    asked,
    running,
    spawned,
    worker,
)

pytestmark = [pytest.mark.postgres, pytest.mark.worker]


def test_a_job_appears_with_its_append_or_not_at_all(notebook: Notebook) -> None:
    with psycopg.connect(notebook.conninfo) as connection, connection.cursor() as cursor:
        notebook.write(cursor, [asked(Note(n=1))])
        connection.rollback()
        notebook.write(cursor, [asked(Note(n=2))])
        assert notebook.number("SELECT count(*) FROM stratal.jobs") == 0
        connection.commit()
    assert notebook.number("SELECT count(*) FROM stratal.jobs") == 1
    with running(worker(notebook.conninfo)):
        notebook.wait_done(1)
    assert notebook.rows("SELECT DISTINCT n FROM notes") == [(2,)]
    assert notebook.number("SELECT count(*) FROM stratal.jobs") == 0


def test_the_same_event_never_queues_the_same_command_twice(notebook: Notebook) -> None:
    cause = asked(Note(n=1), Note(n=2))
    with psycopg.connect(notebook.conninfo) as connection, connection.cursor() as cursor:
        notebook.write(cursor, [cause])
        notebook.write(cursor, [cause])
    assert notebook.number("SELECT count(*) FROM stratal.jobs") == 2


def test_a_job_runs_on_behalf_of_who_caused_it(notebook: Notebook) -> None:
    cause = asked(Note(n=1))
    with running(worker(notebook.conninfo)):
        with psycopg.connect(notebook.conninfo) as connection, connection.cursor() as cursor:
            notebook.write(cursor, [cause])
        notebook.wait_done(1)
    [[context]] = notebook.rows("SELECT context FROM notes WHERE step = 'done'")
    assert isinstance(context, str)
    assert "tenant='acme', actor='ann'" in context
    assert f"causation_id={cause.envelope.event_id!r}" in context
    assert f"correlation_id={cause.envelope.correlation_id!r}" in context
    assert f"traceparent='{cause.envelope.traceparent}'" in context


@pytest.mark.slow
def test_two_workers_do_three_thousand_jobs_and_none_twice(notebook: Notebook) -> None:
    with running(worker(notebook.conninfo)), running(worker(notebook.conninfo)):
        for start in range(0, 3_000, 100):
            notebook.queue(*(Note(n=n) for n in range(start, start + 100)))
        notebook.wait_done(3_000, timeout_s=60)
    assert notebook.number("SELECT count(*) FROM notes WHERE step = 'start'") == 3_000


def test_a_job_waits_no_longer_than_its_wake_up_takes(notebook: Notebook) -> None:
    with running(worker(notebook.conninfo)):
        notebook.queue(Note(n=0))
        notebook.wait_done(1)
        for n in range(1, 101):
            queued = time.time()
            notebook.queue(Note(n=n))
            notebook.execute(
                f"INSERT INTO notes (n, step, at) VALUES ({n}, 'queue', to_timestamp({queued}))"
            )
            time.sleep(0.005)
        notebook.wait_done(101)
    waits = [
        float(str(ms))
        for (ms,) in notebook.rows(
            "SELECT extract(epoch FROM s.at - q.at) * 1000 FROM notes q JOIN notes s USING (n) "
            "WHERE q.step = 'queue' AND s.step = 'start'"
        )
    ]
    percentiles = quantiles(waits, n=100)
    assert len(waits) == 100
    assert percentiles[49] < 100, waits
    assert max(waits) < 900, "a wake-up was lost: this is the poll"


def test_a_job_queued_while_a_consumer_looks_is_not_overslept(notebook: Notebook) -> None:
    process = worker(notebook.conninfo)
    with running(process):
        table = process._table
        claim, hits = table.claim, list[float]()

        def claim_and_miss(queue: str, room: int) -> object:
            claimed = claim(queue, room)
            if queue == "notes" and not claimed and not hits:
                hits.append(time.monotonic())
                notebook.queue(Note(n=1))  # its wake-up comes while nothing was found
                time.sleep(0.05)
            return claimed

        table.claim = claim_and_miss  # type: ignore[method-assign,assignment] # the race, forced
        notebook.wait_done(1)
        assert time.monotonic() - hits[0] < 0.5


@pytest.mark.slow
def test_the_jobs_of_a_killed_worker_are_taken_over_at_once(notebook: Notebook) -> None:
    with spawned(notebook.conninfo) as victim, running(worker(notebook.conninfo)):
        for n in range(8):
            notebook.queue(Note(n=n, sleep_s=1.5))
        notebook.wait(f"count(*) > 0 FROM notes WHERE pid = {victim.pid}")
        victim.send_signal(signal.SIGKILL)
        notebook.execute("INSERT INTO notes (n, step) VALUES (-1, 'kill')")
        notebook.wait_done(8)
        [[wait_s]] = notebook.rows(
            "SELECT extract(epoch FROM max(s.at) - max(k.at))::float8 FROM notes s, notes k "
            "WHERE k.step = 'kill' AND s.step = 'start'"
        )
        assert isinstance(wait_s, float)
        assert wait_s < 3
    assert notebook.number("SELECT count(*) FROM stratal.jobs") == 0


def test_an_obstacle_is_tried_again_after_a_while(notebook: Notebook) -> None:
    with running(worker(notebook.conninfo)):
        notebook.queue(Note(n=1, fault="away once"))
        notebook.wait_done(1)
    [[wait_s]] = notebook.rows(
        "SELECT extract(epoch FROM max(at) - min(at))::float8 FROM notes WHERE step = 'start'"
    )
    assert isinstance(wait_s, float)
    assert 0.5 <= wait_s < 0.8


def test_what_is_no_fault_of_a_job_never_gives_it_up(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement, "BACKOFF_MAX_MS", 10)
    assert LANES[Note].max_retries == 2
    with running(worker(notebook.conninfo)):
        notebook.queue(Note(n=1, fault="away four times"))
        notebook.wait_done(1)
    assert notebook.number("SELECT count(*) FROM notes WHERE step = 'start'") == 5


def test_a_refusal_is_an_answer_and_no_retry(notebook: Notebook) -> None:
    with running(worker(notebook.conninfo)):
        notebook.queue(Note(n=1, fault="refused"))
        notebook.wait("count(*) = 0 FROM stratal.jobs")
    assert notebook.number("SELECT count(*) FROM notes") == 1


@pytest.mark.slow
def test_a_job_that_keeps_failing_is_given_up_with_its_reason(notebook: Notebook) -> None:
    with running(worker(notebook.conninfo)):
        notebook.queue(Note(n=1, fault="bug"))
        notebook.wait("count(*) = 1 FROM stratal.jobs WHERE dead_at IS NOT NULL", timeout_s=20)
    assert notebook.number("SELECT count(*) FROM notes") == 3
    assert notebook.rows("SELECT error, owner FROM stratal.jobs") == [("RuntimeError: a bug", None)]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"\xff", "A message cannot be read"),
        (b'{"queue_name":"notes","actor_name":"Gone","args":[],"kwargs":{},"options":{}}', "Gone"),
        (
            b'{"queue_name":"notes","actor_name":"Note","args":[],"options":{},'
            b'"kwargs":{"id":"00000000-0000-0000-0000-000000000001","body":{"m":1},"context":{}}}',
            "JobIsUnreadable",
        ),
    ],
)
def test_poison_is_given_up_at_once(notebook: Notebook, message: bytes, reason: str) -> None:
    with running(worker(notebook.conninfo)):
        notebook.execute(
            "INSERT INTO stratal.jobs (message_id, key, queue, message) VALUES "
            "('00000000-0000-0000-0000-000000000001', gen_random_uuid(), 'notes', "
            f"'\\x{message.hex()}')"
        )
        notebook.queue(Note(n=1))
        notebook.wait_done(1)
        notebook.wait("count(*) = 1 FROM stratal.jobs WHERE dead_at IS NOT NULL")
    [[error]] = notebook.rows("SELECT error FROM stratal.jobs")
    assert reason in str(error)


def test_a_job_past_its_time_is_interrupted(notebook: Notebook) -> None:
    with running(worker(notebook.conninfo)):
        notebook.queue(NoteAside(n=1, sleep_s=2.5))
        notebook.wait("count(*) = 1 FROM stratal.jobs WHERE dead_at IS NOT NULL")
    assert notebook.number("SELECT count(*) FROM notes WHERE step = 'done'") == 0
    assert "TimeLimitExceeded" in str(notebook.rows("SELECT error FROM stratal.jobs"))


def test_long_work_in_one_lane_delays_no_other(notebook: Notebook) -> None:
    with running(worker(notebook.conninfo)):
        notebook.queue(*(Note(n=n, sleep_s=1.5) for n in range(8)), NoteAside(n=9))
        assert notebook.wait("count(*) = 1 FROM notes WHERE n = 9 AND step = 'done'") < 1


def test_sigterm_gives_back_what_did_not_begin(notebook: Notebook) -> None:
    with spawned(notebook.conninfo) as process:
        notebook.queue(*(Note(n=n, sleep_s=1) for n in range(9)))
        notebook.wait("count(*) = 4 FROM notes")
        process.terminate()
        assert process.wait(12) == 0
    assert notebook.done() == 4
    assert notebook.rows("SELECT count(*), count(owner), max(tries) FROM stratal.jobs") == [
        (5, 0, 0)
    ]


@pytest.mark.slow
def test_workers_outlive_an_immediate_restart_of_the_database() -> None:
    with throwaway_cluster() as cluster:
        notebook = Notebook(cluster.conninfo)
        notebook.install()
        with running(worker(notebook.conninfo)):
            notebook.queue(*(Note(n=n, sleep_s=0.05) for n in range(40)))
            notebook.wait("count(*) > 4 FROM notes")
            cluster.stop("immediate")
            time.sleep(2)
            cluster.start()
            back = time.monotonic()
            notebook.queue(Note(n=100))
            notebook.wait_done(41, timeout_s=10)
            assert time.monotonic() - back < 10
            notebook.wait("count(*) = 0 FROM stratal.jobs")
