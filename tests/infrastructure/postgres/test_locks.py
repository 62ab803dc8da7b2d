import psycopg
import pytest

from infrastructure.postgres.locks import lock_key, try_lead

pytestmark = pytest.mark.postgres


def test_one_leads_at_a_time_in_each_matter(database: str) -> None:
    with try_lead(database, "projector") or pytest.fail("nobody leads yet") as first:
        assert first.is_held()
        assert try_lead(database, "projector") is None
        with try_lead(database, "sweep") or pytest.fail("another matter") as other:
            assert other.is_held()
    with try_lead(database, "projector") or pytest.fail("the lead is free again") as second:
        assert second.is_held()
        assert not first.is_held()


def test_a_lead_ends_with_its_session_and_its_holder_is_told(database: str) -> None:
    lead = try_lead(database, "projector")
    assert lead is not None
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [lead.connection.info.backend_pid])
    assert not lead.is_held()
    with pytest.raises(psycopg.OperationalError):
        lead.connection.execute("SELECT 'a write of a former leader'")
    with try_lead(database, "projector") or pytest.fail("the lead is free again"):
        lead.release()


def test_names_have_keys_of_their_own_that_fit() -> None:
    keys = {lock_key(f"name {number}") for number in range(1000)}
    assert len(keys) == 1000
    assert all(-(2**63) <= key < 2**63 for key in keys)
