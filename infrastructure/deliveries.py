"""Puts the courier of webhooks together: the log, the secrets, and requests that are guarded."""

import random
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from application.authorization import AS_WORKER
from application.context import Context, within
from application.tool_ports import ToolFailed
from application.webhooks import DisableWebhook
from domain.errors import ConflictError
from domain.kernel import Recorded
from domain.tool.allowance import Allowance
from domain.values import Failure
from domain.webhook.values import NamedSecret
from infrastructure import bootstrap
from infrastructure.postgres.read_store import PostgresReadStore
from infrastructure.system import SystemClock, new_id
from infrastructure.tools.exchange import Asked, exchange
from infrastructure.webhooks.courier import (
    DEADLINE_S,
    Courier,
    DeliveryFailed,
    Sent,
    World,
    retry_after_s,
)
from infrastructure.webhooks.cursors import Cursors
from projections.topics import TopicIsUnknown, matching
from projections.webhooks import Subscription, active_webhooks

EVERY_S: Final = 0.25
"""How often is looked for what is to be delivered: so long, about, an event waits at most."""

_CLOCK: Final = SystemClock()


def courier_of(system: bootstrap.System, store: PostgresReadStore) -> Courier[Subscription]:
    """What delivers the events of *system* to the webhooks in *store*."""
    here = _Here(system, store)
    world = World(
        subscriptions=lambda: active_webhooks(store),
        events=here.events,
        head=system.log.head,
        secret_of=here.secret_of,
        post=Post(system.settings.webhook_allowance),
        give_up=here.give_up,
        cursors=here.cursors,
        clock=_CLOCK,
        chance=random.random,
    )
    return Courier(world)


@dataclass(frozen=True, slots=True)
class Post:
    """Sends what is to be delivered as far as *allowance* lets it, and never on to elsewhere."""

    allowance: Allowance
    timeout_s: float = DEADLINE_S

    def __call__(self, url: str, headers: dict[str, str], body: bytes) -> Sent:
        """What the receiver at *url* answers.

        Raises:
            DeliveryFailed: It may not be asked, cannot be reached, or took too long.
        """
        reach = self.allowance.reach_of(url)
        if reach is None:  # what was allowed when it was subscribed may not be any more
            message = "Nothing is sent to this address: see STRATAL_WEBHOOK_HOSTS."
            raise DeliveryFailed(Failure(code="webhook.not_allowed", message=message))
        until = time.monotonic() + self.timeout_s
        try:
            answered = exchange(
                Asked("POST", url, body), headers, reach, timeout_s=self.timeout_s, until=until
            )
        except ToolFailed as error:
            told = error.failure
            code = f"webhook.{told.code.partition('.')[2]}"
            raise DeliveryFailed(told.model_copy(update={"code": code})) from error
        told_s = retry_after_s(answered.headers.get("Retry-After"), _CLOCK.now())
        return Sent(answered.status, told_s)


@dataclass(frozen=True, slots=True)
class _Here:
    system: bootstrap.System
    store: PostgresReadStore

    def events(
        self, webhook: Subscription, after: int, limit: int, stop: int
    ) -> Sequence[Recorded]:
        topics = [topic for each in webhook.topics for topic in _known(each)]
        if webhook.topics and not topics:
            return []
        log = self.system.log
        return log.events(after, limit, tenant=webhook.tenant, topics=topics, stop=stop)

    def secret_of(self, webhook: Subscription) -> str:
        if isinstance(webhook.secret, NamedSecret):
            found = self.system.settings.signers.get(webhook.secret.name)
            if found is None:
                message = f"There is no secret {webhook.secret.name} on this worker."
                raise DeliveryFailed(Failure(code="webhook.secret_unknown", message=message))
            return found.get_secret_value()
        with within(_context(webhook.tenant)):
            return str(self.system.payloads.get(webhook.secret.text))

    def give_up(self, webhook: Subscription, position: int, tries: int, failure: Failure) -> None:
        command = DisableWebhook(
            webhook_id=webhook.webhook_id, position=position, tries=tries, failure=failure
        )
        try:
            self.system.dispatch(command, _context(webhook.tenant))
        except ConflictError:  # somebody changed it at the same time: it is tried once more
            return

    @contextmanager
    def cursors(self) -> Generator[Cursors, None, None]:
        with self.system.whole.connection() as connection:
            yield Cursors(connection)


def _context(tenant: str) -> Context:
    return Context(
        tenant=tenant,
        actor="courier",
        correlation_id=new_id(),
        command_id=str(new_id()),
        roles=AS_WORKER,
    )


def _known(topic: str) -> Sequence[str]:
    """The topics that *topic* names today; a later release may have none of that name."""
    try:
        return matching([topic])
    except TopicIsUnknown:
        return ()
