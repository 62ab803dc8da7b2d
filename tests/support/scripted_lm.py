"""An OpenAI-compatible model server on the loopback: it answers as told and counts its calls.

Inside a test: ``with ScriptedLmServer() as server: ...``. As a process of its own:
``python -m tests.support.scripted_lm --port 0 --latency-ms 5`` prints its address; then
``GET /calls`` tells the count and ``POST /script`` (the fields of ``Script``) changes what it does.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from infrastructure.models.answers import answer_text


@dataclass(slots=True)
class Error:
    """An HTTP error of the provider; *times* says for how many calls."""

    status: int
    message: str = "The script says so."
    times: int = 1
    retry_after_s: float | None = None


@dataclass(slots=True)
class Script:
    """What the server does: it waits, fails while errors are left, then answers.

    ``replies`` are pairs of a text to look for in the last message and the fields to answer with.
    A stream comes in pieces of four characters. After ``stops_after`` of them, and for as long as
    that is so, it only says that it lives; ``breaks_after`` so many it ends, which happens once.
    """

    latency_ms: float = 0
    errors: list[Error] = field(default_factory=list)
    replies: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    prompt_tokens: int = 100
    completion_tokens: int = 20
    stops_after: int | None = None
    breaks_after: int | None = None


class ScriptedLm:
    """The server's state and its answers."""

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or Script()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.calls = 0
        self.keep_bodies = True

    def application(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_get("/calls", self._count)
        app.router.add_post("/script", self._change)
        return app

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.calls += 1
        if self.keep_bodies:
            self.bodies.append(body)
            self.headers.append(dict(request.headers))
        if self.script.latency_ms:
            await asyncio.sleep(self.script.latency_ms / 1000)
        if self.script.errors:
            return self._failed()
        if body.get("stream"):
            return await self._streamed(request, self._answer(body))
        return web.json_response(self._answer(body))

    async def _streamed(self, request: web.Request, answer: dict[str, Any]) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await reply.prepare(request)
        told = {**answer, "object": "chat.completion.chunk", "usage": None}
        text = answer["choices"][0]["message"]["content"]
        for number, at in enumerate(range(0, len(text), 4)):
            while self.script.stops_after == number:
                await reply.write(b": still here\n\n")
                await asyncio.sleep(0.01)
            if self.script.breaks_after == number:
                self.script.breaks_after = None
                return reply
            choice = {"index": 0, "delta": {"content": text[at : at + 4]}, "finish_reason": None}
            await _say(reply, {**told, "choices": [choice]})
        await _say(reply, {**told, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        await _say(reply, {**told, "choices": [], "usage": answer["usage"]})
        await reply.write(b"data: [DONE]\n\n")
        return reply

    def _failed(self) -> web.Response:
        error = self.script.errors[0]
        error.times -= 1
        if error.times <= 0:
            self.script.errors.pop(0)
        headers = {}
        if error.retry_after_s is not None:
            headers["Retry-After"] = str(error.retry_after_s)
        content = {"error": {"message": error.message, "type": "scripted", "code": None}}
        return web.json_response(content, status=error.status, headers=headers)

    def _answer(self, body: dict[str, Any]) -> dict[str, Any]:
        last = str(body["messages"][-1]["content"])
        reply = next((fields for text, fields in self.script.replies if text in last), {})
        seed = hashlib.sha256(repr(sorted(body.items())).encode()).hexdigest()
        message = {"role": "assistant", "content": answer_text(last, reply, seed=seed)}
        taken, given = self.script.prompt_tokens, self.script.completion_tokens
        return {
            "id": f"chatcmpl-{seed[:12]}",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {
                "prompt_tokens": taken,
                "completion_tokens": given,
                "total_tokens": taken + given,
            },
        }

    async def _count(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"calls": self.calls})

    async def _change(self, request: web.Request) -> web.Response:
        told = await request.json()
        errors = [Error(**each) for each in told.pop("errors", [])]
        replies = [(text, fields) for text, fields in told.pop("replies", [])]
        self.script = Script(errors=errors, replies=replies, **told)
        return web.json_response({})


async def _say(reply: web.StreamResponse, content: dict[str, Any]) -> None:
    await reply.write(b"data: " + json.dumps(content).encode() + b"\n\n")


class ScriptedLmServer(ScriptedLm):
    """The server in a thread of this process, while the ``with`` block runs."""

    url: str

    def __enter__(self) -> Self:
        self._stack = contextlib.ExitStack()
        self.url = self._stack.enter_context(_running(self))
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()


@contextlib.contextmanager
def _running(server: ScriptedLm) -> Iterator[str]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = web.AppRunner(server.application(), handle_signals=False)
    try:
        port = asyncio.run_coroutine_threadsafe(_started(runner, 0), loop).result(10)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _started(runner: web.AppRunner, port: int) -> int:
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
    await site.start()
    bound: int = runner.addresses[0][1]
    return bound


async def _serve(server: ScriptedLm, port: int) -> None:
    runner = web.AppRunner(server.application())
    try:
        bound = await _started(runner, port)
        print(f"http://127.0.0.1:{bound}/v1", flush=True)  # noqa: T201 - the address is the output
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=0)
    options = parser.parse_args()
    server = ScriptedLm(Script(latency_ms=options.latency_ms))
    server.keep_bodies = False
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(server, options.port))


if __name__ == "__main__":
    main()
