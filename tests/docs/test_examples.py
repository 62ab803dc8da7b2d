"""The examples of the pages do what the pages say, against real processes."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.examples import Page
from tests.support.probes import PLUGIN

ROOT = Path(__file__).parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"


@pytest.mark.journey
def test_the_readme_shows_what_happens(page: Callable[[Path, Path], Page], tmp_path: Path) -> None:
    model = tmp_path / "smollm2.json"
    model.write_text(json.dumps({"default": {"reply": {"queue": "bug"}}}))
    assert page(ROOT / "README.md", model).run() == 3


@pytest.mark.journey
@pytest.mark.feature("PRG-21")
@pytest.mark.feature("VIS-32")
def test_prg_21_vis_32_the_tutorial_is_done_and_its_program_bettered_in_five_minutes(
    page: Callable[[Path, Path], Page],
) -> None:
    # Five minutes are what any test has (``timeout`` in pyproject.toml).
    path = TUTORIALS / "first-program.md"
    assert page(path, TUTORIALS / "files" / "model.json").run() == 11
    [(baseline, bettered)] = re.findall(
        r"evidence of ([0-9.]+) \w+ of version 1 and ([0-9.]+) \w+ of version 2", path.read_text()
    )
    assert float(bettered) >= float(baseline)


@pytest.mark.journey
def test_how_to_follow_the_log_shows_what_happens(page: Callable[[Path, Path], Page]) -> None:
    followed = page(ROOT / "docs/how-to/follow-the-log.md", TUTORIALS / "files" / "model.json")
    assert followed.run() == 8


@pytest.mark.journey
def test_how_to_read_the_past_shows_what_happens(page: Callable[[Path, Path], Page]) -> None:
    past = page(ROOT / "docs/how-to/read-the-past.md", TUTORIALS / "files" / "model.json")
    assert past.run() == 5


@pytest.mark.journey
def test_how_to_bring_a_module_of_ones_own_shows_what_happens(page: Callable[..., Page]) -> None:
    allowed = {"STRATAL_MODULES": "acme_rag", "PYTHONPATH": str(PLUGIN)}
    script = TUTORIALS / "files" / "model.json"
    assert page(ROOT / "docs/how-to/own-modules.md", script, **allowed).run() == 3


@pytest.mark.journey
@pytest.mark.parametrize(("name", "examples"), [("versions", 5), ("manifest", 1)])
def test_how_to_make_versions_and_manifests_shows_what_happens(
    page: Callable[[Path, Path], Page], name: str, examples: int
) -> None:
    shown = page(ROOT / f"docs/how-to/{name}.md", TUTORIALS / "files" / "model.json")
    assert shown.run() == examples


@pytest.mark.journey
def test_how_to_run_a_program_on_records_shows_what_happens(
    page: Callable[[Path, Path], Page], tmp_path: Path
) -> None:
    model = tmp_path / "model.json"
    answer = {"summary": "Bread takes time.", "keywords": ["bread", "time"]}
    model.write_text(json.dumps({"default": {"reply": answer}}))
    assert page(ROOT / "docs/how-to/run-on-records.md", model).run() == 3


@pytest.mark.journey
def test_how_to_let_people_in_by_keys_shows_what_happens(
    page: Callable[..., Page], tmp_path: Path
) -> None:
    model = tmp_path / "model.json"
    model.write_text(json.dumps({"default": {"reply": {"queue": "bug"}}}))
    assert page(ROOT / "docs/how-to/keys.md", model, STRATAL_ACCESS="keys").run() == 5


OLD, NEW = "8761a99c-2735-51e4-9a8e-0d2cc5f5d318", "00000000-2735-51e4-9a8e-0d2cc5f5d318"


def _page(tmp_path: Path, text: str) -> Page:
    path = tmp_path / "page.md"
    path.write_text(text)
    return Page(path, "http://127.0.0.1:1", tmp_path, {"PATH": "/usr/bin:/bin"})


@pytest.mark.parametrize(
    "example",
    [
        f"""```console
$ echo 'Created triage ({NEW}) in 7 ms at 2026-01-01 10:00:00 UTC.'
Created … ({OLD}) in 311 ms at 2026-11-20 07:31:34 UTC.
$ echo show {OLD}
show {OLD}
```""",
        """```python
print(1 + 1)  # 2
```""",
    ],
)
def test_a_page_that_shows_what_happens_passes(tmp_path: Path, example: str) -> None:
    assert _page(tmp_path, example).run() == 1


@pytest.mark.parametrize(
    "example",
    [
        """```console
$ echo Created another.
Created triage.
```""",
        f"""```console
$ echo {NEW} {OLD}
{OLD} {OLD}
```""",
        """```python
print(1 + 1)  # 3
```""",
    ],
)
def test_a_page_that_shows_something_else_fails(tmp_path: Path, example: str) -> None:
    with pytest.raises(AssertionError, match="shows"):
        _page(tmp_path, example).run()
