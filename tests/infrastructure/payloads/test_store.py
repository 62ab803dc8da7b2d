from collections.abc import Iterator

import psycopg
import pytest

from application.context import within
from application.errors import StoreIsUnavailable
from application.payloads import Payload
from application.ports import PayloadStore
from infrastructure.payloads.store import (
    PayloadIsDamaged,
    PostgresPayloadStore,
    insert_payloads,
)
from infrastructure.postgres.pool import Pool, open_pool
from tests.contracts.payload_store import Keep, PayloadStoreContract, on_behalf_of
from tests.support.payloads import MemoryPayloads
from tests.support.postgres import owner_of


@pytest.fixture
def pool(database: str) -> Iterator[Pool]:
    with open_pool(database, min_size=1, max_size=2, name="test") as opened:
        yield opened


class TestMemoryPayloads(PayloadStoreContract):
    @pytest.fixture
    def memory(self) -> MemoryPayloads:
        return MemoryPayloads()

    @pytest.fixture
    def keep(self, memory: MemoryPayloads) -> Keep:
        return memory.keep

    @pytest.fixture
    def store(self, memory: MemoryPayloads) -> PayloadStore:
        return memory


@pytest.mark.postgres
class TestPostgresPayloadStore(PayloadStoreContract):
    @pytest.fixture
    def keep(self, pool: Pool) -> Keep:
        def keep(tenant: str, payloads: list[Payload]) -> None:
            with pool.connection() as connection, connection.cursor() as cursor:
                insert_payloads(cursor, tenant, payloads)

        return keep

    @pytest.fixture
    def store(self, pool: Pool) -> PayloadStore:
        return PostgresPayloadStore(pool)

    def test_nothing_is_kept_when_the_append_is_rolled_back(
        self, pool: Pool, database: str
    ) -> None:
        payload = Payload.of("half an append")
        with pool.connection() as connection, connection.transaction(force_rollback=True):
            insert_payloads(connection.cursor(), "acme", [payload])
        with psycopg.connect(database) as connection:
            assert connection.execute("SELECT count(*) FROM stratal.payloads").fetchone() == (0,)

    def test_subject_and_size_are_stored_beside_the_text(self, keep: Keep, database: str) -> None:
        payload = Payload.of("Ada's letter", subject="ada")
        keep("acme", [payload])
        with psycopg.connect(database) as connection:
            row = connection.execute("SELECT subject, size_bytes FROM stratal.payloads").fetchone()
        assert row == ("ada", len('"Ada\'s letter"'))

    def test_prompts_take_a_fraction_of_their_size(self, keep: Keep, database: str) -> None:
        keep("acme", [Payload.of({"prompt": "Sort this message into a queue. " * 40})])
        with psycopg.connect(database) as connection:
            row = connection.execute(
                "SELECT size_bytes, length(body) FROM stratal.payloads"
            ).fetchone()
        assert row is not None
        assert row[1] < row[0] / 4

    @pytest.mark.parametrize(
        "body", [b"other bytes", b"\x28\xb5\x2f\xfd broken", b""], ids=["swapped", "zstd", "empty"]
    )
    @pytest.mark.parametrize("text", ["short", "long " * 200])
    def test_a_text_changed_in_the_database_is_not_served(
        self, keep: Keep, store: PayloadStore, database: str, text: str, body: bytes
    ) -> None:
        payload = Payload.of(text)
        keep("acme", [payload])
        with psycopg.connect(owner_of(database)) as connection:
            connection.execute("UPDATE stratal.payloads SET body = %s", [body])
        with within(on_behalf_of("acme")), pytest.raises(PayloadIsDamaged):
            store.get(payload.ref)


@pytest.mark.postgres
def test_a_database_that_is_away_is_said_to_be_away(pool: Pool) -> None:
    store, payload = PostgresPayloadStore(pool), Payload.of("text")
    pool.close()
    with within(on_behalf_of("acme")), pytest.raises(StoreIsUnavailable):
        store.get(payload.ref)
