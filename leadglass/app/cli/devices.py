"""device add, list, show, test, refused, enable, disable, remove."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import typer

from leadglass.app.cli.opening import HomeOption, JsonOption, opened, operator
from leadglass.app.cli.output import as_json, say, table
from leadglass.core.device import Device, DuplicatePolicy, Endpoint
from leadglass.core.device_json import device_to_dict
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind
from leadglass.core.principal import DEVICE_RIGHTS, Right
from leadglass.dicom import uids
from leadglass.journal.reader import JournalFilter, read_journal
from leadglass.net.proposals import NATIVE_SYNTAXES, association_request, propose_one
from leadglass.net.requestor import dial

DAY_NS = 24 * 3600 * 1_000_000_000
_RIGHTS = {right.value: right for right in DEVICE_RIGHTS}


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    group = typer.Typer(help="Enrol and look after DICOM devices.", no_args_is_help=True)
    for command in (add, show, test, refused, enable, disable, remove):
        group.command()(command)
    group.command("list")(list_)
    app.add_typer(group, name="device")


def add(
    name: Annotated[str, typer.Argument(help="What you call the device.")],
    title: Annotated[list[str], typer.Option(help="A calling AE title of it; may be repeated.")],
    network: Annotated[list[str], typer.Option(help="An address or network it calls from; may be repeated.")],
    right: Annotated[
        list[str], typer.Option(help="echo, store, find, retrieve, commit or receive; may be repeated.")
    ] = ["echo", "store"],  # noqa: B006  # typer reads the default, nobody changes it
    plain: Annotated[bool, typer.Option(help="It may call without TLS (echo and store only).")] = False,
    listens: Annotated[str, typer.Option(help="Where it listens: TITLE@HOST:PORT.")] = "",
    listens_tls: Annotated[bool, typer.Option(help="It listens with TLS.")] = False,
    destination: Annotated[list[str] | None, typer.Option(help="A device it may move images to.")] = None,
    issuer: Annotated[str, typer.Option(help="Issuer of its patient identifiers.")] = "",
    institution: Annotated[str, typer.Option(help="Whose device it is.")] = "",
    character_set: Annotated[str, typer.Option(help="Assumed where an object names none.")] = "ISO_IR 100",
    query_limit: Annotated[int, typer.Option(help="Most answers to one query.")] = 10_000,
    refuse_duplicates: Annotated[bool, typer.Option(help="Refuse other objects under a known UID.")] = False,
    home: HomeOption = None,
) -> None:
    """Enrol a device."""
    device = Device(
        name=name,
        ae_titles=tuple(title),
        networks=tuple(network),
        rights=frozenset(_right(text) for text in right),
        listens=_endpoint(listens, tls=listens_tls) if listens else None,
        destinations=tuple(destination or ()),
        issuer=issuer,
        institution=institution,
        character_set=character_set,
        query_limit=query_limit,
        duplicates=DuplicatePolicy.REFUSE if refuse_duplicates else DuplicatePolicy.VERSION,
        plain=plain,
    )
    with opened(home) as archive:
        archive.devices.enrol(operator(), device)
    say(f"Enrolled {name}. It may: {', '.join(sorted(item.value for item in device.rights))}.")
    if plain and device.rights - {Right.ECHO, Right.STORE, Right.RECEIVE}:
        say("Over plain DICOM it may echo and store only, unless the override plain-retrieve names it.")


def list_(home: HomeOption = None, json: JsonOption = False) -> None:
    """All enrolled devices."""
    with opened(home) as archive:
        devices = archive.devices.devices(operator())
    if json:
        as_json([_public(device) for device in devices])
        return
    rows = [
        (
            device.name,
            ", ".join(device.ae_titles),
            ", ".join(device.networks),
            ", ".join(sorted(right.value for right in device.rights)),
            "plain" if device.plain else "TLS",
            "" if device.enabled else "disabled",
        )
        for device in devices
    ]
    table("Devices", ("name", "AE titles", "calls from", "rights", "how", ""), rows)


def show(name: str, home: HomeOption = None) -> None:
    """One device, as JSON."""
    with opened(home) as archive:
        as_json(_public(archive.devices.device(operator(), name)))


def test(name: str, home: HomeOption = None) -> None:
    """Call a device that listens and send it a C-ECHO."""
    with opened(home) as archive:
        device = archive.devices.device(operator(), name)
        title = archive.config.ae_titles[0]
    if device.listens is None:
        raise LeadglassError(
            ErrorCode.USAGE, f"Device {name} has no address to call; it was enrolled without --listens."
        )
    started = time.perf_counter()
    code = asyncio.run(echo(device.listens, title))
    took = (time.perf_counter() - started) * 1000
    say(f"{name} at {device.listens.host}:{device.listens.port} answered 0x{code:04X} in {took:.0f} ms.")


async def echo(endpoint: Endpoint, own_title: str) -> int:
    """C-ECHO to `endpoint`; its status."""
    contexts = propose_one([(uids.VERIFICATION, NATIVE_SYNTAXES)])
    peer = await dial(endpoint.host, endpoint.port, association_request(endpoint.ae_title, own_title, contexts))
    code = await peer.echo()
    await peer.release()
    return code


def refused(
    days: Annotated[int, typer.Option(help="How far to look back.")] = 7,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Who was refused lately, and the command that would enrol each."""
    since = time.time_ns() - days * DAY_NS
    with opened(home) as archive:
        archive.journal.flush()
        wanted = JournalFilter(kinds=frozenset({EventKind.SECURITY_ALERT}), since=since)
        entries = [
            entry
            for entry in read_journal(archive.home.journal, archive.keys.journal, wanted)
            if entry.event.what == "association-refused"
        ]
    rows: dict[tuple[str, str, str], list[str]] = {}
    for entry in entries:
        details, address = entry.event.details, entry.event.address
        title = str(details.get("title", ""))
        key = (address, title, str(details.get("hint", details.get("reason", ""))))
        command = f"leadglass device add NAME --title '{title}' --network {address}"
        rows[key] = [address, title, key[2], command if title else ""]
    if json:
        as_json([dict(zip(("address", "title", "why", "enrol"), row, strict=True)) for row in rows.values()])
    else:
        table("Refused", ("from", "calling title", "why", "to enrol it"), list(rows.values()))


