"""device add, certify, passcode, authority, list, show, test, enable, disable, remove."""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from leadglass.access.passcodes import hash_passcode
from leadglass.app.certificates import Certificates
from leadglass.app.cli.opening import HomeOption, JsonOption, opened, operator
from leadglass.app.cli.output import as_json, say, table
from leadglass.app.cli.proofs import (
    CaOption,
    CertOption,
    CsrOption,
    OutOption,
    PasswordFileOption,
    PinOption,
    Pkcs12Option,
    SubjectOption,
    Wanted,
    proofs_for,
    say_files,
)
from leadglass.app.cli.refused import refused
from leadglass.app.cli.secret_input import secret
from leadglass.app.handing_over import handed_over
from leadglass.core.device import Device, DuplicatePolicy, Endpoint
from leadglass.core.device_json import device_to_dict
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import DEFAULT_QUERY_LIMIT, IDLE_TIMEOUT_SECONDS
from leadglass.core.principal import DEVICE_RIGHTS, Right
from leadglass.dicom import uids
from leadglass.dicom.uids import is_valid_uid
from leadglass.net.dialer import DialOptions
from leadglass.net.proposals import NATIVE_SYNTAXES, association_request, propose_one
from leadglass.net.requestor import dial

PasscodeFileOption = Annotated[
    Path | None, typer.Option("--passcode-file", help="Its first line is the passcode; asked for otherwise.")
]
_RIGHTS = {right.value: right for right in DEVICE_RIGHTS}


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    group = typer.Typer(help="Enrol and look after DICOM devices.", no_args_is_help=True)
    for command in (add, certify, passcode, authority, show, test, refused, enable, disable, remove):
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
    query_limit: Annotated[int, typer.Option(help="Most answers to one query.", min=1)] = DEFAULT_QUERY_LIMIT,
    associations: Annotated[int, typer.Option(help="Most associations at a time.", min=1, max=256)] = 32,
    idle_minutes: Annotated[
        float, typer.Option(help="An association that is silent for so long is ended.", min=0.1, max=1440)
    ] = IDLE_TIMEOUT_SECONDS / 60,
    transfer_syntax: Annotated[
        list[str] | None, typer.Option(help="UID; if given, no other is accepted from it. May be repeated.")
    ] = None,
    sop_class: Annotated[
        list[str] | None, typer.Option(help="UID of a private storage SOP class of it. May be repeated.")
    ] = None,
    refuse_duplicates: Annotated[bool, typer.Option(help="Refuse other objects under a known UID.")] = False,
    cert: CertOption = False,
    csr: CsrOption = None,
    pin: PinOption = None,
    ca: CaOption = None,
    subject: SubjectOption = "",
    out: OutOption = Path(),
    pkcs12: Pkcs12Option = False,
    password_file: PasswordFileOption = None,
    with_passcode: Annotated[
        bool, typer.Option("--passcode", help="It must carry a passcode (user identity type 2); asked for.")
    ] = False,
    passcode_file: PasscodeFileOption = None,
    home: HomeOption = None,
) -> None:
    """Enrol a device. Over TLS it is known by address, AE title and its certificate, if it is given one here."""
    wanted = Wanted(cert, csr, tuple(pin or ()), ca, subject, out, pkcs12, password_file)
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
        max_associations=associations,
        idle_timeout=idle_minutes * 60,
        transfer_syntaxes=tuple(map(_uid, transfer_syntax or ())),
        private_sop_classes=tuple(map(_uid, sop_class or ())),
        duplicates=DuplicatePolicy.REFUSE if refuse_duplicates else DuplicatePolicy.VERSION,
        plain=plain,
        passcode_hash=_passcode(name, passcode_file) if with_passcode or passcode_file else "",
    )
    with opened(home) as archive:
        proofs = proofs_for(archive, device, wanted)
        device = replace(device, certificates=proofs.certificates)
        archive.devices.examine(operator(), device)
        with handed_over(proofs.files):
            archive.devices.enrol(operator(), device)
    say(f"Enrolled {name}. It may: {', '.join(sorted(item.value for item in device.rights))}.")
    say_files(proofs.files)
    if plain and device.rights - {Right.ECHO, Right.STORE, Right.RECEIVE}:
        say("Over plain DICOM it may echo and store only, unless the override plain-retrieve names it.")


