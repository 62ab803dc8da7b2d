"""Manifests: planned, applied, applied again without an event, refused with every flaw's line."""

import json
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from tests.infrastructure.cli.conftest import Bench, Said
from tests.support.api import ApiWorld

Call = Callable[..., Said]

WHOLE = """
signatures:
  route:
    syntax: "message -> queue: enum['bug','billing']"
    instructions: Route it.
modules:
  router:
    kind: predict
    signature: route
    config: {temperature: 0.25}
programs:
  triage:
    description: Sorts messages.
    config: {owner: support}
    module: router
  answers:
    kind: chain_of_thought
    signature: question -> answer
    default_optimizer: copro
    settings: {max_tokens: 99}
  drawn:
    graph:
      signature: text -> short
      nodes:
        - id: cut
          module: {kind: predict, signature: text -> short, config: {temperature: 0, max_tokens: 9}}
          inputs: {text: {field: text}}
      outputs: {short: {node: cut, field: short}}
datasets:
  mail:
    purpose: training
    description: Ours.
    train: rows.jsonl
    heldout:
      - {message: It crashes., queue: bug}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "rows.jsonl").write_text('{"message": "Invoice?", "queue": "billing"}\n')
    file = tmp_path / "manifest.yaml"
    file.write_text(WHOLE)
    return file


def verbs(said: Said) -> list[str]:
    return [each["verb"] for each in said.json]


@pytest.mark.feature("VIS-13")
def test_vis_13_the_second_run_of_a_manifest_appends_no_event(
    stratal: Call, world: ApiWorld, file: Path
) -> None:
    applied = stratal("apply", str(file))
    assert applied.out.splitlines()[-1] == "6 created, 0 changed, 0 as they are."
    before = len(world.log.recorded)
    again = stratal("apply", str(file))
    assert again.out.splitlines()[-1] == "0 created, 0 changed, 6 as they are."
    assert len(world.log.recorded) == before
    assert stratal("program", "run", "triage", "message=Hi").status == 0


@pytest.mark.feature("VIS-13")
def test_vis_13_a_plan_shows_the_diff_and_changes_nothing(
    stratal: Call, world: ApiWorld, file: Path
) -> None:
    assert verbs(stratal("plan", str(file), "--json")) == ["create"] * 6
    stratal("apply", str(file))
    changed = (
        WHOLE.replace("Route it.", "Route it well.")
        .replace("temperature: 0.25", "temperature: 0.5")
        .replace("Sorts messages.", "Sorts.")
        .replace("owner: support", "owner: ann")
        .replace("max_tokens: 99", "max_tokens: 98")
        .replace(
            "It crashes., queue: bug}",
            "It crashes., queue: bug}\n      - {message: Hm, queue: bug}",
        )
        .replace("modules:\n  router:", "modules:\n  kept:", 1)
        .replace("module: router", "module: kept")
    )
    file.write_text(changed)
    before = len(world.log.recorded)
    said = stratal("plan", str(file))
    assert len(world.log.recorded) == before
    assert said.out.splitlines() == [
        "change  signature route",
        "          compatible  The instructions of the signature changed.",
        "change  dataset mail",
        "          1 heldout row(s) are loaded.",
        "create  module kept",
        "change  program triage",
        "          The description changes.",
        "          The config changes.",
        "          compatible  The instructions of the signature changed.",
        "          compatible  The temperature of the node predict changed.",
        "change  program answers",
        "          compatible  The max tokens of the node chain_of_thought changed.",
        "same    program drawn",
        "1 to create, 4 to change, 1 as they are.",
    ]
    assert stratal("apply", str(file)).status == 0
    assert verbs(stratal("plan", str(file), "--json")) == ["same"] * 6
    assert stratal("program", "show", "triage", "--json").json["latest_version"] == 2


def test_a_module_is_set_to_what_the_manifest_says(stratal: Call, bench: Bench, file: Path) -> None:
    stratal("apply", str(file))
    file.write_text(WHOLE.replace("temperature: 0.25", "temperature: 0.5"))
    assert stratal("apply", str(file)).out.splitlines()[2:4] == [
        "change  module router",
        "          temperature: 0.25 → 0.5",
    ]
    assert bench.connect().modules.get("router")["config"]["temperature"] == 0.5
    assert verbs(stratal("plan", str(file), "--json")) == ["same"] * 6


NAMING = """
datasets:
  facts: {train: [{text: It is high.}]}
signatures:
  find: {syntax: "query -> passages: list[string]"}
modules:
  finder:
    kind: retrieve
    signature: find
    parameters: {corpus: {dataset: facts, field: text}}
programs:
  search:
    config: {corpus: {dataset: facts}}
    graph:
      signature: "query -> passages: list[string]"
      nodes:
        - id: find
          module:
            kind: retrieve
            signature: find
            parameters: {corpus: {dataset: facts, field: text}, k: 1}
          inputs: {query: {field: query}}
      outputs: {passages: {node: find, field: passages}}
  similar:
    kind: predict
    signature: text -> answer
    settings: {nearest: {dataset: facts, k: 1}}
  agent:
    kind: react
    signature: question -> answer
    parameters:
      tools:
        - {kind: program, name: search, description: Search., program: search, program_version: 1}
  shelved: {module: finder}
