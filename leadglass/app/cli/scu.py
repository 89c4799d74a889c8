"""echo, send, find, get, move: the archive's command line as a service class user, to a named device or a host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Annotated

import typer

from leadglass.app.cli.opening import JsonOption
from leadglass.app.cli.output import as_json, say, table
from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.dicom import uids
from leadglass.dicom.dictionary import keyword_of, tag_of, vr_of
from leadglass.dicom.part10 import build_file_header, split_file
from leadglass.dicom.scan import HeaderScanner, text_of
from leadglass.dicom.sop_classes import STORAGE_SOP_CLASSES
from leadglass.dicom.values import read_attributes, write_attributes
from leadglass.net.proposals import NATIVE_SYNTAXES, association_request, propose, propose_one
from leadglass.net.requestor import Requestor, dial
from leadglass.wire.dimse.commands import Command
from leadglass.wire.ul.pdu import AcceptedContext

PeerArgument = Annotated[str, typer.Argument(help="Who is asked: TITLE@HOST:PORT.")]
TitleOption = Annotated[str, typer.Option("--title", help="Our AE title.")]
KeyOption = Annotated[list[str] | None, typer.Option("--key", "-k", help="Keyword=value, or a keyword to be told.")]
LevelOption = Annotated[str, typer.Option(help="PATIENT, STUDY, SERIES or IMAGE.")]
HEAD = 1024 * 1024
COMMON_CLASSES = tuple(STORAGE_SOP_CLASSES)[:120]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (echo, send, find, get, move):
        app.command()(command)


def echo(peer: PeerArgument, title: TitleOption = "LEADGLASS") -> None:
    """C-ECHO."""
    code = asyncio.run(_echo(peer, title))
    say(f"{peer} answered 0x{code:04X}.")


def send(
    peer: PeerArgument,
    paths: Annotated[list[Path], typer.Argument(help="DICOM files.")],
    title: TitleOption = "LEADGLASS",
) -> None:
    """C-STORE files, as they are."""
    rows = asyncio.run(_send(peer, title, paths))
    failed = [row for row in rows if row[1] != "0x0000"]
    say(f"Sent {len(rows) - len(failed)} of {len(rows)}.")
    if failed:
        table("Not stored as sent", ("file", "status", "comment"), failed)
        raise SystemExit(10)


def find(
    peer: PeerArgument,
    key: KeyOption = None,
    level: LevelOption = "STUDY",
    title: TitleOption = "LEADGLASS",
    json: JsonOption = False,
) -> None:
    """C-FIND in the study root."""
    matches = asyncio.run(_find(peer, title, _identifier(level, key or [])))
    plain = [{keyword_of(tag) or f"{tag:08X}": _plain(value) for tag, value in match.items()} for match in matches]
    if json:
        as_json(plain)
        return
    columns = sorted({name for match in plain for name in match})
    table("Matches", columns, [[match.get(name, "") for name in columns] for match in plain])


def get(
    peer: PeerArgument,
    folder: Annotated[Path, typer.Argument(help="Where the files go.")],
    key: KeyOption = None,
    level: LevelOption = "STUDY",
    title: TitleOption = "LEADGLASS",
) -> None:
    """C-GET into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    code, count = asyncio.run(_get(peer, title, _identifier(level, key or []), folder))
    say(f"{count} files in {folder}, status 0x{code:04X}.")
    if code:
        raise SystemExit(10)


def move(
    peer: PeerArgument,
    destination: Annotated[str, typer.Argument(help="The AE title to move to.")],
    key: KeyOption = None,
    level: LevelOption = "STUDY",
    title: TitleOption = "LEADGLASS",
) -> None:
    """C-MOVE to another AE title."""
    code = asyncio.run(_move(peer, title, destination, _identifier(level, key or [])))
    say(f"Status 0x{code:04X}.")
    if code:
        raise SystemExit(10)


async def _open(
    peer: str, title: str, wanted: Sequence[tuple[str, tuple[str, ...]]], receives: tuple[str, ...] = ()
) -> Requestor:
    called, at, address = peer.partition("@")
    host, colon, port = address.rpartition(":")
    if not (at and colon and host and port.isdigit()):
        raise LeadglassError(ErrorCode.USAGE, "Name the peer as TITLE@HOST:PORT.")
    return await dial(
        host.strip("[]"), int(port), association_request(called, title, propose_one(wanted), receives=receives)
    )


async def _echo(peer: str, title: str) -> int:
    association = await _open(peer, title, [(uids.VERIFICATION, NATIVE_SYNTAXES)])
    code = await association.echo()
    await association.release()
    return code


