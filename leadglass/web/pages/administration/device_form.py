"""The form of a device: from what was typed to a device, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from leadglass.access.passcodes import hash_passcode
from leadglass.core.device import Device, DuplicatePolicy, Endpoint
from leadglass.core.limits import DEFAULT_QUERY_LIMIT, IDLE_TIMEOUT_SECONDS
from leadglass.core.principal import DEVICE_RIGHTS, Right
from leadglass.dicom.uids import is_valid_uid
from leadglass.web.pages.administration.said import lines
from leadglass.web.pages.page import Form, PageCall
from leadglass.web.pages.rendering import language_of
from leadglass.web.pages.trying import Wrong
from leadglass.web.pages.words import said

RIGHTS: Final = {right.value: right for right in DEVICE_RIGHTS}
_LISTS: Final = ("titles", "networks", "destinations", "syntaxes", "classes")
_TEXTS: Final = ("name", "institution", "issuer", "character_set", "host", "port", "listens_title")
_NUMBERS: Final = ("query_limit", "associations", "idle_minutes")
_TICKS: Final = ("plain", "listens_tls", "refuse_duplicates")
_MOST: Final = {"query_limit": 10_000_000, "associations": 256, "idle_minutes": 1440, "port": 65_535}

Values = Mapping[str, object]


def values_of(device: Device) -> Values:
    """What the form shows of a device that there is."""
    listens = device.listens
    return {
        "name": device.name,
        "titles": "\n".join(device.ae_titles),
        "networks": "\n".join(device.networks),
        "rights": tuple(right.value for right in device.rights),
        "plain": device.plain,
        "host": listens.host if listens else "",
        "port": str(listens.port) if listens else "",
        "listens_title": listens.ae_title if listens else "",
        "listens_tls": listens.tls if listens else True,
        "destinations": "\n".join(device.destinations),
        "institution": device.institution,
        "issuer": device.issuer,
        "character_set": device.character_set,
        "query_limit": str(device.query_limit),
        "associations": str(device.max_associations),
        "idle_minutes": f"{device.idle_timeout / 60:g}",
        "syntaxes": "\n".join(device.transfer_syntaxes),
        "classes": "\n".join(device.private_sop_classes),
        "refuse_duplicates": device.duplicates is DuplicatePolicy.REFUSE,
    }


def blank_values() -> Values:
    """What the form of a new device shows."""
    usual = Device("", (), (), frozenset({Right.ECHO, Right.STORE}))
    return {
        **values_of(usual),
        "query_limit": str(DEFAULT_QUERY_LIMIT),
        "idle_minutes": f"{IDLE_TIMEOUT_SECONDS / 60:g}",
    }


def typed(form: Form) -> Values:
    """What was typed, as it was, but for a passcode: secrets are not sent back."""
    texts = {name: form.secret(name) for name in (*_TEXTS, *_LISTS, *_NUMBERS)}
    return {**texts, **{name: bool(form.text(name)) for name in _TICKS}, "rights": form.texts("right")}


def device_of(call: PageCall, known: Device | None) -> Device:
    """The device that the form describes; of a known one name, certificates and state stay. Wrong if a number or a UID
    is none; whether the device is safe, others judge. Hashes a passcode, which takes a while: off the event loop."""
    form = call.form
    device = Device(
        name=known.name if known else form.text("name"),
        ae_titles=lines(form, "titles"),
        networks=lines(form, "networks"),
        rights=frozenset(RIGHTS[text] for text in form.texts("right") if text in RIGHTS),
        listens=_endpoint(call),
        destinations=lines(form, "destinations"),
        issuer=form.text("issuer"),
        institution=form.text("institution"),
        character_set=form.text("character_set"),
        transfer_syntaxes=_uids(call, "syntaxes"),
        private_sop_classes=_uids(call, "classes"),
        query_limit=int(_number(call, "query_limit")),
        max_associations=int(_number(call, "associations")),
        idle_timeout=_number(call, "idle_minutes", whole=False) * 60,
        duplicates=DuplicatePolicy.REFUSE if form.text("refuse_duplicates") else DuplicatePolicy.VERSION,
        passcode_hash=_passcode(call, known),
        plain=bool(form.text("plain")),
    )
    if known is None:
        return device
    return replace(device, certificates=known.certificates, enabled=known.enabled, sample=known.sample)


def _endpoint(call: PageCall) -> Endpoint | None:
    form = call.form
    host, port, title = form.text("host"), form.text("port"), form.text("listens_title")
    if not (host or port or title):
        return None
    if not (host and port and title):
        raise _wrong(call, "listens_half")
    return Endpoint(host, int(_number(call, "port")), title, bool(form.text("listens_tls")))


def _number(call: PageCall, name: str, *, whole: bool = True) -> float:
    text = call.form.text(name)
    plain = text if whole else text.replace(",", ".", 1).replace(".", "", 1)
    if plain.isascii() and plain.isdecimal() and len(text) < 10:
        number = float(text.replace(",", "."))
        if 0 < number <= _MOST[name]:
            return number
    raise _wrong(call, f"number_{name}")


def _uids(call: PageCall, name: str) -> tuple[str, ...]:
    found = lines(call.form, name)
    if not all(map(is_valid_uid, found)):
        raise _wrong(call, "no_uid")
    return found


def _passcode(call: PageCall, known: Device | None) -> str:
    """A new one, none any more, or the one there is."""
    text = call.form.secret("passcode")
    if call.form.text("passcode_off"):
        return ""
    if not text:
        return known.passcode_hash if known else ""
    return hash_passcode(text)


def _wrong(call: PageCall, key: str) -> Wrong:
    return Wrong(said(language_of(call), f"devices.{key}"))
