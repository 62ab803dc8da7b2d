"""The HTTP server of the API process: it ends its open streams before it waits for requests."""

import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress

import uvicorn

from infrastructure.main.address import url_of

logger = logging.getLogger("stratal.api")

_STARTUP_FAILED = 3
"""What uvicorn's own command exits with when it cannot serve, such as for a port in use."""


class Server(uvicorn.Server):
    """A server that calls *ending* as soon as it is told to stop.

    Uvicorn asks connections to end when they have answered. A stream never has: without a word to
    it every stop would take the whole grace period and cut the streams off.
    """

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then everything else."""
        self._ending()
        await super().shutdown(sockets)

    def _log_started_message(self, listeners: Sequence[socket.SocketType]) -> None:
        """Say where it listens; how it is stopped, whoever started it knows."""
        logger.info("listening on %s", url_of(self.config.host, listeners[0].getsockname()[1]))

    def serve_until_stopped(self) -> None:
        """Serve until SIGTERM or Ctrl-C.

        Raises:
            SystemExit: It could not begin; the log says why.
        """
        with suppress(KeyboardInterrupt):  # uvicorn raises the signal again once it has ended
            self.run()
        if not self.started:
            raise SystemExit(_STARTUP_FAILED)
