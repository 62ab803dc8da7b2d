"""Figures over rows, against a plain recomputation."""

import hashlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from domain.dataset.shape import Row
from domain.dataset.statistics import MAX_LABELS, DatasetStatistics, statistics

rows_of_text = st.lists(
    st.fixed_dictionaries(
        {"text": st.none() | st.text(max_size=30), "label": st.sampled_from("abc")}
    ),
    max_size=60,
)


@pytest.mark.feature("DST-04")
@given(rows_of_text)
def test_dst_04_the_figures_equal_a_plain_recomputation(rows: list[dict[str, JsonValue]]) -> None:
    found = statistics(iter(rows))
    assert found.size == len(rows)
    assert found.duplicates == len(rows) - len({json.dumps(row, sort_keys=True) for row in rows})
    assert set(found.fields) == ({"text", "label"} if rows else set())
    if not rows:
        return
    text, label = found.fields["text"], found.fields["label"]
    lengths = sorted(len(row["text"]) for row in rows if isinstance(row["text"], str))
    assert text.present == len(rows)
    assert text.null_rate == (len(rows) - len(lengths)) / len(rows)
    assert text.length_min == (lengths[0] if lengths else None)
    assert text.length_mean == (pytest.approx(sum(lengths) / len(lengths)) if lengths else None)
    p95 = lengths[math.ceil(0.95 * len(lengths)) - 1] if lengths else None
    assert text.length_p95 == p95
    labels = [row["label"] for row in rows]
    assert label.labels == {each: labels.count(each) for each in labels}


def test_a_field_with_many_values_is_no_label() -> None:
    rows: list[dict[str, JsonValue]] = [{"id": n, "kind": n % 2} for n in range(MAX_LABELS + 2)]
    found = statistics(rows)
    assert found.fields["id"].labels is None
    assert found.fields["kind"].labels == {"0": 26, "1": 26}


def test_what_is_no_text_is_measured_as_json() -> None:
    found = statistics([{"tags": ["a", "b"]}])
    assert found.fields["tags"].length_min == len('["a", "b"]')


def test_without_rows_there_are_no_figures() -> None:
    nothing = hashlib.sha256(b"").hexdigest()
    assert statistics([]) == DatasetStatistics(size=0, digest=nothing, duplicates=0, fields={})


def test_only_equal_rows_in_equal_order_have_one_digest() -> None:
    rows: list[Row] = [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert statistics(rows).digest == statistics([{"b": 2, "a": 1}, rows[1]]).digest
    assert statistics(rows).digest != statistics(rows[::-1]).digest
    assert statistics(rows).digest != statistics(rows[:1]).digest
