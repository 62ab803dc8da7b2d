"""Who uses what, looked up in read models that have seen the whole log."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from application.context import Context, within
from infrastructure.users import LATE_AFTER_S, ProjectedUsers
from projections.kernel import Projection


class Store:
    """A read store without modules; it notes what happens around it."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def rows(
        self, sql: str, params: Mapping[str, object], *, of: type[Projection] | None = None
    ) -> Sequence[Mapping[str, object]]:
        self.told.append(params["tenant"])
        return []

    def wait_for(self, position: int, timeout_s: float) -> None:
        self.told.append((position, timeout_s))


def test_modules_are_looked_up_once_the_read_models_have_seen_the_whole_log() -> None:
    store = Store()
    users = ProjectedUsers(store, lambda: 42, store.wait_for)
    with within(Context(tenant="acme", actor="ada", correlation_id=UUID(int=1))):
        assert users.modules_of(UUID(int=7)) == ()
    assert store.told == [(42, LATE_AFTER_S), "acme"]
