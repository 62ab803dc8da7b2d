"""Budgets: what runs may cost."""

from collections.abc import Mapping
from decimal import Decimal

from infrastructure.client.resources import Api, JsonObject, Place


class Budgets(Place):
    """The budgets of the tenant. Amounts are US dollars; text or ``Decimal`` keeps them exact."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, "/v1/budgets")

    def open(
        self,
        hold_usd: Decimal | str,
        *,
        cover: Mapping[str, object] | None = None,
        alert_below_usd: Decimal | str | None = None,
        id: str | None = None,
    ) -> JsonObject:
        """Open one, of which each run sets *hold_usd* aside; see ``grant``.

        *cover* is ``{"kind": "program", "of": id}`` or ``{"kind": "actor", "of": name}``,
        or else all runs.
        """
        alert = None if alert_below_usd is None else str(alert_below_usd)
        return self._create(hold_usd=str(hold_usd), cover=cover, alert_below_usd=alert, id=id)

    def list(self) -> list[JsonObject]:
        """How all of them stand, closed ones last."""
        return list(self._api.get(self._path)["items"])

    def get(self, id: str) -> JsonObject:
        """How one stands."""
        return self._api.get(self._at(id))

    def grant(self, id: str, usd: Decimal | str, reason: str | None = None) -> JsonObject:
        """Put more into one."""
        return self._do(id, "grant", usd=str(usd), reason=reason)

    def revise(
        self, id: str, hold_usd: Decimal | str, *, alert_below_usd: Decimal | str | None = None
    ) -> JsonObject:
        """Change what later runs set aside, and when to tell that little is left."""
        alert = None if alert_below_usd is None else str(alert_below_usd)
        return self._do(id, "revise", hold_usd=str(hold_usd), alert_below_usd=alert)

    def close(self, id: str, reason: str | None = None) -> JsonObject:
        """Have one stop nothing any more, for good."""
        return self._do(id, "close", reason=reason)
