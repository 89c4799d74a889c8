"""Accounts, sessions, codes and shares <-> plain JSON values, as the state keeps them. Bytes are hexadecimal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final, TypeVar

from leadglass.core.accounts import Account, Passkey, Role
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.sessions import Audience, OneTimeCode, Purpose, Session
from leadglass.core.shares import Opening, Share

_Made = TypeVar("_Made", Account, Passkey, Session, OneTimeCode, Share, Opening)


def _texts(value: Any) -> frozenset[str]:
    return frozenset(str(item) for item in value)


_READERS: Final[Mapping[type, Mapping[str, Callable[[Any], Any]]]] = {
    Passkey: {"credential_id": bytes.fromhex, "public_key": bytes.fromhex},
    Account: {
        "roles": lambda value: frozenset(Role(item) for item in value),
        "totp_secret": bytes.fromhex,
        "recovery": lambda value: frozenset(bytes.fromhex(item) for item in value),
        "passkeys": lambda value: tuple(_made(Passkey, item) for item in value),
        "institutions": _texts,
        "referring": _texts,
    },
    Session: {"digest": bytes.fromhex, "audience": Audience, "studies": _texts, "parent": bytes.fromhex},
    OneTimeCode: {"digest": bytes.fromhex, "purpose": Purpose, "details": dict},
    Opening: {},
    Share: {
        "studies": tuple,
        "instances": _texts,
        "link": bytes.fromhex,
        "opened": lambda value: tuple(_made(Opening, item) for item in value),
    },
}


def to_dict(item: Account | Passkey | Session | OneTimeCode | Share | Opening) -> dict[str, Any]:
    """`item` as values that `json.dumps` takes."""
    return {field.name: _plain(getattr(item, field.name)) for field in fields(item)}


def account_from(plain: Mapping[str, Any]) -> Account:
    """The account that `to_dict` wrote. LeadglassError DAMAGED on anything that is not one; so the others."""
    return _read(Account, plain)


def session_from(plain: Mapping[str, Any]) -> Session:
    """The session that `to_dict` wrote."""
    return _read(Session, plain)


def code_from(plain: Mapping[str, Any]) -> OneTimeCode:
    """The one-time code that `to_dict` wrote."""
    return _read(OneTimeCode, plain)


def share_from(plain: Mapping[str, Any]) -> Share:
    """The share that `to_dict` wrote."""
    return _read(Share, plain)


def _read(kind: type[_Made], plain: Mapping[str, Any]) -> _Made:
    try:
        return _made(kind, plain)
    except (AttributeError, TypeError, ValueError, KeyError):
        comment = f"A stored {kind.__name__.lower()} cannot be read."
        raise LeadglassError(ErrorCode.DAMAGED, comment) from None


def _made(kind: type[_Made], plain: Mapping[str, Any]) -> _Made:
    """What is not known is refused: it may be a restriction that a newer program wrote."""
    readers = _READERS[kind]
    return kind(**{name: readers.get(name, _same)(value) for name, value in plain.items()})


def _same(value: Any) -> Any:
    if not isinstance(value, str | int):
        raise TypeError
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, frozenset):
        return sorted(_plain(item) for item in value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Passkey | Opening):
        return to_dict(value)
    if isinstance(value, Role | Audience | Purpose):
        return value.value
    return dict(value) if isinstance(value, Mapping) else value
