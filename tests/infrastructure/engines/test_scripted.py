"""Answers from a script: by the inputs, made up by their types, or as failures."""

from pathlib import Path

import pytest

from application.lm_ports import Forwarded, JsonObject, ProgramFailed, TimeIsOver
from domain.signature.syntax import parse
from domain.values import Failure
from infrastructure.engines.scripted import Script, ScriptedEngine, ScriptIsInvalid
from tests.support.dspy_programs import MemoryJournal, single

PROGRAM = single(parse("message -> queue: Literal['bug', 'howto'], sure: probability, why"))
GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "engines.md"


def guide_script() -> Script:
    """The script that the guide shows."""
    return Script.model_validate_json(
        GUIDE.read_text().partition("```json\n")[2].partition("```")[0]
    )


def said(engine: ScriptedEngine, message: str, *, within_s: float | None = None) -> JsonObject:
    return engine.execute(
        PROGRAM, {"message": message}, MemoryJournal(), live=True, within_s=within_s
    )


def test_the_first_rule_that_fits_wins_and_the_rest_is_made_up() -> None:
    engine = ScriptedEngine(guide_script())
    crash = said(engine, "It crashes.")
    assert crash == {"queue": "bug", "sure": 0.5, "why": "some why"}
    assert said(engine, "Anything else") == {**crash, "queue": "howto"}


def test_a_rule_may_fail_and_apply_only_so_often() -> None:
    engine = ScriptedEngine(guide_script())
    with pytest.raises(ProgramFailed) as failed:
        said(engine, "Hm?")
    assert failed.value.failure == Failure(code="model.unavailable", message="It rests.")
    assert said(engine, "Hm?")["queue"] == "howto"


def test_what_does_not_fit_the_signature_fails_as_from_a_model() -> None:
    engine = ScriptedEngine(Script.model_validate({"default": {"outputs": {"queue": "praise"}}}))
    with pytest.raises(ProgramFailed) as failed:
        said(engine, "It crashes.")
    assert failed.value.failure.code == "output.invalid"
    [answer] = engine.forward(PROGRAM, [{"message": "x"}], MemoryJournal())
    assert isinstance(answer, Forwarded)
    assert answer.failure == failed.value.failure


def test_it_takes_the_time_that_it_says_and_no_more_than_there_is() -> None:
    engine = ScriptedEngine(Script.model_validate({"default": {"latency_ms": 60_000}}))
    with pytest.raises(TimeIsOver):
        said(engine, "It crashes.", within_s=0.05)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "There is no script at"),
        ("{", "cannot be used"),
        ('{"rules": [{"output": {}}]}', "rules/0/output"),
    ],
)
def test_a_script_that_is_none_is_refused(tmp_path: Path, text: str | None, why: str) -> None:
    path = tmp_path / "answers.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ScriptIsInvalid, match=why):
        ScriptedEngine.from_file(path)
