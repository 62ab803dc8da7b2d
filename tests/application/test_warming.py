"""What went live is built before anybody asks for it."""

from dataclasses import dataclass, field
from uuid import UUID

import pytest

from application.context import within
from application.lm_ports import RunnableProgram
from application.ports import Receipt
from application.warming import WarmingHandlers, WarmProgram, warming
from tests.support.memory import NOW
from tests.support.run_world import CONTEXT, World, WorldEngine


@dataclass
class Builder(WorldEngine):
    """Notes what it is to build."""

    built: list[str] = field(default_factory=list[str])

    def create_program(self, program: RunnableProgram) -> None:
        self.built.append(program.key)


@pytest.fixture
def world() -> World:
    return World()


def warm(world: World, program_id: UUID) -> tuple[list[str], Receipt]:
    engine = Builder(world.runner, world.evaluator, world.optimizer)
    handlers = WarmingHandlers(world.programs, world.supplies, engine)
    with within(CONTEXT):
        receipt = handlers.warm(WarmProgram(program_id=program_id))
    return engine.built, receipt


@pytest.mark.feature("PRG-17")
def test_prg_17_the_version_that_went_live_is_built(world: World) -> None:
    program_id = world.a_program()
    world.change_program(program_id, lambda it: it.deploy(None, "It is good.", (), at=NOW))
    [*_, deployed] = world.log.stream(program_id)
    [command] = warming(deployed)
    built, receipt = warm(world, command.program_id)
    assert built == [f"{program_id}@1"]
    assert receipt == Receipt(program_id, 2, 0)


def test_what_is_not_live_is_not_built(world: World) -> None:
    program_id = world.a_program()
    assert [*warming(world.log.stream(program_id)[0])] == []
    assert warm(world, program_id)[0] == []
