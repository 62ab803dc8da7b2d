"""Commands on modules: what they freeze, what they refuse."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from application.commands import Command, CommandBus
from application.context import Context
from application.datasets import CreateDataset, DatasetHandlers
from application.errors import NameIsTaken
from application.modules import (
    ConfigureModule,
    CreateModule,
    ModuleHandlers,
    ModuleSettings,
    RetireModule,
)
from application.ports import Receipt
from application.shelf import SignatureShelf
from application.signatures import (
    DefineSignature,
    RetireSignature,
    ReviseSignature,
    SignatureHandlers,
)
from domain.dataset.aggregate import Dataset
from domain.errors import InvalidError, StaleVersion
from domain.module.aggregate import Module
from domain.module.errors import ModuleIsRetired
from domain.module.events import ModuleConfigured, ModuleCreated, ModuleRetired
from domain.module.parameters import Agent
from domain.module.values import DEFAULTS, ModuleConfig, ModuleKind, Nearest
from domain.signature.aggregate import Signature
from domain.signature.errors import SignatureIsRetired, SignatureSyntaxError
from domain.signature.events import SignatureDefined
from domain.signature.syntax import parse
from tests.support.access import EVERY_ROLE
from tests.support.memory import FixedClock, MemoryLog, MemoryNames, MemoryRepository, ToldUsers
from tests.support.supplies import supplies_of

CONTEXT = Context(tenant="acme", actor="alice", correlation_id=UUID(int=1), roles=EVERY_ROLE)


class LateNames(MemoryNames):
    """Names that miss what somebody else takes meanwhile, ``blind`` times."""

    blind = 0

    def holder(self, kind: str, name: str) -> UUID | None:
        if self.blind:
            self.blind -= 1
            return None
        return super().holder(kind, name)


class World:
    def __init__(self) -> None:
        self.log, clock = MemoryLog(), FixedClock()
        signatures = MemoryRepository(Signature, self.log)
        self.names = LateNames(self.log)
        shelf = SignatureShelf(signatures, self.names, clock)
        modules = MemoryRepository(Module, self.log)
        supplies = supplies_of(self.log)
        self.bus = CommandBus(
            SignatureHandlers(signatures, shelf, ToldUsers(), clock),
            ModuleHandlers(modules, signatures, shelf, supplies, clock),
            DatasetHandlers(MemoryRepository(Dataset, self.log), clock),
        )
        self.signature_id = uuid4()
        self.does(
            DefineSignature(signature_id=self.signature_id, name="qa", syntax="question -> answer")
        )
        self.dataset_id = uuid4()
        self.does(CreateDataset(dataset_id=self.dataset_id, name="rows"))

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
@pytest.mark.parametrize("kind", [ModuleKind.PREDICT, ModuleKind.CHAIN_OF_THOUGHT])
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


@pytest.mark.feature("MOD-20")
def test_mod_20_parameters_are_those_of_the_kind_unless_they_are_chosen(world: World) -> None:
    world.creates(kind="react")
    default = world.last
    world.creates("patient", kind="react", parameters={"max_iterations": 9})
    chosen = world.last
    assert isinstance(default, ModuleCreated)
    assert default.spec.parameters == Agent(max_iterations=5)
    assert isinstance(chosen, ModuleCreated)
    assert chosen.spec.parameters == Agent(max_iterations=9)


def test_parameters_of_another_kind_are_refused_where_they_stand(world: World) -> None:
    with pytest.raises(ValidationError) as refused:
        world.creates(kind="majority", parameters={"max_iterations": 9})
    assert [error["loc"] for error in refused.value.errors()] == [("parameters", "max_iterations")]


def test_examples_to_look_up_stay_until_they_are_taken_back(world: World) -> None:
    nearest = {"dataset_id": str(world.dataset_id), "k": 2}
    module_id = world.creates(config={"nearest": nearest})
    for said in ({"temperature": 0.5}, {"temperature": None}):
        world.does(ConfigureModule.model_validate({"module_id": module_id, "config": said}))
    kept = world.last
    world.does(
        ConfigureModule.model_validate({"module_id": module_id, "config": {"nearest": None}})
    )
    without = world.last
    assert isinstance(kept, ModuleConfigured)
    assert kept.config.nearest == Nearest.model_validate(nearest)
    assert isinstance(without, ModuleConfigured)
    assert (without.config.nearest, without.config.temperature) == (None, 0.5)


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


INLINE = {"signature_id": None, "signature": "question: str -> verdict"}


def signatures(world: World) -> list[SignatureDefined]:
    """Those that were made, but for the world's own."""
    found = [each.event for each in world.log.recorded]
    return [event for event in found if isinstance(event, SignatureDefined)][1:]


