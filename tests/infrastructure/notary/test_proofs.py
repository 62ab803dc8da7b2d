"""Proofs over HTTP hold for whoever checks them with RFC 6962 and the public key alone."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from infrastructure.notary.proofs import PostgresProofs
from infrastructure.notary.store import NotaryStore
from infrastructure.notary.verifier.leaves import leaf
from infrastructure.notary.verifier.notes import Checkpoint, to_checkpoint
from infrastructure.notary.verifier.tree import consistency_holds, inclusion_holds, leaf_hash
from tests.support.api import ApiWorld
from tests.support.event_log import Pool
from tests.support.notarized import Notarized

pytestmark = pytest.mark.postgres


@pytest.fixture
def api(notarized: Notarized, pool: Pool) -> Iterator[TestClient]:
    """The API over a log of 400 events that was signed at 4, 260 and 400, and one more event."""
    for executions in (1, 64, 35):
        notarized.append_executions(executions)
        notarized.sign()
    notarized.append_executions(1)
    with ApiWorld().client("acme", proofs=PostgresProofs(pool)) as client:
        yield client


def signed(told: Any, notarized: Notarized) -> Checkpoint:
    """The checkpoint that a note says, once its signature is checked."""
    checkpoint = to_checkpoint(told["note"])
    assert checkpoint.is_signed_by([notarized.signer.key])
    assert (told["size"], told["root"]) == (checkpoint.size, checkpoint.root.hex())
    assert told["position"] == checkpoint.position
    return checkpoint


@pytest.mark.feature("AUD-05")
def test_every_event_is_proved_to_be_in_what_was_signed(
    api: TestClient, notarized: Notarized, pool: Pool
) -> None:
    for position in (1, 4, 5, 255, 256, 257, 260):
        for size in (None, 260, 400):
            query = {} if size is None else {"size": size}
            proof = api.get(f"/v1/events/{position}/proof", params=query).json()
            checkpoint = signed(proof["checkpoint"], notarized)
            assert checkpoint.size == (size or 400)
            data = base64.b64decode(proof["leaf"])
            assert inclusion_holds(
                leaf_hash(data),
                index=proof["number"],
                size=checkpoint.size,
                path=[bytes.fromhex(each) for each in proof["path"]],
                root=checkpoint.root,
            )
            with pool.connection() as connection:
                event = NotaryStore(connection).event(position, "acme")
            assert event is not None
            assert data == leaf(event)


def test_every_checkpoint_is_proved_to_go_on_from_every_earlier_one(
    api: TestClient, notarized: Notarized
) -> None:
    for old, new in ((4, 260), (4, 400), (260, 400)):
        proof = api.get(f"/v1/checkpoints/{old}/consistency/{new}").json()
        before, after = signed(proof["old"], notarized), signed(proof["new"], notarized)
        path = [bytes.fromhex(each) for each in proof["path"]]
        assert consistency_holds(before.root, after.root, old=old, new=new, path=path)


def test_a_proof_reads_few_nodes_however_long_the_log(
    api: TestClient, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    run = NotaryStore._run
    monkeypatch.setattr(NotaryStore, "_run", lambda *it: asked.append(it[1]) or run(*it))
    assert api.get("/v1/events/5/proof").status_code == 200
    assert len(asked) <= 6


def test_checkpoints_are_listed_from_the_latest_on(api: TestClient, notarized: Notarized) -> None:
    first = api.get("/v1/checkpoints", params={"limit": 2}).json()
    rest = api.get("/v1/checkpoints", params={"limit": 2, "cursor": first["next"]}).json()
    items = [*first["items"], *rest["items"]]
    assert [signed(each, notarized).size for each in items] == [400, 260, 4]
    assert rest["next"] is None
    assert api.get("/v1/checkpoints/260").json() == items[1]
    assert api.get("/v1/checkpoints?cursor=WyJ4Il0").json()["code"] == "page.cursor_invalid"


def test_what_cannot_be_proved_is_said(api: TestClient) -> None:
    for path, status, code in (
        ("/v1/events/404/proof", 409, "proof.not_signed"),
        ("/v1/events/5/proof?size=4", 409, "proof.not_signed"),
        ("/v1/events/5/proof?size=7", 404, "checkpoint.unknown"),
        ("/v1/events/999/proof", 404, "event.unknown"),
        ("/v1/events/none/proof", 422, "request.invalid"),
        ("/v1/checkpoints/5", 404, "checkpoint.unknown"),
        ("/v1/checkpoints/4/consistency/5", 404, "checkpoint.unknown"),
        ("/v1/checkpoints/400/consistency/4", 422, "proof.reversed"),
    ):
        reply = api.get(path)
        assert (reply.status_code, reply.json()["code"]) == (status, code)


def test_nobody_gets_proofs_of_the_events_of_others(api: TestClient) -> None:
    reply = api.get("/v1/events/5/proof", headers={"X-Stratal-Tenant": "other"})
    assert (reply.status_code, reply.json()["code"]) == (404, "event.unknown")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE stratal.events SET topic = 'program.created' WHERE notification_id = 5",
        "DELETE FROM stratal.notary_leaves",
    ],
)
def test_an_event_that_was_changed_is_not_proved(
    api: TestClient, notarized: Notarized, statement: str
) -> None:
    notarized.tamper(statement)
    reply = api.get("/v1/events/5/proof")
    assert (reply.status_code, reply.json()["code"]) == (409, "proof.event_changed")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM stratal.notary_nodes",
        "UPDATE stratal.checkpoints SET note = 'all is well'",
        "UPDATE stratal.checkpoints SET note = replace(note, 'time ', 'time x')",
        "UPDATE stratal.checkpoints SET note = replace(note, size::text, size || repeat('9', 20))",
    ],
)
def test_nothing_is_proved_by_what_is_damaged(
    api: TestClient, notarized: Notarized, statement: str
) -> None:
    notarized.tamper(statement)
    reply = api.get("/v1/events/257/proof")
    assert (reply.status_code, reply.json()["code"]) == (409, "proof.damaged")


def test_a_database_that_does_not_answer_is_said(api: TestClient, pool: Pool) -> None:
    pool.close()
    reply = api.get("/v1/checkpoints")
    assert (reply.status_code, reply.json()["code"]) == (503, "store.unavailable")


def test_without_a_checkpoint_nothing_is_proved(notarized: Notarized, pool: Pool) -> None:
    notarized.append_executions(1)
    api = ApiWorld().client("acme", proofs=PostgresProofs(pool))
    assert api.get("/v1/events/1/proof").json()["code"] == "checkpoint.unknown"
    assert api.get("/v1/checkpoints").json() == {"items": [], "next": None}
