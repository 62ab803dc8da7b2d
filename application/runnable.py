"""Which version of a program a command means, and all that is needed to run it."""

from typing import cast

from application.lm_ports import JsonObject, RunnableProgram
from application.ports import PayloadStore
from domain.program.aggregate import Program
from domain.program.values import Action


def resolve_version(program: Program, wanted: int | None, action: Action) -> int:
    """The version to take for *action*: the one *wanted*, else the deployed one, else the latest.

    Raises:
        ActionIsNotAllowed: The program is retired.
        ProgramVersionNotFound: It has no such version.
    """
    program.require(action)
    if wanted is None:
        return program.deployed_version or program.latest_version
    program.version_state(wanted)
    return wanted


def runnable(program: Program, version: int, payloads: PayloadStore) -> RunnableProgram:
    """Version *version* of *program*, with the state an optimizer found for it.

    Raises:
        PayloadIsMissing: The state was erased.
    """
    chosen = program.version_state(version)
    state = None if chosen.state is None else json_object(payloads.get(chosen.state))
    return RunnableProgram(f"{program.id}@{version}", chosen.graph, state)


def json_object(content: object) -> JsonObject:
    """*content*, which was stored as a JSON object."""
    assert isinstance(content, dict)
    return cast("JsonObject", content)
