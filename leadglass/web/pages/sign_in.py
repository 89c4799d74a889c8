"""Signing in: name and password, the second factor, the links that begin an account, and proving oneself once more.

Between two steps the code of the step is in a short cookie of its own. What went wrong is one sentence, the same for
accounts that there are and accounts that there are not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.sessions import Audience
from leadglass.services.sessions import Known
from leadglass.services.sign_in import MustEnrol, NeedsSecond, SignedIn, Step
from leadglass.web.browser import named_cookie, put_cookie, set_cookie
from leadglass.web.pages.page import Entry, Page, PageCall
from leadglass.web.pages.qr import qr_picture
from leadglass.web.pages.rendering import own_path, page, seen_other

STEP_COOKIE: Final = "__Host-lgstep"
_STEP_SECONDS: Final = 1200
_FACTORS: Final = (("totp", "t"), ("passkey", "p"), ("recovery", "r"))
_MENDABLE: Final = (ErrorCode.NOT_AUTHENTICATED, ErrorCode.USAGE)
_SIGN_IN: Final = "sign_in/sign_in.html"
SECOND: Final = "sign_in/second.html"
CONFIRM: Final = "sign_in/confirm.html"


def known_of(call: PageCall) -> Known:
    """From where somebody signs in, and with what."""
    return Known(call.address, call.request.headers.get("user-agent", ""))


def next_of(call: PageCall) -> str:
    """Where to go once signed in: a path of ours."""
    return own_path(call.form.text("next") or call.request.query_params.get("next", ""))


async def form(call: PageCall) -> Response:
    """GET /sign-in."""
    return sign_in_page(call)


def sign_in_page(call: PageCall, *, wrong: str = "", status: int = 200) -> Response:
    """The form for name and password, and the other ways that there are."""
    return page(call, _SIGN_IN, {**_sign_in_values(call), "name": "", "wrong": wrong}, status=status)


def _sign_in_values(call: PageCall) -> dict[str, Any]:
    return {"next": next_of(call), "provider": call.doorway.provider is not None}


async def password(call: PageCall) -> Response:
    """POST /sign-in."""
    name = call.form.text("name")
    values = {**_sign_in_values(call), "name": name}

    async def work() -> Step:
        return await call.doorway.sign_in.password(name, call.form.secret("password"), known_of(call))

    return await tried(call, work, _SIGN_IN, values)


async def confirm_form(call: PageCall) -> Response:
    """GET /confirm: before something dangerous."""
    return page(call, CONFIRM, {"next": next_of(call), "wrong": ""})


async def confirm(call: PageCall) -> Response:
    """POST /confirm: a fresh proof makes a new session, which takes the place of this one."""

    async def work() -> Step:
        given = call.form.secret("password")
        return await call.doorway.sign_in.password(call.who.account.name, given, known_of(call), call.who)

    return await tried(call, work, CONFIRM, {"next": next_of(call)})


async def second_form(call: PageCall) -> Response:
    """GET /sign-in/second."""
    _, factors = step_of(call)
    return page(call, SECOND, {"next": next_of(call), "wrong": "", **factors})


async def second(call: PageCall) -> Response:
    """POST /sign-in/second: the code of an authenticator app, or a recovery code."""
    code, factors = step_of(call)
    text = call.form.text("code").replace(" ", "")

    async def work() -> Step:
        use = call.doorway.sign_in.totp if text.isdecimal() and len(text) == 6 else call.doorway.sign_in.recovery
        return await use(code, text, known_of(call))

    return await tried(call, work, SECOND, {"next": next_of(call), **factors})


async def enrol_second_form(call: PageCall) -> Response:
    """GET /sign-in/authenticator: what an authenticator app needs."""
    code, _ = step_of(call)
    try:
        values = await _offered(call, code)
    except LeadglassError as error:
        if error.code is not ErrorCode.NOT_AUTHENTICATED:
            raise
        return sign_in_page(call, wrong=error.comment, status=403)
    return page(call, "sign_in/authenticator.html", {"next": next_of(call), "wrong": "", **values})


async def enrol_second(call: PageCall) -> Response:
    """POST /sign-in/authenticator: the app shows by a code that it has the key."""
    code, _ = step_of(call)
    digits = call.form.text("code").replace(" ", "")
    try:
        signed_in = await call.doorway.sign_in.confirm_totp(code, digits, known_of(call))
    except LeadglassError as error:
        if error.code not in _MENDABLE:
            raise
        try:
            values = await _offered(call, code)
        except LeadglassError:
            return sign_in_page(call, wrong=error.comment, status=403)
        shown = {"next": next_of(call), "wrong": error.comment, **values}
        return page(call, "sign_in/authenticator.html", shown, status=403)
    return entered(call, signed_in)


async def set_up_form(call: PageCall) -> Response:
    """GET /set-up/{code}: the first account of all. Nothing is used up by looking."""
    good = await call.doorway.sign_in.can_set_up(call.path("code"))
    values = {"good": good, "name": "", "display": "", "wrong": ""}
    return page(call, "sign_in/set_up.html", values, status=200 if good else 404)


async def set_up(call: PageCall) -> Response:
    """POST /set-up/{code}."""
    name, display = call.form.text("name"), call.form.text("display")
    given = call.form.secret("password")
    values = {"good": True, "name": name, "display": display}

    async def work() -> Step:
        require_twice(call)
        return await call.doorway.sign_in.set_up(call.path("code"), name, display, given, known_of(call))

    return await tried(call, work, "sign_in/set_up.html", values)


async def enrol_form(call: PageCall) -> Response:
    """GET /enrol/{code}: an account's owner is asked for a password."""
    try:
        account = await call.doorway.sign_in.invited(call.path("code"))
    except LeadglassError as error:
        if error.code is not ErrorCode.NOT_AUTHENTICATED:
            raise
        return page(call, "sign_in/enrol.html", {"name": "", "wrong": error.comment}, status=404)
    return page(call, "sign_in/enrol.html", {"name": account.name, "wrong": ""})


