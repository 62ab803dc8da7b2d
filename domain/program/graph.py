"""A program as data: modules as nodes, and where each of their inputs comes from."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from domain.kernel import ValueObject
from domain.module.values import ModuleSpec
from domain.signature.fields import SignatureSpec

NodeId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class Source(ValueObject):
    """Where a value comes from: an output of *node*, or a program input without one."""

    node: NodeId | None = None
    field: str


class Node(ValueObject):
    """One module in a program; ``inputs`` says where each field of its signature comes from.

    ``module_id`` names the module it was taken from, if any; the spec is a frozen copy.
    """

    id: NodeId
    module: ModuleSpec
    inputs: dict[str, Source]
    module_id: UUID | None = None


class ProgramGraph(ValueObject):
    """Nodes in any order, and the program's signature; ``outputs`` binds each of its outputs."""

    signature: SignatureSpec
    nodes: Annotated[tuple[Node, ...], Field(min_length=1, max_length=100)]
    outputs: dict[str, Source]
