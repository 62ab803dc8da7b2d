"""``stratal route``: which of several models answers a run."""

from collections.abc import Callable

import pytest

from tests.infrastructure.cli.conftest import Said

Call = Callable[..., Said]
ADD = ("route", "add", "ours", "load_balanced")


@pytest.fixture(autouse=True)
def _providers(stratal: Call) -> None:
    stratal("provider", "add", "gpt", "openai", "--key", "env:OPENAI_API_KEY")
    stratal("provider", "add", "here", "local")


def test_a_route_is_added_listed_and_shown_with_its_conditions(stratal: Call) -> None:
    assert "There are no routes" in stratal("route", "list").out
    small = "here/smollm2, weight=3, input_size_max=2000"
    large = "gpt,cost_limit_usd=0.01,context_required=message"
    said = stratal(*ADD, "--model", small, "--model", large).out
    assert "Created ours" in said
    assert "--model 'route:ours'" in said
    [found] = stratal("route", "list", "--json").json
    first, second = found["candidates"]
    assert (first["weight"], first["input_size_max"]) == (3, 2000)
    assert (second["cost_limit_usd"], second["context_required"]) == ("0.01", "message")
    listed = stratal("route", "list").out
    assert "here/smollm2, gpt/gpt-4" in listed
    assert "load_balanced" in listed
    shown = stratal("route", "show", "ours").out
    assert "ours: load_balanced, enabled" in shown
    assert "2000" in shown
    assert stratal("route", "show", "ours", "--json").json["version"] == 1


def test_a_route_is_changed_disabled_and_enabled(stratal: Call) -> None:
    assert stratal(*ADD, "--model", "gpt", "--json").json["version"] == 1
    change = ("route", "change", "ours", "primary", "--model", "here")
    assert "ours chooses primary among 1 model(s) from now on." in stratal(*change).out
    assert "Disabled ours." in stratal("route", "disable", "ours", "--reason", "Why not?").out
    assert "disabled" in stratal("route", "show", "ours").out
    assert "Enabled ours." in stratal("route", "enable", "ours").out


@pytest.mark.parametrize("condition", ["colour=red", "weight", "weight="])
def test_what_is_no_condition_is_refused(stratal: Call, condition: str) -> None:
    said = stratal(*ADD, "--model", f"gpt,{condition}")
    assert said.status != 0
    assert "context_required" in said.err


def test_a_run_shows_which_model_was_chosen_and_why(stratal: Call) -> None:
    stratal(*ADD, "--model", "here", "--model", "gpt")
    stratal("program", "create", "triage", "-s", "message -> queue")
    run = ("program", "run", "triage", "message=It crashes.", "--model", "route:ours", "--json")
    execution_id = stratal(*run).json["execution_id"]
    shown = stratal("execution", "show", execution_id).out
    assert "by route" in shown
    assert "ours: It was drawn by weight and success." in shown
    assert "where it fails" in shown
