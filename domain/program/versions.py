"""The versions of a program: what each one is, and which earlier one it was made of."""

from typing import NamedTuple, assert_never
from uuid import UUID

from domain.program.events import (
    ProgramCompiled,
    ProgramCreated,
    ProgramRevised,
    ProgramVersionEdited,
    ProgramVersionImported,
    ProgramVersionRestored,
)
from domain.program.graph import ProgramGraph
from domain.program.values import Origin, Pins
from domain.values import PayloadRef, Score

VersionEvent = (
    ProgramCreated
    | ProgramCompiled
    | ProgramRevised
    | ProgramVersionEdited
    | ProgramVersionRestored
    | ProgramVersionImported
)
"""Every event that makes a version."""


class VersionState(NamedTuple):
    """One version, which never changes.

    It runs as its graph, with the ``state`` that an optimizer found, with the ``edits`` made since.
    """

    graph: ProgramGraph
    state: PayloadRef | None = None
    optimization_id: UUID | None = None
    edits: PayloadRef | None = None
    pins: Pins = Pins()
    origin: Origin = Origin.WRITTEN
    base_version: int | None = None
    optimizer: str | None = None
    training_score: Score | None = None
    reason: str | None = None


def made(event: VersionEvent, before: list[VersionState]) -> VersionState:
    """The version that *event* makes after those *before* it."""
    match event:
        case ProgramCreated():
            return VersionState(event.graph, pins=event.pins)
        case ProgramRevised(base_version=base):
            return VersionState(
                event.graph,
                pins=event.pins,
                origin=Origin.REVISED,
                base_version=base,
                reason=event.reason,
            )
        case ProgramVersionRestored(restored_version=restored):
            return before[restored - 1]._replace(
                origin=Origin.RESTORED, base_version=restored, reason=event.reason
            )
        case _:
            return _derived(event, before[event.base_version - 1])


def _derived(
    event: ProgramCompiled | ProgramVersionEdited | ProgramVersionImported, base: VersionState
) -> VersionState:
    match event:
        case ProgramCompiled():
            return VersionState(
                base.graph,
                event.state,
                event.optimization_id,
                pins=event.pins,
                origin=Origin.COMPILED,
                base_version=event.base_version,
                optimizer=event.optimizer,
                training_score=event.training_score,
            )
        case ProgramVersionEdited():
            return VersionState(
                base.graph,
                base.state,
                edits=event.edits,
                pins=event.pins,
                origin=Origin.EDITED,
                base_version=event.base_version,
                reason=event.reason,
            )
        case ProgramVersionImported():
            return VersionState(
                base.graph,
                event.state,
                edits=event.edits,
                pins=event.pins,
                origin=event.origin,
                base_version=event.base_version,
                optimizer=event.optimizer,
                training_score=event.training_score,
                reason=event.reason,
            )
        case _:
            assert_never(event)
