"""Having somebody's own module tried out: what is refused before, and how a probe ends."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from application.commands import Command, CommandBus
from application.context import within
from application.policies import reactions
from application.ports import Receipt
from application.probes import ProbeHandlers, RequestProbe, RunProbe
from domain.errors import InvalidError
from domain.kernel import Event
from domain.probe.aggregate import Probe
from domain.probe.errors import InvalidProbe, PackageIsNotAllowed
from domain.probe.events import ProbeAccepted, ProbeRefused, ProbeRequested
from domain.signature.aggregate import Signature
from domain.signature.errors import SignatureSyntaxError
from domain.values import Failure
from tests.support.memory import NOW, FixedClock, MemoryLog, MemoryRepository
from tests.support.probes import ANSWERS, FINDINGS, PACKAGES, PROMISE, REFUSAL, FakeProber
from tests.support.run_world import CONTEXT


@dataclass
class Scene:
    prober: FakeProber = field(default_factory=FakeProber)
    log: MemoryLog = field(default_factory=MemoryLog)

    def __post_init__(self) -> None:
        clock = FixedClock()
        self.signatures = MemoryRepository(Signature, self.log)
        self.bus = CommandBus(
            ProbeHandlers(
                MemoryRepository(Probe, self.log), self.signatures, self.prober, PACKAGES, clock
            ),
        )

    def do(self, command: Command) -> Receipt:
        return self.bus.dispatch(command, CONTEXT)

    def requested(self, **more: object) -> UUID:
        wish = {"probe_id": uuid4(), "import_path": PROMISE.import_path, **more}
        wish |= {} if "signature_id" in more else {"signature_syntax": "question -> answer"}
        return self.do(RequestProbe.model_validate(wish | more)).id

    def events(self, id: UUID) -> list[Event]:
        return [recorded.event for recorded in self.log.stream(id)]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def promise_of(scene: Scene, probe_id: UUID) -> ProbeRequested:
    [asked] = scene.events(probe_id)
    assert isinstance(asked, ProbeRequested)
    return asked


def test_a_request_says_all_that_a_worker_needs(scene: Scene) -> None:
    probe_id = scene.requested(arguments={"k": 2})
    assert promise_of(scene, probe_id).promise == PROMISE
    [recorded] = scene.log.stream(probe_id)
    assert reactions(recorded) == [RunProbe(probe_id=probe_id)]


def test_a_signature_that_is_known_can_be_named(scene: Scene) -> None:
    signature_id = uuid4()
    with within(CONTEXT):
        scene.signatures.save(Signature.define(signature_id, "qa", ANSWERS, at=NOW))
    probe_id = scene.requested(signature_id=signature_id)
    assert promise_of(scene, probe_id).promise.signature == ANSWERS
    with pytest.raises(InvalidError) as refused:
        scene.requested(signature_id=uuid4())
    assert refused.value.faults[0].pointer == "/signature_id"


@pytest.mark.feature("EXE-13")
def test_exe_13_a_promise_without_outputs_promises_a_result(scene: Scene) -> None:
    promise = promise_of(scene, scene.requested(signature_syntax="question, k: int")).promise
    assert promise.wraps_result
    assert [field.name for field in promise.signature.outputs] == ["result"]
    assert [field.name for field in promise.signature.inputs] == ["question", "k"]


@pytest.mark.feature("MOD-27")
@pytest.mark.parametrize("path", ["os:system", "acme_ragged.rag:MyRAG", "acme:rag"])
def test_mod_27_what_is_not_allowed_is_refused_before_anything(scene: Scene, path: str) -> None:
    with pytest.raises(PackageIsNotAllowed):
        scene.requested(import_path=path)
    assert scene.log.recorded == []
    assert scene.prober.asked == []


@pytest.mark.parametrize(
    "path", ["acme_rag.rag", "acme_rag.rag:", "acme_rag..rag:X", ".rag:X", "acme_rag.rag:X()", ""]
)
def test_what_names_no_class_is_refused(scene: Scene, path: str) -> None:
    with pytest.raises(ValidationError):
        scene.requested(import_path=path)


@pytest.mark.parametrize("both", [{}, {"signature_id": uuid4(), "signature_syntax": "a -> b"}])
def test_a_module_promises_one_signature(both: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="either signature_id or signature_syntax"):
        RequestProbe.model_validate({"probe_id": uuid4(), "import_path": "a:B", **both})


def test_faults_of_the_signature_and_of_arguments_are_pointed_at(scene: Scene) -> None:
    with pytest.raises(SignatureSyntaxError) as refused:
        scene.requested(signature_syntax="question -> ")
    assert refused.value.faults[0].pointer == "/signature_syntax"
    with pytest.raises(InvalidProbe):
        scene.requested(arguments={"not a name": 1})


def test_a_module_that_keeps_its_promise_is_accepted(scene: Scene) -> None:
    probe_id = scene.requested(arguments={"k": 2})
    scene.do(RunProbe(probe_id=probe_id))
    assert scene.events(probe_id)[1:] == [ProbeAccepted(findings=FINDINGS)]
    assert scene.prober.asked == [PROMISE]


def test_a_module_that_does_not_is_refused_without_secrets(scene: Scene) -> None:
    secret = "It cannot be imported (KeyError: token=abcdefghijkl)."
    scene.prober.refusal = Failure(code="module.not_importable", message=secret)
    probe_id = scene.requested()
    scene.do(RunProbe(probe_id=probe_id))
    [_, ended] = scene.events(probe_id)
    assert isinstance(ended, ProbeRefused)
    assert ended.failure.code == "module.not_importable"
    assert "abcdefghijkl" not in ended.failure.message


@pytest.mark.parametrize("refusal", [None, REFUSAL])
def test_a_second_delivery_probes_nothing(scene: Scene, refusal: Failure | None) -> None:
    scene.prober.refusal = refusal
    probe_id = scene.requested()
    scene.do(RunProbe(probe_id=probe_id))
    receipt = scene.do(RunProbe(probe_id=probe_id))
    assert (receipt.version, receipt.position) == (2, 0)
    assert len(scene.prober.asked) == 1
