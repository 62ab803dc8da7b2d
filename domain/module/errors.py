"""What is refused about modules, and what to do then."""

from collections.abc import Sequence
from typing import ClassVar, Final
from uuid import UUID

from domain.errors import ConflictError, Fault, ForbiddenError, InvalidError

NO_CODE: Final = (
    "No code of models runs here. STRATAL_ALLOW_CODE=true lets it, in closed processes."
)


class InvalidModule(InvalidError):
    """Kind, signature and settings do not go together; ``faults`` point into the module."""

    code: ClassVar[str] = "module.invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"This module cannot be used: {faults[0].message}", faults)


class CodeIsNotAllowed(ForbiddenError):
    """Whoever runs the service lets no code of models run; ``faults`` name every module that would.

    A run of such a program fails with the same code.
    """

    code: ClassVar[str] = "module.code_not_allowed"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(NO_CODE, faults)


class ModuleIsRetired(ConflictError):
    code: ClassVar[str] = "module.retired"

    def __init__(self, module_id: UUID) -> None:
        super().__init__(f"Module {module_id} is retired. Create another, or use one in service.")
        self.module_id = module_id
