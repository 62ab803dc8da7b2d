"""The generated pages are what the code says today, and pages name only what is there."""

import json
import re
from pathlib import Path

import pytest

from docs.generate import DOCS, PAGES
from docs.generators import benchmark, features
from docs.generators.later import LATER
from docs.generators.packages import ROOT, modules
from docs.generators.python_names import NAMES, found
from infrastructure.settings import PREFIX, Settings

WRITTEN = sorted(
    path
    for path in (*ROOT.glob("*.md"), *DOCS.rglob("*.md"))
    if path.relative_to(DOCS if path.is_relative_to(DOCS) else ROOT).as_posix() not in PAGES
    and "_build" not in path.parts
)


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_current(name: str) -> None:
    committed = (DOCS / name).read_text(encoding="utf-8")
    assert committed == PAGES[name](), "Run: python -m docs.generate"


@pytest.mark.feature("VIS-11")
@pytest.mark.parametrize("path", NAMES.values())
def test_vis_11_each_name_has_one_import_path_and_is_documented(path: str) -> None:
    thing, package = found(path), path.partition(".")[0]
    places = [
        module.__name__
        for module in modules(package)
        if getattr(module, "__all__", None) and thing in vars(module).values()
    ]
    assert (places or [thing.__module__]) == [path.rpartition(".")[0]]
    assert f"| `{path}` |" in PAGES["reference/python.md"]()


@pytest.mark.feature("VIS-19")
def test_vis_19_the_layers_that_are_drawn_are_those_of_the_code() -> None:
    page = PAGES["reference/layers.md"]()
    drawn = [line.strip("| ") for line in page.splitlines() if line.startswith("|  ")]
    assert drawn == ["infrastructure", "application | projections", "domain"]
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    below = {"application": {"domain"}, "projections": {"domain"}, "domain": set[str]()}
    for part, row in rows.items():
        package = part.partition(".")[0]
        ours, frameworks = (set(re.findall(r"`(\w+)`", cell)) for cell in row.split("|")[2:4])
        if package in below:
            assert ours <= below[package]
            assert not frameworks


def test_every_event_is_on_the_page() -> None:
    page = PAGES["reference/events.md"]()
    assert "| `execution.replay_verified` | 1 |" in page
    assert "0x" not in page


def test_commands_show_their_fields_and_what_may_be_left_out() -> None:
    page = PAGES["reference/commands.md"]()
    assert "`program_version: int \\| None = …`" in page
    assert "0x" not in page
    assert "| `DeployProgram` |" in page


def test_a_code_is_told_with_its_status_and_its_sentence() -> None:
    page = PAGES["reference/errors.md"]()
    assert "| `name.taken` | 409 | A … called … exists already." in page
    assert "- `value.missing`" in page
    assert "- `model.rate_limited`" in page


def test_routes_and_verbs_are_on_their_pages() -> None:
    assert "| `POST /v1/programs/{program}/execute` |" in PAGES["reference/http.md"]()
    assert "`stratal program run PROGRAM [INPUTS]... [options]`" in PAGES["reference/cli.md"]()


def test_parameters_have_defaults_and_bounds() -> None:
    assert "| `k` | integer | `16` | 1…64 |" in PAGES["reference/optimizers.md"]()
    assert "| `f1_score` |" in PAGES["reference/metrics.md"]()


def test_marks_are_found_on_functions_classes_and_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
import pytest
pytestmark = [pytest.mark.postgres, pytest.mark.feature("ABC-01")]
class TestAll:
    @pytest.mark.feature("ABC-02")
    @pytest.mark.parametrize("each", [1])
    def test_abc_02_it_holds(self, each): ...
def helper(): ...
"""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(source)
    monkeypatch.setattr(features, "ROOT", tmp_path)
    told = [(claim.id, claim.sentence) for claim in features.claims()]
    assert told == [("ABC-01", "It holds."), ("ABC-02", "It holds.")]
    page = features.features()
    assert "| ABC-02 | It holds. | `tests/test_it.py` |" in page
    assert "- SIG-01\n" in page


def test_what_waits_for_later_was_set_out_and_is_claimed_by_no_test() -> None:
    waiting = set(LATER)
    assert waiting <= set(features.WANTED)
    assert waiting & {claim.id for claim in features.claims()} == set()
    assert all(
        f"| {each} | {why} |" in PAGES["reference/features.md"]() for each, why in LATER.items()
    )


def test_figures_of_the_benchmark_are_those_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "FIGURES", tmp_path / "overhead.json")
    monkeypatch.setattr(benchmark, "PLOT", tmp_path / "overhead.svg")
    assert "No run of the benchmark is on record" in benchmark.overhead()
    row = {"name": "stratal", "concurrency": 16, "p50_ms": 21.25, "p99_ms": 40.0, "rps": 300.0}
    row |= {"cpu_ms": 4.5, "accepted": 900, "stored": 900}
    told = {"rows": [row], "stations_p50_ms": {"queue": 1.5}}
    (tmp_path / "overhead.json").write_text(json.dumps(told))
    assert "| stratal | 16 | 21.2 | 40.0 | 300.0 | 4.5 | 900 of 900 |" in benchmark.overhead()
    assert "overhead.svg" not in benchmark.overhead()
    (tmp_path / "overhead.svg").touch()
    assert "overhead.svg" in benchmark.overhead()


def test_figures_of_loads_are_those_the_benchmark_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "FOLDS", tmp_path / "folds.json")
    assert "No run of the benchmark is on record" in benchmark.folds()
    row = {"name": "program", "events": 1999, "loaded": "each request", "p50_ms": 2.0}
    row |= {"p99_ms": 3.06, "plain_ms": 5.0}
    (tmp_path / "folds.json").write_text(json.dumps({"rows": [row]}))
    assert "| program | 1,999 | each request | 2.0 | 3.1 | 2.50 |" in benchmark.folds()


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_page_names_only_files_and_settings_that_there_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    files = re.findall(
        r"`((?:tests|docs|domain|application|projections|infrastructure)/[\w/.-]+)`", text
    )
    assert [each for each in files if not (ROOT / each).exists()] == []
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    assert set(re.findall(rf"{PREFIX}[A-Z_]+", text)) <= known


def test_the_readme_has_every_setting_with_its_default() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        default = f"`{field.default}` " if field.default not in (None, "") else ""
        assert f"| `{PREFIX}{name.upper()}` | {default}| {field.description} |" in readme
