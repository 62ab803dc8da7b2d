"""Keyword ranking: what is nearer comes first, and always in the same order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.retrieval.ranking import Ranking, nearest, words

EIFFEL = (
    "The Eiffel Tower stands in Paris.",
    "It was built by Gustave Eiffel for the fair of 1889.",
    "The Louvre is a museum in Paris.",
)
TEXTS = st.lists(st.text(alphabet="ab c", max_size=12), max_size=12)


@pytest.mark.parametrize(
    ("query", "order"),
    [
        ("museum", (2, 0, 1)),
        ("who built it for the fair of 1889", (1, 0, 2)),
        ("EIFFEL tower", (0, 1, 2)),
        ("no such word", (0, 1, 2)),
        ("", (0, 1, 2)),
    ],
)
def test_the_text_that_says_the_rarer_words_of_the_query_comes_first(
    query: str, order: tuple[int, ...]
) -> None:
    assert nearest(query, EIFFEL, 3) == order


def test_equally_near_texts_keep_their_order() -> None:
    assert nearest("same", ["same", "other", "same", "same"], 3) == (0, 2, 3)


def test_a_word_said_more_often_counts_more_and_a_long_text_less() -> None:
    ranked = Ranking(["cat", "cat cat dog", "cat dog dog dog dog dog"]).nearest("cat", 3)
    assert [each.place for each in ranked] == [1, 0, 2]


def test_a_text_without_a_word_of_the_query_scores_nothing() -> None:
    assert [each.score > 0 for each in Ranking(EIFFEL).nearest("museum", 3)] == [True, False, False]


def test_nothing_is_nearest_among_no_texts() -> None:
    assert nearest("query", [], 3) == ()


def test_words_are_compared_without_case_and_punctuation() -> None:
    assert words("Größe, d'ÉTÉ_2!") == ["grösse", "d", "été_2"]


@given(TEXTS, st.text(alphabet="abc ", max_size=8), st.integers(0, 15))
def test_every_text_is_ranked_once_and_by_falling_score(
    texts: list[str], query: str, k: int
) -> None:
    ranked = Ranking(texts).nearest(query, k)
    assert len({each.place for each in ranked}) == len(ranked) == min(k, len(texts))
    scores = [each.score for each in ranked]
    assert scores == sorted(scores, reverse=True)
    assert all((each.score > 0) == shares(texts[each.place], query) for each in ranked)


def shares(text: str, query: str) -> bool:
    return bool(set(words(text)) & set(words(query)))
