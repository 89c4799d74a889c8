"""People in the state database: accounts, sessions, one-time codes, shares (core.people.People)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from leadglass.core.accounts import Account
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.people_json import account_from, code_from, session_from, share_from, to_dict
from leadglass.core.sessions import Audience, OneTimeCode, Purpose, Session
from leadglass.core.shares import Share
from leadglass.index.sqlite_engine import Row, SqlCipherEngine


class SqlitePeople:
    """core.people.People on the state's database. `change` is the state's transaction that counts the epoch up."""

    def __init__(self, engine: SqlCipherEngine, change: Callable[[], Any], epoch: Callable[[], int]) -> None:
        self._engine = engine
        self._begin = change
        self._epoch = epoch

    def rights_epoch(self) -> int:
        """A number that grows with every change of the state."""
        return self._epoch()

    def accounts(self) -> list[Account]:
        """Every account, by name."""
        return [
            account_from(_document(row)) for row in self._engine.read("SELECT document FROM accounts ORDER BY name")
        ]

    def account(self, name: str) -> Account | None:
        """The account of this name."""
        row = self._engine.read_one("SELECT document FROM accounts WHERE name = ?", (name,))
        return None if row is None else account_from(_document(row))

    def account_of(self, subject: str) -> Account | None:
        """The account of a subject of the OpenID provider."""
        if not subject:
            return None
        row = self._engine.read_one("SELECT document FROM accounts WHERE subject = ?", (subject,))
        return None if row is None else account_from(_document(row))

    def add_account(self, account: Account) -> bool:
        """Keep a new account; False if there is one of its name."""
        with self._change() as connection:
            sql = "INSERT OR IGNORE INTO accounts VALUES (?, ?, ?)"
            return bool(connection.execute(sql, (account.name, account.subject, _text(account))).rowcount)

    def change_account(self, name: str, change: Callable[[Account], Account]) -> Account | None:
        """Replace an account by what `change` makes of it, in one transaction."""
        with self._change() as connection:
            row = connection.execute("SELECT document FROM accounts WHERE name = ?", (name,)).fetchone()
            if row is None:
                return None
            changed = replace(change(account_from(_document(row))), name=name)
            sql = "UPDATE accounts SET subject = ?, document = ? WHERE name = ?"
            connection.execute(sql, (changed.subject, _text(changed), name))
            return changed

    def put_session(self, session: Session) -> None:
        """Keep a session, or replace the one of its digest."""
        row = (
            session.digest,
            session.owner,
            session.share,
            session.audience.value,
            session.parent,
            session.created,
            session.expires,
            session.last_seen,
            _text(session),
        )
        with self._change() as connection:
            connection.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def session(self, digest: bytes) -> Session | None:
        """The session of this digest."""
        row = self._engine.read_one("SELECT document, last_seen FROM sessions WHERE digest = ?", (digest,))
        return None if row is None else _session(row)

    def sessions(self, owner: str, audience: Audience | None = None) -> list[Session]:
        """The sessions of an account or a share, the newest first."""
        sql = "SELECT document, last_seen FROM sessions WHERE owner = ? AND (? IS NULL OR audience = ?)"
        value = None if audience is None else audience.value
        return [_session(row) for row in self._engine.read(f"{sql} ORDER BY created DESC", (owner, value, value))]

    def end_sessions(self, *, digest: bytes = b"", owner: str = "", keep: bytes = b"") -> int:
        """End one session, or all of an owner but `keep`, and those that came from them."""
        wanted, value = ("digest", digest) if digest else ("owner", owner)
        with self._change() as connection:
            sql = f"SELECT digest FROM sessions WHERE {wanted} = ? AND digest <> ?"  # noqa: S608 - one of two of ours
            ended = [row[0] for row in connection.execute(sql, (value, keep)).fetchall()]
            for each in ended:
                connection.execute("DELETE FROM sessions WHERE digest = ? OR parent = ?", (each, each))
            return len(ended)

    def note_sessions_seen(self, seen: Mapping[bytes, int]) -> None:
        """When sessions were last used."""
        with self._engine.write() as connection:
            sql = "UPDATE sessions SET last_seen = max(last_seen, ?) WHERE digest = ?"
            connection.executemany(sql, [(moment, digest) for digest, moment in seen.items()])

    def sweep_sessions(self, now: int) -> int:
        """Forget sessions and codes that have expired."""
        with self._engine.write() as connection:
            connection.execute("DELETE FROM codes WHERE expires <= ?", (now,))
            return int(connection.execute("DELETE FROM sessions WHERE expires <= ?", (now,)).rowcount)

    def put_code(self, code: OneTimeCode) -> None:
        """Keep a one-time code."""
        row = (code.digest, code.purpose.value, code.subject, code.expires, _text(code))
        with self._change() as connection:
            connection.execute("INSERT OR REPLACE INTO codes VALUES (?, ?, ?, ?, ?)", row)

    def take_code(self, digest: bytes, purpose: Purpose, now: int) -> OneTimeCode | None:
        """The code, which is good no more."""
        with self._change() as connection:
            sql = "DELETE FROM codes WHERE digest = ? AND purpose = ? RETURNING document"
            row = connection.execute(sql, (digest, purpose.value)).fetchone()
        code = None if row is None else code_from(_document(row))
        return code if code is not None and now < code.expires else None

    def code(self, digest: bytes, purpose: Purpose, now: int) -> OneTimeCode | None:
        """The code, which stays good."""
        sql = "SELECT document FROM codes WHERE digest = ? AND purpose = ?"
        row = self._engine.read_one(sql, (digest, purpose.value))
        code = None if row is None else code_from(_document(row))
        return code if code is not None and now < code.expires else None

    def use_once(self, code: OneTimeCode) -> bool:
        """Keep a code unless there is one of its digest."""
        row = (code.digest, code.purpose.value, code.subject, code.expires, _text(code))
        with self._engine.write() as connection:
            return bool(connection.execute("INSERT OR IGNORE INTO codes VALUES (?, ?, ?, ?, ?)", row).rowcount)

    def drop_codes(self, purpose: Purpose, subject: str) -> None:
        """Forget all codes for this."""
        with self._change() as connection:
            connection.execute("DELETE FROM codes WHERE purpose = ? AND subject = ?", (purpose.value, subject))

    def shares(self, sharer: str | None = None) -> list[Share]:
        """Every share, or those of one account, the newest first."""
        sql = "SELECT document FROM shares WHERE ? IS NULL OR sharer = ? ORDER BY created DESC"
        return [share_from(_document(row)) for row in self._engine.read(sql, (sharer, sharer))]

    def share(self, identifier: str) -> Share | None:
        """The share of this id."""
        row = self._engine.read_one("SELECT document FROM shares WHERE identifier = ?", (identifier,))
        return None if row is None else share_from(_document(row))

    def share_by_link(self, link: bytes) -> Share | None:
        """The share of this link's digest."""
        row = self._engine.read_one("SELECT document FROM shares WHERE link = ?", (link,))
        return None if row is None else share_from(_document(row))

    def put_share(self, share: Share) -> None:
        """Keep a new share."""
        row = (share.identifier, share.link, share.sharer, share.created, _text(share))
        with self._change() as connection:
            connection.execute("INSERT INTO shares VALUES (?, ?, ?, ?, ?)", row)

    def change_share(self, identifier: str, change: Callable[[Share], Share]) -> Share | None:
        """Replace a share by what `change` makes of it, in one transaction."""
        with self._change() as connection:
            row = connection.execute("SELECT document FROM shares WHERE identifier = ?", (identifier,)).fetchone()
            if row is None:
                return None
            changed = replace(change(share_from(_document(row))), identifier=identifier)
            connection.execute("UPDATE shares SET document = ? WHERE identifier = ?", (_text(changed), identifier))
            return changed

    @contextmanager
    def _change(self) -> Iterator[Any]:
        with self._begin() as connection:
            yield connection


def _text(item: Account | Session | OneTimeCode | Share) -> str:
    return json.dumps(to_dict(item), sort_keys=True, separators=(",", ":"))


def _document(row: Row) -> Mapping[str, Any]:
    try:
        plain = json.loads(row[0])
    except ValueError:
        plain = None
    if not isinstance(plain, dict):
        raise LeadglassError(ErrorCode.DAMAGED, "A stored decision about people is not readable JSON.")
    return plain


def _session(row: Row) -> Session:
    return replace(session_from(_document(row)), last_seen=int(row[1]))
