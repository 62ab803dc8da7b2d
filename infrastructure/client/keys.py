"""Keys: who may do what, where access is by keys."""

from collections.abc import Iterator, Sequence

from infrastructure.client.resources import Api, AsOf, JsonObject


class Keys:
    """The keys of the tenant; only an admin may ask."""

    def __init__(self, api: Api) -> None:
        self._api, self._path = api, "/v1/keys"

    def issue(
        self, name: str, roles: Sequence[str], *, expires_in_days: int | None = None
    ) -> JsonObject:
        """Issue a key; ``key`` is its text, which is told this once.

        ``name`` is who acts with it. ``roles`` are viewer, ml_user, ml_engineer, auditor or admin.
        """
        body: dict[str, object] = {"name": name, "roles": list(roles)}
        if expires_in_days is not None:
            body["expires_in_days"] = expires_in_days
        return self._api.post(self._path, body)

    def get(self, id: str, *, as_of: AsOf | None = None) -> JsonObject:
        """Read one, as it is or as it was; its text is nowhere."""
        return self._api.get(f"{self._path}/{id}", as_of=as_of)

    def list(self, **filters: object) -> Iterator[JsonObject]:
        """All of them, newest first; ``revoked=True`` for those that were taken back."""
        return self._api.pages(self._path, **filters)

    def revoke(self, id: str, reason: str | None = None) -> JsonObject:
        """Take one back for good: within 5 s it opens nothing."""
        body = {} if reason is None else {"reason": reason}
        return self._api.post(f"{self._path}/{id}/revoke", body)
