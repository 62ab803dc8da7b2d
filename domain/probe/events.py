"""Everything that can happen to a probe of somebody's own module."""

from typing import ClassVar

from domain.kernel import Event
from domain.probe.values import Findings, ModulePromise
from domain.values import Failure


class ProbeRequested(Event):
    TOPIC: ClassVar[str] = "probe.requested"

    promise: ModulePromise


class ProbeAccepted(Event):
    TOPIC: ClassVar[str] = "probe.accepted"

    findings: Findings


class ProbeRefused(Event):
    TOPIC: ClassVar[str] = "probe.refused"

    failure: Failure


ProbeEvent = ProbeRequested | ProbeAccepted | ProbeRefused
