"""Models that fail and people who change their minds: runs end as they should, and cost no more."""

import time
from collections.abc import Iterator

import pytest

from tests.support.scripted_lm import Error, Script
from tests.support.service import Service, until
from tests.support.triage import Triage

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("service")]


@pytest.fixture
def script(service: Service) -> Iterator[Script]:
    """What the model does; as before once the test is over."""
    yield service.lm.script
    service.lm.script.errors.clear()
    service.lm.script.latency_ms = 0


@pytest.mark.feature("BRG-10")
@pytest.mark.feature("EXE-07")
def test_exe_07_a_key_in_the_providers_error_is_redacted(
    service: Service, triage: Triage, script: Script
) -> None:
    script.errors.append(Error(401, message="Incorrect API key provided: sk-of-a-test."))
    failed = triage.execute("It crashes on save")
    assert (failed["status"], failed["outputs"]) == ("failed", None)
    failure = failed["failure"]
    assert (failure["provider_status"], failure["retryable"]) == (401, False)
    assert failed["execution_id"]
    assert failure["code"]
    assert failure["message"]
    assert "sk-of-a-test" not in str(failed)
    assert "sk-of-a-test" not in str(triage.http.events())
    assert "sk-of-a-test" not in service.logs(lines=10_000)


@pytest.mark.feature("LMP-15")
def test_lmp_15_passing_trouble_of_the_provider_costs_one_more_try(
    service: Service, triage: Triage, script: Script
) -> None:
    asked = service.lm.calls
    script.errors.append(Error(503, times=1))
    ended = triage.execute("It crashes on save")
    assert ended["status"] == "completed"
    [call] = triage.http.get(f"/v1/executions/{ended['execution_id']}/trace")["items"]
    assert call["attempts"] == service.lm.calls - asked == 2
    assert ended["token_usage"]["calls"] == 1


def test_a_replay_of_a_failed_execution_fails_alike_without_the_model(
    service: Service, triage: Triage, script: Script
) -> None:
    script.errors.append(Error(401))
    failed = triage.execute("It crashes on save")
    asked = service.lm.calls
    replay = triage.http.post(f"/v1/executions/{failed['execution_id']}/replay", wait=60)
    assert (replay["outcome"], replay["outputs"]) == ("verified", None)
    assert service.lm.calls == asked


def test_an_optimization_that_is_called_off_stops_spending(
    service: Service, triage: Triage, script: Script
) -> None:
    asked, script.latency_ms = service.lm.calls, 300
    path = triage.request_optimization("bootstrap_random_search")
    until(lambda: service.lm.calls - asked, lambda calls: calls >= 3, timeout_s=90)
    made = path.rpartition("/")[2].partition("?")[0]
    triage.http.post(f"/v1/optimizations/{made}/cancel", {"reason": "It costs too much."})
    time.sleep(1)  # what is in flight may end
    spent = service.lm.calls
    time.sleep(2)
    assert service.lm.calls == spent
    ended = triage.http.follow(path)
    assert (ended["status"], ended["cancelled_because"]) == ("cancelled", "It costs too much.")
    assert triage.http.events()[-1]["topic"] == "optimization.cancelled"
    assert triage.http.get(triage.program)["latest_version"] == 1
