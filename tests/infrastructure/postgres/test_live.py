"""What models say on its way to the processes of the API: in order, soon, bounded, lossy."""

import queue
import threading
from collections.abc import Iterator
from uuid import UUID

import pytest

from application.context import Context, within
from application.retelling import Live
from application.streaming import Piece
from infrastructure.postgres import live as module
from infrastructure.postgres.listener import LogListener
from infrastructure.postgres.live import CHANNEL, LiveTeller, live_of
from tests.support.histories import an_id
from tests.support.runs import key
from tests.support.service import until

pytestmark = pytest.mark.postgres

CALL = key("a")
IN_ACME = Context(tenant="acme", actor="worker", correlation_id=an_id("c"))
Told = tuple[str, UUID, Live]


@pytest.fixture
def inbox(database: str) -> Iterator["queue.SimpleQueue[str | None]"]:
    inbox = queue.SimpleQueue[str | None]()
    listener = LogListener(database, CHANNEL)
    listener.subscribe(inbox.put)
    with listener:
        assert inbox.get(timeout=10) is None
        yield inbox


def heard(inbox: "queue.SimpleQueue[str | None]") -> Told:
    payload = inbox.get(timeout=10)
    assert payload is not None
    assert len(payload.encode()) < 8000
    return live_of(payload)


def said(offset: int, text: str, field: str = "answer") -> Live:
    return Live(CALL, "plan", Piece(field, offset, text))


@pytest.mark.feature("EXE-11")
def test_exe_11_what_is_said_of_a_field_within_a_moment_goes_together(
    database: str, inbox: "queue.SimpleQueue[str | None]"
) -> None:
    with LiveTeller(database) as teller, within(IN_ACME):
        audience = teller.audience(an_id("x"))
        assert audience.listens
        audience.began(CALL, "plan")
        for offset, text in enumerate("why"):
            audience.said(CALL, "plan", Piece("answer", offset, text))
        audience.said(CALL, "plan", Piece("reason", 0, "é\ud800\n"))
        teller.audience(an_id("y")).said(CALL, "plan", Piece("reason", 3, "x"))
        told = [heard(inbox) for _ in range(4)]
    mine = ("acme", an_id("x"))
    assert told == [
        (*mine, Live(CALL, "plan", None)),
        (*mine, said(0, "why")),
        (*mine, said(0, "é\ud800\n", "reason")),
        ("acme", an_id("y"), said(3, "x", "reason")),
    ]


def test_a_long_text_comes_in_parts_that_a_message_holds(
    database: str, inbox: "queue.SimpleQueue[str | None]"
) -> None:
    text = "😀" * 1_500
    with LiveTeller(database) as teller, within(IN_ACME):
        teller.audience(an_id("x")).said(CALL, "plan", Piece("answer", 0, text))
        found = ""
        while len(found) < len(text):
            _, _, live = heard(inbox)
            assert live.piece is not None
            assert live.piece.offset == len(found)
            found += live.piece.text
    assert found == text


def test_while_the_database_is_away_nobody_waits_and_what_is_too_much_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.0)
    with LiveTeller("host=127.0.0.1 port=1 dbname=nowhere") as teller, within(IN_ACME):
        audience = teller.audience(an_id("x"))
        for number in range(2 * module.MOST_WAITING):
            audience.began(key(str(number)), "plan")
        until(lambda: teller.dropped, lambda each: each == 2 * module.MOST_WAITING, timeout_s=30)


def test_who_has_nothing_to_tell_pays_nothing(database: str) -> None:
    before = threading.active_count()
    with LiveTeller(database) as teller, within(IN_ACME):
        teller.audience(an_id("x"))
        assert threading.active_count() == before
