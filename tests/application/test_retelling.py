"""One follower of an execution: each text whole and once, whatever becomes of what is told live."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from application.retelling import MOST_PIECE, ChunkTold, Live, NodeTold, Retelling, Told
from application.streaming import Piece
from tests.support.runs import answered, key, refused

CALL, _, _ = answered("a")
REFUSED, _, _ = refused("a")
BEGAN = NodeTold(CALL.key, "answer", "began")
ENDED = NodeTold(CALL.key, "answer", "ended")


def live(offset: int, text: str, field: str = "answer") -> Live:
    return Live(CALL.key, "answer", Piece(field, offset, text))


def chunk(offset: int, text: str) -> ChunkTold:
    return ChunkTold(CALL.key, "answer", Piece("answer", offset, text))


def recorded(retelling: Retelling, text: str) -> list[Told]:
    return list(retelling.recorded(CALL, [Piece("answer", 0, text)]))


def texts(told: Iterable[Told]) -> str:
    """What a client has in the end that takes a chunk at offset 0 for a new beginning."""
    found = ""
    for each in told:
        if isinstance(each, ChunkTold):
            found = found if each.piece.offset else ""
            assert each.piece.offset == len(found)
            found += each.piece.text
    return found


def test_what_was_told_live_is_not_told_again_when_it_is_recorded() -> None:
    retelling = Retelling()
    assert list(retelling.live(Live(CALL.key, "answer", None))) == [BEGAN]
    assert list(retelling.live(live(0, "be"))) == [chunk(0, "be")]
    assert list(retelling.live(live(2, "cau"))) == [chunk(2, "cau")]
    assert recorded(retelling, "because") == [chunk(5, "se"), ENDED]
    assert list(retelling.live(live(5, "se"))) == [], "It comes late."
    assert recorded(retelling, "because") == []


def test_what_was_not_told_live_is_told_when_it_is_recorded_in_parts_of_some_length() -> None:
    text = "x" * (MOST_PIECE + 1)
    told = recorded(Retelling(), text)
    assert told == [BEGAN, chunk(0, text[:-1]), chunk(MOST_PIECE, "x"), ENDED]


def test_after_a_gap_nothing_is_told_until_the_record_fills_it() -> None:
    retelling = Retelling()
    assert list(retelling.live(live(0, "be"))) == [BEGAN, chunk(0, "be")]
    assert list(retelling.live(live(5, "se"))) == []
    assert recorded(retelling, "because") == [chunk(2, "cause"), ENDED]


def test_a_text_that_turns_out_to_be_another_is_told_anew() -> None:
    retelling = Retelling()
    assert list(retelling.live(live(0, "no"))) == [BEGAN, chunk(0, "no")]
    assert list(retelling.live(live(0, "may"))) == [chunk(0, "may")], "A second try."
    assert recorded(retelling, "because") == [chunk(0, "because"), ENDED]


def test_a_call_that_failed_may_be_made_again_by_the_next_attempt() -> None:
    retelling = Retelling()
    assert list(retelling.recorded(REFUSED, [])) == [
        BEGAN,
        NodeTold(CALL.key, "answer", "ended", REFUSED.failure),
    ]
    assert recorded(retelling, "because") == [BEGAN, chunk(0, "because"), ENDED]


def test_what_a_client_knows_from_before_is_not_told_again() -> None:
    retelling = Retelling()
    retelling.passed(CALL)
    assert list(retelling.live(live(0, "be"))) == []
    retelling.passed(REFUSED.model_copy(update={"key": key("b")}))
    assert list(retelling.recorded(REFUSED.model_copy(update={"key": key("b")}), []))


@given(st.lists(st.text(st.characters(codec="ascii"), min_size=1)), st.data())
def test_whatever_is_lost_doubled_or_late_the_text_is_whole_in_the_end(
    parts: list[str], data: st.DataObject
) -> None:
    text, retelling, told = "".join(parts), Retelling(), list[Told]()
    offsets = [len("".join(parts[:number])) for number in range(len(parts))]
    for index in data.draw(st.lists(st.integers(0, max(0, len(parts) - 1)))) if parts else []:
        told += retelling.live(live(offsets[index], parts[index]))
    told += recorded(retelling, text)
    assert texts(told) == text
    assert [each for each in told if each == BEGAN] == [BEGAN]
    assert told[-1] == ENDED
