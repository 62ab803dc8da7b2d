"""A graph with everything in it in its one spelling: signatures, types and constant values."""

from itertools import count

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
    signature = speller.signature(graph.signature, "/signature")
    nodes = speller.nodes(graph, "")
    if speller.faults:
        raise InvalidGraph(speller.faults)
    return graph.model_copy(update={"signature": signature, "nodes": nodes})


class _Speller:
    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def nodes(self, body: Body, pointer: str) -> tuple[Node, ...]:
        return tuple(
            self._node(node, f"{pointer}/nodes/{index}") for index, node in enumerate(body.nodes)
        )

    def signature(self, spec: SignatureSpec, pointer: str) -> SignatureSpec:
        try:
            return accepted(spec)
        except InvalidSignature as error:
            self.faults += [Fault(pointer + it.pointer, it.code, it.message) for it in error.faults]
            return spec

    def _body(self, body: Body, pointer: str) -> Body:
        # No model ever sees it, so an input and an output may share a name, as what a loop carries
        # from round to round does: each side is looked at by itself.
        spec, at = body.signature, f"{pointer}/signature"
        other = _unused(spec)
        taken = self.signature(spec.model_copy(update={"outputs": (other,)}), at)
        given = self.signature(SignatureSpec(inputs=(other,), outputs=spec.outputs), at)
        kept = taken.model_copy(update={"outputs": given.outputs})
        nodes = self.nodes(body, pointer)
        return body.model_copy(update={"signature": kept, "nodes": nodes})

    def _node(self, node: Node, pointer: str) -> Node:
        match node:
            case ModuleNode(module=module):
                signature = self.signature(module.signature, f"{pointer}/module/signature")
                spec = module.model_copy(update={"signature": signature})
                return node.model_copy(update={"module": spec})
            case ConstNode():
                return self._const(node, pointer)
            case _:
                inner = bodies(node).items()
                kept = {name: self._body(body, f"{pointer}/{name}") for name, body in inner}
                return node.model_copy(update=kept)

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


def _unused(spec: SignatureSpec) -> FieldSpec:
    """A field with a name that is none of *spec*."""
    taken = {field.name for field in (*spec.inputs, *spec.outputs)}
    return FieldSpec(name=next(name for n in count() if (name := f"unused{n}") not in taken))
