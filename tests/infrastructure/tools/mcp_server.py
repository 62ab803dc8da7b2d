"""A small MCP server over lines, for the tests: ``python mcp_server.py``."""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def text(said: str, **more: object) -> dict[str, Any]:
    return {"result": {"content": [{"type": "text", "text": said}], **more}}


def asks() -> dict[str, Any]:
    say(json.dumps({"jsonrpc": "2.0", "id": "mine", "method": "roots/list"}))
    say(json.dumps({"jsonrpc": "2.0", "method": "notifications/message"}))
    return text(sys.stdin.readline())


def many() -> dict[str, Any]:
    parts = [{"type": "text", "text": "a"}, {"type": "image", "data": "…"}]
    return {"result": {"content": parts}}


def answer(name: str, arguments: Any) -> dict[str, Any]:
    if name == "echo":
        return text(json.dumps(arguments))
    made: dict[str, Callable[[], Any]] = {
        "pid": lambda: text(str(os.getpid())),
        "environment": lambda: text("", structuredContent={"names": sorted(os.environ)}),
        "many": many,
        "asks": asks,
        "breaks": lambda: text("It is\nbroken.", isError=True),
        "dies": lambda: sys.exit(3),
        "sleeps": lambda: time.sleep(60),
    }
    unknown: dict[str, Any] = {"error": {"code": -32602, "message": f"Unknown tool {name}"}}
    given: dict[str, Any] = made[name]() if name in made else unknown
    return given


for line in sys.stdin:
    asked = json.loads(line)
    reply: dict[str, Any] = {"jsonrpc": "2.0", "id": asked.get("id")}
    if asked["method"] == "initialize":
        reply |= {"result": {"protocolVersion": "2025-06-18", "capabilities": {}}}
        say(json.dumps(reply))
    elif asked["method"] == "tools/call":
        name = asked["params"]["name"]
        if name in ("noise", "list"):
            say("this is no JSON" if name == "noise" else "[1]")
        else:
            say(json.dumps(reply | answer(name, asked["params"]["arguments"])))
