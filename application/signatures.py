"""What people may ask of signatures: to see one compiled, and each command with its handler."""

from dataclasses import dataclass
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from application.authorization import Permission
from application.commands import Command, handles
from application.pointing import at, beneath
from application.ports import Claim, Clock, Receipt, Repository, SignatureUsers
from application.reasons import NO_REASON
from application.shelf import SignatureShelf
from domain.signature.aggregate import Signature
from domain.signature.fields import SignatureSpec
from domain.signature.hashing import content_hash
from domain.signature.rules import accepted
from domain.signature.schemas import json_schema, strict_json_schema
from domain.signature.syntax import parse, render
from domain.text import LongText, Name, SafeText, storable
from domain.values import Digest


class WrittenSignature(BaseModel):
    """A signature as somebody writes it: as text in ``syntax``, or as data in ``spec``.

    ``instructions`` go with a text that does not hold them itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    syntax: SafeText | None = None
    spec: Annotated[SignatureSpec, AfterValidator(storable)] | None = None
    instructions: LongText | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.syntax is None) == (self.spec is None):
            raise PydanticCustomError("signature.one_form", "Send either syntax or spec.")
        if self.spec is not None and self.instructions is not None:
            raise PydanticCustomError(
                "signature.instructions_twice", "Put the instructions into the spec."
            )
        return self

    def read(self) -> SignatureSpec:
        """The signature, checked by every rule.

        Raises:
            InvalidError: The text or the data is not a signature.
        """
        if self.spec is not None:
            with beneath("/spec"):
                return accepted(self.spec)
        with at("/syntax"):
            spec = parse(self.syntax or "")
        said = self.instructions or spec.instructions
        return spec.model_copy(update={"instructions": said})


@dataclass(frozen=True, slots=True)
class CompiledSignature:
    """All that can be known of a signature: its one spelling, its digest and its JSON Schemas.

    ``strict_output_schema`` is what providers with strict structured outputs ask for.
    """

    spec: SignatureSpec
    syntax: str
    content_hash: Digest
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    strict_output_schema: dict[str, Any]


def compiled(written: WrittenSignature) -> CompiledSignature:
    """Compile a signature without storing anything.

    Raises:
        InvalidError: It is not a signature.
    """
    spec = written.read()
    return CompiledSignature(
        spec=spec,
        syntax=render(spec),
        content_hash=content_hash(spec),
        input_schema=json_schema(spec.inputs),
        output_schema=json_schema(spec.outputs),
        strict_output_schema=strict_json_schema(spec.outputs),
    )


class DefineSignature(WrittenSignature, Command):
    signature_id: UUID
    name: Name


class RegisterSignature(WrittenSignature, Command):
    """Keep what was written under ``name``, whether or not there is such a signature.

    ``signature_id`` is the id of a new one.
    """

    signature_id: UUID
    name: Name


class ReviseSignature(WrittenSignature, Command):
    signature_id: UUID
    expected_version: int | None = None


class RetireSignature(Command):
    signature_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class SignatureHandlers:
    signatures: Repository[Signature]
    shelf: SignatureShelf
    users: SignatureUsers
    clock: Clock

    @handles(DefineSignature, Permission.AUTHOR)
    def define(self, command: DefineSignature) -> Receipt:
        signature = Signature.define(
            command.signature_id, command.name, command.read(), at=self.clock.now()
        )
        return self.signatures.save(
            signature, claim=Claim(Signature.KIND, command.name, signature.id)
        )

    @handles(RegisterSignature, Permission.AUTHOR)
    def register(self, command: RegisterSignature) -> Receipt:
        return self.shelf.keep(command.signature_id, command.name, command.read())

    @handles(ReviseSignature, Permission.AUTHOR)
    def revise(self, command: ReviseSignature) -> Receipt:
        signature = self.signatures.get(command.signature_id)
        signature.expect(command.expected_version)
        signature.revise(command.read(), at=self.clock.now())
        return self.signatures.save(signature)

    @handles(RetireSignature, Permission.AUTHOR)
    def retire(self, command: RetireSignature) -> Receipt:
        signature = self.signatures.get(command.signature_id)
        signature.expect(command.expected_version)
        users = self.users.modules_of(signature.id)
        signature.retire(command.reason, users=users, at=self.clock.now())
        return self.signatures.save(signature)
