"""The verbs of ``stratal queue``."""

from collections.abc import Callable
from uuid import UUID

import pytest

from tests.infrastructure.cli.conftest import Bench, Said

pytestmark = pytest.mark.postgres
Cli = Callable[..., Said]


@pytest.mark.feature("JOB-05")
def test_job_05_a_queue_is_paused_and_resumed_on_the_command_line(
    bench: Bench, stratal: Cli
) -> None:
    assert "notes is paused" in stratal("queue", "pause", "notes", "--reason", "It rests.").out
    assert "notes: It rests." in stratal("queue", "list").out
    assert stratal("queue", "list", "--json").json == {"items": bench.queues.states()}
    assert "notes goes on" in stratal("queue", "resume", "notes").out
    assert bench.queues.paused_because is None


@pytest.mark.feature("JOB-05")
def test_job_05_what_was_given_up_is_listed_and_tried_again(bench: Bench, stratal: Cli) -> None:
    [dead] = stratal("queue", "dead", "--json").json["items"]
    assert "a bug" in stratal("queue", "dead").out
    assert "Note" in stratal("queue", "retry", dead["job_id"]).out
    assert bench.queues.retried == [UUID(int=5)]
