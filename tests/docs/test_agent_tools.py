"""The tools of the page on tools are tools."""

import re
from pathlib import Path

from application.graphs import ModuleChoice
from domain.module.parameters import Agent
from domain.tool.rules import tool_faults

PAGE = Path("docs/how-to/agent-tools.md")


def test_the_module_of_the_page_can_be_sent() -> None:
    found = re.search(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    module = ModuleChoice.model_validate_json(found.group(1))
    assert isinstance(module.parameters, Agent)
    assert [tool.kind for tool in module.parameters.tools] == [
        "python",
        "http",
        "retriever",
        "program",
    ]
    assert list(tool_faults(module.parameters.tools, "")) == []
