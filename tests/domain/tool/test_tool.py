"""The life of a tool on the shelf."""

from collections.abc import Iterator

import pytest

from domain.tool.aggregate import Tool
from domain.tool.errors import InvalidTool, ToolIsRetired
from domain.tool.events import ToolCreated, ToolRetired
from tests.domain.tool.test_rules import http, python
from tests.support.scenario import ID, NOW, Scenario, told

SPEC = python()
CREATED, RETIRED = ToolCreated(spec=SPEC), ToolRetired(reason="superseded")


@pytest.fixture
def tool() -> Iterator[Scenario[Tool]]:
    yield from told(Tool)


@pytest.mark.feature("MOD-25")
def test_mod_25_a_tool_is_created_as_it_is(tool: Scenario[Tool]) -> None:
    created = tool.when_begun(lambda new: Tool.create(new, SPEC, at=NOW)).then(CREATED)
    assert (created.spec, created.is_retired) == (SPEC, False)


@pytest.mark.parametrize(
    ("spec", "pointer"),
    [(python(name="finish"), "/spec/name"), (http(url="ftp://shop.example"), "/spec/url")],
)
def test_a_tool_that_no_module_could_use_is_refused(spec: object, pointer: str) -> None:
    with pytest.raises(InvalidTool) as refused:
        Tool.create(ID, spec, at=NOW)  # type: ignore[arg-type]  # one kind or the other
    assert refused.value.faults[0].pointer == pointer


def test_a_tool_is_retired_once(tool: Scenario[Tool]) -> None:
    tool.given(CREATED).when(lambda it: it.retire("superseded", at=NOW)).then(RETIRED)


def test_retiring_twice_changes_nothing(tool: Scenario[Tool]) -> None:
    tool.given(CREATED, RETIRED).when(lambda it: it.retire("again", at=NOW)).then()


def test_a_retired_tool_takes_no_new_users() -> None:
    retired = Tool.fold(ID, [CREATED, RETIRED])
    with pytest.raises(ToolIsRetired, match="use one in service"):
        retired.require_in_service()
    Tool.fold(ID, [CREATED]).require_in_service()
