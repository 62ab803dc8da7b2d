"""The audit trail says everything, in one sentence each, and nobody can put words in its mouth."""

import re
from functools import partial
from typing import Literal
from uuid import UUID

import pytest

from domain.execution.events import ExecutionStarted
from domain.kernel import Event, Recorded, members
from domain.optimization.events import (
    OptimizationApproved,
    OptimizationRejected,
)
from domain.optimization.values import HeldOut
from domain.program.events import ProgramTestingStarted
from infrastructure.eventstore.topics import UNIONS
from projections.audit_sentences import SAID
from projections.audit_trail import AuditTrail, Cause, audit
from projections.topics import TopicIsUnknown, matching
from projections.words import plain, quoted
from tests.support import histories as build
from tests.support.histories import Log, an_id
from tests.support.projecting import ProjectionScenario
from tests.support.stories import a_story, everything


def written(recorded: Recorded) -> str:
    """The sentence of an event, with ids where names are not known."""
    write = list(AuditTrail().project(recorded))[-1]
    words = write.params.get("words") or [write.params["sentence"]]
    assert isinstance(words, list)
    return "".join(words)


def every_event_class() -> set[type[Event]]:
    """Subclasses of ``Event`` in the domain: what a new event belongs to before anyone lists it."""
    return {each for each in Event.__subclasses__() if each.__module__.startswith("domain.")}


def test_every_event_class_has_a_sentence() -> None:
    assert set(SAID) == every_event_class()
    assert {event for union in UNIONS for event in members(union)} == every_event_class()
    assert {type(each.event) for each in everything().recorded} == every_event_class()


@pytest.mark.parametrize(
    "recorded", everything().recorded, ids=lambda each: f"{each.position}-{each.event.TOPIC}"
)
def test_each_is_one_sentence_with_who_when_for_whom_and_by_which_command(
    recorded: Recorded,
) -> None:
    said = written(recorded)
    assert said.startswith("alice ")
    circumstances = (
        rf" \(2030-01-01 00:\d\d:\d\d UTC, for acme, by {recorded.envelope.command}\)\.$"
    )
    assert re.search(circumstances, said)
    assert "\n" not in said
    assert "None" not in said
    assert "{" not in said
    assert len(re.findall(r"[a-z)”]\. [A-Z]", said)) == 0


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (
            build.program_deployed(
                2, previous_version=1, reason="Better.", on=(build.evidence(2, 0.8),)
            ),
            f"deployed version 2 of program {an_id('x')} in place of 1"
            " on the evidence of 0.8 exact_match of version 2 because “Better.”",
        ),
        (ProgramTestingStarted(), f"started to test program {an_id('x')}"),
        (build.rows_loaded(1), f"loaded 1 row into the train part of dataset {an_id('x')}"),
        (
            build.row_replaced("2-7"),
            f"replaced train row 2-7 of dataset {an_id('x')} because “It was mislabelled.”",
        ),
        (
            build.row_removed("2-8"),
            f"removed train row 2-8 of dataset {an_id('x')} because “It is held out, too.”",
        ),
        (
            build.optimization_completed(heldout=HeldOut(rows=30, baseline=0.5, score=0.75)),
            f"completed optimization {an_id('x')} with a training score of 0.75 and 0.75 on"
            " 30 held-out rows, where its base has 0.5 after 1 trial, 61.0 s and 0 model calls"
            " at $0",
        ),
        (
            OptimizationApproved(reason="It is better."),
            f"approved what optimization {an_id('x')} found because “It is better.”",
        ),
        (
            OptimizationRejected(reason="It is worse."),
            f"rejected what optimization {an_id('x')} found because “It is worse.”",
        ),
        (
            build.execution_completed(build.lm_call(cost_usd=None), duration_ms=1234),
            f"completed run {an_id('x')} in 1.2 s with 1 model call at unknown cost",
        ),
    ],
)
def test_sentences_read_like_english(event: Event, sentence: str) -> None:
    (recorded,) = Log().append(an_id("x"), event)
    assert written(recorded).startswith(f"alice {sentence} (")


def test_a_text_cannot_pass_for_our_own_words() -> None:
    sly = "done” (by root).\nbob deleted “everything\u202e"
    assert quoted(sly) == "“done' (by root). bob deleted 'everything”"
    assert len(quoted("x" * 1000)) == 202
    assert plain("a\x00b\u2028c") == "a b c"


@pytest.mark.postgres
def test_things_are_called_by_their_names(scenario: ProjectionScenario) -> None:
    told = scenario.given_log(a_story(tenant=scenario.log.tenant))
    page = audit(told.models.store, tenant=told.log.tenant, aggregate="optimization")
    assert page.rows[-1].sentence == (
        "alice asked bootstrap_fewshot to optimize version 1 of program “triage” for exact_match"
        f" on 20 rows of dataset “tickets” as optimization {an_id('optimization')}"
        f" (2030-01-01 00:00:17 UTC, for {told.log.tenant}, by CauseOptimizationRequested)."
    )


