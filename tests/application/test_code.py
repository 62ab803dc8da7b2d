"""Modules that run code are refused where they are written, unless code is allowed."""

from dataclasses import replace

import pytest

from application.supplies import Supplies
from domain.errors import ForbiddenError
from domain.module.errors import CodeIsNotAllowed
from domain.module.kinds import RUNS_CODE, ModuleKind
from domain.module.values import DEFAULTS, ModuleSpec
from domain.program.graph import single
from domain.program.needs import graph_needs, module_needs
from domain.signature.syntax import parse
from tests.support.memory import MemoryLog
from tests.support.supplies import supplies_of


def spec_of(kind: ModuleKind) -> ModuleSpec:
    return ModuleSpec(kind=kind, signature=parse("question -> answer"), config=DEFAULTS[kind])


@pytest.fixture
def supplies() -> Supplies:
    return supplies_of(MemoryLog())


@pytest.mark.feature("MOD-26")
@pytest.mark.parametrize("kind", sorted(RUNS_CODE))
def test_mod_26_a_module_that_runs_code_is_off_by_default(
    supplies: Supplies, kind: ModuleKind
) -> None:
    spec = spec_of(kind)
    with pytest.raises(CodeIsNotAllowed) as refused:
        supplies.check(module_needs(spec))
    assert [(it.pointer, it.code) for it in refused.value.faults] == [
        ("/kind", "module.code_not_allowed")
    ]
    assert isinstance(refused.value, ForbiddenError)
    with pytest.raises(CodeIsNotAllowed) as refused:
        supplies.check(graph_needs(single(spec)))
    assert [it.pointer for it in refused.value.faults] == ["/nodes/0/module/kind"]


@pytest.mark.feature("MOD-26")
@pytest.mark.parametrize("kind", sorted(RUNS_CODE))
def test_mod_26_whoever_runs_the_service_may_allow_it(supplies: Supplies, kind: ModuleKind) -> None:
    allowing = replace(supplies, allowance=replace(supplies.allowance, code=True))
    allowing.check(module_needs(spec_of(kind)))


@pytest.mark.parametrize("kind", sorted({ModuleKind.PREDICT, ModuleKind.REACT}))
def test_other_modules_need_no_leave(supplies: Supplies, kind: ModuleKind) -> None:
    supplies.check(module_needs(spec_of(kind)))
