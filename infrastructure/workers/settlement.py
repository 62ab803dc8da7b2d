"""What becomes of a job that was tried: done, tried again, or given up; over every broker."""

import logging
import threading
from math import ceil
from typing import cast

import psycopg
from dramatiq import Actor, Broker, Middleware
from dramatiq.broker import MessageProxy
from dramatiq.middleware import SkipMessage

from application.attempts import ComeBackLater
from application.errors import ConcurrentWrite, StoreIsUnavailable
from infrastructure.workers.broker import ClaimedMessage
from infrastructure.workers.jobs import JobIsUnreadable
from infrastructure.workers.table import Claim, JobTable

logger = logging.getLogger(__name__)

OBSTACLES = (StoreIsUnavailable, ConcurrentWrite)
"""What is no fault of a job: it is tried again for as long as that stands in its way."""

BACKOFF_MS = 500
BACKOFF_MAX_MS = 30_000


class JobHandedBack(BaseException):
    """The worker stops first. Another one takes the job at once, and no try is counted."""


class Settlement(Middleware):
    """Writes the outcome of each job into the table, in place of Dramatiq's own retries.

    Those would keep a second truth in the message and lose it when the broker is away.
    """

    def __init__(self, table: JobTable) -> None:
        self._table = table
        self._local = threading.local()

    @property
    def actor_options(self) -> set[str]:
        """The options of an actor that are ours, as Dramatiq's own retries had them."""
        return {"max_retries", "throws"}

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Make sure the job is ours alone.

        Raises:
            SkipMessage: It is done, or somebody has it, or the database cannot tell: a relay sends
                again what stays in the table.
        """
        del broker
        self._local.claim = self._claim(message)

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        del result
        claim = cast(Claim, self._local.claim)
        if exception is None:
            self._table.done(claim)
        elif isinstance(exception, JobHandedBack):
            self._table.again(claim, delay_ms=0)
        elif isinstance(exception, ComeBackLater):
            self._table.again(claim, delay_ms=ceil(exception.after_s * 1000))
        elif self._is_hopeless(broker, message, claim, exception):
            logger.error("%s %s is given up.", message.actor_name, claim.message_id)
            self._table.dead(claim, _sentence(exception))
        else:
            delay_ms = min(BACKOFF_MS * 4**claim.tries, BACKOFF_MAX_MS)
            self._table.again(claim, delay_ms=delay_ms, error=_sentence(exception))

    def after_nack(self, broker: Broker, message: MessageProxy) -> None:
        """Give up what no actor of this version carries out."""
        del broker
        error = f"No lane carries {message.actor_name}."
        if isinstance(message, ClaimedMessage):
            self._table.dead(message.claim, error)
        else:
            self._table.bury(message.message_id, error)

    def _claim(self, message: MessageProxy) -> Claim:
        if isinstance(message, ClaimedMessage):
            return message.claim
        try:
            claim = self._table.take(message.message_id)
        except psycopg.OperationalError as error:
            raise SkipMessage("The table of jobs is away.") from error
        if claim is None:
            raise SkipMessage("The job is done, or somebody has it.")
        return claim

    def _is_hopeless(
        self, broker: Broker, message: MessageProxy, claim: Claim, exception: BaseException
    ) -> bool:
        actor = cast(Actor[..., None], broker.get_actor(message.actor_name))  # pyright: ignore[reportUnknownMemberType] # Dramatiq leaves it open
        retries: int = actor.options["max_retries"]
        is_used_up = claim.tries >= retries and not isinstance(exception, OBSTACLES)
        return is_used_up or isinstance(exception, JobIsUnreadable)


def _sentence(exception: BaseException) -> str:
    return f"{type(exception).__name__}: {exception}"
