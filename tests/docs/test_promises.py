"""Each of the seven words has a page and tests, and no link of any page leads nowhere."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from docs.generate import DOCS
from docs.generators.packages import ROOT
from docs.generators.promises import PROMISES, Promise, promises

WORDS: Final = (
    "Production ready, observable, secure, composable, API-first, maintainable, extensible"
)
PAGES: Final = sorted(
    path
    for path in (*ROOT.glob("*.md"), *DOCS.rglob("*.md"))
    if "_build" not in path.parts and not path.name.startswith("_")
)


def leading_nowhere(page: Path) -> Iterator[str]:
    """The links of *page* to files and headings that are not there."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"`[^`]*`", "", text)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = page if not file else (page.parent / file).resolve()
        if not target.exists() or (anchor and anchor not in headings(target)):
            yield link


def headings(page: Path) -> set[str]:
    """What the headings of *page* are linked by."""
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in found)
    return {each.strip().replace(" ", "-") for each in kept}


@pytest.mark.feature("VIS-22")
def test_vis_22_the_seven_words_are_those_of_the_papers() -> None:
    assert [promise.word.lower() for promise in PROMISES] == WORDS.lower().split(", ")


@pytest.mark.feature("VIS-22")
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.word)
def test_vis_22_each_word_has_a_page_and_tests_that_there_are(promise: Promise) -> None:
    page = promises()
    word, told = promise.word, promise.page
    section = page.split(f"\n## {word}\n")[1].split("\n## ")[0]
    assert len((DOCS / told).read_text(encoding="utf-8")) > 1000
    assert f"]({told})" in section
    rows = re.findall(r"^\| ([A-Z]+-\d\d) \| .+ \| `(.+)::(\w+)` \|$", section, flags=re.MULTILINE)
    assert list(dict.fromkeys(feature for feature, _, _ in rows)) == list(promise.features)
    for feature, file, test in rows:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        named = [each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)]
        assert test in named
        assert f'feature("{feature}")' in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.feature("VIS-22")
def test_vis_22_the_page_links_each_word_to_its_section_and_its_page(tmp_path: Path) -> None:
    page = promises()
    for promise in PROMISES:
        anchor = promise.word.lower().replace(" ", "-")
        assert f"| [{promise.word}](#{anchor}) |" in page
    broken = tmp_path / "page.md"
    broken.write_text("# One\n[a](#one) [b](#two) [c](gone.md) [d](https://example.com)\n")
    assert list(leading_nowhere(broken)) == ["#two", "gone.md"]


@pytest.mark.feature("VIS-22")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_vis_22_no_link_leads_nowhere(page: Path) -> None:
    assert list(leading_nowhere(page)) == []
