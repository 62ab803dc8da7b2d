"""An API world served over a socket, with a worker that works whenever somebody looks."""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import uvicorn

from infrastructure.client import Stratal
from tests.support.api import ApiWorld, FakeLag


@contextmanager
def served(world: ApiWorld) -> Generator[str, None, None]:
    """The address at which *world* is served during the block."""
    world.lags = lambda: [FakeLag(position=len(world.log.recorded), head=len(world.log.recorded))]
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(world.app(), log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


class Watching(Stratal):
    """A client before whose every read the world's worker has done what is due."""

    def __init__(self, url: str, world: ApiWorld, *, tenant: str, actor: str) -> None:
        super().__init__(url, tenant, actor)
        self._world = world

    def get(self, path: str, **query: object) -> dict[str, Any]:
        if self._world.has_worker:
            self._world.work()
        return super().get(path, **query)