@pytest.mark.postgres
def test_it_is_filtered_by_actor_thing_time_and_reason(scenario: ProjectionScenario) -> None:
    because = UUID(int=5)
    scenario.given(an_id("a"), build.signature_defined(), actor="bob")
    scenario.given(an_id("b"), build.dataset_created(), build.rows_loaded(), actor="carol")
    scenario.given(an_id("c"), build.dataset_created(), correlation_id=because)
    a, b1, b2, c = ({"position": n} for n in range(1, 5))
    at = scenario.log.recorded[2].timestamp
    scenario.then_rows(audit, c, b2, b1, a)
    scenario.then_rows(audit, a, b1, b2, c, order="oldest")
    scenario.then_rows(audit, a, actor="bob")
    scenario.then_rows(audit, b2, b1, aggregate_id=an_id("b"))
    scenario.then_rows(audit, c, b2, b1, aggregate="dataset")
    scenario.then_rows(audit, c, correlation_id=because)
    scenario.then_rows(audit, b1, a, until=at)
    scenario.then_rows(audit, c, b2, since=at)


def test_a_reaction_is_done_by_the_service_on_behalf_of_whom_it_reacts_to() -> None:
    event = build.execution_completed(build.lm_call(cost_usd=None), duration_ms=1234)
    (recorded,) = Log().append(an_id("x"), event, causation_id=an_id("cause"))
    assert written(recorded) == (
        f"Stratal completed run {an_id('x')} in 1.2 s with 1 model call at unknown cost"
        " on behalf of alice (2030-01-01 00:00:01 UTC, for acme, by CauseExecutionCompleted)."
    )


@pytest.mark.postgres
def test_it_is_filtered_by_topic_and_command(scenario: ProjectionScenario) -> None:
    scenario.given(an_id("a"), build.signature_defined())
    scenario.given(an_id("b"), build.dataset_created(), build.rows_loaded(), build.rows_loaded())
    a, b1, b2, b3 = ({"position": n} for n in range(1, 5))
    scenario.then_rows(audit, b3, b2, topics=("dataset.rows_loaded",))
    scenario.then_rows(audit, b3, b2, b1, topics=matching(["dataset.*"]))
    scenario.then_rows(audit, b1, a, topics=("signature.defined", "dataset.created"))
    scenario.then_rows(audit, a, command="CauseSignatureDefined")


def test_topics_are_named_one_by_one_or_by_their_kind() -> None:
    assert matching([]) == ()
    assert matching(["dataset.created", "dataset.*", "module.retired"]) == (
        "dataset.created",
        "dataset.rows_loaded",
        "dataset.row_replaced",
        "dataset.row_removed",
        "module.retired",
    )


@pytest.mark.parametrize("wanted", ["", "*", "program", "program.", "programs.*", "program.gone"])
def test_a_topic_that_names_nothing_is_refused(wanted: str) -> None:
    with pytest.raises(TopicIsUnknown, match=r"program\.\*"):
        matching([wanted])


@pytest.mark.postgres
def test_a_reaction_shows_its_cause_and_the_command_behind_it(scenario: ProjectionScenario) -> None:
    (asked,) = scenario.log.append(an_id("a"), build.execution_requested(), command_id="key-1")
    scenario.models.project([asked])
    begun = {"causation_id": asked.envelope.event_id}
    scenario.given(an_id("a"), ExecutionStarted(attempt=1, worker="worker-1"), **begun)
    cause = Cause(
        position=1,
        topic="execution.requested",
        command="CauseExecutionRequested",
        command_id="key-1",
    )
    scenario.then_rows(audit, {"cause": cause, "actor": "alice"}, {"cause": None})


@pytest.mark.postgres
@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 200])
def test_its_pages_are_the_same_forwards_and_backwards(
    scenario: ProjectionScenario, order: Literal["newest", "oldest"], limit: int
) -> None:
    told = scenario.given_log(a_story(tenant=scenario.log.tenant))
    ask = partial(
        audit, told.models.store, tenant=told.log.tenant, order=order, limit=limit, actor="alice"
    )
    forwards = [ask()]
    while (following := forwards[-1].next) is not None:
        forwards.append(ask(after=following))
    assert sum(len(page.rows) for page in forwards) == len(told.log.recorded)
    backwards = [forwards[-1]]
    while (before := backwards[-1].previous) is not None:
        backwards.append(ask(after=before))
    # A page backwards begins at the row before, so only the first one may be cut short.
    rows = [row for page in reversed(backwards) for row in page.rows]
    assert rows == [row for page in forwards for row in page.rows]
    assert [page.next for page in backwards[1:]] == [
        (page.rows[-1].position,) for page in backwards[1:]
    ]


@pytest.mark.postgres
def test_an_entry_names_command_cause_and_version(scenario: ProjectionScenario) -> None:
    cause = UUID(int=6)
    scenario.given(an_id("a"), build.signature_defined(), causation_id=cause, command_id="key-1")
    scenario.then_rows(
        audit,
        {
            "command": "CauseSignatureDefined",
            "command_id": "key-1",
            "causation_id": cause,
            "topic": "signature.defined",
            "aggregate": "signature",
            "aggregate_id": an_id("a"),
            "aggregate_version": 1,
            "actor": "alice",
        },
    )
