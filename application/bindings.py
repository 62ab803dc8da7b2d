"""What people may ask of bindings: each command, and beneath it its handler."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import Field, PositiveInt, StringConstraints

from application.authorization import Permission
from application.bound import BoundPrograms, full_name
from application.commands import Command, handles
from application.errors import AggregateNotFound
from application.ports import Claim, Clock, Receipt, Repository
from application.reasons import NO_REASON
from application.runnable import resolve_version
from domain.binding.aggregate import Binding
from domain.binding.errors import TooManyBindings
from domain.binding.rules import MAX_BINDINGS
from domain.binding.values import BindingSpec, InputSource, Trigger
from domain.errors import DomainError, Fault, InvalidError
from domain.program.aggregate import Program
from domain.program.errors import ProgramVersionNotFound
from domain.program.values import Action
from domain.record.values import ResourceName
from domain.signature.fields import SignatureSpec
from domain.text import LongText, SafeText

BindingName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
"""What a binding is called among those of its resource; in full it is ``post.summarise``."""


class _Bound(Command):
    action: Trigger = Trigger.CREATE
    changed: Annotated[tuple[SafeText, ...], Field(max_length=100)] = ()
    program_id: UUID
    program_version: PositiveInt | None = None
    inputs: Annotated[dict[SafeText, InputSource], Field(max_length=100)]
    outputs: Annotated[dict[SafeText, SafeText], Field(max_length=100)]

    def spec(self, resource: str) -> BindingSpec:
        """What is bound to records of *resource*."""
        return BindingSpec(
            resource=resource,
            action=self.action,
            changed=self.changed,
            program_id=self.program_id,
            program_version=self.program_version,
            inputs=self.inputs,
            outputs=self.outputs,
        )


class CreateBinding(_Bound):
    """Run a program whenever a record of a kind is created, or updated, and keep what it gives.

    Without a version the deployed one runs, or the latest while none is deployed.
    """

    binding_id: UUID
    name: BindingName
    resource: ResourceName


class ChangeBinding(_Bound):
    """Bind differently from now on. Calls that were made get their answers as it was before."""

    binding_id: UUID
    expected_version: int | None = None


class PauseBinding(Command):
    """Changes of records call it no more, until it is resumed."""

    binding_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


class ResumeBinding(Command):
    """Changes from now on call it again; those of the meantime do not."""

    binding_id: UUID
    expected_version: int | None = None


class RemoveBinding(Command):
    """It is never called again. It stays readable, and its name stays its own."""

    binding_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class BindingHandlers:
    bindings: Repository[Binding]
    programs: Repository[Program]
    bound: BoundPrograms
    clock: Clock

    @handles(CreateBinding, Permission.DEPLOY)
    def create(self, command: CreateBinding) -> Receipt:
        if self.bound.count(command.resource) >= MAX_BINDINGS:
            raise TooManyBindings(command.resource, MAX_BINDINGS)
        name, spec = full_name(command.resource, command.name), command.spec(command.resource)
        binding = Binding.create(
            command.binding_id, name, spec, signature=self._signature(spec), at=self.clock.now()
        )
        return self.bindings.save(binding, claim=Claim(Binding.KIND, name, binding.id))

    @handles(ChangeBinding, Permission.DEPLOY)
    def change(self, command: ChangeBinding) -> Receipt:
        def decide(binding: Binding) -> None:
            spec = command.spec(binding.spec.resource)
            binding.change(spec, signature=self._signature(spec), at=self.clock.now())

        return self._changed(command, decide)

    @handles(PauseBinding, Permission.DEPLOY)
    def pause(self, command: PauseBinding) -> Receipt:
        return self._changed(command, lambda it: it.pause(command.reason, at=self.clock.now()))

    @handles(ResumeBinding, Permission.DEPLOY)
    def resume(self, command: ResumeBinding) -> Receipt:
        return self._changed(command, lambda it: it.resume(at=self.clock.now()))

    @handles(RemoveBinding, Permission.DEPLOY)
    def remove(self, command: RemoveBinding) -> Receipt:
        return self._changed(command, lambda it: it.remove(command.reason, at=self.clock.now()))

    def _changed(
        self,
        command: ChangeBinding | PauseBinding | ResumeBinding | RemoveBinding,
        decide: Callable[[Binding], None],
    ) -> Receipt:
        binding = self.bindings.get(command.binding_id)
        binding.expect(command.expected_version)
        decide(binding)
        return self.bindings.save(binding)

    def _signature(self, spec: BindingSpec) -> SignatureSpec:
        """What the program that *spec* names takes and gives now."""
        try:
            program = self.programs.get(spec.program_id)
        except AggregateNotFound as error:
            raise _unknown(error, "/program_id") from error
        try:
            version = resolve_version(program, spec.program_version, Action.EXECUTE)
        except ProgramVersionNotFound as error:
            raise _unknown(error, "/program_version") from error
        return program.version_state(version).graph.signature


def _unknown(error: DomainError, pointer: str) -> InvalidError:
    message = str(error)
    return InvalidError(message, [Fault(pointer, "reference.unknown", message)])
