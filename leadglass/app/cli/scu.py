"""echo, send, find, get, move: the command line as a service class user, towards a device or any host."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from leadglass.app import asking
from leadglass.app.calling import DEFAULT_TITLE, parse_endpoint, peer_at, peer_named
from leadglass.app.cli.opening import HomeOption, JsonOption, opened, operator
from leadglass.app.cli.output import DONE_IN_PART, as_json, bar, complain, count, say, shown, table
from leadglass.app.peer import Peer
from leadglass.core.attributes import Attribute
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.dicom.dictionary import keyword_of
from leadglass.wire.dimse import status

PeerArgument = Annotated[str, typer.Argument(help="Who is called: an enrolled device's name, or TITLE@HOST:PORT.")]
TitleOption = Annotated[str, typer.Option("--title", help="Our AE title; the archive's own if not given.")]
AuthorityOption = Annotated[
    Path | None, typer.Option("--tls-ca", help="Call TITLE@HOST:PORT with TLS, trusting this CA (PEM).")
]
IdentityOption = Annotated[
    Path | None, typer.Option("--tls-identity", help="Our certificate and its key for TLS, in one PEM file.")
]
KeyOption = Annotated[
    list[str] | None, typer.Option("--key", "-k", help="Keyword=value to match, or a keyword to be told.")
]
LevelOption = Annotated[str, typer.Option(help="PATIENT, STUDY, SERIES or IMAGE.")]

# What each answer says anyway: shown only to who asks for it.
_NOISE = frozenset({"SpecificCharacterSet", "QueryRetrieveLevel", "RetrieveAETitle"})
_MEANINGS: Mapping[int, str] = {
    status.CANCEL: "cancelled",
    status.REFUSED_NOT_AUTHORIZED: "we may not",
    status.OUT_OF_RESOURCES: "the peer has no room or too many matches",
    status.UNABLE_TO_CALCULATE_MATCHES: "the peer could not count the matches",
    status.UNABLE_TO_PERFORM_SUBOPERATIONS: "none could be sent",
    status.MOVE_DESTINATION_UNKNOWN: "the peer does not know the destination",
    status.DATA_SET_DOES_NOT_MATCH_SOP_CLASS: "the identifier does not fit the peer's model",
    status.SUBOPERATIONS_COMPLETE_WITH_FAILURES: "some could not be sent",
}


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (echo, send, find, get, move):
        app.command()(command)


def echo(
    peer: PeerArgument,
    title: TitleOption = "",
    tls_ca: AuthorityOption = None,
    tls_identity: IdentityOption = None,
    home: HomeOption = None,
) -> None:
    """Ask whether somebody answers (C-ECHO)."""
    called = _peer(peer, title, home, tls_ca, tls_identity)
    code = asyncio.run(asking.echo(called))
    say(f"{shown(called)} answered 0x{code:04X}.")
    if code:
        sys.exit(DONE_IN_PART)


def send(
    peer: PeerArgument,
    paths: Annotated[list[Path], typer.Argument(help="DICOM files, folders, ZIPs, DICOMDIRs.")],
    title: TitleOption = "",
    tls_ca: AuthorityOption = None,
    tls_identity: IdentityOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Send files as they are (C-STORE)."""
    called = _peer(peer, title, home, tls_ca, tls_identity)
    with bar("files") as progress:
        sent = asyncio.run(asking.send(called, paths, progress))
    columns = ("file", "status", "comment")
    if json:
        lists = {
            name: [dict(zip(columns, row, strict=True)) for row in rows]
            for name, rows in (("warned", sent.warned), ("failed", sent.failed))
        }
        as_json({"stored": sent.stored, **lists})
    else:
        say(f"Sent {sent.stored:,} of {sent.stored + len(sent.failed):,}.")
        for name, code, comment in (*sent.warned, *sent.failed):
            complain(f"  {name}: {' '.join(filter(None, (code, comment)))}")
    if sent.failed:
        sys.exit(DONE_IN_PART)


