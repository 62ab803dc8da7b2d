"""House rules, one file each in ``lints/``; every rule is shown to see its seeded violation."""

import ast
from pathlib import Path
from types import ModuleType

import pytest

from tests.architecture.lints import no_clock, no_formatted_sql, no_pickle
from tests.architecture.source import parsed

RULES = [no_clock, no_formatted_sql, no_pickle]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.rpartition(".")[2])
def test_the_product_keeps_the_rule(rule: ModuleType) -> None:
    assert [found for path, tree in parsed() for found in rule.violations(path, tree)] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.rpartition(".")[2])
def test_the_rule_sees_its_seeded_violation(rule: ModuleType) -> None:
    assert rule.violations(Path("seeded.py"), ast.parse(rule.SEEDED)) != []


def test_every_rule_is_run() -> None:
    files = {path.stem for path in Path(__file__).parent.glob("lints/no_*.py")}

    assert files == {rule.__name__.rpartition(".")[2] for rule in RULES}
