"""Commands on signatures, from what somebody wrote to what the log keeps."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from application.commands import Command, CommandBus
from application.context import Context
from application.errors import AggregateNotFound, NameIsTaken
from application.ports import Receipt
from application.shelf import SignatureShelf
from application.signatures import (
    DefineSignature,
    RegisterSignature,
    RetireSignature,
    ReviseSignature,
    SignatureHandlers,
    WrittenSignature,
    compiled,
)
from domain.errors import InvalidError, StaleVersion
from domain.signature.aggregate import Signature
from domain.signature.errors import (
    InvalidSignature,
    SignatureIsInUse,
    SignatureIsRetired,
    SignatureSyntaxError,
)
from domain.signature.events import SignatureDefined, SignatureRetired, SignatureRevised
from domain.signature.syntax import parse
from tests.support.access import EVERY_ROLE
from tests.support.memory import FixedClock, MemoryLog, MemoryNames, MemoryRepository, ToldUsers

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
        self.log = MemoryLog()
        signatures = MemoryRepository(Signature, self.log)
        self.names = LateNames(self.log)
        shelf = SignatureShelf(signatures, self.names, FixedClock())
        self.users = ToldUsers()
        self.bus = CommandBus(SignatureHandlers(signatures, shelf, self.users, FixedClock()))

    def does(self, command: Command) -> Receipt:
        return self.bus.dispatch(command, CONTEXT)

    def defines(self, name: str = "qa", **written: Any) -> UUID:
        made = uuid4()
        written = written or {"syntax": "question -> answer"}
        self.does(DefineSignature(signature_id=made, name=name, **written))
        return made

    @property
    def events(self) -> list[object]:
        return [each.event for each in self.log.recorded]


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.feature("SIG-01")
def test_sig_01_a_signature_needs_a_name() -> None:
    with pytest.raises(ValidationError) as refused:
        DefineSignature.model_validate({"signature_id": uuid4(), "syntax": "a -> b"})
    assert [error["loc"] for error in refused.value.errors()] == [("name",)]


@pytest.mark.feature("SIG-03")
def test_sig_03_text_and_json_define_the_same_signature(world: World) -> None:
    spec = {"inputs": [{"name": "question"}], "outputs": [{"name": "answer"}]}
    world.defines("text", syntax="question: :string -> answer")
    world.defines("json", spec=spec)
    first, second = world.events
    assert isinstance(first, SignatureDefined)
    assert isinstance(second, SignatureDefined)
    assert first.content_hash == second.content_hash
    assert first.spec == second.spec == parse("question -> answer")


def test_instructions_may_stand_beside_the_text() -> None:
    beside = WrittenSignature(syntax="a -> b", instructions="Be brief.").read()
    assert beside == parse('"Be brief." a -> b')
    assert WrittenSignature(syntax='"Be brief." a -> b').read() == beside


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ({}, "signature.one_form"),
        ({"syntax": "a -> b", "spec": {"inputs": [{"name": "a"}], "outputs": [{"name": "b"}]}},
         "signature.one_form"),
        ({"spec": {"inputs": [{"name": "a"}], "outputs": [{"name": "b"}]}, "instructions": "x"},
         "signature.instructions_twice"),
        ({"syntax": "a -> b", "instructions": "\x00"}, "text.unsafe"),
        ({"syntax": "a -> b", "owner": "me"}, "extra_forbidden"),
        ({"syntax": "a \x00"}, "text.unsafe"),
        ({"spec": {"inputs": [{"name": "a", "default": "\ud800"}], "outputs": [{"name": "b"}]}},
         "text.unsafe"),
        ({"spec": {"inputs": [], "outputs": [{"name": "b"}]}}, "too_short"),
    ],
)  # fmt: skip
def test_a_signature_is_written_in_one_form(written: dict[str, Any], code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        WrittenSignature.model_validate(written)
    assert [error["type"] for error in refused.value.errors()] == [code]


@pytest.mark.parametrize(
    ("written", "pointer", "error"),
    [
        ({"syntax": "a b"}, "/syntax", SignatureSyntaxError),
        ({"syntax": "class -> b"}, "/syntax", InvalidSignature),
        (
            {"spec": {"inputs": [{"name": "class"}], "outputs": [{"name": "b"}]}},
            "/spec/inputs/0/name",
            InvalidSignature,
        ),
    ],
)
def test_faults_point_into_the_command_and_nothing_is_stored(
    world: World, written: dict[str, Any], pointer: str, error: type[InvalidError]
) -> None:
    with pytest.raises(error) as refused:
        world.defines(**written)
    assert [fault.pointer for fault in refused.value.faults] == [pointer]
    assert world.events == []


@pytest.mark.feature("SIG-04")
def test_sig_04_compiling_gives_fields_and_schemas_and_stores_nothing(world: World) -> None:
    result = compiled(WrittenSignature(syntax="question: str -> answer: {:array, :string}"))
    assert result.spec == parse("question -> answer: list[string]")
    assert result.syntax == "question: string -> answer: list[string]"
    assert len(result.content_hash) == 64
    assert list(result.input_schema["properties"]) == ["question"]
    assert result.output_schema["properties"]["answer"]["type"] == "array"
    assert result.strict_output_schema["required"] == ["answer"]
    assert world.events == []


def test_a_name_is_held_by_one_signature(world: World) -> None:
    world.defines("qa")
    with pytest.raises(NameIsTaken):
        world.defines("qa", syntax="a -> b")
    assert len(world.events) == 1


def test_a_revision_is_recorded_and_an_equal_one_is_not(world: World) -> None:
    made = world.defines()
    receipt = world.does(ReviseSignature(signature_id=made, syntax="q -> a", expected_version=1))
    again = world.does(ReviseSignature(signature_id=made, syntax="q: str -> a"))
    assert isinstance(world.events[-1], SignatureRevised)
    assert (receipt.version, again.version, again.position) == (2, 2, 0)


@pytest.mark.feature("SIG-06")
def test_sig_06_a_retired_signature_takes_no_revision(world: World) -> None:
    made = world.defines()
    world.does(RetireSignature(signature_id=made, reason="old", expected_version=1))
    assert world.events[-1] == SignatureRetired(reason="old")
    with pytest.raises(SignatureIsRetired):
        world.does(ReviseSignature(signature_id=made, syntax="q -> a"))


def registered(name: str = "qa", syntax: str = "question -> answer") -> RegisterSignature:
    return RegisterSignature(signature_id=uuid4(), name=name, syntax=syntax)


@pytest.mark.feature("SIG-21")
def test_sig_21_registering_twice_is_one_signature_and_one_event(world: World) -> None:
    first, again = (world.does(registered()) for _ in range(2))
    assert (again.id, again.version, again.position) == (first.id, 1, 0)
    assert len(world.events) == 1


@pytest.mark.feature("SIG-21")
def test_sig_21_registering_other_content_is_a_revision(world: World) -> None:
    first = world.does(registered())
    assert world.does(registered(syntax="question -> verdict")).id == first.id
    assert isinstance(world.events[-1], SignatureRevised)


def test_a_retired_signature_is_not_registered_anew(world: World) -> None:
    first = world.does(registered())
    world.does(RetireSignature(signature_id=first.id))
    with pytest.raises(SignatureIsRetired):
        world.does(registered(syntax="a -> b"))


def test_two_who_register_at_once_share_one_signature(world: World) -> None:
    world.names.blind = 1
    first = world.does(registered())
    world.names.blind = 1
    assert world.does(registered()).id == first.id
    assert len(world.events) == 1


@pytest.mark.feature("VIS-27")
def test_vis_27_a_signature_in_use_is_not_retired(world: World) -> None:
    made = world.defines()
    world.users.modules = ["router"]
    with pytest.raises(SignatureIsInUse) as refused:
        world.does(RetireSignature(signature_id=made))
    assert refused.value.users == ("router",)
    assert len(world.events) == 1


def test_a_stale_decision_is_refused(world: World) -> None:
    made = world.defines()
    with pytest.raises(StaleVersion):
        world.does(ReviseSignature(signature_id=made, syntax="q -> a", expected_version=7))
    with pytest.raises(StaleVersion):
        world.does(RetireSignature(signature_id=made, expected_version=7))


def test_an_unknown_signature_is_not_found(world: World) -> None:
    with pytest.raises(AggregateNotFound):
        world.does(RetireSignature(signature_id=uuid4()))
