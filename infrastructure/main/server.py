"""The HTTP server of the API process: it ends its open streams before it waits for requests."""

import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

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

    def serve_until_stopped(self) -> None:
        """Serve until SIGTERM or Ctrl-C.

        Raises:
            SystemExit: It could not begin; the log says why.
        """
        with suppress(KeyboardInterrupt):  # uvicorn raises the signal again once it has ended
            self.run()
        if not self.started:
            raise SystemExit(_STARTUP_FAILED)
