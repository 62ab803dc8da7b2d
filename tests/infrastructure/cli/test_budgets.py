"""``stratal budget``: what runs may cost."""

from collections.abc import Callable

from tests.infrastructure.cli.conftest import Bench, Said
from tests.support.api import SYNTAX

Call = Callable[..., Said]


def test_a_budget_is_opened_filled_listed_and_closed(stratal: Call, bench: Bench) -> None:
    assert stratal("budget", "list").out.startswith("There are no budgets")
    program = bench.connect().programs.create("triage", SYNTAX)["id"]
    said = stratal("budget", "open", "0.5", "--program", "triage", "--alert-below", "1").out
    budget = said.split()[2].rstrip(".")
    assert stratal("budget", "grant", budget, "2.5").out == "2.5 USD are left.\n"
    assert f"program {program}" in stratal("budget", "list").out
    stratal("budget", "close", budget)
    (told,) = stratal("budget", "list", "--json").json
    assert (told["closed_at"] is not None, told["granted_usd"]) == (True, "2.5")
    assert "(closed)" in stratal("budget", "list").out


def test_all_runs_or_those_of_an_actor_have_a_budget_each(stratal: Call) -> None:
    stratal("budget", "open", "1")
    stratal("budget", "open", "1", "--actor", "ann")
    assert {word in stratal("budget", "list").out for word in ("all runs", "actor ann")} == {True}
    refused = stratal("budget", "open", "1", "--actor", "ann", "--program", "triage")
    assert refused.status == 2
