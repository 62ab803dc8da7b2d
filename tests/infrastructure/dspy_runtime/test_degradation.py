"""An answer that is not in the form asked for: repaired, told, asked otherwise, or a failure."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from dspy import lm15
from pydantic import JsonValue

from application.lm_ports import ProgramFailed, RunnableProgram
from domain.program.values import Adapter
from domain.signature.types import STRING, EnumOf, FieldType, Primitive
from domain.values import AS_DSPY, Failure, Reading
from infrastructure.dspy_runtime.runtime import DspyRunner
from tests.support.dspy_programs import FakeEngine, MemoryJournal, bound, single, spec

MESSAGE = {"message": "It crashes."}
OUTPUTS: dict[str, FieldType] = {
    "queue": EnumOf(values=("bug", "billing")),
    "words": Primitive(name="integer"),
    "note": STRING,
}
WANTED = {"queue": "bug", "words": 2, "note": "Look at it."}
GOOD_MARKERS = (
    "[[ ## queue ## ]]\nbug\n\n[[ ## words ## ]]\n2\n\n[[ ## note ## ]]\nLook at it.\n\n"
    "[[ ## completed ## ]]"
)
GOOD_JSON = json.dumps(WANTED)
BAD = "[[ ## queue ## ]]\nweather\n\n[[ ## note ## ]]\nLook at it."
CAREFUL = Reading(repair=True, feedback=1)


class Saying(FakeEngine):
    """Says one of *answers* after the other, and ends each for the same *reason*."""

    def __init__(self, *answers: str, reason: str = "stop") -> None:
        super().__init__()
        self._answers, self._reason = list(answers), reason

    def answer(self, request: lm15.Request) -> str:
        return self._answers.pop(0)

    def response(self, text: str, request: lm15.Request) -> lm15.Response:
        made = super().response(text, request)
        return lm15.Response(
            id=made.id,
            model=made.model,
            message=made.message,
            finish_reason=self._reason,
            usage=made.usage,
        )


def program(form: Adapter = "chat", reading: Reading = CAREFUL) -> RunnableProgram:
    return replace(single(spec("message", OUTPUTS)), adapter=form, reading=reading)


def asked(
    *answers: str, form: Adapter = "chat", reading: Reading = CAREFUL, reason: str = "stop"
) -> tuple[Any, MemoryJournal]:
    """What came of it, and what is on record; the replay came to the same end."""
    journal, wanted = MemoryJournal(), program(form, reading)

    def ended(run: Callable[[], Any]) -> Any:
        try:
            return run()
        except ProgramFailed as failed:
            return failed.failure

    first = ended(
        lambda: DspyRunner(bound(Saying(*answers, reason=reason))).run(
            wanted, MESSAGE, journal, live=True
        )
    )
    again = ended(lambda: DspyRunner(bound(Saying())).run(wanted, MESSAGE, journal, live=False))
    assert again == first
    return first, journal


@pytest.mark.parametrize(
    "answer",
    [
        GOOD_JSON,
        f"```json\n{GOOD_JSON}\n```",
        f"Sure! Here it is:\n\n{GOOD_JSON}\n\nAnything else?",
        json.dumps({"output": WANTED}),
        json.dumps({"Queue": "bug", "WORDS": 2, "note": "Look at it."}),
        GOOD_JSON[:-1] + ",}",
        GOOD_MARKERS.replace("[[ ## ", "[[").replace(" ## ]]", "]]"),
        GOOD_MARKERS.replace("[[ ## ", "**[[ # ").replace(" ## ]]", " # ]]**"),
        GOOD_MARKERS.replace("\n[[ ## queue ## ]]", "").replace("\n", " "),
        GOOD_MARKERS.replace("queue", "Queue"),
        GOOD_MARKERS.replace("\n2\n", "\n```\n2\n```\n"),
    ],
)
@pytest.mark.feature("BRG-15")
def test_brg_15_what_an_answer_plainly_means_is_taken_without_another_call(answer: str) -> None:
    outputs, journal = asked(answer)
    assert outputs == WANTED
    assert len(journal.calls) == 1


@pytest.mark.feature("BRG-15")
def test_brg_15_markers_are_read_where_json_was_asked_for() -> None:
    outputs, journal = asked(GOOD_MARKERS, form="json")
    assert outputs == WANTED
    assert len(journal.calls) == 1


@pytest.mark.parametrize(
    "answer",
    [
        GOOD_JSON + GOOD_JSON.replace("bug", "billing"),
        f"```json\n{GOOD_JSON}\n```\nor\n```json\n{GOOD_JSON.replace('2', '3')}\n```",
        GOOD_JSON.replace('"words": 2', '"words": 2, "words": 3'),
        GOOD_MARKERS.replace("[[ ## ", "[[") + "\n[[ queue ]]\nbilling",
        GOOD_JSON.replace(', "note": "Look at it."', ""),
        GOOD_JSON[:-4],
        "bug, 2, Look at it.",
        '{"nothing": "of this"}',
    ],
)
@pytest.mark.feature("BRG-15")
def test_brg_15_what_may_be_read_in_two_ways_or_is_not_whole_is_not_repaired(answer: str) -> None:
    outputs, journal = asked(answer, GOOD_MARKERS)
    assert outputs == WANTED
    assert len(journal.calls) == 2


@pytest.mark.feature("BRG-15")
def test_brg_15_then_the_model_is_told_what_was_wrong_and_asked_again() -> None:
    outputs, journal = asked(BAD, GOOD_MARKERS)
    assert outputs == WANTED
    first, second = map(messages_of, journal.requests)
    assert second[: len(first)] == first
    answer, told = second[len(first) :]
    assert answer == ("assistant", BAD)
    assert told[0] == "user"
    assert "`words` is missing" in told[1]
    assert "`queue`: Input should be 'bug' or 'billing'" in told[1]
    assert "note" not in told[1].split("Answer again")[0], "that field was right"
    assert told[1].endswith("ending with the marker for `[[ ## completed ## ]]`.")


@pytest.mark.parametrize("feedback", [0, 1, 3])
@pytest.mark.feature("BRG-15")
def test_brg_15_then_it_is_asked_once_in_the_other_form_as_dspy_does(feedback: int) -> None:
    reading = Reading(repair=True, feedback=feedback)
    bad = [f"{BAD} ({number})" for number in range(feedback + 1)]
    outputs, journal = asked(*bad, GOOD_JSON, reading=reading)
    assert outputs == WANTED
    assert len(journal.calls) == len({call.key for call in journal.calls}) == feedback + 2
    _, plain = asked(BAD, GOOD_JSON, reading=AS_DSPY)
    assert journal.requests[-1] == plain.requests[-1]
    assert "Respond with a JSON object" in journal.prompts[-1]


@pytest.mark.feature("BRG-15")
def test_brg_15_json_that_cannot_be_read_is_asked_for_in_markers_at_last() -> None:
    outputs, journal = asked("no", "no!", GOOD_MARKERS, form="json")
    assert outputs == WANTED
    assert "`[[ ## queue ## ]]`" in journal.prompts[-1]


@pytest.mark.parametrize("form", ["chat", "json"])
@pytest.mark.feature("BRG-15")
def test_brg_15_at_last_it_is_a_failure_that_names_the_fields_and_all_texts_are_on_record(
    form: Adapter,
) -> None:
    failure, journal = asked(BAD, "hm", '{"words": "many", "note": "private"}', form=form)
    assert isinstance(failure, Failure)
    assert failure.code == "output.unparseable"
    assert not failure.retryable
    assert "at node solve" in failure.message
    assert "`queue` is missing" in failure.message
    assert "`words`: Input should be a valid integer" in failure.message
    assert "many" not in failure.message, "what was said is in no event"
    assert "private" not in failure.message
    assert [text_of(each) for each in journal.responses] == [
        BAD, "hm", '{"words": "many", "note": "private"}',
    ]  # fmt: skip


def test_who_says_the_same_again_is_not_told_the_same_again() -> None:
    outputs, journal = asked(BAD, BAD, GOOD_JSON, reading=Reading(repair=True, feedback=3))
    assert outputs == WANTED
    assert len(journal.calls) == 3


@pytest.mark.parametrize("form", ["chat", "json"])
def test_an_answer_that_parses_costs_the_one_call_that_dspy_makes(form: Adapter) -> None:
    good = GOOD_MARKERS if form == "chat" else GOOD_JSON
    _, careful = asked(good, form=form)
    _, plain = asked(good, form=form, reading=AS_DSPY)
    assert careful.requests == plain.requests
    assert len(careful.requests) == 1


def test_as_dspy_reads_an_answer_nothing_is_repaired_and_nobody_is_told() -> None:
    outputs, journal = asked(GOOD_JSON, GOOD_JSON, reading=AS_DSPY)
    assert outputs == WANTED
    assert len(journal.calls) == 2
    failure, _ = asked("hm", "hm", form="chat", reading=AS_DSPY)
    assert failure.code == "output.unparseable"
    assert "`queue` is missing" in failure.message


def test_an_answer_that_was_cut_off_says_so() -> None:
    failure, journal = asked(BAD, "hm", "hm", reason="length")
    assert failure.code == "output.truncated"
    assert "cut off at the limit of its tokens" in failure.message
    assert "cut off" in journal.prompts[1]


def test_an_answer_that_the_provider_withheld_is_not_asked_for_again() -> None:
    failure, journal = asked("", reason="content_filter")
    assert failure.code == "output.filtered"
    assert len(journal.calls) == 1


def test_an_empty_answer_is_told_so() -> None:
    outputs, journal = asked("", GOOD_MARKERS)
    assert outputs == WANTED
    assert messages_of(journal.requests[1])[-2] == ("assistant", "(nothing)")
    assert "the answer is empty" in journal.prompts[1]


def test_what_a_model_says_is_shown_to_it_again_cut_short_and_without_foreign_content() -> None:
    marker = '<<CUSTOM-TYPE-START-IDENTIFIER>>[{"type":"image_url"}]<<CUSTOM-TYPE-END-IDENTIFIER>>'
    _, journal = asked(marker + "x" * 50_000, GOOD_MARKERS)
    _, said = messages_of(journal.requests[1])[-2]
    assert len(said) == 4_000
    assert marker not in said


def test_a_text_that_repeats_its_place_in_the_prompt_is_wrong_and_readable() -> None:
    echo = GOOD_MARKERS.replace("Look at it.", "{note}")
    outputs, journal = asked(echo, GOOD_MARKERS)
    assert outputs == {**WANTED, "note": "{note}"}
    assert len(journal.calls) == 1


@pytest.mark.feature("BRG-15")
def test_brg_15_a_value_out_of_bounds_is_told_to_the_model_and_is_no_output_at_last() -> None:
    bounded = spec("message", {"sure": Primitive(name="probability")})
    wanted = replace(single(bounded), reading=CAREFUL)

    def run(*answers: str) -> tuple[Any, MemoryJournal]:
        journal = MemoryJournal()
        runner = DspyRunner(bound(Saying(*answers)))
        return runner.run(wanted, MESSAGE, journal, live=True), journal

    outputs, journal = run("[[ ## sure ## ]]\n7.5", "[[ ## sure ## ]]\n0.75")
    assert outputs == {"sure": 0.75}
    assert "`sure`: Input should be less than or equal to 1" in journal.prompts[1]
    with pytest.raises(ProgramFailed) as failed:
        run("[[ ## sure ## ]]\n7.5", "[[ ## sure ## ]]\n-1", '{"sure": 2}')
    assert failed.value.failure.code == "output.invalid"


def test_several_candidates_at_once_are_asked_for_as_dspy_does() -> None:
    import dspy

    from application.tracing import NoTracing
    from infrastructure.dspy_runtime.adapters import SafeChatAdapter
    from infrastructure.dspy_runtime.recording import RecordingEngine, RecordingLM

    journal = MemoryJournal()
    engine = RecordingEngine(
        bound(Saying("hm", "hm", "{}", '{"answer": "yes"}')), journal, NoTracing()
    )
    lm = RecordingLM("fake/model", engine)
    with (
        dspy.context(lm=lm, adapter=SafeChatAdapter(reading=CAREFUL)),
        pytest.raises(Exception, match="failed to parse"),
    ):
        dspy.Predict("question -> answer")(question="?", config={"n": 2, "temperature": 1.0})
    assert len(journal.calls) == 4
    assert not any("cannot be used" in prompt for prompt in journal.prompts)


def messages_of(request: JsonValue) -> list[tuple[str, str]]:
    assert isinstance(request, dict)
    messages: Any = request["messages"]
    return [(each["role"], "".join(part["text"] for part in each["parts"])) for each in messages]


def text_of(response: JsonValue) -> str:
    assert isinstance(response, dict)
    message: Any = response["message"]
    return "".join(part["text"] for part in message["parts"])
