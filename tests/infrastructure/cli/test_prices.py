"""``stratal price`` and ``stratal costs``."""

from collections.abc import Callable

import pytest

from application.payloads import Payload
from domain.values import LmCall
from tests.infrastructure.cli.conftest import Bench, Said
from tests.support.api import SYNTAX
from tests.support.runs import answered

Call = Callable[..., Said]


def test_a_price_is_set_listed_and_withdrawn(stratal: Call) -> None:
    assert stratal("price", "list").out.startswith("The book is empty")
    said = stratal("price", "set", "openai/gpt", "2.50", "10", "--cached-input", "1.25").out
    assert said == "openai/gpt costs 2.50 USD in and 10 USD out a million, from now on.\n"
    later = ("--from", "2031-01-01T00:00:00Z", "--reasoning", "12", "--reason", "By contract.")
    stratal("price", "set", "openai/gpt", "3", "12", *later)
    last = ("--from", "2032-01-01T00:00:00Z")
    said = stratal("price", "withdraw", "openai/gpt", *last).out
    assert said == "The book has no price of openai/gpt, from 2032-01-01T00:00:00Z on.\n"
    told = stratal("price", "list", "--json").json
    assert [each["input_usd"] for each in told] == [None, "3", "2.50"]
    assert [each["reasoning_usd"] for each in told] == [None, "12", None]
    assert stratal("price", "list", "--model", "another").out.startswith("The book is empty")
    header, withdrawn, *_ = stratal("price", "list").out.splitlines()
    assert header.split() == ["model", "from", "in", "cached", "out", "reasoning"]
    assert withdrawn.split()[-4:] == ["-", "-", "-", "-"]
    assert stratal("price", "set", "openai/gpt", "cheap", "12").status == 1


def test_costs_are_shown_as_billed_and_by_the_book(stratal: Call, bench: Bench) -> None:
    api = bench.connect()
    program = api.programs.create("triage", SYNTAX)["id"]
    api.programs.execute("triage", {"message": "It crashes."})
    header, model, total = stratal("costs").out.splitlines()
    assert header.split() == [
        *("model", "calls", "billed", "by", "the", "book", "not", "billed", "unpriced")
    ]
    assert model.split() == ["scripted", "2", "0.002", "-", "0", "2"]
    assert total.split() == ["all", "of", "them", "2", "0.002", "-", "0", "2"]
    since = ("--from", "2030-01-01T00:00:00Z")
    stratal("price", "set", "scripted", "1000", "1000", *since)
    found = stratal("costs", "--by", "program", "--program", "triage", "--json").json
    assert [(each["program_id"], each["repriced_usd"]) for each in found["items"]] == [
        (program, "0.014")
    ]
    assert stratal("costs", "--by", "day", "--model", "another").out.splitlines()[1].split() == [
        *("all", "of", "them"),
        *("0", "0", "0", "0", "0"),
    ]


@pytest.mark.feature("CST-05")
def test_cst_05_models_that_nobody_could_bill_are_named(
    stratal: Call, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpriced(name: str) -> tuple[LmCall, Payload, Payload]:
        call, request, response = answered(name)
        return call.model_copy(update={"cost_usd": None}), request, response

    monkeypatch.setattr("tests.support.run_world.answered", unpriced)
    api = bench.connect()
    api.programs.create("triage", SYNTAX)
    api.programs.execute("triage", {"message": "It crashes."})
    *_, warning = stratal("costs", "--by", "day", "--program", "triage").out.splitlines()
    assert warning == (
        "Nobody knows what 2 of 2 calls of scripted cost. Set its price:"
        " stratal price set scripted INPUT OUTPUT"
    )
    assert stratal("costs", "--json").json["total"]["billed_is_partial"] is True


def test_programs_are_listed_with_what_they_cost_in_a_month(stratal: Call, bench: Bench) -> None:
    api = bench.connect()
    for name in ("idle", "triage", "newest"):
        api.programs.create(name, SYNTAX)
    api.programs.execute("triage", {"message": "It crashes."})
    header, *newest = stratal("program", "list").out.splitlines()
    assert header.split() == ["program", "stage", "live", "30", "days,", "USD"]
    assert [line.split()[0] for line in newest] == ["newest", "triage", "idle"]
    assert [line.split()[-1] for line in newest] == ["0", "0.002", "0"]
    assert stratal("program", "list", "--dearest").out.splitlines()[1].startswith("triage")
    [only] = stratal("program", "list", "--min-cost", "0.001", "--json").json
    assert only["name"] == "triage"
    stratal("price", "set", "scripted", "1", "1", "--reasoning", "2")
    api.programs.execute("triage", {"message": "It crashes."})
    assert "0.002 +" in stratal("program", "list", "--dearest").out
