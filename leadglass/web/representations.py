"""Which representation of an instance, a frame or a value a client gets (PS3.18 8.7): Accept against what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.pictures import ENCODABLE
from leadglass.dicom.media_types import ALIASES, OCTET_STREAM, media_type_of
from leadglass.dicom.transcode import can_transcode
from leadglass.dicom.transfer_syntaxes import DECODABLE, lookup
from leadglass.dicom.uids import DEFLATED_EXPLICIT_VR_LE, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from leadglass.web.negotiation import ANY_SYNTAX, MediaRange

DICOM: Final = "application/dicom"
ZIP: Final = "application/zip"
RELATED: Final = "multipart/related"
_TARGETS: Final = frozenset({EXPLICIT_VR_LE, DEFLATED_EXPLICIT_VR_LE})  # Implicit VR and big endian are none (8.7.3)


@dataclass(frozen=True, slots=True)
class InstanceForm:
    """How instances leave: in which container, and the transfer syntaxes that may be, best first ("" the default)."""

    container: str  # RELATED, DICOM or ZIP
    syntaxes: tuple[str, ...]

    def syntax_for(self, stored: str) -> str | None:
        """The transfer syntax in which an instance that is stored in `stored` leaves; None if there is none."""
        return next((found for wanted in self.syntaxes if (found := _syntax(wanted, stored))), None)


def instance_form(ranges: Sequence[MediaRange], *, single: bool) -> InstanceForm:
    """What is asked for; `single` where one instance is, which can do without multipart. CANNOT_CONVERT if nothing
    that is offered here."""
    containers = [(item, _container(item, single)) for item in ranges]
    container = next((found for _, found in containers if found), None)
    if container is None:
        offered = [f'{RELATED}; type="{DICOM}"', ZIP, *([DICOM] if single else [])]
        raise LeadglassError(ErrorCode.CANNOT_CONVERT, f"Offered here: {', '.join(offered)}.")
    return InstanceForm(container, tuple(item.syntax for item, found in containers if found == container))


def _container(item: MediaRange, single: bool) -> str | None:
    if item.kind in (RELATED, "multipart/*", "*/*"):
        return RELATED if item.part in ("", DICOM, "application/*", "*/*") else None
    if single and item.kind in (DICOM, "application/*"):
        return DICOM
    return ZIP if item.kind in (ZIP, "application/*") else None


def _syntax(wanted: str, stored: str) -> str | None:
    if wanted in (ANY_SYNTAX, stored):
        return stored
    if not wanted:
        return EXPLICIT_VR_LE if _converts(stored, EXPLICIT_VR_LE) else stored  # PS3.18 8.7.3.4
    return wanted if wanted in _TARGETS and _converts(stored, wanted) else None


def _converts(stored: str, target: str) -> bool:
    return can_transcode(stored, target) or (stored in DECODABLE and can_transcode(EXPLICIT_VR_LE, target))


@dataclass(frozen=True, slots=True)
class FrameForm:
    """How frames leave: `native`, as Explicit VR Little Endian has them; `encoded` anew in `syntax`; or as they are
    stored."""

    native: bool
    media_type: str
    syntax: str
    multipart: bool
    encoded: bool = False

    @property
    def target(self) -> str:
        """The transfer syntax to encode in; empty if nothing is."""
        return self.syntax if self.encoded else ""

    @property
    def content_type(self) -> str:
        """Media type with its transfer syntax (PS3.18 8.7.3.5.2)."""
        return f"{self.media_type}; transfer-syntax={self.syntax}"


def frame_form(ranges: Sequence[MediaRange], stored: str, *, single: bool) -> FrameForm:
    """What is asked of pixel data that are stored in `stored`; `single` where one part does. CANNOT_CONVERT if they
    cannot be had so."""
    for item in ranges:
        multipart = item.kind in (RELATED, "multipart/*", "*/*")
        if not multipart and not single:
            continue
        found = _fitting(item.part or "*/*" if multipart else item.kind, item.syntax, stored, multipart)
        if found is not None:
            return found
    native = [OCTET_STREAM] if _has_native(stored) else []
    offered = [*native, *([media_type_of(stored)] if _is_encapsulated(stored) else [])]
    offered += [media_type_of(ENCODABLE[0])] if native else []
    named = ", ".join(f'{RELATED}; type="{kind}"' for kind in dict.fromkeys(offered))
    raise LeadglassError(ErrorCode.CANNOT_CONVERT, f"Offered here: {named}.")


def _fitting(kind: str, syntax: str, stored: str, multipart: bool) -> FrameForm | None:
    own = media_type_of(stored)
    any_kind = kind.endswith("/*")
    octets = kind in (OCTET_STREAM, "application/*", "*/*")
    of_own_kind = ALIASES.get(kind, kind) == own or (any_kind and own.startswith(kind.rstrip("*")))
    if _is_encapsulated(stored) and (
        syntax in (ANY_SYNTAX, stored) or not (syntax or (octets and _has_native(stored)))
    ):
        if octets or of_own_kind:
            return FrameForm(False, own if any_kind else kind, stored, multipart)
        return _anew(kind, syntax, stored, multipart)
    if octets and _has_native(stored) and syntax in ("", ANY_SYNTAX, EXPLICIT_VR_LE, IMPLICIT_VR_LE, stored):
        return FrameForm(True, OCTET_STREAM, EXPLICIT_VR_LE, multipart)
    return _anew(kind, syntax, stored, multipart)


def _anew(kind: str, syntax: str, stored: str, multipart: bool) -> FrameForm | None:
    """Encoded as HTJ2K, where that is asked for by its type or its transfer syntax."""
    target = syntax or ENCODABLE[0]
    own = media_type_of(target)
    named = kind == own or (bool(syntax) and kind.endswith("/*") and own.startswith(kind.rstrip("*")))
    if target not in ENCODABLE or not named or not _has_native(stored):
        return None
    return FrameForm(False, own, target, multipart, encoded=True)


def _is_encapsulated(stored: str) -> bool:
    syntax = lookup(stored)
    return syntax is not None and syntax.encapsulated


def _has_native(stored: str) -> bool:
    return stored in DECODABLE or can_transcode(stored, EXPLICIT_VR_LE)
