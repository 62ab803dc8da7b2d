"""Pages refuse what nobody handed out."""

from collections.abc import Mapping, Sequence
from uuid import uuid4

import pytest

from projections.executions import executions
from projections.kernel import Projection
from projections.lm_usage import lm_usage
from projections.paging import MAX_LIMIT, CursorIsInvalid, LimitIsInvalid


class NeverAsked:
    """A store that must not be reached."""

    def rows(
        self, sql: str, params: Mapping[str, object], *, of: type[Projection] | None = None
    ) -> Sequence[Mapping[str, object]]:
        raise AssertionError(sql)


class Empty:
    def rows(
        self, sql: str, params: Mapping[str, object], *, of: type[Projection] | None = None
    ) -> Sequence[Mapping[str, object]]:
        return []


@pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1])
def test_a_page_has_one_to_two_hundred_rows(limit: int) -> None:
    with pytest.raises(LimitIsInvalid) as refused:
        executions(NeverAsked(), tenant="acme", limit=limit)
    assert refused.value.code == "page.limit_invalid"


@pytest.mark.parametrize("after", [(), ("x",), (1, 2), (2**63,), ("1; DROP TABLE execution",)])
def test_a_made_up_cursor_is_refused(after: tuple[int | str, ...]) -> None:
    with pytest.raises(CursorIsInvalid) as refused:
        executions(NeverAsked(), tenant="acme", after=after)
    assert refused.value.code == "page.cursor_invalid"


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(CursorIsInvalid):
        lm_usage(NeverAsked(), tenant="acme", after=(12,))
    with pytest.raises(CursorIsInvalid):
        lm_usage(NeverAsked(), tenant="acme", after=("soon", "x", "y", "z", "n", "task"))


def test_a_cursor_may_come_back_as_texts() -> None:
    assert executions(Empty(), tenant="acme", after=("12",)).rows == ()
    after = ("2030-01-01", "execution", str(uuid4()), "m", "n", "task")
    assert lm_usage(Empty(), tenant="acme", after=after).next is None
