"""A graph with everything in it in its one spelling: signatures, types and constant values."""

from domain.errors import Fault
from domain.program.errors import InvalidGraph
from domain.program.graph import Body, ConstNode, ModuleNode, Node, ProgramGraph, bodies
from domain.signature.errors import InvalidSignature
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.rules import accepted


def spelled(graph: ProgramGraph) -> ProgramGraph:
    """*graph* with every signature, type and constant as it is kept.

    Raises:
        InvalidGraph: A signature or a constant breaks a rule; the error names every fault.
    """
    speller = _Speller()
    kept = speller.body(graph, "")
    if speller.faults:
        raise InvalidGraph(speller.faults)
    return graph.model_copy(update=kept)


class _Speller:
    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def body(self, body: Body, pointer: str) -> dict[str, object]:
        signature = self._signature(body.signature, f"{pointer}/signature")
        nodes = [
            self._node(node, f"{pointer}/nodes/{index}") for index, node in enumerate(body.nodes)
        ]
        return {"signature": signature, "nodes": tuple(nodes)}

    def _node(self, node: Node, pointer: str) -> Node:
        match node:
            case ModuleNode(module=module):
                kept = self._signature(module.signature, f"{pointer}/module/signature")
                spec = module.model_copy(update={"signature": kept})
                return node.model_copy(update={"module": spec})
            case ConstNode():
                return self._const(node, pointer)
            case _:
                kept_bodies = {
                    name: body.model_copy(update=self.body(body, f"{pointer}/{name}"))
                    for name, body in bodies(node).items()
                }
                return node.model_copy(update=kept_bodies)

    def _signature(self, spec: SignatureSpec, pointer: str) -> SignatureSpec:
        try:
            return accepted(spec)
        except InvalidSignature as error:
            self.faults += [Fault(pointer + it.pointer, it.code, it.message) for it in error.faults]
            return spec

    def _const(self, node: ConstNode, pointer: str) -> ConstNode:
        # A constant keeps to what a default does: a type in its one form, a value of that type.
        written = FieldSpec(name="value", type=node.type, has_default=True, default=node.value)
        alone = SignatureSpec(inputs=(written,), outputs=(FieldSpec(name="unused"),))
        try:
            [field] = accepted(alone).inputs
        except InvalidSignature as error:
            for fault in error.faults:
                at = fault.pointer.removeprefix("/inputs/0").replace("/default", "/value", 1)
                self.faults.append(Fault(pointer + at, fault.code, fault.message))
            return node
        return node.model_copy(update={"type": field.type, "value": field.default})
