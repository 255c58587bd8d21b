import sqlite3
from contextlib import closing

import pytest

from backends.data.database import open_database


@pytest.fixture(scope="session")
def seeded_bytes():
    with closing(open_database()) as opened:
        return opened.serialize()


@pytest.fixture
def connection(seeded_bytes):
    """Open a seeded database of the test's own; copying is faster than seeding."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        opened.deserialize(seeded_bytes)
        opened.row_factory = sqlite3.Row
        opened.execute("PRAGMA foreign_keys = ON")
        yield opened
