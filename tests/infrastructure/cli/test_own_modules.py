"""Programs of one's own modules on the command line: tried out, created, or refused with a code."""

from collections.abc import Callable

import pytest

from infrastructure.offers import Offer
from tests.infrastructure.cli.conftest import Bench, Said
from tests.support.api import ApiWorld
from tests.support.probes import FINDINGS, REFUSAL

Call = Callable[..., Said]

MODULE = "acme_rag.rag:MyRAG"
ADD = ("program", "add", MODULE, "--signature", "question -> answer")


def test_a_module_is_tried_out_and_becomes_a_program(stratal: Call, world: ApiWorld) -> None:
    said = stratal(*ADD, "--args", '{"k": 3}', "--inputs", '{"question": "Why?"}')
    assert said.status == 0, said.err
    predictors, created = said.out.splitlines()
    assert predictors == "Predictors: rewrite, generate.predict."
    assert created.startswith("Created my_rag (")
    source = FINDINGS.source_sha256[:12]
    assert created.endswith(f"version 1: {MODULE} of acme-rag 1.2.3, source {source}.")
    assert said.err == ""
    assert world.prober.asked[-1].arguments == {"k": 3}
    assert world.prober.asked[-1].inputs == {"question": "Why?"}
    shown = stratal("program", "show", "my_rag").out
    assert "my_rag (custom)" in shown


def test_with_json_probe_and_program_are_told(stratal: Call, bench: Bench) -> None:
    told = stratal(*ADD, "--name", "rag", "--description", "Ours.", "--json").json
    assert told["probe"]["status"] == "accepted"
    program = bench.connect().programs.get("rag")
    assert (program["program_id"], program["description"]) == (told["program"]["id"], "Ours.")
    client = bench.connect()
    assert client.probes.get(told["probe"]["probe_id"])["import_path"] == MODULE
    [listed] = client.probes.list(status="accepted")
    assert listed["probe_id"] == told["probe"]["probe_id"]


def test_what_does_not_repeat_itself_is_said(stratal: Call, world: ApiWorld) -> None:
    bare = {"repeatable": False, "distribution": None, "predictors": ()}
    world.prober.findings = FINDINGS.model_copy(update=bare)
    said = stratal(*ADD)
    assert said.status == 0
    assert "replays of this program may diverge" in said.err
    assert "Predictors: none." in said.out
    assert f"{MODULE} of acme_rag, source" in said.out


def test_a_refused_module_ends_with_its_own_code(stratal: Call, world: ApiWorld) -> None:
    world.prober.refusal = REFUSAL
    said = stratal(*ADD, "--json")
    assert said.status == 1
    assert said.problem["code"] == REFUSAL.code
    assert stratal("program", "show", "my_rag").status == 1


def test_a_package_that_is_not_allowed_is_refused_with_what_to_do(stratal: Call) -> None:
    said = stratal("program", "add", "os:PathLike", "-s", "question -> answer", "--json")
    assert (said.status, said.problem["code"]) == (1, "module.package_not_allowed")
    assert "STRATAL_MODULES" in said.problem["detail"]


def test_a_probe_that_goes_on_makes_no_program(stratal: Call, world: ApiWorld) -> None:
    world.has_worker = False
    said = stratal(*ADD, "--wait", "0", "--json")
    assert (said.status, said.problem["code"]) == (1, "probe.pending")


def test_a_module_without_its_class_is_not_sent(stratal: Call) -> None:
    said = stratal("program", "add", "acme_rag", "-s", "question -> answer")
    assert said.status == 1
    assert "Write it as package.module:Class. (cli.input_unusable)" in said.err


@pytest.mark.parametrize("args", ["k=3", "[3]", ""])
def test_arguments_that_are_no_object_are_not_sent(stratal: Call, args: str) -> None:
    said = stratal(*ADD, "--args", args, "--json")
    assert (said.status, said.problem["code"]) == (1, "cli.input_unusable")


def test_that_no_package_offers_anything_is_said(stratal: Call, bench: Bench) -> None:
    bench.offers = []
    assert stratal("plugins").out == "No package of this machine offers anything.\n"
    assert stratal("plugins", "--json").json == []


@pytest.mark.feature("VIS-28")
def test_vis_28_what_packages_offer_is_listed(stratal: Call, bench: Bench) -> None:
    bench.offers = [Offer("module", "rag", MODULE, "acme-rag", "1.2.3", is_allowed=True)]
    heading, row = stratal("plugins").out.splitlines()
    assert heading.split() == ["kind", "name", "import", "path", "of", "allowed"]
    assert row.split() == ["module", "rag", MODULE, "acme-rag", "1.2.3", "yes"]
    [told] = stratal("plugins", "--json").json
    assert told == {
        "kind": "module",
        "name": "rag",
        "import_path": MODULE,
        "distribution": "acme-rag",
        "version": "1.2.3",
        "is_allowed": True,
    }
