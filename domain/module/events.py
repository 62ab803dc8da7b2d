"""Everything that can happen to a module, in the order of its life."""

from typing import ClassVar
from uuid import UUID

from domain.kernel import Event
from domain.module.values import ModuleConfig, ModuleSpec


class ModuleCreated(Event):
    TOPIC: ClassVar[str] = "module.created"
    VERSION: ClassVar[int] = 2

    name: str
    spec: ModuleSpec
    signature_id: UUID
    signature_revision: int


class ModuleConfigured(Event):
    TOPIC: ClassVar[str] = "module.configured"
    VERSION: ClassVar[int] = 2

    config: ModuleConfig


class ModuleRetired(Event):
    TOPIC: ClassVar[str] = "module.retired"

    reason: str


ModuleEvent = ModuleCreated | ModuleConfigured | ModuleRetired