def find(
    peer: PeerArgument,
    key: KeyOption = None,
    level: LevelOption = "STUDY",
    title: TitleOption = "",
    tls_ca: AuthorityOption = None,
    tls_identity: IdentityOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Query (C-FIND), for example: find pacs -k PatientName='Nobody*' -k StudyDate -k StudyInstanceUID."""
    identifier = asking.identifier_of(level, key or [])
    asked = [_name(asking.tag_in(word)) for word in key or []]
    matches = asyncio.run(asking.find(_peer(peer, title, home, tls_ca, tls_identity), identifier))
    plain = [{_name(tag): _plain(value) for tag, value in match.items()} for match in matches]
    if json:
        as_json(plain)
        return
    others = sorted({name for match in plain for name in match} - set(asked))
    columns = list(dict.fromkeys((*asked, *(name for name in others if name not in _NOISE))))
    if columns:
        table("Matches", columns, [[match.get(name, "") for name in columns] for match in plain])
    else:
        say(f"{count(len(plain), 'match', 'matches')}. Say with -k what to be told.")


def get(
    peer: PeerArgument,
    folder: Annotated[Path, typer.Argument(help="Where the files go: a new or empty folder.")],
    key: KeyOption = None,
    level: LevelOption = "STUDY",
    title: TitleOption = "",
    tls_ca: AuthorityOption = None,
    tls_identity: IdentityOption = None,
    home: HomeOption = None,
) -> None:
    """Fetch into a folder (C-GET). The files are not encrypted."""
    identifier = asking.identifier_of(level, key or [])
    called = _peer(peer, title, home, tls_ca, tls_identity)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LeadglassError(ErrorCode.USAGE, f"{folder} is not an empty folder; nothing is overwritten.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with bar("images") as progress:
        outcome = asyncio.run(asking.get(called, identifier, folder, progress))
    _tell(outcome, f"Fetched {count(outcome.completed, 'object', 'objects')} into {shown(folder)}")


def move(
    peer: PeerArgument,
    destination: Annotated[str, typer.Argument(help="The AE title to move to, as the peer knows it.")],
    key: KeyOption = None,
    level: LevelOption = "STUDY",
    title: TitleOption = "",
    tls_ca: AuthorityOption = None,
    tls_identity: IdentityOption = None,
    home: HomeOption = None,
) -> None:
    """Have a peer send to an AE title that it knows (C-MOVE)."""
    identifier = asking.identifier_of(level, key or [])
    called = _peer(peer, title, home, tls_ca, tls_identity)
    with bar("images") as progress:
        outcome = asyncio.run(asking.move(called, destination, identifier, progress))
    _tell(outcome, f"Moved {count(outcome.completed, 'object', 'objects')} to {shown(destination)}")


def _tell(outcome: asking.Outcome, done: str) -> None:
    failed = f", {outcome.failed:,} failed" if outcome.failed else ""
    if not outcome.code:
        say(f"{done}{failed}.")
    else:
        meaning = outcome.comment or _MEANINGS.get(outcome.code, "the peer could not do it")
        say(f"{done}{failed}: 0x{outcome.code:04X}, {shown(meaning.rstrip('. '))}.")
    if outcome.code or outcome.failed:
        sys.exit(DONE_IN_PART)


def _peer(text: str, title: str, home: Path | None, authority: Path | None, identity: Path | None) -> Peer:
    """Whoever is named: TITLE@HOST:PORT, or a device of the archive at `home`."""
    endpoint = parse_endpoint(text, tls=authority is not None)
    if endpoint is not None:
        return peer_at(endpoint, title or DEFAULT_TITLE, authority, identity)
    if "@" in text or home is None:
        comment = "Name the peer as TITLE@HOST:PORT, or as a device of the archive that --home or LEADGLASS_HOME names."
        raise LeadglassError(ErrorCode.USAGE, comment)
    with opened(home) as archive:
        return peer_named(archive, operator(), text, title)


def _name(tag: int) -> str:
    return keyword_of(tag) or f"{tag >> 16:04X},{tag & 0xFFFF:04X}"


def _plain(attribute: Attribute) -> str:
    return "\\".join(value if isinstance(value, str) else "(...)" for value in attribute.values)