async def enrol(call: PageCall) -> Response:
    """POST /enrol/{code}."""

    async def work() -> Step:
        require_twice(call)
        return await call.doorway.sign_in.enrol(call.path("code"), call.form.secret("password"), known_of(call))

    return await tried(call, work, "sign_in/enrol.html", {"name": call.form.text("name")})


async def tried(
    call: PageCall, work: Callable[[], Awaitable[Step]], template: str, values: Mapping[str, Any]
) -> Response:
    """Go on with what `work` proved; or show the form again with what was typed and what is wrong."""
    try:
        return stepped(call, await work())
    except LeadglassError as error:
        if error.code not in _MENDABLE:
            raise
        status = 403 if error.code is ErrorCode.NOT_AUTHENTICATED else 400
        return page(call, template, {**values, "wrong": error.comment}, status=status)


def stepped(call: PageCall, step: Step) -> Response:
    """In, or on to what is still missing."""
    if isinstance(step, SignedIn):
        return entered(call, step)
    path, code = further(step, next_of(call))
    return begun(call, code, path)


def further(step: NeedsSecond | MustEnrol, wanted: str) -> tuple[str, str]:
    """Where a step goes on, and what the browser keeps for it; `wanted` is where to go once signed in."""
    onward = f"?next={quote(wanted, safe='')}"
    if isinstance(step, MustEnrol):
        return f"/sign-in/authenticator{onward}", step.code
    factors = "".join(letter for name, letter in _FACTORS if getattr(step, name))
    return f"/sign-in/second{onward}", f"{step.code}.{factors}"


def begun(call: PageCall, code: str, path: str) -> Response:
    """On to a further step, whose code the browser keeps for some minutes."""
    answer = seen_other(call, path)
    keep_step(answer, code)
    return answer


def keep_step(answer: Response, code: str) -> None:
    """Have the browser keep the code of a step."""
    put_cookie(answer, STEP_COOKIE, code, seconds=_STEP_SECONDS)


def entered(call: PageCall, signed_in: SignedIn) -> Response:
    """Signed in: a new session, and new recovery codes where there are any, shown this once."""
    if signed_in.recovery:
        answer = page(call, "sign_in/recovery.html", {"codes": signed_in.recovery, "next": next_of(call)})
    else:
        answer = seen_other(call, next_of(call))
    set_cookie(answer, Audience.PAGES, signed_in.cookie)
    put_cookie(answer, STEP_COOKIE, "", seconds=0)
    return answer


async def _offered(call: PageCall, code: str) -> dict[str, Any]:
    offer = await call.doorway.sign_in.offer_totp(code)
    return {"secret": offer.secret, "picture": qr_picture(offer.uri)}


def step_of(call: PageCall) -> tuple[str, dict[str, bool]]:
    """The code of the step, and the factors that are asked for. They choose what the page shows, and nothing else."""
    code, _, letters = named_cookie(call.request, STEP_COOKIE).partition(".")
    return code, {name: letter in letters for name, letter in _FACTORS}


def require_twice(call: PageCall) -> None:
    """A new password is typed twice. USAGE if the two differ."""
    if call.form.secret("password") != call.form.secret("again"):
        raise LeadglassError(ErrorCode.USAGE, "The two passwords are not the same.")


PAGES: Final[tuple[Page, ...]] = (
    Page("GET", "/sign-in", form, Entry.OPEN),
    Page("POST", "/sign-in", password, Entry.OPEN),
    Page("GET", "/sign-in/second", second_form, Entry.OPEN),
    Page("POST", "/sign-in/second", second, Entry.OPEN),
    Page("GET", "/sign-in/authenticator", enrol_second_form, Entry.OPEN),
    Page("POST", "/sign-in/authenticator", enrol_second, Entry.OPEN),
    Page("GET", "/set-up/{code}", set_up_form, Entry.OPEN),
    Page("POST", "/set-up/{code}", set_up, Entry.OPEN),
    Page("GET", "/enrol/{code}", enrol_form, Entry.OPEN),
    Page("POST", "/enrol/{code}", enrol, Entry.OPEN),
    Page("GET", "/confirm", confirm_form),
    Page("POST", "/confirm", confirm),
)