"""


def test_datasets_signatures_and_programs_are_known_by_their_names(
    stratal: Call, bench: Bench, tmp_path: Path
) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(NAMING)
    assert verbs(stratal("plan", str(file), "--json")) == ["create"] * 7
    said = stratal("apply", str(file))
    assert said.out.splitlines()[-1] == "7 created, 0 changed, 0 as they are.", said.err
    client = bench.connect()
    facts, search = client.datasets.get("facts"), client.programs.get("search")
    (find,) = search["graph"]["nodes"]
    assert find["module"]["parameters"]["corpus"]["dataset_id"] == facts["dataset_id"]
    assert find["module"]["config"]["max_tokens"] == 1000
    assert search["config"] == {"corpus": {"dataset": "facts"}}
    (similar,) = client.programs.get("similar")["graph"]["nodes"]
    assert similar["module"]["config"]["nearest"]["dataset_id"] == facts["dataset_id"]
    (agent,) = client.programs.get("agent")["graph"]["nodes"]
    assert agent["module"]["parameters"]["tools"][0]["program_id"] == search["program_id"]
    assert verbs(stratal("plan", str(file), "--json")) == ["same"] * 7
    file.write_text(NAMING.replace("field: text}}", "field: text}, k: 9}"))
    assert "keeps its kind, its parameters" in stratal("plan", str(file)).err


def test_json_is_taken_too(stratal: Call, tmp_path: Path) -> None:
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps({"signatures": {"a/b".replace("/", "-"): {"syntax": "a -> b"}}}))
    assert stratal("apply", str(file)).status == 0
    empty = tmp_path / "empty.yaml"
    empty.write_text("")
    assert stratal("apply", str(empty)).out == "0 created, 0 changed, 0 as they are.\n"


FLAWED = """
signatures:
  route: {syntax: "message -> queue: strng"}
modules:
  router: {kind: predict, signature: nobody, conf: {}}
