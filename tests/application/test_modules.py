"""Commands on modules: what they freeze, what they refuse."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from application.commands import Command, CommandBus
from application.context import Context
from application.errors import NameIsTaken
from application.modules import (
    ConfigureModule,
    CreateModule,
    ModuleHandlers,
    ModuleSettings,
    RetireModule,
)
from application.ports import Receipt
from application.signatures import (
    DefineSignature,
    RetireSignature,
    ReviseSignature,
    SignatureHandlers,
)
from domain.errors import InvalidError, StaleVersion
from domain.module.aggregate import Module
from domain.module.errors import ModuleIsRetired
from domain.module.events import ModuleConfigured, ModuleCreated, ModuleRetired
from domain.module.values import DEFAULTS, ModuleConfig, ModuleKind
from domain.signature.aggregate import Signature
from domain.signature.errors import SignatureIsRetired
from domain.signature.syntax import parse
from tests.support.memory import FixedClock, MemoryLog, MemoryRepository

CONTEXT = Context(tenant="acme", actor="alice", correlation_id=UUID(int=1))


class World:
    def __init__(self) -> None:
        self.log, clock = MemoryLog(), FixedClock()
        signatures = MemoryRepository(Signature, self.log)
        modules = MemoryRepository(Module, self.log)
        self.bus = CommandBus(
            SignatureHandlers(signatures, clock), ModuleHandlers(modules, signatures, clock)
        )
        self.signature_id = uuid4()
        self.does(
            DefineSignature(signature_id=self.signature_id, name="qa", syntax="question -> answer")
        )

    def does(self, command: Command) -> Receipt:
        return self.bus.dispatch(command, CONTEXT)

    def creates(self, name: str = "qa", **chosen: Any) -> UUID:
        made = uuid4()
        body = {"kind": "predict", "signature_id": self.signature_id, **chosen}
        self.does(CreateModule.model_validate({"module_id": made, "name": name, **body}))
        return made

    @property
    def last(self) -> object:
        return self.log.recorded[-1].event


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.feature("MOD-05")
def test_mod_05_a_module_freezes_the_revision_of_its_signature(world: World) -> None:
    world.does(ReviseSignature(signature_id=world.signature_id, syntax="question -> verdict"))
    world.creates()
    created = world.last
    world.does(ReviseSignature(signature_id=world.signature_id, syntax="other -> else_"))
    assert isinstance(created, ModuleCreated)
    assert created.spec.signature == parse("question -> verdict")
    assert (created.signature_id, created.signature_revision) == (world.signature_id, 2)


@pytest.mark.feature("MOD-05")
def test_mod_05_an_unknown_signature_is_a_fault_of_the_command(world: World) -> None:
    with pytest.raises(InvalidError) as refused:
        world.creates(signature_id=uuid4())
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [
        ("/signature_id", "reference.unknown")
    ]


def test_a_retired_signature_takes_no_new_modules(world: World) -> None:
    world.does(RetireSignature(signature_id=world.signature_id))
    with pytest.raises(SignatureIsRetired):
        world.creates()


@pytest.mark.feature("MOD-02")
def test_mod_02_an_unknown_kind_is_refused_with_the_known_ones(world: World) -> None:
    with pytest.raises(ValidationError) as refused:
        world.creates(kind="oracle")
    [error] = refused.value.errors()
    assert error["loc"] == ("kind",)
    assert all(kind in error["msg"] for kind in ModuleKind)


@pytest.mark.feature("MOD-12")
@pytest.mark.feature("MOD-16")
@pytest.mark.parametrize("kind", ModuleKind)
def test_mod_12_what_was_not_chosen_is_as_the_kind_has_it(world: World, kind: ModuleKind) -> None:
    world.creates(kind=kind)
    default = world.last
    world.creates("warm", kind=kind, config={"temperature": 0.0, "demos": [{"question": "q"}]})
    chosen = world.last
    assert isinstance(default, ModuleCreated)
    assert default.spec.config == DEFAULTS[kind]
    assert isinstance(chosen, ModuleCreated)
    assert chosen.spec.config == ModuleConfig(
        temperature=0.0, max_tokens=DEFAULTS[kind].max_tokens, demos=({"question": "q"},)
    )


@pytest.mark.parametrize(
    "config",
    [
        {"temperature": 3},
        {"temperature": float("nan")},
        {"max_tokens": 0},
        {"top_p": 1},
        {"demos": [{"question": "\x00"}]},
    ],
)
def test_settings_out_of_bounds_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ModuleSettings.model_validate(config)


def test_a_name_is_held_by_one_module_but_a_signature_may_share_it(world: World) -> None:
    world.creates("qa")
    with pytest.raises(NameIsTaken):
        world.creates("qa")


def test_configuring_changes_what_is_named_and_keeps_the_rest(world: World) -> None:
    made = world.creates(config={"temperature": 0.5})
    warm = ModuleSettings(max_tokens=64)
    receipt = world.does(ConfigureModule(module_id=made, config=warm, expected_version=1))
    assert world.last == ModuleConfigured(config=ModuleConfig(temperature=0.5, max_tokens=64))
    again = world.does(ConfigureModule(module_id=made, config=warm))
    assert (receipt.version, again.version, again.position) == (2, 2, 0)


def test_a_retired_module_is_not_configured(world: World) -> None:
    made = world.creates()
    world.does(RetireModule(module_id=made, reason="old"))
    assert world.last == ModuleRetired(reason="old")
    with pytest.raises(ModuleIsRetired):
        world.does(ConfigureModule(module_id=made, config=ModuleSettings()))


def test_a_stale_decision_is_refused(world: World) -> None:
    made = world.creates()
    with pytest.raises(StaleVersion):
        world.does(ConfigureModule(module_id=made, config=ModuleSettings(), expected_version=2))
    with pytest.raises(StaleVersion):
        world.does(RetireModule(module_id=made, expected_version=2))
