"""MCP servers, over lines and over HTTP: what they give, and what becomes of their faults."""

import http.server
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from application.tool_ports import ToolFailed
from domain.tool.allowance import Allowance
from domain.tool.values import McpTool
from infrastructure.tools.mcp import AddressServer, McpServer, ProcessServer
from infrastructure.tools.toolbox import WorkerToolbox

SCRIPT = Path(__file__).with_name("mcp_server.py")


def tool(name: str) -> McpTool:
    return McpTool(name="files", description="Files.", server="files", tool=name)


def call(server: McpServer, name: str, **arguments: JsonValue) -> JsonValue:
    box = WorkerToolbox(Allowance(servers=frozenset({"files"})), servers={"files": server})
    return box.call(tool(name), arguments)


def failure(server: McpServer, name: str) -> tuple[str, str]:
    with pytest.raises(ToolFailed) as failed:
        call(server, name)
    return failed.value.failure.code, failed.value.failure.message


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessServer]:
    monkeypatch.setenv("STRATAL_LM_API_KEY", "sk-secret")
    server = ProcessServer((sys.executable, str(SCRIPT)), {"TOKEN": "x"}, timeout_s=20)
    yield server
    server.close()


def test_a_process_is_asked_with_arguments_and_gives_text(process: ProcessServer) -> None:
    assert call(process, "echo", path="a.txt") == '{"path": "a.txt"}'
    assert call(process, "many") == ["a", "(image that is no text)"]


def test_a_process_is_started_once_and_knows_nothing_of_the_service(
    process: ProcessServer,
) -> None:
    assert call(process, "pid") == call(process, "pid")
    known: Any = call(process, "environment")
    assert "TOKEN" in known["names"]
    assert not [name for name in known["names"] if name.startswith("STRATAL_")]


def test_a_process_that_asks_back_is_told_that_nothing_is_offered(process: ProcessServer) -> None:
    told = json.loads(str(call(process, "asks")))
    assert (told["id"], told["error"]["code"]) == ("mine", -32601)


@pytest.mark.parametrize(
    ("name", "failed"),
    [
        ("breaks", ("tool.failed", "The tool failed: It is")),
        ("absent", ("tool.refused", "The server refused: Unknown tool absent")),
        ("dies", ("tool.unreachable", "The server files cannot be asked (EOFError).")),
        ("noise", ("tool.unreachable", "The server files cannot be asked (JSONDecodeError).")),
        ("list", ("tool.unreachable", "The server files cannot be asked (ValueError).")),
    ],
)
def test_a_fault_of_a_process_is_told_and_the_next_call_works(
    process: ProcessServer, name: str, failed: tuple[str, str]
) -> None:
    assert failure(process, name) == failed
    assert call(process, "echo") == "{}"


def test_a_process_that_is_silent_is_ended() -> None:
    server = ProcessServer((sys.executable, str(SCRIPT)), {}, timeout_s=1.5)
    assert failure(server, "sleeps") == (
        "tool.timeout",
        "The server files did not answer within 1.5 s.",
    )
    server.close()


GREETS = """
import json, subprocess, sys, time
sys.stdin.readline()
print(json.dumps({"id": 1, "result": {}}), flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize(
    "then",
    [
        "time.sleep(60)",
        "while True: print('{}')",
        "while True: print(json.dumps({'id': 7, 'method': 'ping'}))",
        "subprocess.run(['sleep', '60'])",
    ],
    ids=["reads nothing", "says too much", "asks too much", "has a child"],
)
def test_a_process_holds_nobody_up_whatever_it_does(then: str) -> None:
    server = ProcessServer((sys.executable, "-c", GREETS + then), {}, timeout_s=1)
    with pytest.raises(ToolFailed) as timed_out:
        call(server, "echo", text="x" * 1_000_000)
    assert timed_out.value.failure.code == "tool.timeout"
    server.close()


def test_what_nests_too_deep_to_be_read_ends_the_process() -> None:
    then = "sys.stdin.readline()\nprint('[' * 100_000, flush=True)\ntime.sleep(60)"
    server = ProcessServer((sys.executable, "-c", GREETS + then), {}, timeout_s=20)
    assert failure(server, "echo")[1] == "The server files cannot be asked (RecursionError)."
    assert server._process is None


def test_a_command_that_is_not_there_is_a_failure_of_the_tool() -> None:
    code, message = failure(ProcessServer(("/no/such/command",), {}), "echo")
    assert (code, message) == (
        "tool.unreachable",
        "The server files cannot be asked (FileNotFoundError).",
    )


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as a server of streamable HTTP does; the name of the tool says in which form."""

    asked: list[tuple[str, Any]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((body["method"], self.headers))
        if body["method"] == "initialize":
            self._send(json.dumps({"id": body["id"], "result": {}}), "application/json")
        elif "id" not in body:
            self._send("", "text/plain", status=202)
        else:
            self._call(body["params"]["name"], body["id"])

    def _call(self, name: str, id: int) -> None:
        result = {"content": [{"type": "text", "text": name}]}
        message = json.dumps({"id": id, "result": result})
        match name:
            case "json":
                self._send(message, "application/json")
            case "stream":
                other = 'event: message\ndata: {"method": "notifications/progress"}\n\n: ping\n\n'
                self._send(f"{other}data: {message}\r\n\r\n", "text/event-stream")
            case "nothing":
                self._send("data: no JSON\n\n", "text/event-stream")
            case "other":
                self._send(json.dumps({"id": 99, "result": result}), "application/json")
            case _:
                self._send(message, "application/json", status=500)

    def _send(self, body: str, kind: str, *, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Mcp-Session-Id", "session-1")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


@pytest.fixture
def asked() -> list[tuple[str, Any]]:
    return []


@pytest.fixture
def address(asked: list[tuple[str, Any]]) -> Iterator[AddressServer]:
    handler = type("Bound", (Handler,), {"asked": asked})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}/mcp"
    yield AddressServer(url, {"Authorization": "Bearer x"})
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("form", ["json", "stream"])
def test_an_address_is_greeted_and_asked_in_one_session(
    address: AddressServer, asked: list[tuple[str, Any]], form: str
) -> None:
    assert call(address, form) == form
    assert [method for method, _ in asked] == [
        "initialize",
        "notifications/initialized",
        "tools/call",
    ]
    sessions = [headers["Mcp-Session-Id"] for _, headers in asked]
    assert sessions == [None, "session-1", "session-1"]
    assert all(headers["Authorization"] == "Bearer x" for _, headers in asked)


@pytest.mark.parametrize(
    ("name", "failed"),
    [
        ("nothing", ("tool.result_invalid", "The server gave no answer to the call.")),
        ("other", ("tool.result_invalid", "The server gave no answer to the call.")),
        ("broken", ("tool.refused", "The server answered 500.")),
    ],
)
def test_an_address_that_gives_no_answer_is_a_failure_of_the_tool(
    address: AddressServer, name: str, failed: tuple[str, str]
) -> None:
    assert failure(address, name) == failed
