"""Equal executions on several workers: one of them asks the model, whoever is killed meanwhile."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.faults.test_worker_kill import SlowAtFirst
from tests.support.service import Http, Service, until
from tests.support.triage import SYNTAX

pytestmark = [pytest.mark.slow, pytest.mark.worker, pytest.mark.timeout(300)]

AT_ONCE = 50


@pytest.fixture
def lm() -> Iterator[SlowAtFirst]:
    with SlowAtFirst() as lm:
        yield lm


@pytest.fixture
def service(database: str, lm: SlowAtFirst) -> Iterator[Service]:
    with Service(database, lm, workers=2) as service:
        yield service


@pytest.fixture
def http(service: Service) -> Http:
    http = service.http()
    modules = [{"kind": "predict", "signature_syntax": SYNTAX}]
    config = {"cache": ["answers"]}
    http.post("/v1/programs", {"name": "triage", "modules": modules, "config": config})
    return http


def requested(http: Http) -> str:
    body = {"inputs": {"message": "It crashes on save"}}
    reply = http.send("POST", "/v1/programs/triage/execute", json=body, params={"wait": 0})
    return reply.headers["Location"].partition("?")[0]


def ended(http: Http, path: str) -> Any:
    view = http.follow(path, timeout_s=120)
    assert view["status"] == "completed"
    return view


@pytest.mark.feature("CCH-09")
def test_cch_09_of_fifty_at_once_one_asks_the_model_and_the_others_name_it(
    http: Http, lm: SlowAtFirst
) -> None:
    with ThreadPoolExecutor(10) as threads:
        paths = list(threads.map(lambda _: requested(http), range(AT_ONCE)))
    views = [ended(http, path) for path in paths]
    assert sum(lm.heard.values()) == 1
    traced = {path: http.get(f"{path}/trace")["items"][0] for path in paths}
    [maker] = [path for path, call in traced.items() if call["filled_by"] is None]
    assert traced[maker]["attempts"] == 1
    others = [call for path, call in traced.items() if path != maker]
    named = {"kind": "execution", "id": maker.rpartition("/")[2]}
    assert [call["filled_by"] for call in others] == [named] * (AT_ONCE - 1)
    free = [view["token_usage"] for path, view in zip(paths, views, strict=True) if path != maker]
    assert all((each["cost_usd"], each["total_tokens"]) == ("0", 0) for each in free)
    assert len({view["outputs"]["queue"] for view in views}) == 1
    for path in (maker, next(path for path in paths if path != maker)):
        http.post(f"{path}/replay", None, wait=60)
        [replay] = http.get(path)["replays"]
        assert replay["outcome"] == "verified"
    assert sum(lm.heard.values()) == 1


@pytest.mark.feature("CCH-09")
def test_cch_09_when_the_one_that_asks_is_killed_another_one_does(
    service: Service, http: Http, lm: SlowAtFirst
) -> None:
    first = requested(http)
    until(lambda: sum(lm.heard.values()), bool, timeout_s=60)
    others = [requested(http) for _ in range(6)]
    for each in ("worker-1", "worker-2"):
        service.kill(each)
        service.restart(each)
    views = [ended(http, path) for path in (first, *others)]
    assert len({view["outputs"]["queue"] for view in views}) == 1
    assert sum(lm.heard.values()) == 2


@pytest.mark.feature("CCH-05")
@pytest.mark.feature("CCH-08")
def test_cch_05_an_equal_execution_names_the_first_and_cch_08_a_tenant_asks_and_purges_alone(
    service: Service, http: Http, lm: SlowAtFirst
) -> None:
    http.post("/v1/programs/triage/configure", {"config": {"cache": ["predictions"]}})
    first, second = (requested(http), requested(http))
    views = [ended(http, path) for path in (first, second)]
    [made] = [view for view in views if view["filled_by"] is None]
    [hit] = [view for view in views if view["filled_by"] is not None]
    assert hit["filled_by"] == made["execution_id"]
    assert hit["outputs"] == made["outputs"]
    rows = http.get("/v1/executions", at_least=hit["position"])["items"]
    listed = {row["execution_id"]: row for row in rows}
    assert listed[hit["execution_id"]]["filled_by"] == made["execution_id"]
    assert listed[made["execution_id"]]["filled_by"] is None
    assert (hit["token_usage"]["calls"], hit["token_usage"]["cost_usd"]) == (0, "0")
    assert sum(lm.heard.values()) == 1
    path = f"/v1/executions/{hit['execution_id']}"
    http.post(f"{path}/replay", None, wait=60)
    assert http.get(path)["replays"][0]["outcome"] == "verified"

    modules = [{"kind": "predict", "signature_syntax": SYNTAX}]
    config = {"cache": ["answers", "predictions"]}
    stranger = service.http()
    stranger.post("/v1/programs", {"name": "triage", "modules": modules, "config": config})
    assert ended(stranger, requested(stranger))["filled_by"] is None
    assert sum(lm.heard.values()) == 2

    assert http.send("DELETE", "/v1/cache?program=triage").status_code == 200
    assert ended(http, requested(http))["filled_by"] is None
    assert sum(lm.heard.values()) == 3
    assert ended(stranger, requested(stranger))["filled_by"] is not None
    assert sum(lm.heard.values()) == 3
