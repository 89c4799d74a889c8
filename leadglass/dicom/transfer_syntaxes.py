"""Transfer syntaxes (PS3.5 annex A, PS3.6 table A-1): how each lays out a data set, and which one to accept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pydicom._uid_dict import UID_dictionary

from leadglass.dicom import uids


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """One transfer syntax. `lossy` means that it may lose information, not that a given object did."""

    uid: str
    name: str
    keyword: str
    little_endian: bool = True
    explicit_vr: bool = True
    deflated: bool = False
    encapsulated: bool = False
    lossy: bool = False
    pixels_elsewhere: bool = False


_JPEG: Final = "1.2.840.10008.1.2.4."
_LOSSLESS: Final = frozenset(
    {_JPEG + n for n in ("57", "58", "65", "66", "70", "80", "90", "92", "110", "201", "202")}
    | {uids.RLE_LOSSLESS, uids.ENCAPSULATED_UNCOMPRESSED, "1.2.840.10008.1.2.8.1"}
)
# Pixels are fetched from a server named in the object (JPIP) or run beside it (SMPTE ST 2110).
_PIXELS_ELSEWHERE: Final = frozenset(
    {_JPEG + n for n in ("94", "95", "204", "205")} | {f"1.2.840.10008.1.2.7.{n}" for n in (1, 2, 3)}
)
_DEFLATED: Final = frozenset({uids.DEFLATED_EXPLICIT_VR_LE, _JPEG + "95", _JPEG + "205"})
_NATIVE: Final = frozenset(
    {uids.IMPLICIT_VR_LE, uids.EXPLICIT_VR_LE, uids.DEFLATED_EXPLICIT_VR_LE, uids.EXPLICIT_VR_BE} | _PIXELS_ELSEWHERE
)
# Not data sets in the sense of PS3.5: MIME and XML wrappers, and Papyrus 3 with its own pixel files.
_NOT_DATA_SETS: Final = frozenset({"1.2.840.10008.1.2.6.1", "1.2.840.10008.1.2.6.2", "1.2.840.10008.1.20"})
# Registered after the edition that pydicom's dictionary was made from.
_LATER: Final = {
    _JPEG + "110": ("JPEG XL Lossless", "JPEGXLLossless"),
    _JPEG + "111": ("JPEG XL JPEG Recompression", "JPEGXLJPEGRecompression"),
    _JPEG + "112": ("JPEG XL", "JPEGXL"),
    "1.2.840.10008.1.2.8.1": ("Deflated Image Frame Compression", "DeflatedImageFrameCompression"),
}


def _build() -> dict[str, TransferSyntax]:
    names = {
        uid: (entry[0], entry[4])
        for uid, entry in UID_dictionary.items()
        if entry[1] == "Transfer Syntax" and uid not in _NOT_DATA_SETS
    }
    return {
        uid: TransferSyntax(
            uid=uid,
            name=name,
            keyword=keyword,
            little_endian=uid != uids.EXPLICIT_VR_BE,
            explicit_vr=uid != uids.IMPLICIT_VR_LE,
            deflated=uid in _DEFLATED,
            encapsulated=uid not in _NATIVE,
            lossy=uid not in _NATIVE and uid not in _LOSSLESS,
            pixels_elsewhere=uid in _PIXELS_ELSEWHERE,
        )
        for uid, (name, keyword) in (_LATER | names).items()
    }


TRANSFER_SYNTAXES: Final[Mapping[str, TransferSyntax]] = MappingProxyType(_build())
# Encapsulated syntaxes whose frames the sandbox decodes (a test compares the two).
DECODABLE: Final = frozenset(
    {_JPEG + n for n in ("50", "51", "53", "55", "57", "70", "80", "81", "90", "91")}
    | {_JPEG + n for n in ("110", "111", "112", "201", "202", "203")}
    | {uids.RLE_LOSSLESS, uids.ENCAPSULATED_UNCOMPRESSED, "1.2.840.10008.1.2.8.1"}
)


def lookup(uid: str) -> TransferSyntax | None:
    """The transfer syntax `uid`, or None if it is not known."""
    return TRANSFER_SYNTAXES.get(uid)


def _rank(syntax: TransferSyntax) -> int:
    """Order of acceptance: Explicit LE, Implicit LE, lossless, deflated, Explicit BE, lossy."""
    if syntax.uid == uids.EXPLICIT_VR_LE:
        return 0
    if syntax.uid == uids.IMPLICIT_VR_LE:
        return 1
    if syntax.lossy:
        return 5
    if syntax.encapsulated:
        return 2
    return 3 if syntax.deflated else 4


def choose(offered: Sequence[str], allowed: Collection[str] = ()) -> str | None:
    """The syntax to accept for one presentation context, or None.

    `allowed`, when not empty, narrows what may be taken (a device's own list). Within one kind the proposer's order
    decides; a lossy syntax is taken only when nothing else fits; syntaxes without the pixels in the object never.
    """
    fitting = [
        syntax
        for uid in offered
        if (syntax := TRANSFER_SYNTAXES.get(uid)) is not None
        and not syntax.pixels_elsewhere
        and (not allowed or uid in allowed)
    ]
    return min(fitting, key=_rank).uid if fitting else None
