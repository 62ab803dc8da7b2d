"""Actors carry commands to the bus; they hold no logic of their own."""

from collections.abc import Callable

import dramatiq
from dramatiq import Broker
from pydantic import JsonValue

from application.attempts import ComeBackLater
from application.commands import Command
from infrastructure.workers.jobs import Job, Lane, Lanes
from infrastructure.workers.settlement import JobHandedBack

Carry = Callable[[Job], None]


def declare(broker: Broker, lanes: Lanes, *, here: Carry, apart: Carry) -> None:
    """Declare an actor for each command, named after it; isolated lanes are carried *apart*."""
    for command, lane in lanes.items():
        _declare(broker, command, lane, apart if lane.isolated else here)


def _declare(broker: Broker, command: type[Command], lane: Lane, carry: Carry) -> None:
    @dramatiq.actor(
        broker=broker,
        actor_name=command.__name__,
        queue_name=lane.queue,
        time_limit=lane.time_limit_ms,
        max_retries=lane.max_retries,
        throws=(JobHandedBack, ComeBackLater),  # these are no faults to be traced
    )
    def carry_out(id: str, body: JsonValue, context: JsonValue) -> None:
        carry(Job.read(command, id=id, body=body, context=context))
