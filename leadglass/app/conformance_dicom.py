"""What the conformance statement says of the DICOM network: from the tables that the door works by."""

from __future__ import annotations

from typing import Final

from leadglass.app.statement import Section, Table
from leadglass.core import limits
from leadglass.core.principal import Right
from leadglass.dicom import index_keys, uids
from leadglass.dicom.charset_tables import ONLY_EXTENSIONS, SETS, STAND_ALONE
from leadglass.dicom.dictionary import keyword_of, vr_of
from leadglass.dicom.sop_classes import STORAGE_SOP_CLASSES
from leadglass.dicom.transfer_syntaxes import DECODABLE, TRANSFER_SYNTAXES, TransferSyntax
from leadglass.index.matching import kinds_of_matching
from leadglass.scp.negotiation import QUERY_SYNTAXES, SERVICE_RIGHTS

# Names of the standard (PS3.6 table A-1); which of them there are is read from the door.
NAMES: Final = {
    uids.VERIFICATION: "Verification",
    uids.PATIENT_ROOT_FIND: "Patient Root Query/Retrieve - FIND",
    uids.PATIENT_ROOT_MOVE: "Patient Root Query/Retrieve - MOVE",
    uids.PATIENT_ROOT_GET: "Patient Root Query/Retrieve - GET",
    uids.STUDY_ROOT_FIND: "Study Root Query/Retrieve - FIND",
    uids.STUDY_ROOT_MOVE: "Study Root Query/Retrieve - MOVE",
    uids.STUDY_ROOT_GET: "Study Root Query/Retrieve - GET",
}
_LEVELS: Final = (
    ("PATIENT", index_keys.PATIENT_KEYS),
    ("STUDY", index_keys.STUDY_KEYS),
    ("SERIES", index_keys.SERIES_KEYS),
    ("IMAGE", index_keys.IMAGE_KEYS),
)


def stored_syntaxes() -> list[TransferSyntax]:
    """Transfer syntaxes that are accepted for storage."""
    return [syntax for syntax in TRANSFER_SYNTAXES.values() if not syntax.pixels_elsewhere]


def services() -> Table:
    """SOP classes as SCP and SCU."""
    rows = [(NAMES[uid], uid, "yes", "yes", right.value) for uid, right in SERVICE_RIGHTS.items()]
    rows.append((f"Storage ({len(STORAGE_SOP_CLASSES)} classes, see the annex)", "", "yes", "yes", Right.STORE.value))
    return Table("Network services", ("SOP Class", "UID", "SCP", "SCU", "Right that a caller needs"), tuple(rows))


def storage_classes() -> Table:
    """Every storage SOP class."""
    rows = sorted((name, uid) for uid, name in STORAGE_SOP_CLASSES.items())
    return Table("Storage SOP Classes", ("SOP Class", "UID"), tuple(rows))


def transfer_syntaxes() -> Table:
    """Every transfer syntax that is stored, and whether its images can be shown and converted."""
    rows = [
        (syntax.name, syntax.uid, _yes(not syntax.encapsulated or syntax.uid in DECODABLE), _yes(syntax.lossy))
        for syntax in stored_syntaxes()
    ]
    columns = ("Transfer Syntax", "UID", "Pixels are decoded", "May be lossy")
    return Table("Transfer Syntaxes for storage", columns, tuple(rows))


def query_keys() -> tuple[Table, ...]:
    """The attributes that are matched and returned, by level."""
    columns = ("Attribute", "Tag", "VR", "Matching")
    return tuple(Table(f"Keys of level {level}", columns, tuple(_key(tag) for tag in keys)) for level, keys in _LEVELS)


def character_sets() -> Table:
    """Specific Character Sets that are read and written."""
    alone = [f"ISO_IR {number}" for number in SETS if number not in ONLY_EXTENSIONS]
    extended = [f"ISO 2022 IR {number}" for number in SETS]
    rows = tuple((term,) for term in (*alone, *STAND_ALONE, *extended))
    return Table("Specific Character Sets", ("Defined Term",), rows)


def network_details() -> Section:
    """How associations are negotiated and bounded."""
    syntaxes = ", ".join(TRANSFER_SYNTAXES[uid].name for uid in QUERY_SYNTAXES)
    rows = (
        ("Application Context Name", uids.APPLICATION_CONTEXT),
        ("Implementation Class UID", uids.IMPLEMENTATION_CLASS_UID),
        ("Implementation Version Name", uids.IMPLEMENTATION_VERSION_NAME),
        ("Maximum PDU length offered", _number(limits.MAX_PDU_LENGTH)),
        ("Presentation contexts per association", _number(limits.MAX_PRESENTATION_CONTEXTS)),
        ("Associations at a time, all peers", _number(limits.MAX_ASSOCIATIONS)),
        ("Asynchronous operations window", "1, 1"),
        ("Time for a request after connecting (ARTIM)", f"{limits.ARTIM_SECONDS:g} s"),
        ("Idle time between messages", f"{limits.IDLE_TIMEOUT_SECONDS:g} s"),
        ("Transfer syntaxes of query and retrieve identifiers", syntaxes),
        ("Answers to one C-FIND unless the device says otherwise", _number(limits.DEFAULT_QUERY_LIMIT)),
        ("SCP/SCU role selection", "for storage classes, so that C-GET can be answered"),
        ("Extended negotiation of queries", "relational queries, combined date-time matching, time zone adjustment"),
        ("Extended negotiation of retrievals", "relational retrieval"),
        ("Extended negotiation of storage", "level 2 (full), digital signatures kept, no coercion"),
        ("User identity", "type 2 (username and passcode) over TLS, where the device has a passcode"),
    )
    return Section(
        "Association negotiation",
        (
            "Of the transfer syntaxes of one presentation context Explicit VR Little Endian is preferred, then "
            "Implicit VR Little Endian, then lossless compression, and lossy compression only for want of others.",
            "Images leave as they are stored where the receiver accepts that, otherwise decompressed.",
        ),
        (Table("Parameters", ("Parameter", "Value"), rows),),
    )


def _key(tag: int) -> tuple[str, ...]:
    vr = vr_of(tag)
    return (keyword_of(tag), f"({tag >> 16:04X},{tag & 0xFFFF:04X})", vr, ", ".join(kinds_of_matching(vr)))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _number(value: int) -> str:
    return f"{value:,}"
