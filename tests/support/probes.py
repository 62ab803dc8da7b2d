"""Probes of modules: what is promised, what is found, and where the modules of the tests lie."""

from pathlib import Path

from application.probing import ModuleRefused
from domain.kernel import Event
from domain.probe.events import ProbeAccepted, ProbeRefused, ProbeRequested
from domain.probe.values import Findings, ModulePromise, PredictorFound
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.values import Failure
from tests.support.histories import digest_of

PLUGIN = Path(__file__).parent / "acme-rag"
"""A distribution as somebody else writes it; put it on ``PYTHONPATH``."""

BRIEF = Path(__file__).parent / "acme-brief"
"""Another one, with one of everything that a plug-in can bring."""

PACKAGES = frozenset({"acme_rag"})

ANSWERS = SignatureSpec(inputs=(FieldSpec(name="question"),), outputs=(FieldSpec(name="answer"),))
PROMISE = ModulePromise(import_path="acme_rag.rag:MyRAG", arguments={"k": 2}, signature=ANSWERS)
FINDINGS = Findings(
    source_sha256=digest_of("acme_rag"),
    package="acme_rag",
    distribution="acme-rag",
    distribution_version="1.2.3",
    libraries={"dspy": "3.4.1"},
    predictors=(
        PredictorFound(
            path="rewrite", inputs=("question",), outputs=("query",), instructions="Rewrite it."
        ),
        PredictorFound(
            path="generate.predict",
            inputs=("context", "question"),
            outputs=("reasoning", "answer"),
            instructions="Answer it.",
        ),
    ),
    calls=2,
    repeatable=True,
)
REFUSAL = Failure(code="module.timed_out", message="It had not ended 60 s after it began.")


def a_probe(*, refused: bool = False) -> tuple[Event, ...]:
    """The life of a probe; no name in it is that of a tenant."""
    named = {"package": "ours", "distribution": "our-modules"}
    found = ProbeAccepted(findings=FINDINGS.model_copy(update=named))
    asked = ProbeRequested(promise=PROMISE.model_copy(update={"import_path": "ours.rag:MyRAG"}))
    return asked, ProbeRefused(failure=REFUSAL) if refused else found


class FakeProber:
    """Finds ``findings``, or refuses with ``refusal``; keeps what it was asked."""

    def __init__(self, findings: Findings = FINDINGS, refusal: Failure | None = None) -> None:
        self.findings, self.refusal = findings, refusal
        self.asked: list[ModulePromise] = []

    def probe(self, promise: ModulePromise) -> Findings:
        self.asked.append(promise)
        if self.refusal is not None:
            raise ModuleRefused(self.refusal)
        return self.findings
