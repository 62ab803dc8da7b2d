"""The models that a tenant's providers and routes offer, and what is on record of them."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from application.circuits import Circuits
from application.context import current
from application.errors import ProjectionIsLate
from application.models import Models, ProviderModels
from application.pricing import PriceBook
from application.routed import ModelRecord, RoutedModels
from domain.provider.aggregate import DefaultProvider, Provider
from domain.route.aggregate import Route
from infrastructure.eventstore.receipts import PostgresNames
from infrastructure.eventstore.repository import EventLog, EventSourcedRepository
from infrastructure.postgres.read_store import PostgresReadStore
from infrastructure.settings import Settings
from infrastructure.system import SystemClock
from projections.kernel import ReadStore
from projections.lm_usage import lm_usage_total
from projections.registry import PROJECTIONS

_LOOKED_BACK: Final = timedelta(days=1)
"""Of late is today and yesterday, in UTC."""


def offered_models(
    settings: Settings, log: EventLog, prices: PriceBook, circuits: Circuits
) -> Models:
    """The models of the tenants' providers; their keys are in the environment of this process."""
    names, clock = PostgresNames(log.receipts.recorder), SystemClock()
    store = PostgresReadStore(log.receipts.recorder.pool, PROJECTIONS)
    return RoutedModels(
        ProviderModels(
            EventSourcedRepository(log, Provider),
            EventSourcedRepository(log, DefaultProvider),
            names,
            settings.provider_allowance,
            key_in=os.environ.get,
            monotonic=time.monotonic,
        ),
        EventSourcedRepository(log, Route),
        names,
        prices,
        ProjectedModelRecords(store, clock.now),
        circuits,
        clock=clock,
        monotonic=time.monotonic,
    )


@dataclass(frozen=True, slots=True)
class ProjectedModelRecords:
    """``application.routed.ModelRecords`` over *store*, as far as that has followed the log."""

    store: ReadStore
    now: Callable[[], datetime]

    def of(self, called: str) -> ModelRecord:
        tenant, since = current().tenant, self._since()
        try:
            sums = lm_usage_total(self.store, tenant=tenant, since=since, model=called)
        except ProjectionIsLate:  # it is made for the first time: nothing is known yet
            return ModelRecord()
        latency_ms = sums.average_latency_ms if sums.calls else None
        return ModelRecord(sums.calls, sums.failed_calls, latency_ms)

    def _since(self) -> date:
        return (self.now() - _LOOKED_BACK).date()
