"""What the commands find, get, move and send do, once they know whom to ask (PS3.4 annexes B and C)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from leadglass.app.import_sources import READ_FAILURES, Source, Unreadable, sources
from leadglass.app.importing import PIECE, look
from leadglass.app.peer import Peer
from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_PRESENTATION_CONTEXTS
from leadglass.dicom import uids
from leadglass.dicom.dictionary import tag_of, vr_of
from leadglass.dicom.part10 import build_file_header
from leadglass.dicom.sop_classes import STORAGE_SOP_CLASSES, is_patientless
from leadglass.dicom.values import read_attributes, write_attributes
from leadglass.net.proposals import NATIVE_SYNTAXES, each_syntax, propose, propose_one
from leadglass.net.requestor import Requestor, Response
from leadglass.wire.dimse import status
from leadglass.wire.dimse.commands import Command
from leadglass.wire.ul.pdu import AcceptedContext

Moved = Callable[[int, int], None]  # done, total
QUERY_LEVEL, SOP_CLASSES_IN_STUDY = 0x00080052, 0x00080062
_STUDY_KEYS = frozenset({0x00080020, 0x00080050, 0x00100010, 0x00100020, 0x0020000D})
LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
# Left out where a peer does not say what it has: retired, single objects, industry, and what few archives hold.
_RARE = (
    *("1.2.840.10008.5.1.1.", "1.2.840.10008.5.1.4.34."),
    *(
        f"1.2.840.10008.5.1.4.1.1.{number}"
        for number in (
            *("6.3", "9.7.", "9.8.", "11.6", "11.7", "11.8", "11.9", "11.10", "11.11", "11.12"),
            *(
                "77.1.5.5",
                "77.1.5.6",
                "77.1.5.7",
                "77.1.5.8",
                "88.7",
                "66.7",
                "66.8",
                "68.",
                "78.",
                "79.",
                "80.",
                "81.",
                "82.",
                "90.",
                "91.",
                "129",
                "131",
            ),
            *("200.", "201.", "481.1", "481.2", "501.", "601."),
        )
    ),
)
_NOT_RARE = frozenset({"1.2.840.10008.5.1.4.1.1.481.1", "1.2.840.10008.5.1.4.1.1.481.2"})
STILL_SYNTAXES = (
    *NATIVE_SYNTAXES,
    *(uids.DEFLATED_EXPLICIT_VR_LE, uids.EXPLICIT_VR_BE, uids.RLE_LOSSLESS),
    *(uids.JPEG_BASELINE, uids.JPEG_EXTENDED, uids.JPEG_LOSSLESS, uids.JPEG_LOSSLESS_SV1),
    *(uids.JPEG_LS_LOSSLESS, uids.JPEG_LS_NEAR_LOSSLESS, uids.JPEG_2000_LOSSLESS, uids.JPEG_2000),
    *(uids.HTJ2K_LOSSLESS, uids.HTJ2K_LOSSLESS_RPCL, uids.HTJ2K),
)


def common_classes() -> tuple[str, ...]:
    """Storage classes that fit into one association with a query context: those that hospitals use."""
    wanted = [
        uid
        for uid, name in STORAGE_SOP_CLASSES.items()
        if uid in _NOT_RARE
        or not (
            "(Retired)" in name
            or "Standalone" in name
            or "(private)" in name
            or uid.startswith(_RARE)
            or is_patientless(uid)
        )
    ]
    return tuple(wanted[: MAX_PRESENTATION_CONTEXTS - 2])


@dataclass(slots=True)
class Outcome:
    """How a C-GET or C-MOVE ended."""

    code: int = 0
    comment: str = ""
    completed: int = 0
    failed: int = 0


@dataclass(slots=True)
class Sent:
    """How C-STOREs ended."""

    stored: int = 0
    warned: list[tuple[str, str, str]] = field(default_factory=list)  # stored, and the peer remarked on it
    failed: list[tuple[str, str, str]] = field(default_factory=list)  # file, status or code, comment


async def echo(peer: Peer) -> int:
    """C-ECHO; its status."""
    association = await peer.dial(propose_one([(uids.VERIFICATION, NATIVE_SYNTAXES)]))
    code = await association.echo()
    await association.release()
    return code


async def find(peer: Peer, identifier: AttributeSet) -> list[AttributeSet]:
    """C-FIND, in the patient root at PATIENT level and in the study root else. UNAVAILABLE if it ended early."""
    root = uids.PATIENT_ROOT_FIND if _level(identifier) == "PATIENT" else uids.STUDY_ROOT_FIND
    association = await peer.dial(propose_one([(root, NATIVE_SYNTAXES)]))
    try:
        matches = await _find(association, root, identifier)
        await association.release()
    finally:
        association.abort()
    return matches


async def _find(association: Requestor, root: str, identifier: AttributeSet) -> list[AttributeSet]:
    context = association.context_for(root)
    matches: list[AttributeSet] = []
    async with aclosing(association.find(context, _encoded(identifier, context))) as responses:
        async for response in responses:
            if response.data is not None:
                matches.append(read_attributes(response.data, context.transfer_syntax))
            elif response.status:
                comment = response.command.error_comment or f"the peer answered 0x{response.status:04X}"
                raise LeadglassError(ErrorCode.UNAVAILABLE, f"The query ended early: {comment}")
    return matches


async def get(peer: Peer, identifier: AttributeSet, folder: Path, moved: Moved) -> Outcome:
    """C-GET into `folder`, which is empty, as 00000001.dcm and so on, in the transfer syntaxes the peer stores."""
    root = uids.PATIENT_ROOT_GET if _level(identifier) == "PATIENT" else uids.STUDY_ROOT_GET
    classes = await _classes_there(peer, identifier) or common_classes()
    pairs = each_syntax(classes, STILL_SYNTAXES)
    if len(pairs) > MAX_PRESENTATION_CONTEXTS - 1:
        pairs = [(sop_class, NATIVE_SYNTAXES) for sop_class in classes]
    association = await peer.dial(propose_one([(root, NATIVE_SYNTAXES), *pairs]), receives=classes)
    count = 0

    async def sink(command: Command, accepted: AcceptedContext, pieces: AsyncIterator[bytes]) -> int:
        nonlocal count
        count += 1
        instance = command.affected_sop_instance_uid or ""
        with (folder / f"{count:08d}.dcm").open("xb") as file:
            file.write(build_file_header(accepted.abstract_syntax, instance, accepted.transfer_syntax))
            async for piece in pieces:
                file.write(piece)
        return status.SUCCESS

    try:
        context = association.context_for(root)
        outcome = await _followed(association.get(context, _encoded(identifier, context), sink), moved)
        await association.release()
    finally:
        association.abort()
    return outcome


async def _classes_there(peer: Peer, identifier: AttributeSet) -> tuple[str, ...]:
    """The SOP classes of the studies that are meant, if the peer tells (SOPClassesInStudy is optional for it)."""
    wanted = {tag: value for tag, value in identifier.items() if tag in _STUDY_KEYS and value.values}
    if not wanted:
        return ()
    wanted |= {QUERY_LEVEL: Attribute("CS", ("STUDY",)), SOP_CLASSES_IN_STUDY: Attribute("UI")}
    try:
        matches = await find(peer, dict(sorted(wanted.items())))
    except LeadglassError:
        return ()  # it may let us get and not find
    found = dict.fromkeys(
        str(uid) for match in matches if SOP_CLASSES_IN_STUDY in match for uid in match[SOP_CLASSES_IN_STUDY].values
    )
    return tuple(uid for uid in found if uids.is_valid_uid(uid))[: MAX_PRESENTATION_CONTEXTS - 1]


async def move(peer: Peer, destination: str, identifier: AttributeSet, moved: Moved) -> Outcome:
    """C-MOVE to the AE title `destination`."""
    root = uids.PATIENT_ROOT_MOVE if _level(identifier) == "PATIENT" else uids.STUDY_ROOT_MOVE
    association = await peer.dial(propose_one([(root, NATIVE_SYNTAXES)]))
    try:
        context = association.context_for(root)
        outcome = await _followed(association.move(context, _encoded(identifier, context), destination), moved)
        await association.release()
    finally:
        association.abort()
    return outcome


async def _followed(running: AsyncGenerator[Response, None], moved: Moved) -> Outcome:
    outcome = Outcome()
    async with aclosing(running) as responses:
        async for response in responses:
            command = response.command
            outcome.code = response.status
            outcome.comment = command.error_comment or ""
            outcome.completed = command.completed or outcome.completed
            outcome.failed = command.failed or outcome.failed
            done = outcome.completed + outcome.failed
            moved(done, done + (command.remaining or 0))
    return outcome


def _encoded(identifier: AttributeSet, context: AcceptedContext) -> bytes:
    return write_attributes(identifier, context.transfer_syntax, "ISO_IR 192")


def _level(identifier: AttributeSet) -> str:
    return str(identifier[QUERY_LEVEL].values[0])


def identifier_of(level: str, keys: Iterable[str]) -> AttributeSet:
    """An identifier from `Keyword=value` or `gggg,eeee=value` words; without a value the peer is to tell. USAGE."""
    if level.upper() not in LEVELS:
        raise LeadglassError(ErrorCode.USAGE, f"--level is one of {', '.join(LEVELS)}.")
    found: dict[int, Attribute] = {QUERY_LEVEL: Attribute("CS", (level.upper(),))}
    for text in keys:
        tag, value = tag_in(text), text.partition("=")[2]
        found[tag] = Attribute(vr_of(tag), tuple(value.split("\\")) if value else ())
    return dict(sorted(found.items()))


def tag_in(word: str) -> int:
    """The tag that `Keyword=value` or `gggg,eeee=value` names. USAGE."""
    text = word.partition("=")[0].strip()
    digits = text.strip("()").replace(",", "")
    if len(digits) == 8 and "," in text:
        try:
            return int(digits, 16)
        except ValueError:
            pass
    try:
        return tag_of(text)
    except KeyError:
        comment = f"There is no attribute '{text}'. Write its keyword, such as PatientName, or its tag, as 0010,0010."
        raise LeadglassError(ErrorCode.USAGE, comment) from None


# --- sending ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Letter:
    source: Source
    sop_class: str
    sop_instance: str
    syntax: str
    offset: int

    @property
    def pair(self) -> tuple[str, tuple[str, ...]]:
        return self.sop_class, (self.syntax,)


async def send(peer: Peer, paths: list[Path], moved: Moved) -> Sent:
    """C-STORE every DICOM file below `paths` (folders, ZIPs, DICOMDIRs) as it is; what cannot be read is listed."""
    sent = Sent()
    waiting = _letters(paths, sent)
    total = len(waiting) + len(sent.failed)
    for contexts in propose(letter.pair for letter in waiting):
        here = {(context.abstract_syntax, context.transfer_syntaxes) for context in contexts}
        association = await peer.dial(contexts)
        try:
            for letter in (letter for letter in waiting if letter.pair in here):
                await _send_one(association, letter, sent)
                moved(sent.stored + len(sent.failed), total)
            await association.release()
        finally:
            association.abort()
    return sent


def _letters(paths: list[Path], sent: Sent) -> list[_Letter]:
    letters = []
    for found in sources(paths):
        if isinstance(found, Unreadable):
            sent.failed.append((found.name, "", found.reason))
            continue
        try:
            with found.open() as file:
                seen, _ = look(file)
        except LeadglassError as error:
            sent.failed.append((found.name, "", error.comment))
        except READ_FAILURES as error:
            sent.failed.append((found.name, "", f"cannot be read ({type(error).__name__})"))
        else:
            letters.append(
                _Letter(found, seen.sop_class, seen.sop_instance, seen.transfer_syntax_uid, seen.data_set_offset)
            )
    return letters


async def _send_one(association: Requestor, letter: _Letter, sent: Sent) -> None:
    try:
        context = association.context_for(*letter.pair)
        with letter.source.open() as file:
            answer = await association.store(context, letter.sop_instance, _pieces(file, letter.offset))
    except LeadglassError as error:
        sent.failed.append((letter.source.name, "", error.comment))
        return
    except READ_FAILURES as error:
        sent.failed.append((letter.source.name, "", f"cannot be read ({type(error).__name__})"))
        return
    row = (letter.source.name, f"0x{answer.status:04X}", answer.command.error_comment or "")
    kind = status.kind_of(answer.status)
    if kind in (status.StatusKind.SUCCESS, status.StatusKind.WARNING):
        sent.stored += 1
        if kind is status.StatusKind.WARNING:
            sent.warned.append(row)
    else:
        sent.failed.append(row)


async def _pieces(file: BinaryIO, offset: int) -> AsyncIterator[bytes]:
    file.read(offset)
    while piece := file.read(PIECE):
        yield piece
