"""What servers do with the connections of the engine without DSPy: they close them, or drip."""

from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest

from application.lm_ports import ModelChoice
from infrastructure.engines.native.model import ChatModel, ModelRefused

REQUEST = {"system": "Be kind.", "messages": [], "config": {"max_tokens": 9, "temperature": 0}}
ANSWER = b'{"model": "m", "choices": [{"message": {"content": "Yes."}}]}'


class Server(ThreadingHTTPServer):
    """A model behind connections that it keeps open until it is told to close them."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Chat)
        self.open: list[socket] = []
        self.drips = False

    def close_idle(self) -> None:
        """What servers do with connections that nobody uses for some seconds."""
        for each in self.open:
            each.shutdown(SHUT_RDWR)
        sleep(0.05)


class Chat(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.open.append(self.connection)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        if not self.server.drips:
            self.wfile.write(ANSWER)
            return
        with suppress(OSError):  # nobody waits for it any more
            for byte in ANSWER:
                sleep(0.03)
                self.wfile.write(bytes([byte]))

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def said(model: ChatModel) -> str:
    body: Any = model.ask(REQUEST, ends_s=None).body
    [part] = body["message"]["parts"]
    return str(part["text"])


def test_a_connection_is_kept_and_replaced_once_the_server_has_closed_it(server: Server) -> None:
    base = f"http://127.0.0.1:{server.server_port}/v1"
    model = ChatModel(ModelChoice("openai/m", api_base=base, api_key="k"))
    for _ in range(2):
        assert said(model) == "Yes."
    assert len(server.open) == 1
    server.close_idle()
    assert said(model) == "Yes."
    assert len(server.open) == 2
    model.close()


def test_an_answer_that_drips_is_given_up_when_the_time_is_over(server: Server) -> None:
    server.drips = True
    base = f"http://127.0.0.1:{server.server_port}/v1"
    model = ChatModel(ModelChoice("openai/m", api_base=base, api_key="k"))
    with pytest.raises(ModelRefused) as refused:
        model.ask(REQUEST, ends_s=monotonic() + 0.3)
    assert refused.value.failure.code == "model.timeout"
    model.close()
