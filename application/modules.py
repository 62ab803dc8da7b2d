"""What people may ask of modules: each command, and beneath it its handler."""

from dataclasses import dataclass
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from application.authorization import Permission
from application.commands import Command, handles
from application.errors import AggregateNotFound
from application.pointing import at
from application.ports import Claim, Clock, Receipt, Repository
from application.reasons import NO_REASON
from application.shelf import SignatureShelf
from application.supplies import Supplies
from domain.errors import Fault, InvalidError
from domain.module.aggregate import FrozenFrom, Module
from domain.module.parameters import KindParameters
from domain.module.values import DEFAULTS, ModuleConfig, ModuleKind, ModuleSpec, Nearest
from domain.program.needs import module_needs
from domain.signature.aggregate import Signature
from domain.signature.syntax import parse
from domain.text import JsonObject, LongText, Name, SafeText


class ModuleSettings(BaseModel):
    """The settings somebody chose; what was not said stays as it is, or as the kind has it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    demos: tuple[JsonObject, ...] | None = None
    nearest: Annotated[
        Nearest | None, Field(description="Examples to look up; null looks none up any more.")
    ] = None

    def over(self, config: ModuleConfig) -> ModuleConfig:
        """*config* with what was chosen in its place."""
        chosen = {name: getattr(self, name) for name in self.model_fields_set}
        return config.model_copy(
            update={
                name: value
                for name, value in chosen.items()
                if value is not None or name == "nearest"
            }
        )


class CreateModule(Command):
    """A module of a signature that is there, at one of its revisions or the present one.

    Or of a ``signature`` that is written in place: it is found by what it says, or made.
    """

    module_id: UUID
    name: Name
    kind: ModuleKind
    signature_id: UUID | None = None
    signature_revision: Annotated[int, Field(ge=1)] | None = None
    signature: SafeText | None = None
    config: ModuleSettings = ModuleSettings()
    parameters: KindParameters = None
    tools: Annotated[tuple[UUID, ...], Field(max_length=50)] = ()

    @model_validator(mode="after")
    def _one_signature(self) -> Self:
        if (self.signature_id is None) == (self.signature is None):
            raise PydanticCustomError(
                "module.one_signature", "Send either signature_id or signature."
            )
        if self.signature_id is None and self.signature_revision is not None:
            raise PydanticCustomError(
                "module.revision_of_nothing", "A signature written in place has no revision."
            )
        return self


class ConfigureModule(Command):
    module_id: UUID
    config: ModuleSettings
    expected_version: int | None = None


class RetireModule(Command):
    module_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class ModuleHandlers:
    modules: Repository[Module]
    signatures: Repository[Signature]
    shelf: SignatureShelf
    supplies: Supplies
    clock: Clock

    @handles(CreateModule, Permission.AUTHOR)
    def create(self, command: CreateModule) -> Receipt:
        signature = self._signature(command)
        spec = ModuleSpec(
            kind=command.kind,
            signature=signature.spec,
            config=command.config.over(DEFAULTS[command.kind]),
            parameters=self.supplies.with_tools(command.parameters, command.tools, "/tools"),
        )
        self.supplies.check(module_needs(spec))
        frozen_from = FrozenFrom(signature.id, signature.revision)
        module = Module.create(
            command.module_id, command.name, spec, frozen_from=frozen_from, at=self.clock.now()
        )
        return self.modules.save(module, claim=Claim(Module.KIND, command.name, module.id))

    @handles(ConfigureModule, Permission.AUTHOR)
    def configure(self, command: ConfigureModule) -> Receipt:
        module = self.modules.get(command.module_id)
        module.expect(command.expected_version)
        config = command.config.over(module.spec.config)
        self.supplies.check(module_needs(module.spec.model_copy(update={"config": config})))
        module.configure(config, at=self.clock.now())
        return self.modules.save(module)

    @handles(RetireModule, Permission.AUTHOR)
    def retire(self, command: RetireModule) -> Receipt:
        module = self.modules.get(command.module_id)
        module.expect(command.expected_version)
        module.retire(command.reason, at=self.clock.now())
        return self.modules.save(module)

    def _signature(self, command: CreateModule) -> Signature:
        if command.signature_id is None:
            with at("/signature"):
                spec = parse(command.signature or "")
            return self.shelf.written_in_place(command.module_id, spec)
        signature = signature_in_service(self.signatures, command.signature_id, "/signature_id")
        wanted = command.signature_revision
        if wanted is None or wanted == signature.revision:
            return signature
        if wanted > signature.revision:
            message = f"The signature has {signature.revision} revisions. Choose one of them."
            fault = Fault("/signature_revision", "reference.unknown", message)
            raise InvalidError(message, [fault])
        # Each revision is one event, and only the last of them may be that it was retired.
        return self.signatures.get(signature.id, version=wanted)


def signature_in_service(
    signatures: Repository[Signature], signature_id: UUID, pointer: str
) -> Signature:
    """The signature that *pointer* of a command names.

    Raises:
        InvalidError: There is none of that id.
        SignatureIsRetired: It takes no new users.
    """
    try:
        signature = signatures.get(signature_id)
    except AggregateNotFound as error:
        raise unknown_reference(error, pointer) from error
    signature.require_in_service()
    return signature


def unknown_reference(error: AggregateNotFound, pointer: str) -> InvalidError:
    """*error* as a fault of the command that names what does not exist."""
    message = str(error)
    return InvalidError(message, [Fault(pointer, "reference.unknown", message)])
