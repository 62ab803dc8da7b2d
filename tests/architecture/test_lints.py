"""House rules, one file each in ``lints/``; every rule is shown to see its seeded violation."""

import ast
from pathlib import Path
from types import ModuleType

import pytest

from tests.architecture.lints import no_clock, no_code_from_data, no_formatted_sql, no_pickle
from tests.architecture.source import parsed

RULES = [no_clock, no_code_from_data, no_formatted_sql, no_pickle]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.rpartition(".")[2])
def test_the_product_keeps_the_rule(rule: ModuleType) -> None:
    assert [found for path, tree in parsed() for found in rule.violations(path, tree)] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.rpartition(".")[2])
def test_the_rule_sees_its_seeded_violation(rule: ModuleType) -> None:
    assert rule.violations(Path("seeded.py"), ast.parse(rule.SEEDED)) != []


def test_every_rule_is_run() -> None:
    files = {path.stem for path in Path(__file__).parent.glob("lints/no_*.py")}

    assert files == {rule.__name__.rpartition(".")[2] for rule in RULES}


@pytest.mark.feature("BRG-11")
def test_brg_11_every_door_that_runs_or_imports_anything_is_there_and_used() -> None:
    trees = {path.as_posix(): tree for path, tree in parsed()}
    for door in no_code_from_data.DOORS:
        [tree] = [tree for path, tree in trees.items() if path.endswith(door)]
        assert no_code_from_data.violations(Path("elsewhere.py"), tree) != [], door
