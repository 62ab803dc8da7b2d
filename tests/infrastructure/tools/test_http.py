"""HTTP tools against a server of their own: what is asked, what is answered, what is refused."""

import http.server
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import JsonValue

from application.tool_ports import ToolFailed
from domain.tool.allowance import Allowance
from domain.tool.values import HttpTool
from infrastructure.tools.exchange import MAX_RESPONSE_BYTES
from infrastructure.tools.http import HttpCaller, Secret

SECRET = Secret("X-Api-Key", "open sesame")


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the path, and remembers what it was asked."""

    asked: list[dict[str, Any]]
    release: threading.Event

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length).decode()
        self.asked.append(
            {"method": self.command, "path": self.path, "body": body, "headers": self.headers}
        )
        getattr(self, f"_{self.path.split('/')[1].split('?')[0]}")()

    # The standard library finds the methods by these names.
    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _json(self) -> None:
        self._send(200, b'{"stock": 3}', Content_Type="application/json; charset=utf-8")

    def _text(self) -> None:
        self._send(200, "Grüße".encode("latin-1"), Content_Type="text/plain; charset=latin-1")

    def _odd(self) -> None:
        self._send(200, b"hi", Content_Type="text/plain; charset=no-such-one")

    def _called(self) -> None:
        name = self.path.rsplit("/", 1)[1]
        self._send(200, "Grüße".encode(), Content_Type=f"text/plain; charset={name}")

    def _echo(self) -> None:
        said = f"Bad key: {self.headers['Authorization']}"
        self.send_response(int(self.path.rsplit("/", 1)[1]), said)
        self.end_headers()
        self.wfile.write(said.encode())

    def _broken(self) -> None:
        self._send(200, b'{"stock":', Content_Type="application/json")

    def _gone(self) -> None:
        self._send(404, b"see /srv/shop/app.py line 7")

    def _zipped(self) -> None:
        self._send(200, b"\x1f\x8b", Content_Encoding="gzip")

    def _endless(self) -> None:
        self._send(200, b"x" * (MAX_RESPONSE_BYTES + 1))

    def _cut(self) -> None:
        self._send(200, b"half", Content_Length="100")

    def _noise(self) -> None:
        self.wfile.write(b"what is this\r\n\r\n")

    def _slow(self) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.release.wait(0.01):
            try:
                self.wfile.write(b".")
            except OSError:
                return

    def _here(self) -> None:
        self._send(302, b"", Location="/json")

    def _there(self) -> None:
        self._send(302, b"", Location="http://169.254.169.254/latest/meta-data")

    def _other(self) -> None:
        port = self.path.rsplit("/", 1)[1]
        self._send(307, b"", Location=f"http://localhost:{port}/json")

    def _round(self) -> None:
        self._send(301, b"", Location="/round")

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


class Server:
    def __init__(self, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[dict[str, Any]] = []
        self.release = threading.Event()
        handler = type("Bound", (Handler,), {"asked": self.asked, "release": self.release})
        self._server = http.server.ThreadingHTTPServer((host, 0), handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        self.origin = f"{'https' if tls else 'http'}://{host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def tool(server: Server, path: str, **changes: Any) -> HttpTool:
    return HttpTool.model_validate(
        {
            "name": "stock",
            "description": "How many there are.",
            "url": f"{server.origin}{path}",
            "arguments": [{"name": name} for name in ("item", "day", "tags", "count")],
            "timeout_s": 5,
            **changes,
        }
    )


def caller(*servers: Server, **secrets: str) -> HttpCaller:
    allowance = Allowance(
        hosts=frozenset(each.origin for each in servers), secrets=dict(secrets.items())
    )
    return HttpCaller(allowance, dict.fromkeys(secrets, SECRET))


def call(server: Server, path: str, arguments: dict[str, JsonValue], **changes: Any) -> JsonValue:
    return caller(server).call(tool(server, path, **changes), arguments)


@pytest.mark.feature("MOD-25")
def test_mod_25_arguments_go_where_the_tool_says_and_json_comes_back(server: Server) -> None:
    arguments: dict[str, JsonValue] = {
        "item": "a/b ?", "day": "mon", "tags": ["x", 1, True], "count": None,
    }  # fmt: skip
    assert call(server, "/json/{item}?v=1", arguments) == {"stock": 3}
    (asked,) = server.asked
    assert (asked["method"], asked["body"]) == ("GET", "")
    assert asked["path"] == "/json/a%2Fb%20%3F?v=1&day=mon&tags=x&tags=1&tags=true"
    assert asked["headers"]["Host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_request_with_a_body_sends_its_arguments_as_json(server: Server, method: str) -> None:
    arguments: dict[str, JsonValue] = {"item": "7", "day": "mon", "tags": {"a": 1}, "count": None}
    call(server, "/json/{item}", arguments, method=method, places={"day": "query"})
    (asked,) = server.asked
    assert asked["path"] == "/json/7?day=mon"
    assert json.loads(asked["body"]) == {"tags": {"a": 1}}
    assert asked["headers"]["Content-Type"] == "application/json"


@pytest.mark.parametrize(("path", "text"), [("/text", "Grüße"), ("/odd", "hi")])
def test_text_is_read_as_the_server_wrote_it(server: Server, path: str, text: str) -> None:
    assert call(server, path, {}, method="DELETE") == text


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("/gone", "tool.refused", "The server answered 404 Not Found."),
        ("/broken", "tool.result_invalid", "What the server calls JSON is none."),
        ("/zipped", "tool.result_invalid", "The server compresses what it was asked not to."),
        ("/endless", "tool.result_too_large", "The answer is longer than 1000000 bytes."),
        ("/cut", "tool.unreachable", "The server cannot be asked (IncompleteRead)."),
        ("/noise", "tool.unreachable", "The server cannot be asked (BadStatusLine)."),
        ("/there", "tool.not_allowed", "The server leads to a host that is not allowed."),
        ("/round", "tool.redirected", "The server redirects more than 3 times."),
    ],
)
def test_an_answer_that_is_of_no_use_says_why_in_stable_words(
    server: Server, path: str, code: str, said: str
) -> None:
    with pytest.raises(ToolFailed) as failed:
        call(server, path, {})
    assert failed.value.failure.code == code
    assert failed.value.failure.message.startswith(said)


@pytest.mark.parametrize("item", ["", ".", "..", None])
def test_no_argument_leads_out_of_the_path_of_the_address(server: Server, item: str | None) -> None:
    with pytest.raises(ToolFailed, match="it cannot be empty, one dot or two"):
        call(server, "/json/{item}/x", {"item": item})
    assert server.asked == []


def test_a_redirect_is_followed_within_what_is_allowed(server: Server) -> None:
    assert call(server, "/here", {}) == {"stock": 3}
    with pytest.raises(ToolFailed, match="sends the request elsewhere"):
        call(server, "/here", {}, method="POST")


@pytest.mark.parametrize("charset", ["punycode", "idna", "undefined", "unicode_escape", "zlib"])
def test_a_charset_that_only_python_knows_is_none(server: Server, charset: str) -> None:
    assert caller(server).call(tool(server, f"/called/{charset}"), {}) == "Grüße"


@pytest.mark.feature("MOD-25")
def test_mod_25_a_secret_that_a_server_repeats_is_told_to_nobody(server: Server) -> None:
    allowance = Allowance(hosts=frozenset({server.origin}), secrets={"shop": "127.0.0.1"})
    secret = Secret("Authorization", "Bearer open-sesame")
    asking = HttpCaller(allowance, {"shop": secret})
    told = asking.call(tool(server, "/echo/200", secret="shop"), {})
    assert told == "Bad key: [redacted]"
    with pytest.raises(ToolFailed) as failed:
        asking.call(tool(server, "/echo/401", secret="shop"), {})
    assert failed.value.failure.message == "The server answered 401 Bad key: [redacted]."
    assert server.asked[0]["headers"]["Authorization"] == secret.value


def test_a_secret_is_sent_to_its_own_host_and_not_to_where_that_leads(server: Server) -> None:
    other = Server()
    other.origin = f"http://localhost:{other.port}"
    try:
        asking = caller(server, other, shop="127.0.0.1")
        asking.call(tool(server, f"/other/{other.port}", secret="shop"), {})
        assert server.asked[0]["headers"]["X-Api-Key"] == "open sesame"
        assert other.asked[0]["headers"]["X-Api-Key"] is None
    finally:
        other.close()
    assert "sesame" not in repr(SECRET)


def test_an_answer_that_drips_is_cut_off_when_the_time_is_over(server: Server) -> None:
    with pytest.raises(ToolFailed, match=r"No whole answer came within 0\.2 s") as failed:
        call(server, "/slow", {}, timeout_s=0.2)
    assert failed.value.failure.code == "tool.timeout"


def test_a_server_that_is_not_there_is_a_failure_of_the_tool(server: Server) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        server.origin = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ToolFailed, match="cannot be asked"):
            call(server, "/json", {})


@pytest.mark.feature("MOD-25")
def test_mod_25_a_host_that_is_not_allowed_is_not_asked(server: Server) -> None:
    asking = HttpCaller(Allowance(hosts=frozenset({"*"})), {})
    with pytest.raises(ToolFailed) as failed:
        asking.call(tool(server, "/json"), {})
    assert failed.value.failure.code == "tool.not_allowed"
    inwards = tool(server, "/json", url="https://localhost/json")
    with pytest.raises(ToolFailed, match="that tools may not reach"):
        asking.call(inwards, {})
    assert server.asked == []
