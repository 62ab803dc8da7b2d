"""What is refused about modules of one's own, and what to do then."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from domain.errors import ConflictError, Fault, InvalidError
from domain.probe.values import ProbeStatus


class InvalidProbe(InvalidError):
    """What was sent cannot be probed; ``faults`` point into it."""

    code: ClassVar[str] = "probe.invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"This module cannot be probed: {faults[0].message}", faults)


class PackageIsNotAllowed(InvalidError):
    """The module lies outside the packages that whoever runs the service allows."""

    code: ClassVar[str] = "module.package_not_allowed"

    def __init__(self, import_path: str, at: str = "/import_path") -> None:
        message = (
            f"{import_path} is in no package that may be imported here. "
            "Whoever runs the service can name its package in STRATAL_MODULES."
        )
        super().__init__(message, [Fault(at, self.code, message)])
        self.import_path = import_path


class ProbeIsNotAccepted(ConflictError):
    code: ClassVar[str] = "probe.not_accepted"

    def __init__(self, probe_id: UUID, status: ProbeStatus) -> None:
        then = "Wait for its end." if status is ProbeStatus.PENDING else "Mend it, then probe anew."
        super().__init__(f"Probe {probe_id} is {status}; only an accepted one is used. {then}")
        self.probe_id, self.status = probe_id, status
