"""What differs between two graphs: nodes, their wiring, and what each is set to."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, cast

from pydantic import JsonValue

from domain.comparison.signatures import compare_signatures
from domain.comparison.values import Change, ChangeKind, Severity
from domain.program.graph import ModuleNode, Node, ProgramGraph, bodies, walk
from domain.signature.fields import SignatureSpec
from domain.text import escape

_Json = Mapping[str, JsonValue]

_WIRING: Final = frozenset({"inputs", "items", "times"})
"""The members of a node that say where it takes its values from."""

_TOLD_APART: Final = frozenset({"id", "kind", "module"})


class Told(NamedTuple):
    """Changes that are said elsewhere, and not again of the nodes that they come from."""

    instructions: frozenset[str] = frozenset()
    demos: frozenset[str] = frozenset()
    signature: frozenset[tuple[ChangeKind, str]] = frozenset()


def compare_graphs(
    before: ProgramGraph,
    after: ProgramGraph,
    pointer: str,
    told: Told = Told(),  # noqa: B008 - a value
) -> list[Change]:
    """Every change from *before* to *after*, save what of it was *told* already."""
    found = compare_signatures(before.signature, after.signature, f"{pointer}/signature")
    told = told._replace(signature=frozenset((each.kind, each.sentence) for each in found))
    return [*found, *_nodes(before, after, pointer, told), *_outputs(before, after, pointer)]


def _nodes(before: ProgramGraph, after: ProgramGraph, pointer: str, told: Told) -> Iterator[Change]:
    old = {each.node.id: (each.node, pointer + each.pointer) for each in walk(before)}
    new = {each.node.id: (each.node, pointer + each.pointer) for each in walk(after)}
    for name in [each for each in old if each not in new]:
        node, where = old[name]
        yield _change(
            ChangeKind.NODE_REMOVED, where, f"The node {name} was removed.", before=_kind(node)
        )
    for name in [each for each in new if each not in old]:
        node, where = new[name]
        yield _change(
            ChangeKind.NODE_ADDED, where, f"The node {name} ({_kind(node)}) was added.",
            after=_kind(node),
        )  # fmt: skip
    kept = [name for name in new if name in old]
    for name in kept:
        yield from _node(old[name][0], new[name][0], new[name][1], told)
    former = [name for name in old if name in new]
    if kept != former:
        yield Change(
            kind=ChangeKind.NODES_REORDERED,
            severity=Severity.COSMETIC,
            pointer=f"{pointer}/nodes",
            sentence=f"The nodes are in another order: {', '.join(kept)}.",
            before=list[JsonValue](former),
            after=list[JsonValue](kept),
        )


def _node(before: Node, after: Node, pointer: str, told: Told) -> Iterator[Change]:
    if _kind(before) != _kind(after):
        yield _change(
            ChangeKind.NODE_KIND_CHANGED,
            f"{pointer}/kind",
            f"The node {after.id} is {_kind(after)} now, it was {_kind(before)}.",
            before=_kind(before),
            after=_kind(after),
        )
    old, new = _json(before), _json(after)
    for name in _WIRING:
        if old.get(name) != new.get(name):
            yield _change(
                ChangeKind.NODE_REWIRED,
                f"{pointer}/{name}",
                f"The node {after.id} takes its values from elsewhere.",
                before=old.get(name),
                after=new.get(name),
            )
    for name in sorted((old.keys() | new.keys()) - _WIRING - _TOLD_APART):
        if old.get(name) != new.get(name):
            yield _change(
                ChangeKind.NODE_CHANGED,
                f"{pointer}/{name}",
                f"{_words(name)} of the node {after.id} changed.",
                before=old.get(name),
                after=new.get(name),
            )
    if isinstance(before, ModuleNode) and isinstance(after, ModuleNode):
        yield from _module(before, after, pointer, told)


def _module(before: ModuleNode, after: ModuleNode, pointer: str, told: Told) -> Iterator[Change]:
    yield from _signature(before.module.signature, after.module.signature, after.id, pointer, told)
    old, new = (cast("_Json", _json(each)["module"]) for each in (before, after))
    for part in ("config", "parameters"):
        was, now = (dict(_object(each.get(part))) for each in (old, new))
        if after.id in told.demos:
            was.pop("demos", None)
            now.pop("demos", None)
        yield from _settings(was, now, f"{pointer}/module/{part}", after.id)


def _signature(
    before: SignatureSpec, after: SignatureSpec, node: str, pointer: str, told: Told
) -> Iterator[Change]:
    """What differs within: it concerns no caller, and is not said again where it concerns one."""
    found = [
        each
        for each in compare_signatures(before, after)
        if (each.kind, each.sentence) not in told.signature
        and not (each.kind is ChangeKind.INSTRUCTIONS_CHANGED and node in told.instructions)
    ]
    if found:
        inside = " ".join(each.sentence for each in found)
        yield _change(
            ChangeKind.NODE_SIGNATURE_CHANGED,
            f"{pointer}/module/signature",
            f"The signature of the node {node} changed. {inside}",
            before=before.model_dump(mode="json"),
            after=after.model_dump(mode="json"),
        )


def _settings(before: _Json, after: _Json, pointer: str, node: str) -> Iterator[Change]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new and type(old) is type(new):
            continue
        if name == "tools":
            yield from _tools(_named(old), _named(new), f"{pointer}/tools", node)
            continue
        yield _change(
            ChangeKind.PARAMETER_CHANGED,
            f"{pointer}/{escape(name)}",
            f"{_words(name)} of the node {node} changed.",
            before=old,
            after=new,
        )


def _tools(before: _Json, after: _Json, pointer: str, node: str) -> Iterator[Change]:
    kinds = ChangeKind.TOOL_ADDED, ChangeKind.TOOL_REMOVED, ChangeKind.TOOL_CHANGED
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        kind = kinds[0] if old is None else kinds[1] if new is None else kinds[2]
        verb = {kinds[0]: "was added", kinds[1]: "was removed", kinds[2]: "changed"}[kind]
        sentence = f"The tool {name} of the node {node} {verb}."
        yield _change(kind, pointer, sentence, before=old, after=new)


def _outputs(before: ProgramGraph, after: ProgramGraph, pointer: str) -> Iterator[Change]:
    for name in after.outputs:
        old, new = before.outputs.get(name), after.outputs[name]
        if old is not None and old != new:
            yield _change(
                ChangeKind.OUTPUTS_REWIRED,
                f"{pointer}/outputs/{escape(name)}",
                f"The output {name} comes from elsewhere.",
                before=old.model_dump(mode="json"),
                after=new.model_dump(mode="json"),
            )


def _kind(node: Node) -> str:
    return node.module.kind.value if isinstance(node, ModuleNode) else node.kind


def _json(node: Node) -> dict[str, Any]:
    """*node* as data; of the bodies in it without their nodes, which are compared as nodes."""
    inside = bodies(node)
    found = node.model_dump(mode="json", exclude={"module_id", *inside})
    shells = {
        name: body.model_dump(mode="json", exclude={"nodes"}) for name, body in inside.items()
    }
    return found | shells


def _object(value: JsonValue) -> _Json:
    return value if isinstance(value, dict) else {}


def _named(tools: JsonValue) -> _Json:
    """*tools* by name."""
    listed = tools if isinstance(tools, list) else []
    return {str(each["name"]): each for each in listed if isinstance(each, dict)}


def _words(name: str) -> str:
    return "The " + name.replace("_", " ")


def _change(
    kind: ChangeKind,
    pointer: str,
    sentence: str,
    *,
    before: JsonValue = None,
    after: JsonValue = None,
) -> Change:
    return Change(
        kind=kind,
        severity=Severity.COMPATIBLE,
        pointer=pointer,
        sentence=sentence,
        before=before,
        after=after,
    )
