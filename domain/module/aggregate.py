"""A module on the shelf: kind, frozen signature and settings, from which programs take copies."""

from datetime import datetime
from typing import ClassVar, NamedTuple, Self, assert_never
from uuid import UUID

from domain.errors import Fault
from domain.kernel import Aggregate
from domain.module.errors import InvalidModule, ModuleIsRetired
from domain.module.events import ModuleConfigured, ModuleCreated, ModuleEvent, ModuleRetired
from domain.module.rules import check_module
from domain.module.values import ModuleConfig, ModuleKind, ModuleSpec


class FrozenFrom(NamedTuple):
    """The signature, and its revision, that a module was made of."""

    signature_id: UUID
    revision: int


class Module(Aggregate[ModuleEvent]):
    KIND: ClassVar[str] = "module"

    name: str
    spec: ModuleSpec
    frozen_from: FrozenFrom

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.is_retired = False

    @classmethod
    def create(
        cls, id: UUID, name: str, spec: ModuleSpec, *, frozen_from: FrozenFrom, at: datetime
    ) -> Self:
        """Put a module on the shelf; later revisions of its signature do not reach it.

        Raises:
            InvalidModule: Kind, signature and settings do not go together.
        """
        if spec.kind is ModuleKind.CUSTOM:
            message = "A module of your own goes into a program: send its probe_id there."
            raise InvalidModule([Fault("/kind", "module.not_for_the_shelf", message)])
        check_module(spec)
        signature_id, revision = frozen_from
        event = ModuleCreated(
            name=name, spec=spec, signature_id=signature_id, signature_revision=revision
        )
        return cls.begin(id, event, at=at)

    def configure(self, config: ModuleConfig, *, at: datetime) -> None:
        """Change the settings for programs that take it from now on; equal ones change nothing.

        Raises:
            InvalidModule: The settings do not go with kind and signature.
            ModuleIsRetired: It takes no more changes.
        """
        self.require_in_service()
        check_module(self.spec.model_copy(update={"config": config}))
        if config != self.spec.config:
            self.record(ModuleConfigured(config=config), at=at)

    def retire(self, reason: str, *, at: datetime) -> None:
        """Take it off the shelf; programs keep their copies. A second time changes nothing."""
        if not self.is_retired:
            self.record(ModuleRetired(reason=reason), at=at)

    def require_in_service(self) -> None:
        """Refuse to go on with a retired module.

        Raises:
            ModuleIsRetired: Choose another one.
        """
        if self.is_retired:
            raise ModuleIsRetired(self.id)

    def evolve(self, event: ModuleEvent) -> None:
        match event:
            case ModuleCreated():
                self.name, self.spec = event.name, event.spec
                self.frozen_from = FrozenFrom(event.signature_id, event.signature_revision)
            case ModuleConfigured():
                self.spec = self.spec.model_copy(update={"config": event.config})
            case ModuleRetired():
                self.is_retired = True
            case _:
                assert_never(event)
