"""The migrations make what the tables say, and refuse what they do not know."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from app.store.engines import open_writer, parse
from app.store.migrate import NewerSchema, configuration, current_revision, head_revision, migrate
from app.store.tables import metadata
from tests.conftest import NewDatabase


def test_migrations_make_exactly_the_tables_of_the_code(empty_database: NewDatabase) -> None:
    url = parse(empty_database())
    migrate(url)
    engine = open_writer(url)
    with engine.begin() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
        assert differences == []
        assert current_revision(connection) == head_revision()
    engine.dispose()


def test_a_migrated_database_is_left_as_it_is(empty_database: NewDatabase) -> None:
    url = parse(empty_database())
    migrate(url)
    engine = open_writer(url)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO tags (owner_id, tag) VALUES (:owner, 'kept')"), {"owner": _some_id(url)})
    migrate(url)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT tag FROM tags")).scalars().all() == ["kept"]
    engine.dispose()


def test_every_migration_can_be_undone(empty_database: NewDatabase) -> None:
    url = parse(empty_database())
    migrate(url)
    engine = open_writer(url)
    with engine.begin() as connection:
        command.downgrade(configuration(connection), "base")
    with engine.begin() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
    engine.dispose()


def test_a_newer_schema_is_refused_and_not_written_to(empty_database: NewDatabase) -> None:
    url = parse(empty_database())
    migrate(url)
    engine = open_writer(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '29991231_2359'"))
    with pytest.raises(NewerSchema, match="newer release"):
        migrate(url)
    with engine.begin() as connection:
        assert current_revision(connection) == "29991231_2359"
    engine.dispose()


def test_of_several_that_start_at_once_one_migrates_and_all_go_on(empty_database: NewDatabase) -> None:
    url = parse(empty_database())
    with ThreadPoolExecutor(4) as replicas:
        for started in [replicas.submit(migrate, url) for _ in range(4)]:
            started.result()


def _some_id(url: object) -> object:
    from uuid import UUID

    some = UUID(int=7)
    return some if "postgresql" in str(url) else some.bytes
