"""A probe: somebody's own module, tried out in a worker before a program may hold it."""

from datetime import datetime
from typing import ClassVar, Self, assert_never
from uuid import UUID

from domain.kernel import Aggregate
from domain.probe.errors import ProbeIsNotAccepted
from domain.probe.events import ProbeAccepted, ProbeEvent, ProbeRefused, ProbeRequested
from domain.probe.rules import check_promise
from domain.probe.values import Findings, ModulePromise, ProbeStatus
from domain.values import Failure


class Probe(Aggregate[ProbeEvent]):
    """pending → accepted or refused, once."""

    KIND: ClassVar[str] = "probe"

    promise: ModulePromise

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.findings: Findings | None = None
        self.failure: Failure | None = None

    @classmethod
    def request(cls, id: UUID, promise: ModulePromise, *, at: datetime) -> Self:
        """Wish for a module to be tried out; a worker does it later.

        Raises:
            InvalidProbe: Arguments cannot be given to a constructor.
            ValuesDoNotFit: Inputs for the dry run do not fit the signature.
        """
        check_promise(promise)
        return cls.begin(id, ProbeRequested(promise=promise), at=at)

    @property
    def status(self) -> ProbeStatus:
        if self.failure is not None:
            return ProbeStatus.REFUSED
        return ProbeStatus.PENDING if self.findings is None else ProbeStatus.ACCEPTED

    def accept(self, findings: Findings, *, at: datetime) -> None:
        """The module keeps its promise. What has ended stays so: a job may come twice."""
        if self.status is ProbeStatus.PENDING:
            self.record(ProbeAccepted(findings=findings), at=at)

    def refuse(self, failure: Failure, *, at: datetime) -> None:
        """The module cannot be used, because of *failure*. What has ended stays so."""
        if self.status is ProbeStatus.PENDING:
            self.record(ProbeRefused(failure=failure), at=at)

    def accepted(self) -> Findings:
        """What was found.

        Raises:
            ProbeIsNotAccepted: It goes on, or the module was refused.
        """
        if self.findings is None:
            raise ProbeIsNotAccepted(self.id, self.status)
        return self.findings

    def evolve(self, event: ProbeEvent) -> None:
        match event:
            case ProbeRequested(promise=promise):
                self.promise = promise
            case ProbeAccepted(findings=findings):
                self.findings = findings
            case ProbeRefused(failure=failure):
                self.failure = failure
            case _:
                assert_never(event)
