"""What a comparison finds: typed changes, how much each matters, and what it breaks."""

from collections.abc import Iterable
from enum import StrEnum
from uuid import UUID

from pydantic import JsonValue

from domain.kernel import ValueObject


class Severity(StrEnum):
    """Who has to do something: callers (breaking), nobody though answers may differ, or nobody."""

    BREAKING = "breaking"
    COMPATIBLE = "compatible"
    COSMETIC = "cosmetic"


class ChangeKind(StrEnum):
    FIELD_ADDED = "field_added"
    FIELD_REMOVED = "field_removed"
    FIELD_RENAMED = "field_renamed"
    FIELDS_REORDERED = "fields_reordered"
    TYPE_WIDENED = "type_widened"
    TYPE_NARROWED = "type_narrowed"
    TYPE_CHANGED = "type_changed"
    TYPE_RESPELLED = "type_respelled"
    CONSTRAINT_TIGHTENED = "constraint_tightened"
    CONSTRAINT_LOOSENED = "constraint_loosened"
    BECAME_OPTIONAL = "became_optional"
    BECAME_REQUIRED = "became_required"
    DEFAULT_CHANGED = "default_changed"
    DESCRIPTION_CHANGED = "description_changed"
    INSTRUCTIONS_CHANGED = "instructions_changed"
    DEMO_ADDED = "demo_added"
    DEMO_REMOVED = "demo_removed"
    DEMOS_REORDERED = "demos_reordered"
    NODE_ADDED = "node_added"
    NODE_REMOVED = "node_removed"
    NODE_REWIRED = "node_rewired"
    NODE_KIND_CHANGED = "node_kind_changed"
    NODE_CHANGED = "node_changed"
    NODES_REORDERED = "nodes_reordered"
    NODE_SIGNATURE_CHANGED = "node_signature_changed"
    OUTPUTS_REWIRED = "outputs_rewired"
    PARAMETER_CHANGED = "parameter_changed"
    TOOL_ADDED = "tool_added"
    TOOL_REMOVED = "tool_removed"
    TOOL_CHANGED = "tool_changed"
    ADAPTER_CHANGED = "adapter_changed"
    LIBRARY_CHANGED = "library_changed"


class Change(ValueObject):
    """One thing that differs, as a sentence and as data.

    ``pointer`` leads into the newer document, of what was removed into the older one. ``diff`` are
    the lines of a unified diff, of texts alone.
    """

    kind: ChangeKind
    severity: Severity
    pointer: str
    sentence: str
    before: JsonValue = None
    after: JsonValue = None
    diff: tuple[str, ...] = ()


class StaleEvaluation(ValueObject):
    """A score of the older side, which says nothing of the newer one."""

    evaluation_id: UUID
    program_version: int
    metric: str
    sentence: str


class UnfitDataset(ValueObject):
    """Rows that fitted the older side and do not fit the newer one."""

    dataset_id: UUID
    name: str
    sentence: str


class Breakage(ValueObject):
    """What no longer works, or no longer counts, once the newer side is taken."""

    callers: tuple[str, ...] = ()
    datasets: tuple[UnfitDataset, ...] = ()
    evaluations: tuple[StaleEvaluation, ...] = ()


_GRAVE_FIRST = tuple(Severity)


def gravest(changes: Iterable[Change]) -> Severity | None:
    """The severity of the gravest of *changes*; ``None`` where nothing changed."""
    found = {each.severity for each in changes}
    return next((severity for severity in _GRAVE_FIRST if severity in found), None)
