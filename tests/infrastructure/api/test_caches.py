"""Caches over HTTP: what is kept can be told to go, and the audit trail says who did."""

import pytest
from fastapi.testclient import TestClient

from tests.support.api import ApiWorld, a_program


@pytest.mark.feature("CCH-08")
def test_cch_08_a_purge_is_a_fact_that_the_trail_tells(api: TestClient, world: ApiWorld) -> None:
    program_id = a_program(api)
    words = {"cache": "answers", "program": "triage", "model": "openai/gpt", "reason": "Wrong."}
    reply = api.delete("/v1/cache", params=words)
    assert reply.status_code == 200, reply.text
    [first, *_] = api.get("/v1/audit").json()["items"]
    assert first["topic"] == "cache.purged"
    assert first["aggregate_id"] == reply.json()["id"]
    told = "emptied the cache of answers of program “triage” of what openai/gpt answered"
    assert f"{told} because “Wrong.”" in first["sentence"]
    assert program_id in {str(each.originator_id) for each in world.log.recorded}


@pytest.mark.feature("CCH-08")
def test_cch_08_a_word_that_means_nothing_empties_nothing(api: TestClient, world: ApiWorld) -> None:
    before = len(world.log.recorded)
    assert api.delete("/v1/cache", params={"program": "nowhere"}).status_code == 404
    assert api.delete("/v1/cache", params={"cache": "all"}).status_code == 422
    assert api.delete("/v1/cache", params={"model": "no model"}).status_code == 422
    assert len(world.log.recorded) == before
