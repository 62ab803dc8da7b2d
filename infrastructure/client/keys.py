"""Keys: who may do what, where access is by keys."""

from collections.abc import Sequence

from infrastructure.client.resources import Api, JsonObject, Resource


class Keys(Resource):
    """The keys of the tenant; only an admin may ask. ``revoked=True`` lists those taken back."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, "/v1/keys")

    def issue(
        self, name: str, roles: Sequence[str], *, expires_in_days: int | None = None
    ) -> JsonObject:
        """Issue a key; ``key`` is its text, which is told this once.

        ``name`` is who acts with it. ``roles`` are viewer, ml_user, ml_engineer, auditor or admin.
        """
        return self._create(name=name, roles=list(roles), expires_in_days=expires_in_days)

    def revoke(self, id: str, reason: str | None = None) -> JsonObject:
        """Take one back for good: within 5 s it opens nothing."""
        return self._do(id, "revoke", reason=reason)
