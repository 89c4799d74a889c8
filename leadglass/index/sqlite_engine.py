"""The SQLCipher dialect in one place: how a database is opened, written, read, migrated, and how its errors read.

One writing connection per process, used by one thread at a time; processes queue on an advisory lock beside the file
(SQLite's own back-off starves a writer). Reads borrow a connection from a pool and fetch their rows whole, so no read
transaction stays open between two calls and the write-ahead log can always be folded back.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlcipher3.dbapi2 as sqlite  # type: ignore[import-untyped]  # has no stubs

from leadglass.core.errors import ErrorCode, LeadglassError

KEY_LENGTH = 32
READER_CACHE_KIB = 4096  # per pooled connection; a point look-up touches four pages
BUSY_SECONDS = 30.0  # another process in a write or a checkpoint
MAX_IDLE_READERS = 16  # connections kept for later; more are closed when given back

# Pinned, so that no later library default changes how an existing file is read. HMAC-SHA256 is the quicker of the
# two strong ones where the processor has SHA instructions, and small pages cost less to seal: an insert takes 73
# microseconds with 2048 bytes, 83 with 4096, 95 with 4096 and SHA512.
_CIPHER = (
    "PRAGMA cipher_page_size = 2048",
    "PRAGMA cipher_use_hmac = ON",
    "PRAGMA cipher_hmac_algorithm = HMAC_SHA256",
    "PRAGMA cipher_kdf_algorithm = PBKDF2_HMAC_SHA512",
    "PRAGMA cipher_plaintext_header_size = 0",
)

_CORRUPT = frozenset({11, 26})  # SQLITE_CORRUPT, SQLITE_NOTADB: what a wrong key looks like too
_ENVIRONMENT = frozenset({5, 6, 7, 8, 10, 13, 14})  # busy, locked, memory, read-only, I/O error, full, cannot open

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """What tells the two databases apart. `migrations[n]` brings schema n to n + 1."""

    name: str
    application_id: int
    synchronous: str
    migrations: Sequence[Sequence[str]]
    writer_cache_kib: int
    wal_autocheckpoint: int  # pages


class SqlCipherEngine:
    """Connections to one database file."""

    def __init__(self, path: Path, key: bytes, profile: Profile) -> None:
        """Open or create the database at `path`. DAMAGED if `key` (32 bytes) does not open it, UNAVAILABLE if a newer
        program wrote it, OUT_OF_RESOURCES if the disk does not let us."""
        if len(key) != KEY_LENGTH:
            raise LeadglassError(ErrorCode.USAGE, f"The key of the {profile.name} must be {KEY_LENGTH} bytes.")
        self._path = path
        self._key = key
        self._profile = profile
        self._mutex = threading.RLock()
        self._idle: deque[sqlite.Connection] = deque()
        self._closed = False
        with self.errors():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._open_writer()
        except BaseException:
            os.close(self._lock)
            raise

    def _open_writer(self) -> None:
        with self.errors():
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            try:
                self.writer = self._connect(self._profile.writer_cache_kib)
                self._migrate()
            finally:
                fcntl.flock(self._lock, fcntl.LOCK_UN)

    # --- writing -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start a write transaction: waits for this process's other writers, then for other processes'."""
        self._mutex.acquire()
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self.writer.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._release()
            raise

    def commit(self) -> None:
        """End the transaction: its rows count."""
        try:
            self.writer.execute("COMMIT")
        except BaseException:
            self.rollback()
            raise
        self._release()

    def rollback(self) -> None:
        """End the transaction: nothing of it counts. Never raises."""
        try:
            if self.writer.in_transaction:
                self.writer.execute("ROLLBACK")
        except sqlite.Error:
            pass  # SQLite has rolled back already; the error that led here is the one to tell
        finally:
            self._release()

    def _release(self) -> None:
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        self._mutex.release()

    @contextmanager
    def write(self) -> Iterator[sqlite.Connection]:
        """A write transaction; its errors are LeadglassErrors."""
        with self.errors():
            self.begin()
            try:
                yield self.writer
            except BaseException:
                self.rollback()
                raise
            self.commit()

    # --- reading -------------------------------------------------------------------------------------------------

    def read(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        """All rows of one SELECT; no transaction is open when this returns."""
        try:
            connection = self._idle.pop() if self._idle else self._reader()
        except IndexError:  # another thread took the last one between look and pop
            connection = self._reader()
        try:
            rows: list[Row] = connection.execute(sql, parameters).fetchall()
        except (sqlite.Error, OSError) as error:
            connection.close()
            raise self.translate(error) from None
        if self._closed or len(self._idle) >= MAX_IDLE_READERS:
            connection.close()
        else:
            self._idle.append(connection)
        return rows

    def read_one(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        """The first row of a SELECT that has one at most, or None."""
        rows = self.read(sql, parameters)
        return rows[0] if rows else None

    def read_hot(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """The same for a point look-up next to what was just written.

        Every commit empties the caches of the readers, who then decrypt the same few pages again; the writing
        connection has them. It is used if nobody writes at the moment, so this waits no longer than `read`.
        """
        if not self._mutex.acquire(blocking=False):
            return self.read(sql, parameters)
        try:
            if self._closed or self.writer.in_transaction:  # our own thread is in the midst of one
                return self.read(sql, parameters)
            rows: list[Row] = self.writer.execute(sql, parameters).fetchall()
        except (sqlite.Error, OSError) as error:
            raise self.translate(error) from None
        finally:
            self._mutex.release()
        return rows

    def _reader(self) -> sqlite.Connection:
        if self._closed:
            raise LeadglassError(ErrorCode.UNAVAILABLE, f"The {self._profile.name} is closed.")
        with self.errors():
            connection = self._connect(READER_CACHE_KIB)
            connection.execute("PRAGMA query_only = ON")
            return connection

    # --- opening -------------------------------------------------------------------------------------------------

    def _connect(self, cache_kib: int) -> sqlite.Connection:
        connection = sqlite.connect(
            str(self._path), timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        try:
            connection.execute(f"PRAGMA key = \"x'{self._key.hex()}'\"")
            for pragma in _CIPHER:
                connection.execute(pragma)
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the first page: is the key right?
            connection.execute("PRAGMA temp_store = MEMORY")  # nothing in clear beside the database
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {self._profile.synchronous}")
            connection.execute(f"PRAGMA cache_size = -{cache_kib}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {self._profile.wal_autocheckpoint}")
            connection.execute("PRAGMA trusted_schema = OFF")
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self) -> None:
        writer, profile = self.writer, self._profile
        version = writer.execute("PRAGMA user_version").fetchone()[0]
        if version > len(profile.migrations):
            writer.close()
            comment = f"The {profile.name} was written by a newer version of this program; use that one."
            raise LeadglassError(ErrorCode.UNAVAILABLE, comment)
        application_id = writer.execute("PRAGMA application_id").fetchone()[0]
        if version and application_id != profile.application_id:
            writer.close()
            raise LeadglassError(ErrorCode.DAMAGED, f"This database is not a {profile.name}.")
        for number, statements in enumerate(profile.migrations[version:], version + 1):
            writer.execute("BEGIN IMMEDIATE")
            try:
                for statement in statements:
                    writer.execute(statement)
                writer.execute(f"PRAGMA application_id = {profile.application_id}")
                writer.execute(f"PRAGMA user_version = {number}")
                writer.execute("COMMIT")
            except BaseException:
                if writer.in_transaction:
                    writer.execute("ROLLBACK")
                writer.close()
                raise

    def close(self) -> None:
        """Fold the write-ahead log back and let go of the file. Calling it twice is allowed."""
        with self._mutex:
            if self._closed:
                return
            self._closed = True
            while self._idle:
                self._idle.pop().close()
            self.writer.close()
            os.close(self._lock)

    # --- errors --------------------------------------------------------------------------------------------------

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn the database's and the system's errors into LeadglassErrors without any value in their text."""
        try:
            yield
        except (sqlite.Error, sqlite.Warning, OSError) as error:
            raise self.translate(error) from None

    def translate(self, error: Exception) -> LeadglassError:
        """The LeadglassError that `error` of the database or the system means."""
        name = self._profile.name
        if isinstance(error, OSError):
            return LeadglassError(ErrorCode.OUT_OF_RESOURCES, f"The {name} database cannot be reached on disk.")
        number = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        if number in _CORRUPT:
            comment = f"The {name} database cannot be read: it is damaged, or its key is another one."
            return LeadglassError(ErrorCode.DAMAGED, comment)
        if number in _ENVIRONMENT:
            return LeadglassError(ErrorCode.OUT_OF_RESOURCES, f"The {name} database cannot be used now (disk or lock).")
        if self._closed:
            return LeadglassError(ErrorCode.UNAVAILABLE, f"The {name} is closed.")
        return LeadglassError(ErrorCode.INTERNAL, f"The {name} database refused a statement (code {number}).")
