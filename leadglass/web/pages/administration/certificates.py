"""How a device proves who it is: a key made here and shown once, a request signed, a certificate that it has.

A private key made here is in one answer, in a PKCS#12 file under a password that the administrator chose, and is kept
nowhere.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from starlette.responses import Response

from leadglass.access.authority import SHORTEST_PASSWORD
from leadglass.access.certificates import bind_authority, pin
from leadglass.core.device import Device, DeviceCertificate
from leadglass.core.principal import Right
from leadglass.web.pages.administration.devices import HERE, known_device, show
from leadglass.web.pages.administration.said import go_on
from leadglass.web.pages.page import Entry, Page, PageCall
from leadglass.web.pages.rendering import language_of, page
from leadglass.web.pages.trying import Wrong, tried
from leadglass.web.pages.words import said

_PKCS12: Final = "application/x-pkcs12"
_PEM: Final = "application/x-pem-file"


async def issue(call: PageCall) -> Response:
    """POST: a key and a certificate, in a PKCS#12 file that is in this answer and nowhere else."""
    device = await known_device(call)
    try:
        password = _password(call)
        issued = await tried(call, partial(call.doorway.admin.credentials.issue, call.principal, device))
        packed = await tried(call, partial(issued.as_pkcs12, device.name, password))
        await _bind(call, device, issued.binding())
    except Wrong as wrong:
        return await show(call, wrong=str(wrong))
    return _handed_over(call, device, {f"{device.name}.p12": (_PKCS12, packed)}, secret=True)


async def sign(call: PageCall) -> Response:
    """POST: a certificate for a key that the device keeps to itself (PKCS#10)."""
    device, request = await known_device(call), call.form.text("request")
    try:
        asked = _ascii(call, request)
        issued = await tried(call, partial(call.doorway.admin.credentials.sign, call.principal, device, asked))
        await _bind(call, device, issued.binding())
    except Wrong as wrong:
        return await show(call, wrong=str(wrong), kept={"request": request})
    files = {
        f"{device.name}.cert.pem": (_PEM, issued.certificate_pem),
        "leadglass-ca.pem": (_PEM, issued.authority_pem),
    }
    return _handed_over(call, device, files, secret=False)


async def accept(call: PageCall) -> Response:
    """POST: a certificate that the device has already, or whatever another CA issues to its subject."""
    device = await known_device(call)
    text, subject = call.form.text("certificate"), call.form.text("subject")
    now = dt.datetime.now(dt.UTC)
    try:
        given = _ascii(call, text)
        found = await tried(call, partial(bind_authority, given, subject, now) if subject else partial(pin, given, now))
        await _bind(call, device, found)
    except Wrong as wrong:
        return await show(call, wrong=str(wrong), kept={"certificate": text, "subject": subject})
    return go_on(call, f"{HERE}/{device.name}", "bound")


async def drop(call: PageCall) -> Response:
    """POST: one of its certificates counts no more."""
    device, value = await known_device(call), call.form.text("value")
    left = tuple(item for item in device.certificates if item.value != value)
    try:
        changed = replace(device, certificates=left)
        await tried(call, partial(call.doorway.admin.devices.change, call.principal, changed))
    except Wrong as wrong:
        return await show(call, wrong=str(wrong))
    return go_on(call, f"{HERE}/{device.name}", "unbound")


async def _bind(call: PageCall, device: Device, certificate: DeviceCertificate) -> None:
    """The device is known by it from now on; by what it had before too, if that was asked for."""
    kept = device.certificates if call.form.text("keep") else ()
    changed = replace(device, certificates=(*kept, certificate))
    await tried(call, partial(call.doorway.admin.devices.change, call.principal, changed))


def _password(call: PageCall) -> str:
    password, again = call.form.secret("password"), call.form.secret("again")
    if len(password) < SHORTEST_PASSWORD:
        raise Wrong(said(language_of(call), "devices.password_short", least=SHORTEST_PASSWORD))
    if password != again:
        raise Wrong(said(language_of(call), "devices.password_differs"))
    return password


def _ascii(call: PageCall, text: str) -> bytes:
    try:
        return text.encode("ascii")
    except UnicodeEncodeError:
        raise Wrong(said(language_of(call), "devices.no_pem")) from None


def _handed_over(call: PageCall, device: Device, files: Mapping[str, tuple[str, bytes]], *, secret: bool) -> Response:
    """The files, as links that hold them: there is nothing to be fetched a second time."""
    links = {
        name: f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
        for name, (kind, content) in files.items()
    }
    return page(call, "administration/device_files.html", {"device": device, "links": links, "secret": secret})


_NEEDS: Final = Right.ADMINISTER
PAGES: Final[tuple[Page, ...]] = (
    Page("POST", HERE + "/{name}/certificate/issue", issue, Entry.FRESH, _NEEDS),
    Page("POST", HERE + "/{name}/certificate/sign", sign, Entry.FRESH, _NEEDS),
    Page("POST", HERE + "/{name}/certificate/accept", accept, Entry.FRESH, _NEEDS),
    Page("POST", HERE + "/{name}/certificate/drop", drop, Entry.FRESH, _NEEDS),
)
