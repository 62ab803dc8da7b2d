"""Turns and deadlines without any limit: nobody waits, nobody counts."""

from threading import Event
from time import monotonic

from application.deadlines import ending_at, ends_s
from application.turns import NoLimits, NoTurn, seconds_to_wait


def test_without_limits_it_is_everybodys_turn_and_tokens_are_nobodys_concern() -> None:
    def tokens() -> int:
        raise AssertionError("nobody counts them")

    with NoLimits().line().turn(tokens, within_s=0, stopped=Event()) as settle:
        settle(5)


def test_no_turn_says_what_is_used_up_and_when_to_try_again() -> None:
    failure = NoTurn("the limit of calls to openai", 12.3).failure
    assert failure.message == (
        "No call was made: the limit of calls to openai is used up. Try again in 13 s."
    )
    assert failure.retryable
    assert seconds_to_wait(failure) == 13
    assert seconds_to_wait(failure.model_copy(update={"code": "model.rate_limited"})) is None


def test_a_call_has_its_deadline_within_the_block_alone() -> None:
    assert ends_s() is None
    with ending_at(moment := monotonic()):
        assert ends_s() == moment
        with ending_at(moment - 1):
            assert ends_s() == moment - 1
        assert ends_s() == moment
    assert ends_s() is None
