"""The databases are encrypted, migrate forward only, and say plainly when they cannot be read."""

import os
from dataclasses import replace

import pytest
import sqlcipher3.dbapi2 as sqlite

from leadglass.core.device import Device
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.index import sqlite_engine
from leadglass.index.catalog import SqliteCatalog
from leadglass.index.catalog_schema import CATALOG
from leadglass.index.sqlite_engine import Profile, SqlCipherEngine
from leadglass.index.state import SqliteState

KEY = bytes(range(32))
PROFILE = Profile("trial", 0x4C475458, "FULL", (("CREATE TABLE a (x TEXT)",),), 512, 100)
SECOND = Profile("trial", 0x4C475458, "FULL", (*PROFILE.migrations, ("INSERT INTO a VALUES ('new')",)), 512, 100)
BROKEN = Profile("trial", 0x4C475458, "FULL", (*PROFILE.migrations, ("DELETE FROM a", "NONSENSE")), 512, 100)


@pytest.fixture(params=[SqliteState, SqliteCatalog])
def database(request, tmp_path):
    return request.param, tmp_path / "it.db"


def code_of(action):
    with pytest.raises(LeadglassError) as caught:
        action()
    return caught.value.code


def test_nothing_stands_in_clear_on_disk(tmp_path):
    state = SqliteState(tmp_path / "state.db", KEY)
    state.put_device(Device("radiologia-nord", ("NORD",), ("10.0.0.7",), frozenset()))
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        assert b"radiologia-nord" not in content
        assert b"CREATE TABLE" not in content
        assert b"SQLite format" not in content
        assert KEY not in content
    state.close()


def test_files_belong_to_their_owner_alone(database):
    made, path = database
    made(path, KEY).close()
    again = made(path, KEY)
    assert {one.stat().st_mode & 0o777 for one in path.parent.iterdir()} == {0o600}
    again.close()


def test_another_key_is_refused_in_plain_words(database):
    made, path = database
    made(path, KEY).close()
    assert code_of(lambda: made(path, bytes(32))) is ErrorCode.DAMAGED
    assert code_of(lambda: made(path, b"short")) is ErrorCode.USAGE
    made(path, KEY).close()


@pytest.mark.parametrize("damage", ["garbage", "cut", "flipped"])
def test_a_damaged_file_is_refused_in_plain_words(database, damage):
    made, path = database
    made(path, KEY).close()
    content = bytearray(path.read_bytes())
    if damage == "garbage":
        content[:] = os.urandom(len(content))
    elif damage == "cut":
        del content[1000:]
    else:
        content[100] ^= 1
    path.write_bytes(content)
    assert code_of(lambda: made(path, KEY)) is ErrorCode.DAMAGED


def test_a_page_damaged_while_open_is_told_by_the_read_that_meets_it(tmp_path):
    path = tmp_path / "state.db"
    state = SqliteState(path, KEY)
    for number in range(200):
        state.put_setting(f"name{number}", "x" * 500)
    state.close()
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 2, len(content), 64):
        content[place] ^= 0xFF
    path.write_bytes(content)
    state = SqliteState(path, KEY)
    assert code_of(lambda: [state.setting(f"name{number}") for number in range(200)]) is ErrorCode.DAMAGED
    state.close()


def test_a_folder_that_is_not_there_is_told(tmp_path):
    assert code_of(lambda: SqliteState(tmp_path / "no" / "state.db", KEY)) is ErrorCode.OUT_OF_RESOURCES


def test_one_database_is_not_taken_for_the_other(tmp_path):
    SqliteState(tmp_path / "it.db", KEY).close()
    assert code_of(lambda: SqliteCatalog(tmp_path / "it.db", KEY)) is ErrorCode.DAMAGED


def test_a_catalog_of_schema_1_counts_what_schema_2_asks_for(tmp_path):
    engine = SqlCipherEngine(tmp_path / "c.db", KEY, replace(CATALOG, migrations=CATALOG.migrations[:1]))
    with engine.write() as connection:
        for number, served, received in ((1, 1, 70), (2, 0, 90), (3, 0, 80)):
            name = f"{number % 2}" * 32
            connection.execute("INSERT OR IGNORE INTO segments (id, name) VALUES (?, ?)", (number % 2 + 1, name))
            row = (
                number,
                number,
                f"1.{number}",
                1,
                served,
                1,
                1,
                number % 2 + 1,
                0,
                100,
                received,
                None,
                b"",
                b"",
                b"",
            )
            connection.execute(f"INSERT INTO instances VALUES ({', '.join('?' * len(row))})", row)
        connection.execute("UPDATE segments SET versions = 1")
    engine.close()
    engine = SqlCipherEngine(tmp_path / "c.db", KEY, replace(CATALOG, migrations=CATALOG.migrations[:2]))
    assert engine.read("SELECT sum(version_bytes), max(last_order) FROM segments") == [(200, 90)]
    engine.close()


