"""A probe ends once; what no constructor could be given is refused at once."""

from collections.abc import Iterator

import pytest

from domain.probe.aggregate import Probe
from domain.probe.errors import InvalidProbe, PackageIsNotAllowed, ProbeIsNotAccepted
from domain.probe.events import ProbeAccepted, ProbeRefused, ProbeRequested
from domain.probe.rules import MAX_ARGUMENTS_BYTES, is_allowed, require_allowed
from domain.probe.values import ModulePromise, ProbeStatus
from domain.signature.errors import ValuesDoNotFit
from tests.support.probes import FINDINGS, PROMISE, REFUSAL
from tests.support.scenario import NOW, Scenario, told

REQUESTED = ProbeRequested(promise=PROMISE)
ACCEPTED = ProbeAccepted(findings=FINDINGS)
REFUSED = ProbeRefused(failure=REFUSAL)


@pytest.fixture
def probe() -> Iterator[Scenario[Probe]]:
    yield from told(Probe)


def promising(**changes: object) -> ModulePromise:
    return PROMISE.model_copy(update=changes)


def test_a_probe_is_pending_until_it_ends(probe: Scenario[Probe]) -> None:
    begun = probe.when_begun(lambda new: Probe.request(new, PROMISE, at=NOW)).then(REQUESTED)
    assert begun.status is ProbeStatus.PENDING
    with pytest.raises(ProbeIsNotAccepted, match="Wait for its end"):
        begun.accepted()


def test_an_accepted_module_has_findings(probe: Scenario[Probe]) -> None:
    ended = probe.given(REQUESTED).when(lambda it: it.accept(FINDINGS, at=NOW)).then(ACCEPTED)
    assert ended.status is ProbeStatus.ACCEPTED
    assert ended.accepted() == FINDINGS


def test_a_refused_module_is_not_used(probe: Scenario[Probe]) -> None:
    ended = probe.given(REQUESTED).when(lambda it: it.refuse(REFUSAL, at=NOW)).then(REFUSED)
    with pytest.raises(ProbeIsNotAccepted, match="probe anew"):
        ended.accepted()


@pytest.mark.parametrize("end", [ACCEPTED, REFUSED])
def test_a_job_that_comes_twice_changes_nothing(
    probe: Scenario[Probe], end: ProbeAccepted | ProbeRefused
) -> None:
    def again(it: Probe) -> None:
        it.accept(FINDINGS, at=NOW)
        it.refuse(REFUSAL, at=NOW)

    probe.given(REQUESTED, end).when(again).then()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"not a name": 1}, "probe.argument_name"),
        ({"lambda": 1}, "probe.argument_name"),
        ({"self": 1}, "probe.argument_name"),
        ({"größe": 1}, "probe.argument_name"),
        ({"k": "\x00"}, "text.unsafe"),
        ({"k": "x" * MAX_ARGUMENTS_BYTES}, "probe.arguments_too_long"),
    ],
)
def test_arguments_that_no_constructor_takes_are_refused(
    probe: Scenario[Probe], arguments: dict[str, object], code: str
) -> None:
    promise = promising(arguments=arguments)
    refusal = probe.when_begun(lambda new: Probe.request(new, promise, at=NOW)).then_refused(
        InvalidProbe
    )
    assert [fault.code for fault in refusal.faults] == [code]
    assert refusal.faults[0].pointer.startswith("/arguments")


@pytest.mark.parametrize("inputs", [{"question": None}, {"unknown": 1}])
def test_inputs_for_the_dry_run_have_to_fit(
    probe: Scenario[Probe], inputs: dict[str, object]
) -> None:
    promise = promising(inputs=inputs)
    refusal = probe.when_begun(lambda new: Probe.request(new, promise, at=NOW)).then_refused(
        ValuesDoNotFit
    )
    assert refusal.faults[0].pointer == f"/inputs/{next(iter(inputs))}"


def test_some_inputs_for_the_dry_run_will_do(probe: Scenario[Probe]) -> None:
    promise = promising(inputs={"question": "Why?"})
    begun = ProbeRequested(promise=promise)
    probe.when_begun(lambda new: Probe.request(new, promise, at=NOW)).then(begun)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("acme_rag.rag:MyRAG", True),
        ("acme_rag:MyRAG", True),
        ("acme_rag2.rag:MyRAG", False),
        ("other.sub.rag:MyRAG", True),
        ("other:MyRAG", False),
        ("os:system", False),
    ],
)
def test_a_package_allows_what_lies_within_it(path: str, *, allowed: bool) -> None:
    assert is_allowed(path, {"acme_rag", "other.sub"}) is allowed


def test_what_is_not_allowed_says_who_can_change_that() -> None:
    require_allowed("acme_rag.rag:MyRAG", {"acme_rag"})
    with pytest.raises(PackageIsNotAllowed, match="STRATAL_MODULES") as refused:
        require_allowed("acme_rag.rag:MyRAG", ())
    assert refused.value.faults[0].pointer == "/import_path"
