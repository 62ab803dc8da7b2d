"""What a database says of a table, to the role that asks."""

from collections.abc import Iterator

import psycopg
import pytest

from domain.signature.from_table import Table, from_table
from domain.signature.syntax import render
from infrastructure.postgres.tables import DatabaseIsUnreachable, TableIsUnknown, described
from tests.support.postgres import copy_of, owner_of

TABLES = """
    CREATE SCHEMA blog;
    CREATE TYPE blog.mood AS ENUM ('glad', 'sad');
    CREATE DOMAIN blog.short AS varchar(9);
    CREATE TABLE blog.people (
        id uuid PRIMARY KEY, name varchar(80) NOT NULL, boss uuid REFERENCES blog.people
    );
    COMMENT ON TABLE blog.people IS 'Who writes.';
    CREATE TABLE blog.posts (
        id bigint PRIMARY KEY,
        title text NOT NULL,
        author_id uuid NOT NULL REFERENCES blog.people,
        moods blog.mood[] NOT NULL,
        slug blog.short,
        dropped text,
        "odd name" text,
        summary text
    );
    ALTER TABLE blog.posts DROP COLUMN dropped;
    COMMENT ON COLUMN blog.posts.title IS 'The headline.';
    CREATE VIEW blog.titles AS SELECT title FROM blog.posts;
"""
KEPT = """
    CREATE SCHEMA kept;
    GRANT USAGE ON SCHEMA kept TO stratal_service;
    CREATE TABLE kept.posts (id int, title text, secret text);
    GRANT SELECT (id, title) ON kept.posts TO stratal_service;
    CREATE TABLE kept.closed (id int);
"""


@pytest.fixture(scope="module")
def database(cluster: str, template: str) -> Iterator[str]:
    with copy_of(template, cluster) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(TABLES)
        yield url


def names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


@pytest.mark.feature("SIG-31")
@pytest.mark.feature("SIG-32")
def test_sig_31_a_table_is_a_signature_with_its_relationships(database: str) -> None:
    table = described(database, "blog.posts")
    spec = from_table(table, inputs=["title", "author", "moods"], outputs=["summary"])
    assert render(spec) == (
        'title: string "The headline.", '
        "author: object{id: string, name: string(max_length=80), boss?: string} "
        '"Who writes.", moods: list[enum["glad", "sad"]] -> summary?: string'
    )


@pytest.mark.feature("SIG-31")
def test_sig_31_a_new_column_is_in_the_next_signature(cluster: str, template: str) -> None:
    with copy_of(template, cluster) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE public.notes (id int NOT NULL, said text)")
        assert names(described(url, "public.notes")) == ["id", "said"]
        connection.execute("ALTER TABLE public.notes ADD COLUMN mood text")
        assert names(described(url, "public.notes")) == ["id", "said", "mood"]


@pytest.mark.feature("SIG-32")
def test_sig_32_relationships_are_followed_as_deep_as_was_asked(database: str) -> None:
    author = described(database, "blog.posts").columns[2]
    assert author.refers_to is not None
    assert author.refers_to.columns[2].refers_to is None, "people are never within themselves"
    assert described(database, "blog.posts", levels=0).columns[2].refers_to is None


def test_a_view_has_columns_too(database: str) -> None:
    assert names(described(database, "blog.titles")) == ["title"]


def test_columns_that_a_role_may_not_read_are_not_there(database: str) -> None:
    with psycopg.connect(owner_of(database), autocommit=True) as connection:
        connection.execute(KEPT)
    assert names(described(database, "kept.posts")) == ["id", "title"]
    with pytest.raises(TableIsUnknown):
        described(database, "kept.closed")


@pytest.mark.parametrize("name", ["blog.nothing", "posts", "a.b.c.d", "", "blog.posts; DROP", "'"])
def test_a_table_that_is_not_there_is_refused(database: str, name: str) -> None:
    with pytest.raises((TableIsUnknown, DatabaseIsUnreachable)):
        described(database, name)


def test_a_database_that_does_not_answer_is_said_so() -> None:
    with pytest.raises(DatabaseIsUnreachable) as refused:
        described("postgresql://nobody:secret@127.0.0.1:1/none", "posts")
    assert "secret" not in str(refused.value)
