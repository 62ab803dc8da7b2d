"""The past over HTTP, of real processes, by the role that the service has."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.service import LISTS
from tests.support.triage import Triage

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("service")]


@pytest.mark.feature("AUD-02")
def test_aud_02_every_list_can_be_read_as_it_was(triage: Triage) -> None:
    http = triage.http
    first, *_ = http.events()
    triage.execute("It crashes on save", wait=60)
    triage.optimize("labeled_fewshot")
    http.post(f"{triage.program}/deploy", {"program_version": 2, "reason": "It is better."})
    head = http.events()[-1]["position"]
    for path in LISTS:
        live = http.get(path, at_least=head)
        assert http.get(path, as_of=head) == live, path
        before: Any = http.get(path, as_of=first["position"] - 1)
        assert before["items"] == [], path
    executed = http.get("/v1/executions", as_of=head)["items"]
    assert [each["status"] for each in executed] == ["completed"]
    requested = http.get("/v1/executions", as_of=executed[0]["position"])["items"]
    assert [each["status"] for each in requested] == ["pending"]


def test_a_time_finds_the_position_that_was_the_last_then(triage: Triage) -> None:
    http, now = triage.http, datetime.now(UTC)
    last = http.events()[-1]
    since = (now - timedelta(hours=1)).isoformat()
    assert http.get("/v1/programs", as_of=since)["items"] == []
    reply = http.send("GET", "/v1/programs", params={"as_of": datetime.now(UTC).isoformat()})
    assert int(reply.headers["X-Stratal-Position"]) >= last["position"]
    assert [each["name"] for each in reply.json()["items"]] == ["triage"]
    later = (now + timedelta(hours=1)).isoformat()
    refused = http.send("GET", "/v1/programs", params={"as_of": later})
    assert (refused.status_code, refused.json()["code"]) == (422, "as_of.ahead")
