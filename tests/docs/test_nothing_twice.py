"""The page on what is not built twice names libraries that are there, and used where it says."""

import ast
import re
from importlib.util import find_spec

import pytest

from docs.generate import DOCS
from docs.generators.packages import ROOT

PAGE = DOCS / "explanation" / "nothing-twice.md"
WORDS = ["schedulers", "monitors", "resource managers", "data storage"]


def rows() -> dict[str, list[str]]:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    parts = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return {word: cells for word, *cells in parts}


def imported_in(package: str) -> set[str]:
    """What the files of *package* import, by the name in front."""
    found = set[str]()
    for path in (ROOT / package.replace(".", "/")).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Import(names=names):
                    found |= {each.name.partition(".")[0] for each in names}
                case ast.ImportFrom(module=str(module)):
                    found.add(module.partition(".")[0])
                case _:
                    pass
    return found


@pytest.mark.feature("VIS-10")
@pytest.mark.parametrize("word", WORDS)
def test_vis_10_what_others_build_is_named_used_and_what_is_ours_has_its_reason(word: str) -> None:
    assert [*rows()] == WORDS
    given, used_by, ours = rows()[word]
    libraries = set(re.findall(r"`(\w+)`", given))
    assert libraries
    assert all(find_spec(each) is not None for each in libraries)
    assert libraries <= imported_in(used_by.strip("`"))
    (decision,) = re.findall(r"\]\(\.\./decisions/([^)]+)\)", ours)
    assert (DOCS / "decisions" / decision).is_file()
