"""The rows of a dataset over HTTP, one by one."""

import pytest
from fastapi.testclient import TestClient

from tests.support.api import a_dataset, a_program

ROWS = "/v1/datasets/tickets/rows"
CRASH = {"message": "It crashes.", "queue": "bug"}
INVOICE = {"message": "Invoice?", "queue": "billing"}


def ids(api: TestClient, **query: str) -> list[str]:
    return [each["row"] for each in api.get(ROWS, params=query).json()["items"]]


@pytest.mark.feature("EXM-01")
def test_exm_01_a_row_has_inputs_outputs_metadata_a_part_and_a_hash(api: TestClient) -> None:
    a_program(api)
    a_dataset(api)
    told = {**CRASH, "_source": "mail"}
    put = api.put(f"{ROWS}/2-2", json=told, params={"reason": "It was mislabelled."})
    assert put.status_code == 200, put.text
    assert put.headers["ETag"] == '"4"'
    _, changed, *_ = api.get(ROWS, params={"program": "triage"}).json()["items"]
    digest = changed.pop("content_hash")
    assert changed == {
        "row": "2-2",
        "split": "train",
        "values": CRASH,
        "metadata": {"_source": "mail"},
        "inputs": {"message": "It crashes."},
        "outputs": {"queue": "bug"},
    }
    alone = api.get(f"{ROWS}/2-1").json()
    assert (alone["content_hash"], alone["inputs"]) == (digest, None)


@pytest.mark.feature("EXM-01")
def test_exm_01_rows_are_replaced_and_removed_and_seen_as_they_were(api: TestClient) -> None:
    a_dataset(api)
    before = api.get("/v1/datasets/tickets").headers["ETag"]
    stale = api.put(f"{ROWS}/2-1", json=INVOICE, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "version.stale")
    api.put(f"{ROWS}/2-1", json=INVOICE, headers={"If-Match": before})
    gone = api.delete(f"{ROWS}/3-1", params={"reason": "It leaks."})
    assert gone.status_code == 200, gone.text
    assert api.delete(f"{ROWS}/3-1").json()["position"] == 0
    assert ids(api) == ["2-1", "2-2", "3-2"]
    assert ids(api, split="heldout") == ["3-2"]
    dataset = api.get("/v1/datasets/tickets").json()
    assert (dataset["train_rows"], dataset["heldout_rows"], dataset["size"]) == (2, 1, 3)
    assert (dataset["replaced"], dataset["removed"]) == (1, 1)
    then = str(gone.json()["position"] - 2)
    assert ids(api, as_of=then) == ["2-1", "2-2", "3-1", "3-2"]
    assert api.get(f"{ROWS}/2-1", params={"as_of": then}).json()["values"] == CRASH
    missing = api.get(f"{ROWS}/3-1")
    assert (missing.status_code, missing.json()["code"]) == (404, "dataset.row_not_found")
    trail = api.get("/v1/audit", params={"order": "oldest"}).json()["items"]
    said = [each["sentence"] for each in trail]
    assert any("removed heldout row 3-1 of dataset" in each for each in said)


@pytest.mark.feature("EXM-01")
def test_exm_01_duplicates_are_reported_by_every_load_and_by_a_question(api: TestClient) -> None:
    api.post("/v1/datasets", json={"name": "tickets"})
    first = api.post(ROWS, params={"split": "train"}, json=[CRASH, INVOICE, CRASH])
    assert first.status_code == 201, first.text
    assert (first.json()["repeated"], first.json()["leaked"]) == (1, 0)
    rows = [CRASH, {"message": "How?", "queue": "howto"}]
    keyed = {"Idempotency-Key": "load-1"}
    for _ in range(2):  # a repeat gets the same answer
        second = api.post(ROWS, params={"split": "heldout"}, json=rows, headers=keyed).json()
        assert (second["repeated"], second["leaked"]) == (0, 1)
    found = api.get("/v1/datasets/tickets/duplicates").json()
    (group,) = found.pop("groups")
    assert found == {"rows": 5, "repeated": 1, "leaked": 1, "contents": 1}
    assert (group["rows"], group["leaks"]) == (["2-1", "2-3", "3-1"], True)
    assert group["content_hash"] == api.get(f"{ROWS}/3-1").json()["content_hash"]
    part = api.get("/v1/datasets/tickets/duplicates", params={"split": "heldout"}).json()
    assert (part["rows"], part["contents"]) == (2, 0)
    api.delete(f"{ROWS}/3-1")
    assert api.get("/v1/datasets/tickets/duplicates").json()["leaked"] == 0


def test_rows_come_in_pages(api: TestClient) -> None:
    a_dataset(api)
    page = api.get(ROWS, params={"limit": 3}).json()
    assert [each["row"] for each in page["items"]] == ["2-1", "2-2", "3-1"]
    rest = api.get(ROWS, params={"limit": 3, "cursor": page["next"]}).json()
    assert ([each["row"] for each in rest["items"]], rest["next"]) == (["3-2"], None)
    foreign = api.get("/v1/datasets", params={"limit": 1}).json()["next"]
    for cursor in ("WzFd", "WyIyLTEiLDFd", foreign or "x"):
        refused = api.get(ROWS, params={"cursor": cursor})
        assert (refused.status_code, refused.json()["code"]) == (422, "page.cursor_invalid")


@pytest.mark.parametrize(
    ("row", "body", "status"),
    [
        ("2-0", CRASH, 422),
        ("first", CRASH, 422),
        ("9-1", CRASH, 404),
        ("2-1", {}, 422),
        ("2-1", {"message": "no label"}, 422),
        ("2-1", [CRASH], 422),
    ],
)
def test_a_row_that_is_none_is_refused(
    api: TestClient, row: str, body: object, status: int
) -> None:
    a_dataset(api)
    assert api.put(f"{ROWS}/{row}", json=body).status_code == status
    assert api.get("/v1/datasets/tickets").json()["replaced"] == 0
