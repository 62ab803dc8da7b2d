"""A-09, A-18: what is sent to webhooks goes to allowed addresses, and nowhere on."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from domain.tool.allowance import Allowance
from infrastructure.deliveries import Post
from infrastructure.settings import Settings, SettingsAreInvalid
from infrastructure.webhooks.courier import DeliveryFailed


class Receiver(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.asked: list[tuple[str, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answering(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, body))
        if self.path == "/slow":
            time.sleep(2)
        self.send_response(int(self.path.strip("/")) if self.path != "/slow" else 204)
        self.send_header("Location", f"{self.server.url}/200")
        self.send_header("Retry-After", "30")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        yield receiver
        receiver.shutdown()


def test_a_redirect_is_not_followed_and_told_with_all_that_was_asked_for(
    receiver: Receiver,
) -> None:
    post = Post(Allowance(hosts=frozenset({receiver.url})))
    for status in (200, 302, 503):
        sent = post(f"{receiver.url}/{status}", {"webhook-id": "1"}, b"{}")
        assert (sent.status, sent.retry_after_s) == (status, 30.0)
    assert [path for path, _ in receiver.asked] == ["/200", "/302", "/503"]


def test_a_receiver_that_takes_its_time_is_given_up(receiver: Receiver) -> None:
    post = Post(Allowance(hosts=frozenset({receiver.url})), timeout_s=0.2)
    with pytest.raises(DeliveryFailed) as failed:
        post(f"{receiver.url}/slow", {}, b"{}")
    assert failed.value.failure.code == "webhook.timeout"


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost/in",
        "https://127.0.0.1/in",
        "https://[::1]/in",
        "https://[::ffff:127.0.0.1]/in",
        "https://169.254.169.254/latest/meta-data",
        "https://2130706433/in",
        "https://0x7f.1/in",
    ],
)
def test_an_address_inwards_is_not_asked_though_every_host_is_allowed(url: str) -> None:
    with pytest.raises(DeliveryFailed) as failed:
        Post(Allowance(hosts=frozenset({"*"})))(url, {}, b"{}")
    assert failed.value.failure.code in ("webhook.not_allowed", "webhook.unreachable")


def test_what_is_not_allowed_any_more_is_not_asked(receiver: Receiver) -> None:
    with pytest.raises(DeliveryFailed, match="STRATAL_WEBHOOK_HOSTS"):
        Post(Allowance())(f"{receiver.url}/200", {}, b"{}")
    assert receiver.asked == []


def test_a_secret_is_long_and_its_text_is_in_no_message() -> None:
    told = {"STRATAL_WEBHOOK_SECRETS": '{"crm": "a secret of 24 letters or so"}'}
    Settings.from_environment({"STRATAL_WEBHOOK_SECRETS": f'{{"crm": "whsec_{"QUJD" * 8}"}}'})
    settings = Settings.from_environment(told)
    assert settings.signers["crm"].get_secret_value() == "a secret of 24 letters or so"
    assert "letters" not in repr(settings.shown())
    unusable = '{"crm": "whsec_short a one, and no Base64"}'
    short, unnamed = '{"crm": "too short a one"}', "crm=a secret of 24 letters"
    for wrong in (short, unusable, '{"CRM": 1}', unnamed):
        with pytest.raises(SettingsAreInvalid, match="24 characters or more") as refused:
            Settings.from_environment({"STRATAL_WEBHOOK_SECRETS": wrong})
        assert "short a one" not in str(refused.value)


def test_policies_are_named_as_functions() -> None:
    told = Settings.from_environment({"STRATAL_POLICIES": "acme.policies:route, acme.more:greet"})
    assert told.policy_paths == ("acme.policies:route", "acme.more:greet")
    with pytest.raises(SettingsAreInvalid, match="STRATAL_POLICIES"):
        Settings.from_environment({"STRATAL_POLICIES": "acme/policies.py"})