def test_a_migration_runs_once(tmp_path):
    SqlCipherEngine(tmp_path / "t.db", KEY, PROFILE).close()
    for _ in range(2):
        engine = SqlCipherEngine(tmp_path / "t.db", KEY, SECOND)
        assert engine.read("SELECT x FROM a") == [("new",)]
        engine.close()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path):
    SqlCipherEngine(tmp_path / "t.db", KEY, SECOND).close()
    before = (tmp_path / "t.db").read_bytes()
    assert code_of(lambda: SqlCipherEngine(tmp_path / "t.db", KEY, PROFILE)) is ErrorCode.UNAVAILABLE
    assert (tmp_path / "t.db").read_bytes() == before
    SqlCipherEngine(tmp_path / "t.db", KEY, SECOND).close()


def test_a_migration_that_fails_leaves_the_old_schema(tmp_path):
    first = SqlCipherEngine(tmp_path / "t.db", KEY, PROFILE)
    with first.write() as connection:
        connection.execute("INSERT INTO a VALUES ('kept')")
    first.close()
    assert code_of(lambda: SqlCipherEngine(tmp_path / "t.db", KEY, BROKEN)) is ErrorCode.INTERNAL
    again = SqlCipherEngine(tmp_path / "t.db", KEY, PROFILE)
    assert again.read("SELECT x FROM a") == [("kept",)]
    again.close()


def test_the_promised_durability_and_cipher_are_in_force(tmp_path):
    for made, wanted in ((SqliteState, 2), (SqliteCatalog, 1)):
        store = made(tmp_path / f"{made.__name__}.db", KEY)
        writer = store._engine.writer
        assert writer.execute("PRAGMA synchronous").fetchone()[0] == wanted
        assert writer.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert writer.execute("PRAGMA cipher_hmac_algorithm").fetchone()[0] == "HMAC_SHA256"
        assert writer.execute("PRAGMA cipher_page_size").fetchone()[0] == "2048"
        store.close()


def test_what_fails_inside_a_transaction_leaves_nothing_and_the_next_works(tmp_path):
    engine = SqlCipherEngine(tmp_path / "t.db", KEY, PROFILE)

    def fail():
        with engine.write() as connection:
            connection.execute("INSERT INTO a VALUES ('lost')")
            connection.execute("INSERT INTO nowhere VALUES (1)")

    assert code_of(fail) is ErrorCode.INTERNAL
    with engine.write() as connection:
        connection.execute("INSERT INTO a VALUES ('kept')")
    assert engine.read("SELECT x FROM a") == [("kept",)]
    engine.close()


def test_a_full_disk_is_out_of_resources_and_room_heals(tmp_path):
    engine = SqlCipherEngine(tmp_path / "t.db", KEY, PROFILE)
    engine.writer.execute("PRAGMA max_page_count = 10")

    def fill():
        with engine.write() as connection:
            for _ in range(100):
                connection.execute("INSERT INTO a VALUES (?)", ("x" * 1000,))

    assert code_of(fill) is ErrorCode.OUT_OF_RESOURCES
    engine.writer.execute("PRAGMA max_page_count = 100000")
    fill()
    assert engine.read("SELECT count(*) FROM a") == [(100,)]
    engine.close()


def test_readers_write_nothing(tmp_path):
    engine = SqlCipherEngine(tmp_path / "t.db", KEY, PROFILE)
    with pytest.raises(LeadglassError):
        engine.read("INSERT INTO a VALUES ('x')")
    engine.close()


def test_a_closed_database_says_so(tmp_path):
    state = SqliteState(tmp_path / "state.db", KEY)
    state.close()
    state.close()
    assert code_of(state.devices) is ErrorCode.UNAVAILABLE


def test_a_second_process_waits_for_the_first_ones_transaction(tmp_path):
    one = SqlCipherEngine(tmp_path / "t.db", KEY, PROFILE)
    other = SqlCipherEngine(tmp_path / "t.db", KEY, PROFILE)
    for engine, text in ((one, "1"), (other, "2"), (one, "3")):
        with engine.write() as connection:
            connection.execute("INSERT INTO a VALUES (?)", (text,))
    assert other.read("SELECT x FROM a ORDER BY x") == [("1",), ("2",), ("3",)]
    one.close()
    other.close()


def test_errors_name_no_value(tmp_path):
    engine = SqlCipherEngine(tmp_path / "t.db", KEY, PROFILE)
    error = engine.translate(sqlite.OperationalError("near 'Rossi^Maria': syntax error"))
    assert "Rossi" not in error.comment
    assert sqlite_engine.KEY_LENGTH == 32
    engine.close()
