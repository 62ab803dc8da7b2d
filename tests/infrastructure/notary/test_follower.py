"""The notary keeps every event in order and signs what it kept, whatever is stopped or started."""

import threading

import psycopg
import pytest

from infrastructure.notary import follower
from infrastructure.notary.errors import LogWasRewritten
from infrastructure.notary.store import NotaryStore
from infrastructure.notary.verifier.leaves import leaf
from infrastructure.notary.verifier.tree import Frontier, leaf_hash
from tests.support.notarized import FORGET, Notarized

pytestmark = pytest.mark.postgres


def tree_of(database: str) -> Frontier:
    """The tree as anybody makes it who reads the log."""
    tree = Frontier()
    with psycopg.connect(database) as connection:
        for each in NotaryStore(connection).events_from(1):
            tree.append(leaf_hash(leaf(each)))
    return tree


def test_what_is_signed_is_the_tree_of_the_log(notarized: Notarized) -> None:
    for executions in (1, 90, 3):
        last = notarized.append_executions(executions)
        notarized.sign()
        signed = notarized.outside()[-1]
        tree = tree_of(notarized.database)
        assert (signed.size, signed.root, signed.position) == (tree.size, tree.root(), last)
        assert signed.is_signed_by([notarized.signer.key])
    assert tree.size == 4 * 94
    assert [each.time[17:19] for each in notarized.outside()] == ["10", "20", "30"]


def test_what_is_kept_does_not_depend_on_when_it_was_seen(
    notarized: Notarized, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "BATCH", 7)
    notarized.append_executions(70)
    notarized.sign()
    with psycopg.connect(notarized.database) as connection:
        store = NotaryStore(connection)
        assert store.head() == (280, tree_of(notarized.database).size)
        for size in (1, 255, 256, 257, 280):
            tree = Frontier()
            for each in list(store.kept_from(0))[:size]:
                tree.append(each.hash)
            assert store.frontier(size).roots == tree.roots
        assert [each.position for each in store.kept_from(270)] == [*range(271, 281)]
        assert [store.rank(each) for each in (1, 2, 257, 280, 281)] == [0, 1, 256, 279, 280]


def test_nothing_new_is_not_signed_again(notarized: Notarized) -> None:
    notarized.append_executions(1)
    with notarized.notary(file=notarized.file) as notary:
        notary.step()
        notary.step()
    notarized.sign()
    assert [each.size for each in notarized.outside()] == [4]


def test_an_empty_log_is_not_signed(notarized: Notarized) -> None:
    notarized.sign()
    assert notarized.outside() == []


def test_one_notary_leads_and_the_next_goes_on(notarized: Notarized) -> None:
    notarized.append_executions(1)
    with notarized.notary(file=notarized.file) as first, notarized.notary() as second:
        first.step()
        notarized.append_executions(1)
        second.step()
        assert notarized.verify().unsigned == 4
        first.close()
        while notarized.verify().unsigned:  # the server may need a moment to see that it is gone
            second.step()
        first.step()
    assert [each.size for each in notarized.outside()] == [4]


def test_a_long_backlog_is_signed_on_the_way(
    notarized: Notarized, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "BATCH", 8)
    monkeypatch.setattr(follower, "EVERY_S", -1.0)
    notarized.append_executions(5)
    notarized.sign()
    assert [each.size for each in notarized.outside()] == [8, 16, 20]


def test_a_lost_connection_is_taken_up_again(
    notarized: Notarized, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "EVERY_S", 0.02)
    stop = threading.Event()
    with notarized.notary(file=notarized.file) as notary:
        thread = threading.Thread(target=notary.run, args=[stop])
        thread.start()
        for executions in (1, 2, 3):
            notarized.append_executions(1)
            while not (signed := notarized.outside()) or signed[-1].size < 4 * executions:
                stop.wait(0.01)
            notarized.tamper(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                " AND classid = 7303 AND database = (SELECT oid FROM pg_database"
                " WHERE datname = current_database())"
            )
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
    assert [each.size for each in notarized.outside()] == [4, 8, 12]


@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE stratal.notary_leaves, stratal.notary_nodes",
        "DELETE FROM stratal.notary_leaves WHERE first >= 256",
        "DELETE FROM stratal.notary_nodes",
        "UPDATE stratal.notary_leaves SET entries = entries || substr(entries, 1, 40)"
        " WHERE first = (SELECT max(first) FROM stratal.notary_leaves)",
        "UPDATE stratal.notary_leaves SET entries = overlay(entries PLACING sha256('') FROM 9)"
        " WHERE first = (SELECT max(first) FROM stratal.notary_leaves)",
        "UPDATE stratal.notary_leaves SET last_position = 999,"
        " entries = set_byte(entries, length(entries) - 40 + 6, 3)"
        " WHERE first = (SELECT max(first) FROM stratal.notary_leaves)",
        "UPDATE stratal.notary_leaves SET entries = ''"
        " WHERE first = (SELECT max(first) FROM stratal.notary_leaves)",
        "UPDATE stratal.notary_nodes SET hash = sha256(hash)",
        "UPDATE stratal.checkpoints SET note = 'none'",
        FORGET,
    ],
)
def test_a_log_that_was_rewritten_is_not_signed(notarized: Notarized, statement: str) -> None:
    notarized.append_executions(70)
    notarized.sign()
    notarized.tamper(statement)
    notarized.append_executions(1)
    with pytest.raises(LogWasRewritten, match="does not go on"):
        notarized.sign()
    assert [each.size for each in notarized.outside()] == [280]


def test_a_notary_remembers_what_it_signed_itself(notarized: Notarized) -> None:
    """Without a file outside, a notary that lost its connection still knows what it signed."""
    notarized.append_executions(1)
    with notarized.notary() as notary:
        notary.step()
        notary.close()
        notarized.tamper(FORGET)
        with pytest.raises(LogWasRewritten, match="this notary"):
            notary.step()


def test_a_notary_that_distrusts_the_log_says_so_and_waits(
    notarized: Notarized, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(follower, "DISTRUST_S", 0.01)
    notarized.append_executions(1)
    notarized.sign()
    notarized.tamper(FORGET)
    stop = threading.Event()
    with notarized.notary(file=notarized.file) as notary:
        thread = threading.Thread(target=notary.run, args=[stop])
        thread.start()
        while "notary.log_rewritten" not in caplog.text:
            stop.wait(0.01)
        stop.set()
        thread.join(10)
    assert len(notarized.outside()) == 1


def test_a_notary_that_cannot_read_its_file_says_so_and_waits(
    notarized: Notarized, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(follower, "DISTRUST_S", 0.01)
    notarized.append_executions(1)
    notarized.file.mkdir()
    stop = threading.Event()
    with notarized.notary(file=notarized.file) as notary:
        thread = threading.Thread(target=notary.run, args=[stop])
        thread.start()
        while "notary.given_unusable" not in caplog.text and thread.is_alive():
            stop.wait(0.01)
        notarized.file.rmdir()
        while not notarized.outside() and thread.is_alive():
            stop.wait(0.01)
        stop.set()
        thread.join(10)
    assert len(notarized.outside()) == 1
