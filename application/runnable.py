"""Which version of a program a command means, and all that is needed to run it."""

from typing import Final, cast

from pydantic import TypeAdapter

from application.lm_ports import JsonObject, RunnableProgram
from application.ports import PayloadStore
from domain.program.aggregate import Program
from domain.program.edits import Edits, PredictorEdit
from domain.program.values import Action, Origin
from domain.program.versions import VersionState

EDITS: Final = TypeAdapter(dict[str, PredictorEdit])


def resolve_version(program: Program, wanted: int | None, action: Action) -> int:
    """The version to take for *action*: the one *wanted*, else the deployed one, else the latest.

    Raises:
        ActionIsNotAllowed, ProgramIsArchived: The program is retired, or archived.
        ProgramVersionNotFound: It has no such version.
    """
    program.require(action)
    if wanted is None:
        return program.deployed_version or program.latest_version
    program.version_state(wanted)
    return wanted


def runnable(program: Program, version: int, payloads: PayloadStore) -> RunnableProgram:
    """Version *version* of *program*, with the state an optimizer found for it, and its edits.

    Raises:
        PayloadIsMissing: The state or the edits were erased.
    """
    chosen = program.version_state(version)
    state = None if chosen.state is None else json_object(payloads.get(chosen.state))
    return RunnableProgram(
        f"{program.id}@{version}",
        chosen.graph,
        state,
        edits_of(chosen, payloads),
        chosen.pins.adapter,
        learned_under=None if state is None else _learned_under(program, chosen),
    )


def _learned_under(program: Program, version: VersionState) -> str | None:
    """The DSPy that found the state of *version*: edits and restorations only carry it on."""
    while version.origin in (Origin.EDITED, Origin.RESTORED) and version.base_version is not None:
        version = program.version_state(version.base_version)
    return version.pins.libraries.get("dspy")


def edits_of(version: VersionState, payloads: PayloadStore) -> Edits:
    """All edits of *version*.

    Raises:
        PayloadIsMissing: They were erased.
    """
    return {} if version.edits is None else EDITS.validate_python(payloads.get(version.edits))


def json_object(content: object) -> JsonObject:
    """*content*, which was stored as a JSON object."""
    assert isinstance(content, dict)
    return cast("JsonObject", content)