def enable(name: str, home: HomeOption = None) -> None:
    """Let a disabled device in again."""
    _enable(name, home, enabled=True)


def disable(name: str, home: HomeOption = None) -> None:
    """Keep a device out; its running associations end within two seconds."""
    _enable(name, home, enabled=False)


def remove(name: str, home: HomeOption = None) -> None:
    """Forget a device."""
    with opened(home) as archive:
        archive.devices.remove(operator(), name)
    say(f"Removed {name}.")


def _enable(name: str, home: HomeOption, *, enabled: bool) -> None:
    with opened(home) as archive:
        archive.devices.enable(operator(), name, enabled=enabled)
    say(f"{'Enabled' if enabled else 'Disabled'} {name}.")


def _public(device: Device) -> dict[str, object]:
    plain = device_to_dict(device)
    plain["passcode_hash"] = "set" if device.passcode_hash else ""
    return plain


def _right(text: str) -> Right:
    if text not in _RIGHTS:
        raise LeadglassError(ErrorCode.USAGE, f"There is no right '{text}'; there are {', '.join(_RIGHTS)}.")
    return _RIGHTS[text]


def _endpoint(text: str, *, tls: bool) -> Endpoint:
    title, at, address = text.partition("@")
    host, colon, port = address.rpartition(":")
    if not (at and colon and host and port.isdigit()):
        raise LeadglassError(ErrorCode.USAGE, "--listens is TITLE@HOST:PORT, for example WORKSTATION@10.1.2.3:104.")
    return Endpoint(host.strip("[]"), int(port), title, tls)
