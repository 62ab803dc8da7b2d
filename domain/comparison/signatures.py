"""What differs between two signatures, and what that means for whoever calls them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import JsonValue

from domain.comparison.texts import instructions_changed
from domain.comparison.values import Change, ChangeKind, Severity
from domain.signature.compatibility import fits
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.printing import render_type
from domain.signature.types import PRIMITIVES, ConstrainedOf, FieldType, parts

Side = Literal["inputs", "outputs"]

_WORD: Mapping[Side, str] = {"inputs": "input", "outputs": "output"}
_MATTERS = {True: Severity.BREAKING, False: Severity.COMPATIBLE}


class _Pair(NamedTuple):
    """A field before and after, and the pointer to it now."""

    side: Side
    before: FieldSpec
    after: FieldSpec
    pointer: str

    @property
    def name(self) -> str:
        return f"{_WORD[self.side]} {self.after.name}"


def compare_signatures(
    before: SignatureSpec, after: SignatureSpec, pointer: str = ""
) -> list[Change]:
    """Every change from *before* to *after*; equal signatures have none.

    Args:
        before: The older one.
        after: The newer one, which lies at *pointer* of what is compared.
        pointer: Where the pointers of the changes begin.
    """
    return [
        *_side("inputs", before.inputs, after.inputs, pointer),
        *_side("outputs", before.outputs, after.outputs, pointer),
        *instructions_changed(
            before.instructions, after.instructions, f"{pointer}/instructions", "the signature"
        ),
    ]


def _side(
    side: Side, before: Sequence[FieldSpec], after: Sequence[FieldSpec], pointer: str
) -> Iterator[Change]:
    old = {field.name: field for field in before}
    new = {field.name: field for field in after}
    places = {field.name: f"{pointer}/{side}/{index}" for index, field in enumerate(after)}
    gone = {field.name: f"{pointer}/{side}/{index}" for index, field in enumerate(before)}
    renamed = _renamed(before, after)
    for former, name in renamed.items():
        yield _told(
            ChangeKind.FIELD_RENAMED,
            Severity.BREAKING,
            f"{places[name]}/name",
            f"The {_WORD[side]} {former} is called {name} now.",
            before=former,
            after=name,
        )
    for name in [each for each in old if each not in new and each not in renamed]:
        yield _removed(side, old[name], gone[name])
    for name in [each for each in new if each not in old and each not in renamed.values()]:
        yield _added(side, new[name], places[name])
    kept = [name for name in new if name in old]
    for name in kept:
        yield from _field(_Pair(side, old[name], new[name], places[name]))
    if kept != [name for name in old if name in new]:
        yield _told(
            ChangeKind.FIELDS_REORDERED,
            Severity.COMPATIBLE,
            f"{pointer}/{side}",
            f"The {side} are in another order: {', '.join(kept)}.",
            before=[name for name in old if name in new],
            after=list[JsonValue](kept),
        )


def _renamed(before: Sequence[FieldSpec], after: Sequence[FieldSpec]) -> dict[str, str]:
    """The fields that differ in nothing but their name, where no other could be meant."""
    old, new = {each.name for each in before}, {each.name for each in after}
    gone = [each for each in before if each.name not in new]
    come = [each for each in after if each.name not in old]
    found: dict[str, str] = {}
    for each in gone:
        like = [other for other in come if _but_for_the_name(each, other)]
        rivals = [other for other in gone if _but_for_the_name(each, other)]
        if len(like) == len(rivals) == 1:
            found[each.name] = like[0].name
    return found


def _but_for_the_name(one: FieldSpec, other: FieldSpec) -> bool:
    return one.model_copy(update={"name": other.name}) == other


def _added(side: Side, field: FieldSpec, pointer: str) -> Change:
    needed = side == "inputs" and not (field.optional or field.has_default)
    extra = " It is required." if needed else ""
    return _told(
        ChangeKind.FIELD_ADDED,
        _MATTERS[needed],
        pointer,
        f"The {_WORD[side]} {field.name} ({render_type(field.type)}) was added.{extra}",
        after=field.model_dump(mode="json"),
    )


def _removed(side: Side, field: FieldSpec, pointer: str) -> Change:
    return _told(
        ChangeKind.FIELD_REMOVED,
        Severity.BREAKING,
        pointer,
        f"The {_WORD[side]} {field.name} was removed.",
        before=field.model_dump(mode="json"),
    )


def _field(pair: _Pair) -> Iterator[Change]:
    yield from _type(pair)
    yield from _presence(pair)
    before, after = pair.before, pair.after
    if before.has_default and after.has_default and _differ(before.default, after.default):
        sentence = f"The default of the {pair.name} changed."
        yield _told(
            ChangeKind.DEFAULT_CHANGED,
            Severity.COMPATIBLE,
            f"{pair.pointer}/default",
            sentence,
            before=before.default,
            after=after.default,
        )
    elif before.has_default != after.has_default:
        verb = "has a default now" if after.has_default else "has no default any more"
        yield _told(
            ChangeKind.DEFAULT_CHANGED,
            Severity.COMPATIBLE,
            f"{pair.pointer}/default",
            f"The {pair.name} {verb}.",
            before=before.default,
            after=after.default,
        )
    if before.description != after.description:
        yield _told(
            ChangeKind.DESCRIPTION_CHANGED,
            Severity.COMPATIBLE,
            f"{pair.pointer}/description",
            f"The description of the {pair.name} changed.",
            before=before.description,
            after=after.description,
        )


def _presence(pair: _Pair) -> Iterator[Change]:
    before, after = pair.before.optional, pair.after.optional
    if before == after:
        return
    kind = ChangeKind.BECAME_OPTIONAL if after else ChangeKind.BECAME_REQUIRED
    matters = after is (pair.side == "outputs")  # a reader meets null, or a caller has to send it
    told = "may be left out" if pair.side == "inputs" else "may be null"
    sentence = f"The {pair.name} {told} now." if after else f"The {pair.name} is required now."
    yield _told(
        kind, _MATTERS[matters], f"{pair.pointer}/optional", sentence, before=before, after=after
    )


def _type(pair: _Pair) -> Iterator[Change]:
    before, after = pair.before.type, pair.after.type
    if before == after:
        return
    kind = _type_change(before, after)
    narrows = kind in {ChangeKind.TYPE_NARROWED, ChangeKind.CONSTRAINT_TIGHTENED}
    widens = kind in {ChangeKind.TYPE_WIDENED, ChangeKind.CONSTRAINT_LOOSENED}
    breaks = narrows if pair.side == "inputs" else widens
    severity = _MATTERS[breaks or kind is ChangeKind.TYPE_CHANGED]
    if kind is ChangeKind.TYPE_RESPELLED:
        severity = Severity.COSMETIC
    was, now = render_type(before), render_type(after)
    sentence = f"The {pair.name} {_SAID[kind]}: from {was} to {now}."
    yield _told(kind, severity, f"{pair.pointer}/type", sentence, before=was, after=now)


_SAID: Mapping[ChangeKind, str] = {
    ChangeKind.TYPE_WIDENED: "takes more than before",
    ChangeKind.TYPE_NARROWED: "takes less than before",
    ChangeKind.TYPE_CHANGED: "is of another type",
    ChangeKind.TYPE_RESPELLED: "is the same in other words",
    ChangeKind.CONSTRAINT_TIGHTENED: "has tighter bounds",
    ChangeKind.CONSTRAINT_LOOSENED: "has looser bounds",
}


def _type_change(before: FieldType, after: FieldType) -> ChangeKind:
    widens, narrows = fits(before, after), fits(after, before)
    if widens and narrows:  # what holds anything goes with everything, so the openness decides
        openness = _openness(after) - _openness(before)
        widens, narrows = openness > 0, openness < 0
        if not (widens or narrows):
            return ChangeKind.TYPE_RESPELLED
    if not (widens or narrows):
        return ChangeKind.TYPE_CHANGED
    if _bare(before) == _bare(after):
        return ChangeKind.CONSTRAINT_LOOSENED if widens else ChangeKind.CONSTRAINT_TIGHTENED
    return ChangeKind.TYPE_WIDENED if widens else ChangeKind.TYPE_NARROWED


def _openness(type: FieldType) -> int:
    """How many places within *type* take anything; ``array`` and ``map`` are full of them."""
    own = type in (PRIMITIVES["any"], PRIMITIVES["array"], PRIMITIVES["map"])
    return own + sum(map(_openness, parts(type)))


def _bare(type: FieldType) -> FieldType:
    return type.of if isinstance(type, ConstrainedOf) else type


def _differ(before: JsonValue, after: JsonValue) -> bool:
    return type(before) is not type(after) or before != after


def _told(
    kind: ChangeKind,
    severity: Severity,
    pointer: str,
    sentence: str,
    *,
    before: JsonValue = None,
    after: JsonValue = None,
) -> Change:
    return Change(
        kind=kind,
        severity=severity,
        pointer=pointer,
        sentence=sentence,
        before=before,
        after=after,
    )
