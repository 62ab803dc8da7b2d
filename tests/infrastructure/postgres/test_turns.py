"""Limits of a provider over all workers: fair, without leaks, and bounded in what waiting costs."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from uuid import uuid4

import psycopg
import pytest

from application.context import Context, within
from application.errors import StoreIsUnavailable
from application.turns import NoTurn, seconds_to_wait
from infrastructure.postgres.pool import Pool, open_pool
from infrastructure.postgres.rates import Limits, Rate, RateIsUsedUp
from infrastructure.postgres.slots import NoSlot, Slots
from infrastructure.postgres.turns import PostgresTurns, ProviderLimits
from tests.support.postgres import owner_of

NEVER = threading.Event()


@pytest.fixture
def pool(database: str) -> Iterator[Pool]:
    with open_pool(database, min_size=1, max_size=8, name="turns") as opened:
        yield opened


def slots(stack: ExitStack, database: str, limit: int) -> Slots:
    made = Slots(database, "openai", limit)
    stack.callback(made.close)
    return made


def moments(rate: Rate, count: int) -> list[float]:
    """When *count* calls go that are asked for at once, in seconds from now."""
    began = time.monotonic()
    waits = (max(0.0, rate.book(0, within_s=1e9)) for _ in range(count))
    return sorted(time.monotonic() - began + wait for wait in waits)


def line_of(tenant: str, turns: PostgresTurns):  # type: ignore[no-untyped-def]  # a test's helper
    with within(Context(tenant=tenant, actor="ada", correlation_id=uuid4())):
        return turns.line()


@pytest.mark.feature("VIS-25")
def test_vis_25_no_more_than_the_limit_are_at_it_in_all_processes_together(database: str) -> None:
    inside, most = [0], [0]
    counting = threading.Lock()

    def work(slots: Slots) -> None:
        with slots.one(within_s=30, stopped=NEVER):
            with counting:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(0.01)
            with counting:
                inside[0] -= 1

    with ExitStack() as stack, ThreadPoolExecutor(24) as threads:
        workers = [slots(stack, database, 4) for _ in range(3)]
        list(threads.map(work, workers * 20))
    assert most == [4]
    assert inside == [0]


@pytest.mark.feature("VIS-25")
def test_vis_25_a_worker_with_one_call_is_served_beside_one_with_many(database: str) -> None:
    served = {"many": 0, "one": 0}
    over = threading.Event()

    def work(slots: Slots, name: str) -> None:
        while not over.is_set():
            with slots.one(within_s=30, stopped=NEVER):
                served[name] += 1
                time.sleep(0.005)

    with ExitStack() as stack, ThreadPoolExecutor(9) as threads:
        many, one = slots(stack, database, 1), slots(stack, database, 1)
        futures = [threads.submit(work, many, "many") for _ in range(8)]
        futures.append(threads.submit(work, one, "one"))
        until = time.monotonic() + 30
        while min(served.values()) < 10 and time.monotonic() < until:
            time.sleep(0.01)
        over.set()
        for future in futures:
            future.result(30)
    assert served["one"] >= 10


@pytest.mark.feature("VIS-25")
def test_vis_25_the_slots_of_a_killed_worker_come_back(database: str) -> None:
    code = """
import sys, threading, time
from infrastructure.postgres.slots import Slots
slots = Slots(sys.argv[1], "openai", 1)
with slots.one(within_s=5, stopped=threading.Event()):
    print("held", flush=True)
    time.sleep(60)
