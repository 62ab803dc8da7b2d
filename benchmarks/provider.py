"""A fake OpenAI-compatible provider on loopback that answers at once.

``python -m benchmarks.provider`` prints its address, then serves until it is ended.
"""

import asyncio
import itertools

from aiohttp import web

ANSWER = "[[ ## answer ## ]]\nforty-two\n\n[[ ## completed ## ]]\n"
_numbers = itertools.count(1)


async def complete(request: web.Request) -> web.Response:
    body = await request.json()
    return web.json_response(
        {
            "id": f"chatcmpl-{next(_numbers)}",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": ANSWER},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 120, "completion_tokens": 12, "total_tokens": 132},
        }
    )


async def main() -> None:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}/v1", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
