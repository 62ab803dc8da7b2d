"""``stratal serve`` keeps its processes alive, whichever is killed, and ends them with itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import invariants
from tests.support.service import Service, is_running, kill, until
from tests.support.triage import Triage, TriageLm

pytestmark = [pytest.mark.slow, pytest.mark.worker]


@pytest.fixture
def service(database: str) -> Iterator[Service]:
    with TriageLm() as lm, Service(database, lm, supervised=True) as service:
        yield service


def test_what_is_killed_comes_back_and_all_ends_in_order(service: Service) -> None:
    triage = Triage(service.http()).create()
    for role in ("worker", "projector", "notary", "api"):
        assert triage.execute("It crashes on save")["status"] == "completed"
        [victim] = [pid for pid, told in _children(service).items() if role in told]
        kill(victim)
        until(lambda dead=victim: _replaced(service, dead), bool, timeout_s=30)  # type: ignore[misc]  # bound
        service.wait_until_ready()
    assert triage.execute("It crashes on save")["status"] == "completed"
    invariants.check_ended(invariants.by_stream(invariants.check(service.database)))
    assert invariants.check_proof(service.database, service.home).events > 0
    children = _children(service)
    service.processes["serve"].terminate()
    until(lambda: [it for it in children if is_running(it)], lambda left: not left, timeout_s=30)
    until(lambda: service.processes["serve"].is_alive, lambda alive: not alive, timeout_s=10)
    assert "Traceback" not in service.logs(lines=10_000)


def _children(service: Service) -> dict[int, str]:
    """The processes of the service by id, each with its command line."""
    found = service.processes["serve"].children()
    return {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in found}


def _replaced(service: Service, dead: int) -> bool:
    """Whether four processes run and *dead* is none of them."""
    children = [pid for pid in service.processes["serve"].children() if is_running(pid)]
    return len(children) == 4 and dead not in children
