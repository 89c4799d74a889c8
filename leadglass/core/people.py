"""The port through which people, their sessions and their shares are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from leadglass.core.accounts import Account
from leadglass.core.sessions import Audience, OneTimeCode, Purpose, Session
from leadglass.core.shares import Share


class People(Protocol):
    """Decisions about people: truth, durable when a method returns. Each change counts the rights epoch up, but the
    times of last use."""

    def rights_epoch(self) -> int:
        """A number that grows with every change."""
        ...

    def accounts(self) -> list[Account]:
        """Every account, by name."""
        ...

    def account(self, name: str) -> Account | None:
        """The account of this name."""
        ...

    def account_of(self, subject: str) -> Account | None:
        """The account of a subject of the OpenID provider (`subject@issuer`)."""
        ...

    def add_account(self, account: Account) -> bool:
        """Keep a new account; False if there is one of its name."""
        ...

    def change_account(self, name: str, change: Callable[[Account], Account]) -> Account | None:
        """Replace an account by what `change` makes of it, in one transaction; None if there is none. What `change`
        raises leaves it as it was."""
        ...

    def put_session(self, session: Session) -> None:
        """Keep a session, or replace the one of its digest."""
        ...

    def session(self, digest: bytes) -> Session | None:
        """The session of this digest."""
        ...

    def sessions(self, owner: str, audience: Audience | None = None) -> list[Session]:
        """The sessions of an account or a share, the newest first."""
        ...

    def end_sessions(self, *, digest: bytes = b"", owner: str = "", keep: bytes = b"") -> int:
        """End one session, or all of an owner but `keep`; and those that came from them. How many."""
        ...

    def note_sessions_seen(self, seen: Mapping[bytes, int]) -> None:
        """When sessions were last used; no change of rights."""
        ...

    def sweep_sessions(self, now: int) -> int:
        """Forget sessions and codes that have expired. How many."""
        ...

    def put_code(self, code: OneTimeCode) -> None:
        """Keep a one-time code."""
        ...

    def take_code(self, digest: bytes, purpose: Purpose, now: int) -> OneTimeCode | None:
        """The code, which is good no more; None if there is none that is, for this purpose."""
        ...

    def code(self, digest: bytes, purpose: Purpose, now: int) -> OneTimeCode | None:
        """The code, which stays good; None if there is none that is, for this purpose."""
        ...

    def use_once(self, code: OneTimeCode) -> bool:
        """Keep a code unless there is one of its digest; whether there was none. Counts no epoch."""
        ...

    def drop_codes(self, purpose: Purpose, subject: str) -> None:
        """Forget all codes for this."""
        ...

    def shares(self, sharer: str | None = None) -> list[Share]:
        """Every share, or those of one account, the newest first."""
        ...

    def share(self, identifier: str) -> Share | None:
        """The share of this id."""
        ...

    def share_by_link(self, link: bytes) -> Share | None:
        """The share of this link's digest."""
        ...

    def put_share(self, share: Share) -> None:
        """Keep a new share."""
        ...

    def change_share(self, identifier: str, change: Callable[[Share], Share]) -> Share | None:
        """Replace a share by what `change` makes of it, in one transaction; None if there is none."""
        ...