async def _send(peer: str, title: str, paths: list[Path]) -> list[tuple[str, str, str]]:
    heads = {path: _announced(path) for path in paths}
    rows = []
    wanted = dict.fromkeys((sop_class, (syntax,)) for sop_class, _, syntax, _ in heads.values())
    for contexts in propose(wanted):
        pairs = [(context.abstract_syntax, context.transfer_syntaxes) for context in contexts]
        association = await _open(peer, title, pairs)
        for path, (sop_class, sop_instance, syntax, offset) in heads.items():
            if (sop_class, (syntax,)) not in pairs:
                continue
            try:
                context = association.context_for(sop_class, (syntax,))
                answer = await association.store(context, sop_instance, _pieces(path, offset))
                rows.append((str(path), f"0x{answer.status:04X}", answer.command.error_comment or ""))
            except LeadglassError as error:
                rows.append((str(path), error.code.value, error.comment))
        await association.release()
    return rows


def _announced(path: Path) -> tuple[str, str, str, int]:
    with path.open("rb") as file:
        head = file.read(HEAD)
    start = split_file(head)
    scanner = HeaderScanner(start.transfer_syntax_uid)
    scanner.feed(head[start.data_set_offset :])
    scan = scanner.partial
    return text_of(scan, 0x00080016), text_of(scan, 0x00080018), start.transfer_syntax_uid, start.data_set_offset


async def _pieces(path: Path, offset: int) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        file.seek(offset)
        while piece := file.read(HEAD):
            yield piece


async def _find(peer: str, title: str, identifier: AttributeSet) -> list[AttributeSet]:
    association = await _open(peer, title, [(uids.STUDY_ROOT_FIND, NATIVE_SYNTAXES)])
    context = association.context_for(uids.STUDY_ROOT_FIND)
    data = write_attributes(identifier, context.transfer_syntax, "ISO_IR 192")
    matches = []
    async with aclosing(association.find(context, data)) as responses:
        async for response in responses:
            if response.data is not None:
                matches.append(read_attributes(response.data, context.transfer_syntax))
            elif response.status:
                comment = response.command.error_comment or f"the peer answered 0x{response.status:04X}"
                raise LeadglassError(ErrorCode.UNAVAILABLE, f"The query ended early: {comment}")
    await association.release()
    return list(matches)


async def _get(peer: str, title: str, identifier: AttributeSet, folder: Path) -> tuple[int, int]:
    classes = COMMON_CLASSES
    wanted = [(uids.STUDY_ROOT_GET, NATIVE_SYNTAXES), *((item, NATIVE_SYNTAXES) for item in classes)]
    association = await _open(peer, title, wanted, classes)
    context = association.context_for(uids.STUDY_ROOT_GET)
    data = write_attributes(identifier, context.transfer_syntax, "ISO_IR 192")
    count = 0

    async def sink(command: Command, accepted: AcceptedContext, pieces: AsyncIterator[bytes]) -> int:
        nonlocal count
        count += 1
        instance = command.affected_sop_instance_uid or ""
        with (folder / f"{count:08d}.dcm").open("xb") as file:
            file.write(build_file_header(accepted.abstract_syntax, instance, accepted.transfer_syntax))
            async for piece in pieces:
                file.write(piece)
        return 0

    code = 0
    async with aclosing(association.get(context, data, sink)) as responses:
        async for response in responses:
            code = response.status
    await association.release()
    return code, count


async def _move(peer: str, title: str, destination: str, identifier: AttributeSet) -> int:
    association = await _open(peer, title, [(uids.STUDY_ROOT_MOVE, NATIVE_SYNTAXES)])
    context = association.context_for(uids.STUDY_ROOT_MOVE)
    data = write_attributes(identifier, context.transfer_syntax, "ISO_IR 192")
    code = 0
    async with aclosing(association.move(context, data, destination)) as responses:
        async for response in responses:
            code = response.status
    await association.release()
    return code


def _identifier(level: str, keys: list[str]) -> AttributeSet:
    found: dict[int, Attribute] = {0x00080052: Attribute("CS", (level.upper(),))}
    for text in keys:
        keyword, _, value = text.partition("=")
        tag = tag_of(keyword)
        if tag is None:
            raise LeadglassError(ErrorCode.USAGE, f"There is no attribute with the keyword '{keyword}'.")
        found[tag] = Attribute(vr_of(tag), tuple(value.split("\\")) if value else ())
    return dict(sorted(found.items()))


def _plain(attribute: Attribute) -> str:
    return "\\".join(value if isinstance(value, str) else "(...)" for value in attribute.values)
