"""Features: which ids have an acceptance check among the tests, and which have none."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from docs.generators.later import LATER
from docs.generators.markdown import code, table
from docs.generators.packages import ROOT

_HIGHEST: Final = {
    "SIG": 34,
    "MOD": 31,
    "PRD": 2,
    "TRC": 2,
    "EXM": 2,
    "PRG": 23,
    "BRG": 19,
    "VIS": 32,
    "EXE": 8,
    "DST": 4,
    "OPT": 8,
    "MET": 4,
    "LMP": 6,
    "AUD": 5,
}
"""The last number of each group that was set out; the first is 1."""

WANTED: Final = tuple(
    f"{group}-{number:02}" for group, last in _HIGHEST.items() for number in range(1, last + 1)
)
"""The ids that were set out to hold."""

_HEAD: Final = """# Features

A feature holds when a test shows it: the test bears the mark `@pytest.mark.feature("ID")`, and its
name says what holds. This page is made of those marks by `python -m docs.generate`; a feature
without a test is not claimed.
"""


@dataclass(frozen=True, order=True, slots=True)
class Claim:
    """A test that shows a feature."""

    id: str
    file: str
    test: str

    @property
    def sentence(self) -> str:
        """What its name says."""
        said = re.sub(r"^test_([a-z]{1,5}_[0-9]{2}_)*", "", self.test).replace("_", " ")
        return said[0].upper() + said[1:] + "."


def features() -> str:
    """The page of all features that tests show, and of those that none shows."""
    found = claims()
    ids = sorted({claim.id for claim in found})
    tests = {(claim.file, claim.sentence) for claim in found}
    return "\n".join(
        [
            _HEAD,
            f"{len(ids)} features are shown by {len(tests)} tests.\n",
            table(("id", "what the tests say", "file"), (_row(each, found) for each in ids)),
            _missing(set(ids)),
        ]
    )


def claims() -> list[Claim]:
    """Every mark of every test, found without importing any."""
    return _claims(ROOT)


@cache
def _claims(root: Path) -> list[Claim]:
    found = set[Claim]()
    for path in sorted((root / "tests").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        file = path.relative_to(root).as_posix()
        found |= {Claim(feature, file, test) for feature, test in _marked(tree.body, ())}
    return sorted(found)


def _marked(body: Iterable[ast.stmt], outer: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Ids with tests: *outer* ids are those of the module or class around."""
    statements = list(body)
    outer = (*outer, *(feature for each in statements for feature in _of_all(each)))
    for each in statements:
        match each:
            case ast.ClassDef():
                yield from _marked(each.body, (*outer, *_ids(each.decorator_list)))
            case ast.FunctionDef() | ast.AsyncFunctionDef() if each.name.startswith("test_"):
                for feature in (*outer, *_ids(each.decorator_list)):
                    yield feature, each.name
            case _:
                pass


def _of_all(statement: ast.stmt) -> Iterator[str]:
    """The ids in ``pytestmark = …``."""
    match statement:
        case ast.Assign(targets=[ast.Name(id="pytestmark")], value=value):
            yield from _ids([value])
        case _:
            pass


def _ids(expressions: Iterable[ast.expr]) -> Iterator[str]:
    for expression in expressions:
        for node in ast.walk(expression):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="feature"), args=[ast.Constant(value=str(feature))]
                ):
                    yield feature
                case _:
                    pass


def _row(id: str, found: Iterable[Claim]) -> tuple[str, str, str]:
    mine = [claim for claim in found if claim.id == id]
    sentences = "<br>".join(dict.fromkeys(claim.sentence for claim in mine))
    return id, sentences, "<br>".join(dict.fromkeys(code(claim.file) for claim in mine))


def _missing(shown: set[str]) -> str:
    missing = [feature for feature in WANTED if feature not in shown and feature not in LATER]
    count = len(WANTED) - len(LATER) - len(missing)
    said = f"Of the {len(WANTED)} features that were set out, {count} have their test.\n"
    if missing:
        listed = "".join(f"- {feature}\n" for feature in missing)
        said += f"No test claims these {len(missing)}; they may work, nothing shows it:\n\n{listed}"
    waiting = table(("id", "waits for"), sorted(LATER.items()))
    return f"## Without a test\n\n{said}\nThese {len(LATER)} are not there yet:\n\n{waiting}"
