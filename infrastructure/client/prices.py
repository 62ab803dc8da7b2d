"""Prices: what models cost, from when on."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from infrastructure.client.resources import Api, JsonObject, Place

Usd = Decimal | str
"""US dollars for a million tokens; text or ``Decimal`` keeps them exact."""


class Prices(Place):
    """The price book of the tenant."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, "/v1/prices")

    def set(
        self,
        model: str,
        input_usd: Usd,
        output_usd: Usd,
        *,
        cached_input_usd: Usd | None = None,
        reasoning_usd: Usd | None = None,
        valid_from: datetime | str | None = None,
        reason: str | None = None,
    ) -> JsonObject:
        """Have calls of *model* cost that, from *valid_from* or from now on.

        Cached tokens cost as input, and reasoning tokens as output, if not said otherwise.
        """
        rates = {
            "input_usd": str(input_usd),
            "output_usd": str(output_usd),
            "cached_input_usd": None if cached_input_usd is None else str(cached_input_usd),
            "reasoning_usd": None if reasoning_usd is None else str(reasoning_usd),
        }
        since = _written(valid_from)
        return self._create(model=model, rates=rates, valid_from=since, reason=reason)

    def withdraw(
        self, model: str, *, valid_from: datetime | str | None = None, reason: str | None = None
    ) -> JsonObject:
        """Let the book say nothing of *model*, from *valid_from* or from now on."""
        body = {"model": model, "valid_from": _written(valid_from), "reason": reason}
        told = {name: value for name, value in body.items() if value is not None}
        return self._api.post(f"{self._path}/withdraw", told)

    def list(self, **filters: object) -> Iterator[JsonObject]:
        """The book, model by model; with ``as_of``, as it was."""
        return self._api.pages(self._path, **filters)


def _written(moment: datetime | str | None) -> str | None:
    return moment.isoformat() if isinstance(moment, datetime) else moment
