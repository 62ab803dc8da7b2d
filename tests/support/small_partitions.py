"""A log whose partitions are small, so that a few events reach over many."""

import psycopg


def make_small_partitions(owner: str, *, width: int, count: int) -> None:
    """Replace the partitions of the empty log at *owner* by *count* of *width* positions each."""
    with psycopg.connect(owner, autocommit=True) as connection:
        parts = connection.execute("SELECT table_name FROM stratal.partitions").fetchall()
        for (name,) in parts:
            connection.execute(
                psycopg.sql.SQL("DROP TABLE stratal.{}").format(psycopg.sql.Identifier(name))
            )
        connection.execute("DELETE FROM stratal.partitions")
        for number in range(count):
            connection.execute(
                "SELECT stratal.make_partition(%s, %s)",
                [number * width + 1, (number + 1) * width],
            )
