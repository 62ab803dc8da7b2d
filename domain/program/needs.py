"""What a program needs beside its own graph: tools, texts to search, examples to look up."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

from domain.module.kinds import RUNS_CODE
from domain.module.parameters import Agent, Recursive, Retrieve
from domain.module.values import ModuleSpec
from domain.program.graph import ProgramGraph, module_nodes
from domain.tool.values import Corpus, ProgramTool, RetrieverTool, ToolSpec


class Needs(NamedTuple):
    """All of it, each with the JSON pointer to where it is named; it may be named twice."""

    tools: Sequence[tuple[str, ToolSpec]] = ()
    corpora: Sequence[tuple[str, Corpus]] = ()
    examples: Sequence[tuple[str, UUID]] = ()
    code: Sequence[str] = ()

    @property
    def programs(self) -> Sequence[tuple[str, ProgramTool]]:
        """The tools that are versions of other programs."""
        return [(at, tool) for at, tool in self.tools if isinstance(tool, ProgramTool)]


def module_needs(spec: ModuleSpec, pointer: str = "") -> Needs:
    """What the module *spec* needs; *pointer* is where it stands."""
    tools = list(_tools(spec, pointer))
    corpora = [
        (f"{at}/corpus", tool.corpus) for at, tool in tools if isinstance(tool, RetrieverTool)
    ]
    if isinstance(spec.parameters, Retrieve):
        corpora.append((f"{pointer}/parameters/corpus", spec.parameters.corpus))
    nearest = spec.config.nearest
    examples = (
        [] if nearest is None else [(f"{pointer}/config/nearest/dataset_id", nearest.dataset_id)]
    )
    code = [f"{pointer}/kind"] if spec.kind in RUNS_CODE else []
    return Needs(tools, corpora, examples, code)


def tool_needs(spec: ToolSpec, pointer: str = "") -> Needs:
    """What the tool *spec* needs; *pointer* is where it stands."""
    corpora = [(f"{pointer}/corpus", spec.corpus)] if isinstance(spec, RetrieverTool) else []
    return Needs([(pointer, spec)], corpora)


def graph_needs(graph: ProgramGraph) -> Needs:
    """What the modules of *graph* need."""
    each = [module_needs(node.module, f"{at}/module") for at, node in module_nodes(graph)]
    return Needs(
        [tool for needs in each for tool in needs.tools],
        [corpus for needs in each for corpus in needs.corpora],
        [example for needs in each for example in needs.examples],
        [code for needs in each for code in needs.code],
    )


def _tools(spec: ModuleSpec, pointer: str) -> Iterator[tuple[str, ToolSpec]]:
    if isinstance(spec.parameters, Agent | Recursive):
        for index, tool in enumerate(spec.parameters.tools):
            yield f"{pointer}/parameters/tools/{index}", tool
