"""One's own account: password, second factors, sessions, language."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.sessions import Audience, Session
from leadglass.web.pages.page import Entry, Page, PageCall
from leadglass.web.pages.rendering import page, seen_other
from leadglass.web.pages.showing import utc
from leadglass.web.pages.sign_in import begun, require_twice

_MAIN: Final = "/account"
_ENROL: Final = "/sign-in/authenticator?next=%2Faccount"


async def overview(call: PageCall) -> Response:
    """GET /account."""
    return await _shown(call)


async def _shown(call: PageCall, wrong: str = "") -> Response:
    sessions = await call.doorway.sign_in.apart(call.doorway.own_account.sessions, call.who)
    here = call.who.session.digest
    values: dict[str, Any] = {
        "account": call.who.account,
        "sessions": [_session(session, here) for session in sessions if session.audience is Audience.PAGES],
        "passkeys": [
            {"id": one.credential_id.hex(), "label": one.label, "added": utc(one.added)}
            for one in call.who.account.passkeys
        ],
        "roles": sorted(role.value for role in call.who.account.roles),
        "wrong": wrong,
    }
    return page(call, "account/overview.html", values, status=400 if wrong else 200)


async def password_form(call: PageCall) -> Response:
    """GET /account/password."""
    return page(call, "account/password.html", {"wrong": ""})


async def change_password(call: PageCall) -> Response:
    """POST /account/password."""
    try:
        require_twice(call)
        change = call.doorway.own_account.change_password
        await call.doorway.sign_in.apart(change, call.who, call.form.secret("password"))
    except LeadglassError as error:
        if error.code is not ErrorCode.USAGE:
            raise
        return page(call, "account/password.html", {"wrong": error.comment}, status=400)
    return seen_other(call, _MAIN)


async def add_authenticator(call: PageCall) -> Response:
    """POST /account/authenticator: on to the page that shows the key."""
    code = await call.doorway.sign_in.apart(call.doorway.own_account.add_second_factor, call.who)
    return begun(call, code, _ENROL)


async def remove_authenticator(call: PageCall) -> Response:
    """POST /account/authenticator/remove."""
    try:
        await call.doorway.sign_in.apart(call.doorway.own_account.remove_totp, call.who)
    except LeadglassError as error:
        return await _mended(call, error)
    return seen_other(call, _MAIN)


async def remove_passkey(call: PageCall) -> Response:
    """POST /account/passkeys/remove."""
    try:
        credential = bytes.fromhex(call.form.text("id"))
    except ValueError:
        raise LeadglassError(ErrorCode.USAGE, "There is no such passkey.") from None
    try:
        await call.doorway.sign_in.apart(call.doorway.own_account.remove_passkey, call.who, credential)
    except LeadglassError as error:
        return await _mended(call, error)
    return seen_other(call, _MAIN)


async def recovery_codes(call: PageCall) -> Response:
    """POST /account/recovery: new ones, shown this once."""
    try:
        codes = await call.doorway.sign_in.apart(call.doorway.own_account.new_recovery_codes, call.who)
    except LeadglassError as error:
        return await _mended(call, error)
    return page(call, "sign_in/recovery.html", {"codes": codes, "next": _MAIN})


async def end_session(call: PageCall) -> Response:
    """POST /account/sessions/end: one of them, or all others."""
    own = call.doorway.own_account
    which = call.form.text("session")
    if which == "others":
        await call.doorway.sign_in.apart(own.end_other_sessions, call.who)
        return seen_other(call, _MAIN)
    try:
        digest = bytes.fromhex(which)
    except ValueError:
        digest = b""
    await call.doorway.sign_in.apart(own.end_session, call.who, digest)
    return seen_other(call, _MAIN)


async def choose_language(call: PageCall) -> Response:
    """POST /account/language."""
    choose = call.doorway.own_account.choose_language
    await call.doorway.sign_in.apart(choose, call.who, call.form.text("language"))
    return seen_other(call, _MAIN)


async def _mended(call: PageCall, error: LeadglassError) -> Response:
    if error.code is not ErrorCode.USAGE:
        raise error
    return await _shown(call, error.comment)


def _session(session: Session, here: bytes) -> dict[str, Any]:
    return {
        "id": session.digest.hex(),
        "here": session.digest == here,
        "address": session.address,
        "agent": session.agent,
        "begun": utc(session.created),
        "seen": utc(session.last_seen),
        "emergency": session.emergency,
    }


PAGES: Final[tuple[Page, ...]] = (
    Page("GET", _MAIN, overview),
    Page("GET", "/account/password", password_form, Entry.FRESH),
    Page("POST", "/account/password", change_password, Entry.FRESH),
    Page("POST", "/account/authenticator", add_authenticator, Entry.FRESH),
    Page("POST", "/account/authenticator/remove", remove_authenticator, Entry.FRESH),
    Page("POST", "/account/passkeys/remove", remove_passkey, Entry.FRESH),
    Page("POST", "/account/recovery", recovery_codes, Entry.FRESH),
    Page("POST", "/account/sessions/end", end_session),
    Page("POST", "/account/language", choose_language),
)
