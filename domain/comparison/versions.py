"""What differs between two versions of a program, and what the step between them breaks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from json import dumps
from typing import Final, NamedTuple
from uuid import UUID

from domain.comparison.graphs import Told, compare_graphs
from domain.comparison.texts import instructions_changed
from domain.comparison.values import (
    Breakage,
    Change,
    ChangeKind,
    Severity,
    StaleEvaluation,
    UnfitDataset,
)
from domain.program.graph import ProgramGraph
from domain.program.predictors import Predictor
from domain.program.state import Demo
from domain.program.values import Pins
from domain.text import escape
from domain.values import Digest

_DEMOS: Final = frozenset(
    {ChangeKind.DEMO_ADDED, ChangeKind.DEMO_REMOVED, ChangeKind.DEMOS_REORDERED}
)


class VersionContent(NamedTuple):
    """All that a version is made of, with its predictors as they are told in it."""

    graph: ProgramGraph
    predictors: Mapping[str, Predictor]
    pins: Pins = Pins()


class Scored(NamedTuple):
    """An evaluation of the older version."""

    evaluation_id: UUID
    program_version: int
    metric: str


class Rows(NamedTuple):
    """A dataset that the older version was judged on or learned from, and its fields."""

    dataset_id: UUID
    name: str
    fields: Sequence[str]


def compare_versions(before: VersionContent, after: VersionContent) -> list[Change]:
    """Every change from *before* to *after*; a version and itself have none."""
    told = list(_predictors(before.predictors, after.predictors))
    graphs = compare_graphs(before.graph, after.graph, "/graph", _said(told, after.predictors))
    return [*graphs, *told, *_pins(before.pins, after.pins)]


def broken_by(
    changes: Iterable[Change],
    before: VersionContent,
    after: VersionContent,
    *,
    evaluations: Iterable[Scored] = (),
    datasets: Iterable[Rows] = (),
) -> Breakage:
    """What *changes* from *before* to *after* break.

    Args:
        changes: What ``compare_versions`` found.
        before: The older version.
        after: The newer one.
        evaluations: Scores of the older one.
        datasets: What it was judged on or learned from.
    """
    found = list(changes)
    matters = any(each.severity is not Severity.COSMETIC for each in found)
    return Breakage(
        callers=tuple(each.sentence for each in found if each.severity is Severity.BREAKING),
        datasets=tuple(_unfit(before, after, datasets)),
        evaluations=tuple(_stale(before, after, evaluations)) if matters else (),
    )


def demo_hash(demo: Demo) -> Digest:
    """What tells one demo from every other: a digest of its content, in any order of its keys."""
    return sha256(dumps(demo, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _said(told: Sequence[Change], predictors: Mapping[str, Predictor]) -> Told:
    """The nodes whose predictors *told* of other instructions or demos."""

    def nodes(kinds: frozenset[ChangeKind]) -> frozenset[str]:
        pointers = [each.pointer for each in told if each.kind in kinds]
        return frozenset(
            each.node
            for path, each in predictors.items()
            if any(pointer.startswith(f"/predictors/{escape(path)}/") for pointer in pointers)
        )

    return Told(nodes(frozenset({ChangeKind.INSTRUCTIONS_CHANGED})), nodes(_DEMOS))


def _predictors(
    before: Mapping[str, Predictor], after: Mapping[str, Predictor]
) -> Iterator[Change]:
    for path, now in after.items():
        if (was := before.get(path)) is None:  # its node is new, and said to be
            continue
        pointer = f"/predictors/{escape(path)}"
        of = f"the predictor {path}"
        yield from instructions_changed(
            was.instructions, now.instructions, f"{pointer}/instructions", of
        )
        yield from _demos(was.demos, now.demos, f"{pointer}/demos", of)


def _demos(
    before: Sequence[Demo], after: Sequence[Demo], pointer: str, of: str
) -> Iterator[Change]:
    old, new = ([demo_hash(demo) for demo in demos] for demos in (before, after))
    left = list(new)
    for index, digest in enumerate(old):
        if digest in left:
            left.remove(digest)
            continue
        yield _demo(ChangeKind.DEMO_REMOVED, f"{pointer}/{index}", of, before[index], digest)
    left = list(old)
    for index, digest in enumerate(new):
        if digest in left:
            left.remove(digest)
            continue
        yield _demo(ChangeKind.DEMO_ADDED, f"{pointer}/{index}", of, after[index], digest)
    if sorted(old) == sorted(new) and old != new:
        yield Change(
            kind=ChangeKind.DEMOS_REORDERED,
            severity=Severity.COMPATIBLE,
            pointer=pointer,
            sentence=f"The demos of {of} are in another order.",
            before=[digest[:12] for digest in old],
            after=[digest[:12] for digest in new],
        )


def _demo(kind: ChangeKind, pointer: str, of: str, demo: Demo, digest: Digest) -> Change:
    added = kind is ChangeKind.DEMO_ADDED
    verb = "was added to" if added else "was removed from"
    return Change(
        kind=kind,
        severity=Severity.COMPATIBLE,
        pointer=pointer,
        sentence=f"The demo {digest[:12]} {verb} {of}.",
        before=None if added else demo,
        after=demo if added else None,
    )


def _pins(before: Pins, after: Pins) -> Iterator[Change]:
    if before.adapter != after.adapter:
        was, now = (each or "as suits the model" for each in (before.adapter, after.adapter))
        yield Change(
            kind=ChangeKind.ADAPTER_CHANGED,
            severity=Severity.COMPATIBLE,
            pointer="/pins/adapter",
            sentence=f"Prompts are written otherwise: {now}, before {was}.",
            before=before.adapter,
            after=after.adapter,
        )
    for name in sorted(before.libraries.keys() | after.libraries.keys()):
        old, new = before.libraries.get(name), after.libraries.get(name)
        if old != new:
            yield Change(
                kind=ChangeKind.LIBRARY_CHANGED,
                severity=Severity.COSMETIC,
                pointer=f"/pins/libraries/{escape(name)}",
                sentence=f"It was made with {name} {new or 'unknown'}, before {old or 'unknown'}.",
                before=old,
                after=new,
            )


def _stale(
    before: VersionContent, after: VersionContent, evaluations: Iterable[Scored]
) -> Iterator[StaleEvaluation]:
    outputs = {field.name for field in after.graph.signature.outputs}
    gone = [field.name for field in before.graph.signature.outputs if field.name not in outputs]
    why = f" It scored {', '.join(gone)}, which is gone." if gone else ""
    for each in evaluations:
        yield StaleEvaluation(
            evaluation_id=each.evaluation_id,
            program_version=each.program_version,
            metric=each.metric,
            sentence=f"The {each.metric} of version {each.program_version} is of another version."
            + why,
        )


def _unfit(
    before: VersionContent, after: VersionContent, datasets: Iterable[Rows]
) -> Iterator[UnfitDataset]:
    for each in datasets:
        lacks = _lacking(after, each.fields)
        if lacks and not _lacking(before, each.fields):
            yield UnfitDataset(
                dataset_id=each.dataset_id,
                name=each.name,
                sentence=f"The rows of {each.name} {lacks}.",
            )


def _lacking(version: VersionContent, fields: Sequence[str]) -> str | None:
    """In words, what rows with *fields* lack to judge *version*; ``None`` if nothing."""
    signature = version.graph.signature
    needed = [
        field.name
        for field in signature.inputs
        if not (field.optional or field.has_default) and field.name not in fields
    ]
    outputs = [field.name for field in signature.outputs]
    unlabelled = not set(outputs) & set(fields)
    lacks = [
        *([f"lack the input {', '.join(needed)}"] if needed else []),
        *([f"have none of the outputs {', '.join(outputs)}"] if unlabelled else []),
    ]
    return " and ".join(lacks) or None
