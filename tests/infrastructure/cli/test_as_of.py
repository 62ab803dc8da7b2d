"""Things on the command line as they were."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.infrastructure.cli.conftest import Bench, Said
from tests.support.api import SYNTAX

Call = Callable[..., Said]


@pytest.fixture
def deployed(stratal: Call, bench: Bench) -> int:
    """The position right before the program triage went live."""
    assert stratal("program", "create", "triage", "-s", SYNTAX).status == 0
    testing = bench.connect().programs.start_testing("triage")
    assert stratal("program", "deploy", "triage", "--because", "It is the first.").status == 0
    return int(testing["position"])


def test_a_program_is_shown_as_it_was(stratal: Call, deployed: int) -> None:
    assert "version 1" in stratal("program", "show", "triage").out
    then = stratal("program", "show", "triage", "--as-of", str(deployed))
    assert "testing" in then.out
    assert "version 1" not in then.out
    versions = ("program", "versions", "triage", "--json")
    assert stratal(*versions).json["items"][0]["deployments"] != []
    assert stratal(*versions, "--as-of", str(deployed)).json["items"][0]["deployments"] == []


def test_a_dataset_is_shown_with_the_rows_that_it_had(
    stratal: Call, bench: Bench, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([{"message": "It crashes.", "queue": "bug"}]))
    loaded = stratal("dataset", "load", "mail", str(rows), "--json").json
    assert stratal("dataset", "load", "mail", str(rows)).status == 0
    show = ("dataset", "show", "mail", "--json")
    for shown, size in ((stratal(*show), 2), (stratal(*show, "--as-of", loaded["position"]), 1)):
        assert (shown.json["size"], shown.json["statistics"]["size"]) == (size, size)


def test_an_execution_is_shown_before_its_end(stratal: Call, deployed: int) -> None:
    ran = stratal("program", "run", "triage", "message=Hi", "--json").json
    show = ("execution", "show", ran["execution_id"], "--trace", "--json")
    ended = stratal(*show).json
    begun = stratal(*show, "--as-of", str(ran["position"] - ran["version"] + 1)).json
    assert (begun["status"], ended["status"]) == ("pending", "completed")
    assert (len(begun["trace"]), len(ended["trace"])) == (0, 2)


def test_the_trail_ends_where_it_is_asked_to(stratal: Call, deployed: int) -> None:
    told = stratal("audit", "--as-of", str(deployed))
    assert "started to test" in told.out
    assert "deployed" not in told.out
    assert "deployed" in stratal("audit").out


@pytest.mark.parametrize(
    ("as_of", "code"), [("yesterday", "request.invalid"), ("999999999", "as_of.ahead")]
)
def test_what_cannot_be_known_is_refused(
    stratal: Call, deployed: int, as_of: str, code: str
) -> None:
    refused = stratal("program", "show", "triage", "--as-of", as_of, "--json")
    assert (refused.status, refused.problem["code"]) == (1, code)
