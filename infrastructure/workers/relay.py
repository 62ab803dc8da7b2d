"""Sends due jobs on to Redis or RabbitMQ. The rows stay in the table until they are settled.

So the broker only carries: what it loses is sent again, what it doubles is refused by the claim,
and a dead worker is noticed by the table, long before the broker would.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import LiteralString
from urllib.parse import urlsplit

from dramatiq import Broker, Message, Middleware
from psycopg import Connection

from infrastructure.workers.jobs import JobIsUnreadable, decoded
from infrastructure.workers.table import JobTable

BATCH = 200

RELAY_EVERY_S = 0.5
"""How often to look for jobs whose delay is over; new ones wake the relay at once."""

RESEND_S = 10
"""A job that no worker took in this time is sent again, each time after twice as long."""

IDLE_MS = 200
"""How long an idle thread sleeps before it looks whether it should stop; work wakes it at once."""
REDIS_IDLE_MS = 20
"""But Redis is polled, so this is what a job waits. The default costs half a second in the tail."""
REDIS_MAINTENANCE_CHANCE = 20_000
"""In a million. The default leaves messages of dead workers lying for a quarter of an hour."""

_DUE: LiteralString = """
SELECT message_id, queue, message FROM stratal.jobs
WHERE queue = ANY(%s) AND owner IS NULL AND dead_at IS NULL AND run_at <= now()
  AND NOT EXISTS (SELECT FROM stratal.paused_queues AS paused WHERE paused.queue = jobs.queue)
ORDER BY run_at, id LIMIT %s"""

_SENT: LiteralString = """
UPDATE stratal.jobs SET sends = sends + 1,
  run_at = now() + %s * power(2, least(sends, 8)) * interval '1 s'
WHERE message_id = ANY(%s) AND owner IS NULL"""


class BrokerIsUnknown(ValueError):
    """The URL names no broker that Stratal can use."""


def carrier_broker(url: str, middleware: list[Middleware]) -> Broker:
    """The broker at *url*: ``redis://``, ``rediss://``, ``amqp://`` or ``amqps://``.

    Raises:
        BrokerIsUnknown: It is another kind of address.
    """
    make = _BROKERS.get(urlsplit(url).scheme)
    if make is None:
        raise BrokerIsUnknown(
            f"No broker speaks {urlsplit(url).scheme!r}. "
            "Use redis:// or amqp://, or none for Postgres."
        )
    return make(url, middleware)


def idle_ms(url: str | None) -> int:
    """How long the threads of a worker over *url* may sleep."""
    return REDIS_IDLE_MS if urlsplit(url or "").scheme in ("redis", "rediss") else IDLE_MS


def _redis(url: str, middleware: list[Middleware]) -> Broker:
    from dramatiq.brokers.redis import RedisBroker  # noqa: PLC0415 - only who uses it pays for it

    class ClosableRedisBroker(RedisBroker):
        def close(self) -> None:
            self.client.close()  # pyright: ignore[reportUnknownMemberType] # as above

    return ClosableRedisBroker(  # type: ignore[no-untyped-call] # Dramatiq leaves it so
        url=url,
        middleware=middleware,
        namespace="stratal",
        maintenance_chance=REDIS_MAINTENANCE_CHANCE,
    )


def _rabbitmq(url: str, middleware: list[Middleware]) -> Broker:
    from dramatiq.brokers.rabbitmq import (  # noqa: PLC0415 - only who uses it pays for it
        RabbitmqBroker,
    )

    return RabbitmqBroker(url=url, middleware=middleware, confirm_delivery=True)


_BROKERS: Mapping[str, Callable[[str, list[Middleware]], Broker]] = MappingProxyType(
    {"redis": _redis, "rediss": _redis, "amqp": _rabbitmq, "amqps": _rabbitmq}
)


class Relay:
    """Moves what is due to the broker of its queue, at least once; ``Leading`` runs one."""

    def __init__(self, brokers: Mapping[str, Broker], table: JobTable) -> None:
        self._brokers = brokers
        self._table = table

    def __call__(self, connection: Connection) -> None:
        """Send all that is due.

        Raises:
            Exception: Whatever the broker's client raises while it is away; nothing is lost.
        """
        while rows := connection.execute(_DUE, [list(self._brokers), BATCH]).fetchall():
            for message_id, queue, message in rows:
                try:
                    self._send(queue, decoded(message))
                except JobIsUnreadable as error:
                    self._table.bury(message_id, str(error))
            connection.execute(_SENT, [RESEND_S, [message_id for message_id, _, _ in rows]])

    def _send(self, queue: str, message: "Message[None]") -> None:
        self._brokers[queue].enqueue(message)  # pyright: ignore[reportUnknownMemberType] # Dramatiq leaves it open
