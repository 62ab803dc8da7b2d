"""Workers on several hosts over Redis and RabbitMQ: nothing but addresses is told to them."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.infrastructure.models.test_limits import LimitedProvider
from tests.support import invariants
from tests.support.brokers import BrokerServer, rabbitmq_server, redis_server
from tests.support.hosts import Host, hosts
from tests.support.service import Service, until
from tests.support.triage import Triage

pytestmark = [
    pytest.mark.brokers,
    pytest.mark.hosts,
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.worker,
]

LIMIT: Final = 3
EXECUTIONS: Final = 40


@pytest.mark.feature("VIS-25")
@pytest.mark.parametrize("start", [redis_server, rabbitmq_server], ids=["redis", "rabbitmq"])
def test_vis_25_workers_on_two_hosts_share_the_work_and_the_limit_of_the_provider(
    database: str, tmp_path: Path, start: Callable[[], AbstractContextManager[BrokerServer]]
) -> None:
    with (
        start() as broker,
        LimitedProvider(latency_ms=100) as lm,
        Service(database, lm, workers=0) as service,
        hosts(2) as machines,
    ):
        logs = [tmp_path / f"host-{number}.log" for number in range(len(machines))]
        pids = {
            host.start(
                ["-m", "tests.support.impatient_worker"],
                told(host, database, broker.url, lm.url, tmp_path),
                log,
            )
            for host, log in zip(machines, logs, strict=True)
        }
        for log in logs:
            until(log.read_text, lambda said: "is ready" in said, timeout_s=90)
        triage = Triage(service.http()).create()
        path = f"{triage.program}/execute"
        waiting = [
            triage.http.begin(path, {"inputs": {"message": f"Number {number}"}}, wait=0)
            for number in range(EXECUTIONS)
        ]
        for each in waiting:
            assert triage.http.follow(each)["status"] == "completed"
        streams = invariants.by_stream(invariants.check(service.database))
        invariants.check_ended(streams)
        assert sum(len(invariants.calls(each)) for each in streams.values()) == lm.calls
        events = triage.http.events()
        started = [each["data"] for each in events if each["topic"] == "execution.started"]
        assert {int(each["worker"].rpartition(":")[2]) for each in started} == pids
        assert 1 < lm.most <= LIMIT, "one limit for both hosts"


def told(host: Host, database: str, broker: str, lm: str, home: Path) -> dict[str, str]:
    """What a worker on *host* is told: where to find what it needs, and the limit."""
    given = conninfo_to_dict(database)
    place = f"{given['host']}/.s.PGSQL.{given.get('port') or 5432}"
    address, port = host.reaching(place)
    away = make_conninfo(database, host=address, port=port, sslmode="disable")
    settings = {
        "HOME": str(home / host.outside),
        "DATABASE_URL": away,
        "BROKER_URL": _moved(host, broker),
        "LM": "openai/gpt-4o-mini",
        "LM_API_BASE": _moved(host, lm),
        "LM_API_KEY": "sk-of-a-test",
        "LM_CONCURRENCY": str(LIMIT),
    }
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("STRATAL_", "OTEL_", "COV_", "PYTEST_"))
    }
    return kept | {f"STRATAL_{name}": value for name, value in settings.items()}


def _moved(host: Host, url: str) -> str:
    """*url*, which names this machine, as *host* has to spell it."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    address, port = host.reaching((parts.hostname, parts.port))
    user, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}{at}{address}:{port}"))
