"""``stratal webhook``: where what happens is sent."""

from collections.abc import Callable

from tests.infrastructure.cli.conftest import Said

Call = Callable[..., Said]
URL = "https://hooks.example.com/in"


def test_a_webhook_is_added_with_a_secret_that_is_told_once(stratal: Call) -> None:
    assert "There are no webhooks" in stratal("webhook", "list").out
    said = stratal("webhook", "add", "crm", URL, "--topic", "program.*").out
    assert "Its secret is told this once: whsec_" in said
    assert "whsec_" not in stratal("webhook", "show", "crm").out
    (told,) = stratal("webhook", "list", "--json").json
    assert (told["name"], told["topics"]) == ("crm", ["program.*"])
    assert "program.*" in stratal("webhook", "list").out
    named = stratal("webhook", "add", "all", URL, "--secret", "crm", "--after", "0", "--json").json
    assert named["secret"] is None


def test_a_webhook_is_paused_resumed_rotated_and_removed(stratal: Call) -> None:
    stratal("webhook", "add", "crm", URL)
    for verb, sentence in (
        ("pause", "Paused crm."),
        ("resume", "Resumed crm; it goes on where it was."),
        ("rotate", "crm signs with another secret from now on."),
        ("remove", "Removed crm."),
    ):
        assert sentence in stratal("webhook", verb, "crm").out
    found = stratal("webhook", "show", "crm", "--json").json
    assert (found["status"], found["delivery"]) == ("removed", None)


def test_where_nothing_may_be_sent_is_refused(stratal: Call) -> None:
    said = stratal("webhook", "add", "crm", "http://localhost/in")
    assert (said.status, "STRATAL_WEBHOOK_HOSTS" in said.err) == (1, True), said
