"""Whoever changes the log as a superuser is found out, by the bundle's verifier alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from infrastructure.eventstore.repository import EventLog
from tests.support.notarized import FORGET, Notarized, fill
from tests.support.postgres import owner_of

pytestmark = [pytest.mark.postgres, pytest.mark.feature("AUD-05")]

HALF, GAP, WHOLE = 140, 3, 283
"""Events signed first; positions that were given out and not used; the last position."""


MANY = 100_000


@dataclass(frozen=True)
class Tampering:
    """What is done, and what is found and where. ``restart``: the log begins anew after it."""

    name: str
    found: Sequence[str]
    sql: Sequence[str]
    again: bool = False
    notary_again: bool = False
    outside: bool = False

    def __str__(self) -> str:
        return self.name


TO_HALF = (
    "CREATE TABLE public.older AS SELECT * FROM stratal.events WHERE notification_id <= 140",
    "TRUNCATE stratal.events",
    "INSERT INTO stratal.events SELECT * FROM public.older",
)
NOTARY_TO_HALF = (
    "DELETE FROM stratal.notary_leaves WHERE first >= 140",
    "DELETE FROM stratal.notary_nodes",
    "DELETE FROM stratal.checkpoints WHERE size > 140",
)
ANEW = (
    "TRUNCATE stratal.events, stratal.streams",
    "SELECT setval('stratal.log_position', 1, false)",
)


def swap(one: int, other: int) -> Sequence[str]:
    move = "UPDATE stratal.events SET notification_id = {} WHERE notification_id = {}"
    return [move.format(*step) for step in ((4999999, one), (one, other), (other, 4999999))]


TAMPERINGS = [
    Tampering(
        "a flipped byte",
        ["CHANGED    position 100 "],
        [
            "UPDATE stratal.events SET state = set_byte(state, 9, get_byte(state, 9) # 1)"
            " WHERE notification_id = 100"
        ],
    ),
    Tampering(
        "a changed actor",
        ["CHANGED    position 100 "],
        [
            "UPDATE stratal.events SET metadata = replace(metadata::text, 'alice', 'mallory')::json"
            " WHERE notification_id = 100"
        ],
    ),
    Tampering(
        "metadata that only reads the same",
        ["CHANGED    position 100 "],
        [
            "UPDATE stratal.events SET metadata = (metadata::text || ' ')::json"
            " WHERE notification_id = 100"
        ],
    ),
    Tampering(
        "a changed time",
        ["CHANGED    position 283 "],
        [
            "UPDATE stratal.events SET recorded_at = recorded_at + interval '1 microsecond'"
            " WHERE notification_id = 283"
        ],
    ),
    Tampering(
        "a changed tenant",
        ["CHANGED    position 1 "],
        ["UPDATE stratal.events SET tenant = 'evil' WHERE notification_id = 1"],
    ),
    Tampering(
        "a deleted middle",
        ["MISSING    positions 100 to 102 (3 events"],
        ["DELETE FROM stratal.events WHERE notification_id BETWEEN 100 AND 102"],
    ),
    Tampering(
        "a deleted tail",
        ["MISSING    positions 271 to 283 (13 events"],
        ["DELETE FROM stratal.events WHERE notification_id > 270"],
    ),
    Tampering(
        "a deleted tail, in what the notary kept, too",
        ["MISSING    positions 141 to 283 (140 events"],
        [
            "DELETE FROM stratal.events WHERE notification_id > 140",
            "DELETE FROM stratal.notary_leaves WHERE first >= 140",
        ],
    ),
    Tampering(
        "a forgery in a gap",
        ["INSERTED   position 142 "],
        [
            "INSERT INTO stratal.events SELECT originator_id, originator_version + 9, topic, state,"
            " 142, gen_random_uuid(), tenant, metadata, recorded_at FROM stratal.events"
            " WHERE notification_id = 140"
        ],
    ),
    Tampering(
        "a forgery between two events, the later ones moved on",
        [
            "CHANGED    positions 100 to 140 ",
            "INSERTED   position 141 ",
            "MISSING    position 144 ",
            "CHANGED    positions 145 to 283 ",
        ],
        [
            "UPDATE stratal.events SET notification_id = notification_id + 1000000"
            " WHERE notification_id >= 100",
            "UPDATE stratal.events SET notification_id = notification_id - 999999"
            " WHERE notification_id >= 1000000",
            "INSERT INTO stratal.events SELECT originator_id, originator_version + 9, topic, state,"
            " 100, gen_random_uuid(), tenant, metadata, recorded_at FROM stratal.events"
            " WHERE notification_id = 99",
        ],
    ),
    Tampering("two events swapped", ["SWAPPED    positions 100 and 200 "], swap(100, 200)),
    Tampering("two neighbours swapped", ["SWAPPED    positions 7 and 8 "], swap(7, 8)),
    Tampering(
        "the table rolled back to an older copy",
        ["MISSING    positions 144 to 283 (140 events"],
        TO_HALF,
    ),
    Tampering(
        "the whole database rolled back",
        ["MISSING    positions 141 to 283 (140 events"],
        [*TO_HALF, *NOTARY_TO_HALF],
        outside=True,
    ),
    Tampering(
        "emptied and appended again",
        ["CHANGED    positions 1 to 140 (140 events", "MISSING    positions 144 to 283 (140 "],
        ANEW,
        again=True,
    ),
    Tampering(
        "emptied and appended again, and signed again by the notary",
        ["REWRITTEN  positions 1 to 140 ", "MISSING    positions 141 to 283 "],
        [*ANEW, FORGET],
        again=True,
        notary_again=True,
        outside=True,
    ),
    Tampering(
        "what the notary kept, changed with the event",
        ["MISSING    position 100 ", "REWRITTEN  positions 1 to 140 "],
        [
            "DELETE FROM stratal.events WHERE notification_id = 100",
            "UPDATE stratal.notary_leaves SET entries ="
            " overlay(entries PLACING sha256('forged') FROM 99 * 40 + 9) WHERE first = 0",
        ],
    ),
    Tampering(
        "a signature spoilt",
        ["FORGED     position 283 "],
        [
            "UPDATE stratal.checkpoints SET note = replace(note, E'\\n280\\n', E'\\n281\\n')"
            " WHERE size = 280"
        ],
    ),
    Tampering(
        "a checkpoint garbled",
        ["UNREADABLE "],
        ["UPDATE stratal.checkpoints SET note = 'all is well' WHERE size = 280"],
    ),
]


@pytest.fixture
def notarized(database: str, log: EventLog, tmp_path: Path) -> Notarized:
    """A log of 280 events, signed at its middle and at its end, with a gap after the middle."""
    notarized = Notarized(database, log, tmp_path)
    notarized.append_executions(HALF // 4)
    notarized.sign()
    notarized.tamper("SELECT setval('stratal.log_position', 143)")
    assert notarized.append_executions(HALF // 4) == WHOLE
    notarized.sign()
    return notarized


def said_by_the_bundle(notarized: Notarized, *, outside: bool = False) -> tuple[int, str]:
    """What somebody learns who has Python, the bundle and nothing else."""
    notarized.export(outside=outside)
    return notarized.examined()


def test_an_untouched_log_is_well(notarized: Notarized) -> None:
    status, said = said_by_the_bundle(notarized, outside=True)
    assert (status, said.splitlines()[-2]) == (0, "well       nothing is amiss")
    assert "signed     the first 280 of the log, up to position 283" in said
    assert notarized.verify(outside=True).findings == []


@pytest.mark.slow
def test_an_untouched_log_of_many_events_is_well(
    database: str, log: EventLog, tmp_path: Path
) -> None:
    """A million are verified by the benchmark; here are fewer, of other sizes of trees."""
    notarized = Notarized(database, log, tmp_path)
    fill(owner_of(database), MANY)
    notarized.sign()
    report = notarized.verify()
    assert (report.events, report.findings, report.unsigned) == (MANY, [], 0)
    status, said = said_by_the_bundle(notarized)
    assert (status, said.splitlines()[-2]) == (0, "well       nothing is amiss")
    assert f"read       {MANY} events, positions 1 to {MANY}" in said


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=str)
def test_tampering_is_found_and_its_position_named(
    notarized: Notarized, tampering: Tampering
) -> None:
    for statement in tampering.sql:
        notarized.tamper(statement)
    if tampering.again:
        notarized.append_executions(HALF // 4)
    if tampering.notary_again:
        with notarized.notary() as notary:
            notary.step()
    status, said = said_by_the_bundle(notarized, outside=tampering.outside)
    assert status == 1
    for line in tampering.found:
        assert any(each.startswith(line) for each in said.splitlines()), said
    online = [str(each) for each in notarized.verify(outside=tampering.outside).findings]
    assert online == [each for each in said.splitlines() if each in online]
    assert [each.split()[0] for each in online] == [each.split()[0] for each in tampering.found]


def test_a_tree_rewritten_without_the_key_is_found(notarized: Notarized) -> None:
    notarized.rewrite("UPDATE stratal.events SET tenant = 'evil' WHERE notification_id = 200")
    assert said_by_the_bundle(notarized)[0] == 1
    status, said = notarized.examined("--checkpoints", str(notarized.file))
    assert status == 1
    assert "FORGED     position 283 (the checkpoint of 280 events" in said
    assert "REWRITTEN  positions 141 to 283 (the checkpoint of 280 events" in said


def test_a_tree_rewritten_beneath_its_checkpoints_is_found(notarized: Notarized) -> None:
    signed = notarized.outside()
    notarized.rewrite("UPDATE stratal.events SET tenant = 'evil' WHERE notification_id = 200")
    notarized.tamper("TRUNCATE stratal.checkpoints")
    for each in signed:
        values = {"size": each.size, "note": each.note}
        notarized.tamper("INSERT INTO stratal.checkpoints VALUES (%(size)s, %(note)s)", **values)
    status, said = said_by_the_bundle(notarized)
    assert status == 1
    assert "REWRITTEN  positions 141 to 283 (the checkpoint of 280 events" in said


def test_a_second_event_at_a_position_is_found(notarized: Notarized) -> None:
    notarized.tamper("ALTER TABLE stratal.events DROP CONSTRAINT events_position")
    notarized.tamper(
        "INSERT INTO stratal.events SELECT originator_id, originator_version + 9, topic, state,"
        " 100, gen_random_uuid(), tenant, metadata, recorded_at FROM stratal.events"
        " WHERE notification_id = 99"
    )
    status, said = said_by_the_bundle(notarized)
    assert status == 1
    assert "MISPLACED  position 100 " in said
