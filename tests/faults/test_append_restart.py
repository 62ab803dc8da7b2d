"""A database that is killed under load loses nothing that was acknowledged (F-08)."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import sleep
from uuid import UUID, uuid4

import pytest

from application.errors import OutcomeIsUnknown, StoreIsUnavailable
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.requests import Beside
from infrastructure.eventstore.stored import SealedEvent
from infrastructure.postgres.pool import open_pool
from tests.support.postgres import prepared
from tests.support.throwaway_cluster import throwaway_cluster


@pytest.mark.slow
def test_what_was_acknowledged_is_there_once_and_what_was_refused_is_not() -> None:
    stop = Event()
    acknowledged: list[UUID] = []
    refused: list[UUID] = []
    unknown: list[UUID] = []

    def write(recorder: PostgresRecorder, beside: Beside) -> None:
        while not stop.is_set():
            event = SealedEvent(
                uuid4(), 1, "probe", b"{}", event_id=uuid4(), tenant="acme", metadata="{}"
            )
            try:
                recorder.append([event], beside)
            except OutcomeIsUnknown:
                unknown.append(event.event_id)
            except StoreIsUnavailable:
                refused.append(event.event_id)
                sleep(0.01)
            else:
                acknowledged.append(event.event_id)

    with throwaway_cluster() as cluster:
        conninfo = prepared(cluster.conninfo)
        with open_pool(conninfo, min_size=4, max_size=8, name="test") as pool:
            recorder = PostgresRecorder(pool)
            inline = Beside(write=lambda into, _: into.execute("SELECT 1"))
            with ThreadPoolExecutor(6) as threads:
                writers = [
                    threads.submit(write, recorder, inline if number % 2 else Beside())
                    for number in range(6)
                ]
                for _ in range(3):
                    sleep(0.5)
                    before = len(acknowledged)
                    cluster.stop("immediate")
                    cluster.start()
                    for _ in range(1000):
                        if len(acknowledged) > before + 50:
                            break
                        sleep(0.01)
                    else:
                        pytest.fail("the writers did not recover within 10 s")
                stop.set()
                for writer in writers:
                    writer.result()
            stored = {entry.event_id for entry in recorder.select_notifications(0, 1_000_000)}

    assert set(acknowledged) <= stored
    assert not set(refused) & stored
    assert refused or unknown
    assert stored - set(acknowledged) <= set(unknown)
