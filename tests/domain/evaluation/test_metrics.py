"""What the metrics say, to the letter of the seeds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from domain.evaluation.errors import UnknownMetric
from domain.evaluation.metrics import METRICS, dspy_f1, exact_match, f1_score, metric, normalise


@pytest.mark.feature("MET-02")
@pytest.mark.parametrize(
    ("gold", "said", "score"),
    [
        (" Paris! ", "paris", 1),
        ("The Eiffel Tower", "Eiffel Tower", 0),
        ("«Größe»", "GRÖSSE".replace("SS", "ß"), 1),
        ("", "!", 1),
        (3, 3.0, 1),
        ("3", 3, 1),
        (3, "4", 0),
        ("3.5", "35", 1),
        (3.5, 35, 0),
        ("true", True, 1),
        (True, "False", 0),
        (True, 1, 0),
        (None, None, 1),
        (None, "none", 0),
        (["A", "b!"], ["a", "B"], 1),
        (["a"], ["a", "b"], 0),
        ({"x": "A"}, {"x": "a."}, 1),
        ({"x": "A"}, {"y": "a"}, 0),
    ],
)
def test_met_02_exact_match_compares_after_normalising(
    gold: JsonValue, said: JsonValue, score: float
) -> None:
    assert exact_match({"answer": gold}, {"answer": said}) == score


@pytest.mark.feature("MET-03")
@settings(max_examples=5000, deadline=None)
@given(st.text(max_size=40))
def test_met_03_normalising_twice_is_normalising_once(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert once == once.strip()


@pytest.mark.feature("MET-03")
@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("  Hello, World!  ", "hello world"),
        ("¿Qué? — «Sí»", "qué  sí"),
        ("$5 + 3%", "5  3"),
        ("The A-Team", "the ateam"),
        ("。東京、", "東京"),
    ],
)
def test_met_03_normalising_lowers_strips_punctuation_and_trims(text: str, normal: str) -> None:
    assert normalise(text) == normal


@pytest.mark.feature("MET-04")
@pytest.mark.parametrize(
    ("gold", "said", "score"),
    [
        ("Gustave Eiffel engineer", "gustave eiffel", 0.8),
        ("one", "two", 0.0),
        ("", "", 0.0),
        ("a a a b", "a b", 1.0),
        (["new", "york"], "York", 2 / 3),
        ({"city": "york"}, "York", 1.0),
        (12, "12", 1.0),
        (None, "x", 0.0),
    ],
)
def test_met_04_f1_is_over_sets_of_words(gold: JsonValue, said: JsonValue, score: float) -> None:
    assert f1_score({"answer": gold}, {"answer": said}) == pytest.approx(score)


@pytest.mark.feature("MET-04")
@pytest.mark.parametrize(
    ("gold", "said", "score"),
    [("a a a b", "b b", 2 / 3), ("The tower", "tower", 1.0), ("cafe\u0301", "café", 1.0)],
)
def test_met_04_dspy_f1_counts_repetitions_and_drops_articles(
    gold: str, said: str, score: float
) -> None:
    assert dspy_f1({"answer": gold}, {"answer": said}) == pytest.approx(score)


@pytest.mark.feature("MET-04")
@settings(deadline=None)  # the first example imports DSPy
@given(st.text("aAthe ,.xé"), st.text("aAthe ,.xé"))
def test_met_04_dspy_f1_is_what_dspy_says(gold: str, said: str) -> None:
    from dspy.evaluate import metrics as theirs

    if theirs.normalize_text(gold) or theirs.normalize_text(said):
        assert dspy_f1({"q": gold}, {"q": said}) == pytest.approx(theirs.f1_score(said, gold))


@pytest.mark.feature("MET-06")
def test_met_06_an_unknown_metric_lists_the_known_ones() -> None:
    assert all(metric(name) is METRICS[name] for name in METRICS)
    with pytest.raises(UnknownMetric, match="exact_match, f1_score, dspy_f1") as refusal:
        metric("vibes")
    assert refusal.value.faults[0].pointer == "/metric"


def test_one_labelled_output_is_scored_and_the_rest_ignored() -> None:
    example: dict[str, JsonValue] = {"message": "hi", "queue": "bug"}
    assert exact_match(example, {"queue": "bug", "reasoning": "because"}) == 1


def test_answer_goes_before_the_other_outputs() -> None:
    example: dict[str, JsonValue] = {"answer": "yes", "why": "a"}
    assert exact_match(example, {"why": "b", "answer": "yes"}) == 1


def test_several_labelled_outputs_are_averaged() -> None:
    example: dict[str, JsonValue] = {"left": "a", "right": "b"}
    assert exact_match(example, {"left": "a", "right": "x"}) == 0.5


def test_without_a_labelled_output_nothing_is_right() -> None:
    assert f1_score({"message": "hi"}, {"queue": "bug"}) == 0


values = st.dictionaries(
    st.sampled_from(["answer", "b", "c"]),
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
)


@given(st.sampled_from(sorted(METRICS)), values, values)
def test_every_score_is_between_0_and_1(
    name: str, example: dict[str, JsonValue], prediction: dict[str, JsonValue]
) -> None:
    assert 0 <= metric(name)(example, prediction) <= 1