program: {}
"""


def test_every_flaw_is_named_with_its_line_before_anything_is_sent(
    stratal: Call, world: ApiWorld, tmp_path: Path
) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(FLAWED)
    before = len(world.log.recorded)
    said = stratal("apply", str(file))
    assert said.status == 1
    told = said.err.splitlines()
    assert told == [
        f"{file} cannot be applied; nothing was sent. (manifest.unusable)",
        f"  {file}:5: There is no key conf here. Did you mean config?",
        f"  {file}:6: There is no key program here. Did you mean programs?",
    ]
    faults = stratal("apply", str(file), "--json").problem["faults"]
    assert [f"  {each}" for each in faults] == told[1:]
    assert len(world.log.recorded) == before


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("signatures: {a: {syntax: 'a -> b: strng'}}", 1, "strng"),
        ("signatures:\n  a: {syntax: 'a ->'}", 2, "line 1, column"),
        ("modules:\n  a: {kind: magic, signature: a -> b}", 2, "Input should be"),
        ("modules:\n  a: {kind: predict, signature: a -> }", 2, "column"),
        ("programs:\n  a: {kind: predict}", 2, "Give one"),
        ("programs:\n  a: {module: m, kind: predict, signature: a -> b}", 2, "Give one"),
        ("programs:\n  a: {kind: predict, signature: a -> }", 2, "column"),
        ("programs:\n  a:\n    graph: {nodes: []}", 3, "outputs is missing"),
        ("programs:\n  a:\n    graph: {signature: 'a -> '}", 3, "column"),
        ("programs:\n  a:\n    graph:\n      signature: a -> b\n      nodes: [{id: x, module: "
         "{kind: predict, signature: a -> b, config: {temperature: 0, max_tokens: 1}}, "
         "inputs: {}}]\n      outputs: {}", 5, "no source"),
        ("datasets:\n  a:\n    train: rows.txt", 3, "Give it such a name"),
        ("datasets:\n  a:\n    train: gone.jsonl", 3, "cannot be read"),
        ("datasets:\n  a:\n    train: bad.jsonl", 3, "Line 1"),
        ("datasets:\n  a:\n    train:\n      - {a: 1}\n      - {b: 1}", 5, "lacks a"),
        ("programs:\n  a: {module: m, settings: {temperatures: 1}}", 2, "temperature?"),
        ("programs:\n  a: {module: m, zzz: 1}", 2, "Choose one of"),
        ("modules:\n  a: {kind: react, signature: a -> b, parameters: {max_iteration: 9}}", 2,
         "Did you mean max_iterations?"),
        ("modules:\n  a:\n    kind: ensemble\n    signature: a -> b\n    parameters:\n"
         "      members: [{zzz: 1}]", 6, "There is no key zzz here. Remove it."),
        ("signatures: &x\n  a: {syntax: a -> b}\nmodules: *x", 1, "alias"),
        ("a: !!python/object:os.system {}", 1, "tag"),
        ("a: 1\na: 2", 2, "twice"),
        ("1: 2", 1, "quotes"),
        ("a: .nan", 1, "NaN"),
        ("a: \"\\0\"", 1, "NUL"),
        ("\"\\0\": a", 1, "NUL"),
        ("a: 0x_", 1, "'0x_' cannot be read as int"),
        ("a: !!bool maybe", 1, "'maybe' cannot be read as bool"),
        ("a: !!int ''", 1, "'' cannot be read as int"),
        (f"a: {'1' * 5000}", 1, "cannot be read as int"),
        ("datasets:\n  a:\n    train: ../rows.jsonl", 3, "outside the folder of the manifest"),
        ("datasets:\n  a:\n    train: /etc/rows.json", 3, "outside the folder of the manifest"),
        ("datasets:\n  a:\n    train: away/rows.csv", 3, "outside the folder of the manifest"),
        ("programs:\n  a:\n    graph:\n      signature: nobody", 4, "no signature nobody"),
        ("programs:\n  a:\n    graph:\n      signature: a -> b\n      nodes: [{module: 1}]", 3,
         "id is missing"),
        ("programs:\n  a:\n    graph:\n      signature: a -> b\n      nodes: [{id: x, module: "
         "{kind: predict, config: 1}}]", 3, "An object"),
        ("programs: [1]", 1, "An object"),
        ("[1]", 1, "An object"),
        ("a: [", 1, "cannot be read"),
        ("a: b: c", 1, "cannot be read"),
    ],
)  # fmt: skip
def test_a_flaw_is_told_with_its_line(
    stratal: Call, tmp_path: Path, text: str, line: int, why: str
) -> None:
    (tmp_path / "bad.jsonl").write_text("nothing")
    (tmp_path / "away").symlink_to("/")
    file = tmp_path / "m.yaml"
    file.write_text(dedent(text))
    said = stratal("plan", str(file))
    assert (said.status, said.out) == (1, "")
    (told,) = [each for each in said.err.splitlines() if f"{file}:" in each][:1]
    assert f":{line}: " in told
    assert why in said.err


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "cannot be read"), (b"\xff", "not UTF-8"), (b"[" * 9000, "cannot be")],
)
def test_a_file_that_is_no_manifest_is_refused(
    stratal: Call, tmp_path: Path, content: bytes | None, why: str
) -> None:
    file = tmp_path / "m.yaml"
    if content is not None:
        file.write_bytes(content)
    said = stratal("plan", str(file))
    assert (said.status, why in said.err) == (1, True)


def test_a_file_that_is_too_long_is_refused(
    stratal: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.cli.manifest.reading.MAX_BYTES", 3)
    file = tmp_path / "m.yaml"
    file.write_text("a: 1")
    assert "longer than" in stratal("plan", str(file)).err


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("modules:\n  m: {kind: predict, signature: nobody}", "no signature nobody"),
        ("programs:\n  p: {module: nobody}", "no module nobody"),
        ("programs:\n  p: {kind: predict, signature: nobody}", "no signature nobody"),
        ("modules:\n  router: {kind: predict, signature: message -> other}", "another name"),
        ("datasets:\n  mail: {purpose: test}", "keeps its purpose"),
        ("datasets:\n  mail:\n    purpose: training\n    description: Ours.\n    train:\n"
         "      - {message: Other, queue: bug}", "other rows"),
        ("signatures:\n  old: {syntax: a -> b}", "out of service"),
        ("modules:\n  m: {kind: predict, signature: nobody}\nprograms:\n  p: {module: m}",
         "no signature nobody"),
        ("programs:\n  p: {kind: predict, signature: a -> b, settings: {nearest: {dataset: gone}}}",
         "no dataset gone here or on the server"),
        ("programs:\n  p:\n    kind: react\n    signature: a -> b\n    parameters: {tools: [{kind:"
         " program, name: q, description: q, program: q, program_version: 1}]}\n"
         "  q: {kind: predict, signature: a -> b}", "no program q further up"),
    ],
)  # fmt: skip
def test_what_the_server_cannot_have_is_refused_before_anything_is_sent(
    stratal: Call, bench: Bench, world: ApiWorld, file: Path, text: str, why: str
) -> None:
    stratal("apply", str(file))
    bench.connect().signatures.create("old", "a -> b")
    bench.connect().signatures.retire("old")
    before = len(world.log.recorded)
    file.write_text(text)
    said = stratal("apply", str(file))
    assert (said.status, why in said.err) == (1, True), said.err
    assert len(world.log.recorded) == before


def test_what_is_on_the_server_can_be_named(stratal: Call, file: Path) -> None:
    stratal("apply", str(file))
    file.write_text("programs:\n  a: {module: router}\n  b: {kind: predict, signature: route}")
    assert verbs(stratal("apply", str(file), "--json")) == ["create", "create"]
    assert verbs(stratal("apply", str(file), "--json")) == ["same", "same"]


def test_other_problems_of_the_server_are_told(stratal: Call, tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text("signatures:\n  " + "x" * 190 + ": {syntax: a -> b}")
    assert stratal("plan", str(file)).status == 0