def certify(
    name: Annotated[str, typer.Argument(help="The device.")],
    cert: CertOption = False,
    csr: CsrOption = None,
    pin: PinOption = None,
    ca: CaOption = None,
    subject: SubjectOption = "",
    out: OutOption = Path(),
    pkcs12: Pkcs12Option = False,
    password_file: PasswordFileOption = None,
    keep: Annotated[bool, typer.Option("--keep", help="What it has now stays valid beside the new.")] = False,
    home: HomeOption = None,
) -> None:
    """Give an enrolled device other certificates, for example before its own expires. Its associations end."""
    wanted = Wanted(cert, csr, tuple(pin or ()), ca, subject, out, pkcs12, password_file)
    if not wanted.any:
        raise LeadglassError(ErrorCode.USAGE, "Say which certificate: --cert, --csr, --pin, or --ca with --subject.")
    with opened(home) as archive:
        device = archive.devices.device(operator(), name)
        proofs = proofs_for(archive, device, wanted)
        kept = device.certificates if keep else ()
        device = replace(device, certificates=(*kept, *proofs.certificates))
        archive.devices.examine(operator(), device)
        with handed_over(proofs.files):
            archive.devices.change(operator(), device)
    say(f"{name} is known by {len(device.certificates)} certificate(s) from now on.")
    say_files(proofs.files)


def passcode(
    name: Annotated[str, typer.Argument(help="The device.")],
    passcode_file: PasscodeFileOption = None,
    off: Annotated[bool, typer.Option("--off", help="It needs no passcode any more.")] = False,
    home: HomeOption = None,
) -> None:
    """Set, change or take off the passcode that a device must carry (user identity type 2, over TLS)."""
    kept = "" if off else _passcode(name, passcode_file)
    with opened(home) as archive:
        device = archive.devices.device(operator(), name)
        archive.devices.change(operator(), replace(device, passcode_hash=kept))
    say(f"{name} {'needs no passcode' if off else 'must carry the new passcode'} from now on.")


def authority(home: HomeOption = None) -> None:
    """Print the certificate of the archive's own CA: devices that verify the archive must trust it."""
    with opened(home) as archive:
        sys.stdout.write(archive.credentials.authority(operator()).decode("ascii"))


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
            ", ".join(item.binding.value for item in device.certificates),
            min((item.not_after[:10] for item in device.certificates if item.not_after), default=""),
            "" if device.enabled else "disabled",
        )
        for device in devices
    ]
    table("Devices", ("name", "AE titles", "calls from", "rights", "how", "certificate", "until", ""), rows)


def show(name: str, home: HomeOption = None) -> None:
    """One device, as JSON."""
    with opened(home) as archive:
        as_json(_public(archive.devices.device(operator(), name)))


def test(name: str, home: HomeOption = None) -> None:
    """Call a device that listens and send it a C-ECHO."""
    with opened(home) as archive:
        device = archive.devices.device(operator(), name)
        title = archive.config.ae_titles[0]
        tls = Certificates(archive.state, archive.keys.ca, archive.config).for_dialing(device)
    if device.listens is None:
        raise LeadglassError(
            ErrorCode.USAGE, f"Device {name} has no address to call; it was enrolled without --listens."
        )
    started = time.perf_counter()
    code = asyncio.run(echo(device.listens, title, tls if device.listens.tls else None))
    took = (time.perf_counter() - started) * 1000
    say(f"{name} at {device.listens.host}:{device.listens.port} answered 0x{code:04X} in {took:.0f} ms.")


async def echo(endpoint: Endpoint, own_title: str, tls: ssl.SSLContext | None) -> int:
    """C-ECHO to `endpoint`, over TLS with a context; its status."""
    contexts = propose_one([(uids.VERIFICATION, NATIVE_SYNTAXES)])
    request = association_request(endpoint.ae_title, own_title, contexts)
    peer = await dial(endpoint.host, endpoint.port, request, DialOptions(ssl_context=tls))
    code = await peer.echo()
    await peer.release()
    return code


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


def _passcode(name: str, file: Path | None) -> str:
    return hash_passcode(secret(f"Passcode of {name}", file, new=True))


def _public(device: Device) -> dict[str, object]:
    plain = device_to_dict(device)
    plain["passcode_hash"] = "set" if device.passcode_hash else ""
    return plain


def _right(text: str) -> Right:
    if text not in _RIGHTS:
        raise LeadglassError(ErrorCode.USAGE, f"There is no right '{text}'; there are {', '.join(_RIGHTS)}.")
    return _RIGHTS[text]


def _uid(text: str) -> str:
    if not is_valid_uid(text):
        raise LeadglassError(ErrorCode.USAGE, f"'{text}' is no UID: digits and dots, 64 characters at most.")
    return text


def _endpoint(text: str, *, tls: bool) -> Endpoint:
    title, at, address = text.partition("@")
    host, colon, port = address.rpartition(":")
    if not (at and colon and host and port.isdigit()):
        raise LeadglassError(ErrorCode.USAGE, "--listens is TITLE@HOST:PORT, for example WORKSTATION@10.1.2.3:104.")
    return Endpoint(host.strip("[]"), int(port), title, tls)