@pytest.mark.feature("SIG-34")
def test_sig_34_a_signature_written_in_place_is_made_once_and_then_found(world: World) -> None:
    world.creates("first", **INLINE)
    first = world.last
    world.creates("second", **{**INLINE, "signature": "question -> verdict: string"})
    second = world.last
    assert isinstance(first, ModuleCreated)
    assert isinstance(second, ModuleCreated)
    (made,) = signatures(world)
    assert made.name.startswith("question-to-verdict-")
    assert first.signature_id == second.signature_id
    assert first.spec.signature == second.spec.signature == made.spec


@pytest.mark.feature("SIG-34")
def test_sig_34_one_that_changed_since_or_left_service_is_made_anew(world: World) -> None:
    world.creates("first", **INLINE)
    made = world.last
    assert isinstance(made, ModuleCreated)
    world.does(ReviseSignature(signature_id=made.signature_id, syntax="a -> b"))
    world.creates("second", **INLINE)
    anew = world.last
    assert isinstance(anew, ModuleCreated)
    world.does(RetireSignature(signature_id=anew.signature_id))
    world.creates("third", **INLINE)
    names = [each.name for each in signatures(world)]
    assert names == [names[0], f"{names[0]}-2", f"{names[0]}-3"]


def test_two_modules_created_at_once_share_a_signature_written_in_place(world: World) -> None:
    world.creates("first", **INLINE)
    world.names.blind = 1
    world.creates("second", **INLINE)
    assert len(signatures(world)) == 1


def test_the_receipt_is_that_of_the_module(world: World) -> None:
    context = replace(CONTEXT, command_id="key", fingerprint="a")
    body = {"module_id": uuid4(), "name": "x", "kind": "predict", "signature": "a -> b"}
    command = CreateModule.model_validate(body)
    receipts = [world.bus.dispatch(command, context) for _ in range(2)]
    assert receipts[0] == receipts[1]
    assert receipts[0].id == command.module_id


@pytest.mark.feature("SIG-34")
def test_sig_34_a_bad_text_is_a_fault_of_the_command(world: World) -> None:
    with pytest.raises(SignatureSyntaxError) as refused:
        world.creates(signature_id=None, signature="a b")
    assert [fault.pointer for fault in refused.value.faults] == ["/signature"]


@pytest.mark.feature("SIG-34")
def test_sig_34_a_module_may_be_of_an_earlier_revision(world: World) -> None:
    world.does(ReviseSignature(signature_id=world.signature_id, syntax="question -> verdict"))
    world.creates("old", signature_revision=1)
    old = world.last
    world.creates("new", signature_revision=2)
    new = world.last
    assert isinstance(old, ModuleCreated)
    assert isinstance(new, ModuleCreated)
    assert (old.signature_revision, old.spec.signature) == (1, parse("question -> answer"))
    assert (new.signature_revision, new.spec.signature) == (2, parse("question -> verdict"))
    with pytest.raises(InvalidError) as refused:
        world.creates("none", signature_revision=3)
    assert [fault.pointer for fault in refused.value.faults] == ["/signature_revision"]


@pytest.mark.parametrize(
    ("chosen", "code"),
    [
        ({"signature_id": None}, "module.one_signature"),
        ({"signature": "a -> b"}, "module.one_signature"),
        (
            {"signature_id": None, "signature": "a -> b", "signature_revision": 1},
            "module.revision_of_nothing",
        ),
    ],
)
def test_a_module_is_of_one_signature(world: World, chosen: dict[str, Any], code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        world.creates(**chosen)
    assert [error["type"] for error in refused.value.errors()] == [code]
