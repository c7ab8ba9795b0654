"""What all tests share: a Postgres for those that need one, a fresh database a test."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from psycopg.conninfo import make_conninfo

from patterns_os.adapters.postgres.server import EmbeddedServer

# Machines that run tests are shared: how long an example takes says nothing.
settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what the compiler remembers of the tests' apps out of the user's own cache."""
    os.environ["PATTERNS_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a server with the owner's rights; one a worker, gone afterwards."""
    given = os.environ.get("PATTERNS_TEST_DATABASE_URL")
    if given:
        yield given
        return
    state: Path = tmp_path_factory.mktemp("pg")
    server = EmbeddedServer(state)
    yield server.start()
    server.release()


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    """Give the address of an empty database."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
    yield make_conninfo(postgres, dbname=name)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f'drop database "{name}" with (force)')
