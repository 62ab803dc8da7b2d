"""Having somebody's own module tried out, before a program may hold it."""

from dataclasses import dataclass
from typing import Self
from uuid import UUID

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from application.attempts import insist
from application.authorization import Permission
from application.commands import Command, handles
from application.errors import AggregateNotFound
from application.modules import signature_in_service, unknown_reference
from application.pointing import at
from application.ports import Clock, Receipt, Repository
from application.probing import ModuleProber, ModuleRefused
from application.scrubbing import scrubbed
from domain.errors import Fault, InvalidError
from domain.module.parameters import Custom
from domain.module.values import ModuleSpec
from domain.probe.aggregate import Probe
from domain.probe.rules import require_allowed
from domain.probe.values import RESULT, ImportPath, ModulePromise, ProbeStatus
from domain.signature.aggregate import Signature
from domain.signature.fields import SignatureSpec
from domain.signature.syntax import parse
from domain.text import JsonObject, SafeText


class RequestProbe(Command):
    """Try out a class of an allowed package.

    The signature says what it promises; a text without ``->`` promises inputs only, and what the
    module returns is then told as text, as ``result``.
    """

    probe_id: UUID
    import_path: ImportPath
    arguments: JsonObject = {}
    signature_id: UUID | None = None
    signature_syntax: SafeText | None = None
    inputs: JsonObject = {}

    @model_validator(mode="after")
    def _one_signature(self) -> Self:
        if (self.signature_id is None) == (self.signature_syntax is None):
            raise PydanticCustomError(
                "probe.one_signature", "Send either signature_id or signature_syntax."
            )
        return self


class RunProbe(Command):
    probe_id: UUID


def custom_of(probe: Probe) -> Custom:
    """The module that *probe* accepted, as a program holds it.

    Raises:
        ProbeIsNotAccepted: It goes on, or the module was refused.
    """
    found, promise = probe.accepted(), probe.promise
    return Custom(
        probe_id=probe.id,
        import_path=promise.import_path,
        arguments=promise.arguments,
        source_sha256=found.source_sha256,
        predictors=found.predictors,
        wraps_result=promise.wraps_result,
    )


def probe_at(probes: Repository[Probe], probe_id: UUID, pointer: str) -> Probe:
    """The probe that *pointer* of a command names.

    Raises:
        InvalidError: There is none of that id.
    """
    try:
        return probes.get(probe_id)
    except AggregateNotFound as error:
        raise unknown_reference(error, pointer) from error


def require_probed(probes: Repository[Probe], spec: ModuleSpec, pointer: str) -> None:
    """Refuse a class of somebody's own at *pointer* that is not as an accepted probe found it.

    Raises:
        InvalidError: There is no such probe, or it was of another class, source or signature.
        ProbeIsNotAccepted: It goes on, or the module was refused.
    """
    if not isinstance(spec.parameters, Custom):
        return
    probe = probe_at(probes, spec.parameters.probe_id, f"{pointer}/parameters/probe_id")
    signature = probe.promise.signature
    known = (signature.inputs, signature.outputs)
    if spec.parameters != custom_of(probe) or known != (
        spec.signature.inputs,
        spec.signature.outputs,
    ):
        message = f"This is not what probe {probe.id} accepted. Take it as that probe has it."
        raise InvalidError(message, [Fault(pointer, "module.not_as_probed", message)])


@dataclass(frozen=True, slots=True)
class ProbeHandlers:
    """``packages`` are those whose modules may be imported; none by default."""

    probes: Repository[Probe]
    signatures: Repository[Signature]
    prober: ModuleProber
    packages: frozenset[str]
    clock: Clock

    @handles(RequestProbe, Permission.AUTHOR)
    def request(self, command: RequestProbe) -> Receipt:
        require_allowed(command.import_path, self.packages)
        wraps_result = "->" not in (command.signature_syntax or "->")
        promise = ModulePromise(
            import_path=command.import_path,
            arguments=command.arguments,
            signature=self._signature(command, wraps_result=wraps_result),
            wraps_result=wraps_result,
            inputs=command.inputs,
        )
        probe = Probe.request(command.probe_id, promise, at=self.clock.now())
        return self.probes.save(probe)

    @handles(RunProbe, Permission.WORK)
    def run(self, command: RunProbe) -> Receipt:
        probe = self.probes.get(command.probe_id)
        if probe.status is not ProbeStatus.PENDING:  # a job may come twice
            return Receipt(probe.id, probe.version, 0)
        try:
            findings = self.prober.probe(probe.promise)
        except ModuleRefused as refused:
            failure = scrubbed(refused.failure)
            return insist(self.probes, probe.id, lambda it: it.refuse(failure, at=self.clock.now()))
        return insist(self.probes, probe.id, lambda it: it.accept(findings, at=self.clock.now()))

    def _signature(self, command: RequestProbe, *, wraps_result: bool) -> SignatureSpec:
        if command.signature_id is not None:
            return signature_in_service(self.signatures, command.signature_id, "/signature_id").spec
        text = command.signature_syntax or ""
        with at("/signature_syntax"):
            return parse(f"{text} -> {RESULT.name}" if wraps_result else text)
