"""Metrics that need no model: they compare what a row says with what a program answered.

A metric looks at the labelled outputs: the fields of the prediction that the row has, too. With one
of them it scores that one; with several it scores ``answer`` if that is among them, else the mean
over all. A prediction without a labelled output scores 0: nothing shows that it is right.
"""

import json
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from pydantic import JsonValue

from domain.evaluation.errors import UnknownMetric

Values = Mapping[str, JsonValue]
Metric = Callable[[Values, Values], float]
"""``metric(example, prediction)`` is in 0..1."""

_Compare = Callable[[JsonValue, JsonValue], float]


def normalise(text: str) -> str:
    """*text* in lower case, without punctuation, trimmed; articles stay.

    The trim comes last, so that doing it twice changes nothing. Punctuation is that of Unicode and
    the ASCII symbols.
    """
    return "".join(each for each in text.lower() if not _is_punctuation(each)).strip()


def exact_match(example: Values, prediction: Values) -> float:
    """1 if the labelled output is the same after ``normalise``, else 0.

    Numbers, booleans, lists and objects are compared as values; where only one side is text, as
    rows from CSV are, it is compared with the JSON spelling of the other.
    """
    return _over_labelled(example, prediction, lambda gold, said: float(_same(gold, said)))


def f1_score(example: Values, prediction: Values) -> float:
    """The harmonic mean of precision and recall over the *sets* of normalised words."""
    return _over_labelled(example, prediction, _set_f1)


def dspy_f1(example: Values, prediction: Values) -> float:
    """F1 as DSPy counts it: over words with their repetitions, English articles left out."""
    return _over_labelled(example, prediction, _multiset_f1)


METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {"exact_match": exact_match, "f1_score": f1_score, "dspy_f1": dspy_f1}
)


def metric(name: str) -> Metric:
    """The metric called *name*.

    Raises:
        UnknownMetric: There is none; the error lists those there are.
    """
    if name not in METRICS:
        raise UnknownMetric(name, METRICS)
    return METRICS[name]


def _over_labelled(example: Values, prediction: Values, compare: _Compare) -> float:
    labelled = [field for field in prediction if field in example]
    if "answer" in labelled:
        labelled = ["answer"]
    if not labelled:
        return 0.0
    return sum(compare(example[each], prediction[each]) for each in labelled) / len(labelled)


def _same(gold: JsonValue, said: JsonValue) -> bool:
    match gold, said:
        case str(), str():
            return normalise(gold) == normalise(said)
        case list(), list():
            pairs = zip(gold, said, strict=False)
            return len(gold) == len(said) and all(_same(left, right) for left, right in pairs)
        case dict(), dict():
            return gold.keys() == said.keys() and all(_same(gold[key], said[key]) for key in gold)
        case (str() as text, other) | (other, str() as text):
            return text.strip().lower() == json.dumps(other)
        case _:
            return isinstance(gold, bool) == isinstance(said, bool) and gold == said


def _set_f1(gold: JsonValue, said: JsonValue) -> float:
    wanted, found = set(normalise(_text(gold)).split()), set(normalise(_text(said)).split())
    return _f1(len(wanted & found), wanted=len(wanted), found=len(found))


def _multiset_f1(gold: JsonValue, said: JsonValue) -> float:
    wanted, found = Counter(_dspy_words(_text(gold))), Counter(_dspy_words(_text(said)))
    return _f1((wanted & found).total(), wanted=wanted.total(), found=found.total())


def _f1(common: int, *, wanted: int, found: int) -> float:
    if common == 0:
        return 0.0
    precision, recall = common / found, common / wanted
    return 2 * precision * recall / (precision + recall)


def _dspy_words(text: str) -> list[str]:
    lowered = unicodedata.normalize("NFD", text).lower()
    bare = "".join(each for each in lowered if each not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


def _text(value: JsonValue) -> str:
    match value:
        case str():
            return value
        case None:
            return ""
        case list():
            return " ".join(_text(item) for item in value)
        case dict():
            return " ".join(_text(item) for item in value.values())
        case _:
            return json.dumps(value)


def _is_punctuation(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character).startswith("P")
