"""What things are called in the source of a program, so that no name means two things."""

import builtins
import keyword
from collections.abc import Mapping
from typing import Final

import dspy

from domain.program.graph import Body, ModuleNode, walk
from infrastructure.dspy_runtime.flow import each

HELPERS: Final[Mapping[str, object]] = {
    "dspy": dspy,
    "each": each,
    "min": builtins.min,
    "range": builtins.range,
}
"""What the source of a program names that is not its own."""

_ATTRIBUTES: Final = frozenset(dir(dspy.Module())) | frozenset(keyword.kwlist) | {"dspy"}
_KEPT: Final = frozenset(keyword.kwlist) | {"self", "super", "it", "_"}


class Names:
    """The names of one program. The ids of its nodes and its inputs are kept where they can be."""

    def __init__(self, graph: Body) -> None:
        nodes = [placed.node for placed in walk(graph)]
        ids = {node.id for node in nodes}
        inputs = {field.name for field in graph.signature.inputs}
        taken = ids | _ATTRIBUTES
        self.attributes: Mapping[str, str] = {
            node.id: _free(node.id, taken) if node.id in _ATTRIBUTES else node.id
            for node in nodes
            if isinstance(node, ModuleNode)
        }
        wanted = {node.id: self.attributes.get(node.id, node.id) for node in nodes}
        self._taken = {*inputs, *wanted.values(), *_KEPT}
        self._helpers = {
            name: _free(name, self._taken) if name in self._taken else name for name in HELPERS
        }
        self._taken |= set(self._helpers.values())
        self.variables: Mapping[str, str] = {
            node_id: _free(name, self._taken) if name in inputs or name in _KEPT else name
            for node_id, name in wanted.items()
        }

    @property
    def helpers(self) -> dict[str, object]:
        """``HELPERS`` as they are called in this program."""
        return {self._helpers[name]: it for name, it in HELPERS.items()}

    def helper(self, name: str) -> str:
        """What the helper *name* is called in this program."""
        return self._helpers[name]

    def local(self, wanted: str, owner: str | None = None) -> str:
        """A name of its own for a value: *wanted*, or one that says which node is its *owner*."""
        if owner is not None and wanted in self._taken:
            wanted = f"{owner}_{wanted}"
        return _free(wanted, self._taken)


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name
