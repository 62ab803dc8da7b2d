"""What a worker asks of the database for each of its sessions."""

from infrastructure.workers.connections import connect


def test_the_server_notices_a_worker_that_lost_its_power(empty_database: str) -> None:
    # Over a Unix socket the values are not in force, but they are on record.
    query = "SELECT reset_val FROM pg_settings WHERE name LIKE 'tcp_keepalives_%' ORDER BY name"
    with connect(empty_database, options="-c synchronous_commit=off") as connection:
        assert connection.execute(query).fetchall() == [("3",), ("5",), ("2",)]
        assert connection.execute("SHOW synchronous_commit").fetchall() == [("off",)]