"""
    command = [sys.executable, "-c", code, database]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder,
        ExitStack() as stack,
    ):
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        mine = slots(stack, database, 1)
        with pytest.raises(NoSlot), mine.one(within_s=0.05, stopped=NEVER):
            pass
        os.kill(holder.pid, signal.SIGKILL)
        with mine.one(within_s=10, stopped=NEVER):
            pass


def test_a_slot_is_given_to_who_came_first(database: str) -> None:
    order: list[int] = []
    with ExitStack() as stack, ThreadPoolExecutor(5) as threads:
        only = slots(stack, database, 1)

        def work(number: int) -> None:
            with only.one(within_s=30, stopped=NEVER):
                order.append(number)

        with only.one(within_s=5, stopped=NEVER):
            for number in range(5):
                threads.submit(work, number)
                while len(only._line) <= number:
                    time.sleep(0.001)
    assert order == [0, 1, 2, 3, 4]


def test_who_is_stopped_waits_no_longer_and_holds_up_nobody(database: str) -> None:
    stopped = threading.Event()
    with ExitStack() as stack, ThreadPoolExecutor(1) as threads:
        only = slots(stack, database, 1)

        def wait() -> None:
            with only.one(within_s=60, stopped=stopped):
                pass

        with only.one(within_s=5, stopped=NEVER):
            waiting = threads.submit(wait)
            stopped.set()
            with pytest.raises(NoSlot):
                waiting.result(10)
        with only.one(within_s=5, stopped=NEVER):
            pass


def test_a_lost_session_takes_its_slots_with_it_and_the_next_one_begins_anew(
    database: str,
) -> None:
    with ExitStack() as stack:
        mine, other = slots(stack, database, 1), slots(stack, database, 1)
        with mine.one(within_s=5, stopped=NEVER):
            with psycopg.connect(owner_of(database), autocommit=True) as owner:
                owner.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name LIKE '%slots openai'"
                    " AND datname = current_database()"
                )
            with other.one(within_s=10, stopped=NEVER):
                pass
        with mine.one(within_s=5, stopped=NEVER):
            pass


@pytest.mark.feature("LMP-23")
def test_lmp_23_100_calls_at_10_a_second_take_ten_seconds_and_no_second_has_more(
    pool: Pool,
) -> None:
    booked = moments(Rate(pool, "openai", Limits(calls=600)), 100)
    assert 9 <= booked[-1] <= 11
    for first in booked:
        assert sum(first <= each < first + 0.8 for each in booked) <= 10


@pytest.mark.feature("LMP-23")
def test_lmp_23_no_minute_has_more_calls_than_the_limit(pool: Pool) -> None:
    for limit in (1, 7, 600, 1200):
        booked = moments(Rate(pool, f"line of {limit}", Limits(calls=limit)), limit * 2 + 2)
        assert all(
            later - first > 59.5 for first, later in zip(booked, booked[limit:], strict=False)
        )


@pytest.mark.feature("LMP-23")
def test_lmp_23_tokens_are_booked_as_expected_and_settled_as_counted(pool: Pool) -> None:
    rate = Rate(pool, "openai", Limits(tokens=60_000))
    assert rate.book(5_000, within_s=0) <= 0, "one call may go at once, however large"
    assert 4 < rate.book(1_000, within_s=60) <= 5
    rate.settle(-4_000)
    assert 1 < rate.book(1_000, within_s=60) <= 2


@pytest.mark.feature("LMP-23")
def test_lmp_23_a_place_too_far_away_is_not_booked(pool: Pool) -> None:
    rate = Rate(pool, "openai", Limits(calls=60))
    for _ in range(3):
        rate.book(0, within_s=60)
    for _ in range(5):
        with pytest.raises(RateIsUsedUp) as refused:
            rate.book(0, within_s=1)
    assert 1 < refused.value.after_s < 4


@pytest.mark.feature("LMP-23")
def test_lmp_23_each_tenant_has_its_own_and_all_have_the_providers(
    database: str, pool: Pool
) -> None:
    limits = ProviderLimits(whole=Limits(calls=180), tenant=Limits(calls=60))
    turns = PostgresTurns(database, pool, "openai", limits)

    def ask(tenant: str) -> None:
        with line_of(tenant, turns).turn(lambda: 0, within_s=0.2, stopped=NEVER) as settle:
            settle(5)

    ask("acme")
    with pytest.raises(NoTurn, match=r"the limit of calls of acme to openai is used up") as refused:
        ask("acme")
    assert refused.value.failure.code == "model.no_turn"
    assert refused.value.failure.retryable
    assert seconds_to_wait(refused.value.failure) == 1
    with pytest.raises(NoTurn, match=r"the limit of calls to openai is used up"):
        ask("globex")


@pytest.mark.feature("LMP-23")
def test_lmp_23_a_call_that_is_not_made_for_others_sake_takes_nothing_of_the_tenants_own(
    database: str, pool: Pool
) -> None:
    limits = ProviderLimits(whole=Limits(calls=1), tenant=Limits(calls=1, tokens=60))
    turns = PostgresTurns(database, pool, "openai", limits)
    with line_of("globex", turns).turn(lambda: 1, within_s=1, stopped=NEVER):
        pass
    for _ in range(3):
        with (
            pytest.raises(NoTurn, match=r"the limit of calls to openai is used up"),
            line_of("acme", turns).turn(lambda: 1, within_s=0.01, stopped=NEVER),
        ):
            pass


@pytest.mark.feature("LMP-23")
def test_lmp_23_who_is_stopped_while_waiting_for_a_place_makes_no_call(
    database: str, pool: Pool
) -> None:
    turns = PostgresTurns(database, pool, "openai", ProviderLimits(whole=Limits(calls=60)))
    line, stopped = line_of("acme", turns), threading.Event()
    with line.turn(lambda: 0, within_s=1, stopped=stopped):
        pass
    stopped.set()
    with pytest.raises(NoTurn), line.turn(lambda: 0, within_s=60, stopped=stopped):
        pass


def test_a_slot_that_is_not_free_in_time_is_no_turn(database: str, pool: Pool) -> None:
    turns = PostgresTurns(database, pool, "openai", ProviderLimits(at_once=1))
    line = line_of("acme", turns)
    with (
        line.turn(lambda: 0, within_s=1, stopped=NEVER),
        pytest.raises(NoTurn, match="calls at once to openai"),
        line.turn(lambda: 0, within_s=0.02, stopped=NEVER),
    ):
        pass
    turns.close()


def test_without_a_database_nobody_has_a_turn(database: str) -> None:
    with open_pool(database, min_size=1, max_size=1, name="turns") as closed:
        pass
    limits = ProviderLimits(at_once=1, whole=Limits(calls=60))
    line = line_of("acme", PostgresTurns(database, closed, "openai", limits))
    with pytest.raises(StoreIsUnavailable), line.turn(lambda: 0, within_s=1, stopped=NEVER):
        pass


def test_without_limits_nobody_is_asked() -> None:
    assert ProviderLimits().are_none
    assert not ProviderLimits(at_once=1).are_none
