"""A-18: a receiver that checks what it gets believes what was sent, and nothing else."""

import base64
from uuid import UUID, uuid4

import pytest

from docs.examples.webhooks.receiver import MOST_SECONDS_APART, NotBelieved, SeenBefore, verify
from infrastructure.system import new_secret
from infrastructure.webhooks.signing import signed_headers

BODY = b'{"topic":"program.deployed"}'
NOW_S = 1_900_000_000
EVENT = UUID(int=7)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of the specification."""
    secret, body = (
        "whsec_plJ3nmyCDGBKInavdOK15jsl",
        b'{"event_type":"ping","data":{"success":true}}',
    )
    headers = signed_headers(secret, UUID(int=1), body, at_s=1_731_705_121)
    assert headers["webhook-signature"].startswith("v1,")
    verify(secret, headers, body, now_s=1_731_705_121, seen={})


def test_what_was_sent_is_believed_once() -> None:
    secret, seen = new_secret(), dict[str, float]()
    headers = signed_headers(secret, EVENT, BODY, at_s=NOW_S)
    verify(secret, headers, BODY, now_s=NOW_S + 1, seen=seen)
    with pytest.raises(SeenBefore):
        verify(secret, headers, BODY, now_s=NOW_S + 2, seen=seen)


def test_an_event_that_is_sent_again_later_is_known_by_its_id() -> None:
    secret, seen = new_secret(), dict[str, float]()
    for later_s in (0, 200):
        headers = signed_headers(secret, EVENT, BODY, at_s=NOW_S + later_s)
        if later_s:
            with pytest.raises(SeenBefore):
                verify(secret, headers, BODY, now_s=NOW_S + later_s, seen=seen)
        else:
            verify(secret, headers, BODY, now_s=NOW_S, seen=seen)


@pytest.mark.parametrize("late_s", [MOST_SECONDS_APART + 1, -MOST_SECONDS_APART - 1])
def test_a_delivery_that_comes_late_or_from_the_future_is_refused(late_s: int) -> None:
    secret = new_secret()
    headers = signed_headers(secret, EVENT, BODY, at_s=NOW_S)
    with pytest.raises(NotBelieved, match="too long ago"):
        verify(secret, headers, BODY, now_s=NOW_S + late_s, seen={})


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
        {"webhook-id": str(uuid4())},
        {"webhook-timestamp": str(NOW_S + 1)},
        {"webhook-timestamp": "now"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_wrong_signature_is_refused(change: dict[str, str]) -> None:
    secret = new_secret()
    headers = signed_headers(secret, EVENT, BODY, at_s=NOW_S) | change
    with pytest.raises(NotBelieved):
        verify(secret, headers, BODY, now_s=NOW_S, seen={})


def test_another_body_and_another_secret_are_refused() -> None:
    secret = new_secret()
    headers = signed_headers(secret, EVENT, BODY, at_s=NOW_S)
    for told, body in ((secret, BODY + b" "), (new_secret(), BODY)):
        with pytest.raises(NotBelieved):
            verify(told, headers, body, now_s=NOW_S, seen={})


def test_what_was_seen_long_ago_is_forgotten_since_it_would_be_too_old() -> None:
    secret, seen = new_secret(), {"old": float(NOW_S - 3600)}
    verify(secret, signed_headers(secret, EVENT, BODY, at_s=NOW_S), BODY, now_s=NOW_S, seen=seen)
    assert seen == {str(EVENT): NOW_S}


def test_a_secret_that_is_no_base64_is_the_key_itself() -> None:
    plain = "a secret of twenty-four or more"
    as_base64 = f"whsec_{base64.b64encode(plain.encode()).decode()}"
    sent = [signed_headers(each, EVENT, BODY, at_s=NOW_S) for each in (plain, as_base64)]
    assert sent[0] == sent[1]
