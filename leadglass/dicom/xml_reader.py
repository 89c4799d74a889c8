"""Reads the Native DICOM Model (PS3.19 A.1) from clients, with bounds; a document type or entity is refused.

Strategy: a stack machine on expat. Each open XML element is a frame that says which elements may stand in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NoReturn
from xml.parsers import expat

from leadglass.core.attributes import Attribute
from leadglass.core.errors import LeadglassError
from leadglass.core.limits import MAX_MODEL_VALUES
from leadglass.dicom.model_reader import Gatherer, ReadModel, check_size, cleaned, inline, plain, tag_of, vr_of_text
from leadglass.dicom.private_blocks import is_private
from leadglass.dicom.walk import unparsable
from leadglass.dicom.xml_model import NAME_COMPONENTS, NAME_GROUPS, NAMESPACE

_ROOT: Final = "NativeDicomModel"
_INSIDE: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset({_ROOT}),
    _ROOT: frozenset({"DicomAttribute"}),
    "Item": frozenset({"DicomAttribute"}),
    "DicomAttribute": frozenset({"Value", "Item", "PersonName", "BulkData", "InlineBinary"}),
    "PersonName": frozenset(NAME_GROUPS),
} | dict.fromkeys(NAME_GROUPS, frozenset(NAME_COMPONENTS))
_LEAVES: Final = frozenset({"Value", "InlineBinary", *NAME_COMPONENTS})
_FIRST_BLOCK: Final = 0x10
_LAST_BLOCK: Final = 0xFF


class _Level:
    """One open data set or item, and which blocks of its private groups are whose (PS3.5 7.8.1)."""

    __slots__ = ("attributes", "blocks", "taken")

    def __init__(self) -> None:
        self.attributes: dict[int, Attribute] = {}
        self.blocks: dict[tuple[int, str], int] = {}
        self.taken: set[int] = set()  # group << 8 | block

    def note(self, tag: int, attribute: Attribute) -> None:
        """A private element is added."""
        group, element = tag >> 16, tag & 0xFFFF
        if element > _LAST_BLOCK:
            self.taken.add(group << 8 | element >> 8)
        elif element >= _FIRST_BLOCK:
            self.taken.add(group << 8 | element)
            if len(attribute.values) == 1:
                self.blocks.setdefault((group, str(attribute.values[0])), element)

    def free_block(self, group: int) -> int:
        """A block of `group` that nobody has."""
        for block in range(_FIRST_BLOCK, _LAST_BLOCK + 1):
            if group << 8 | block not in self.taken:
                return block
        raise unparsable("A private group has no room for another creator")


class _Open:
    """One open DicomAttribute and what was read of it."""

    __slots__ = ("items", "kind", "number", "path", "tag", "texts", "uri", "vr")

    def __init__(self, tag: int, vr: str, path: str) -> None:
        self.tag = tag
        self.vr = vr
        self.path = path
        self.kind = ""
        self.texts: list[str] = []
        self.items: list[dict[int, Attribute]] = []
        self.uri = ""
        self.number = 0


class _Reader:
    """The stack machine."""

    def __init__(self) -> None:
        self.gatherer = Gatherer()
        self.root = _Level()
        self._levels: list[_Level] = []
        self._attributes: list[_Open] = []
        self._names: list[str] = [""]
        self._text: list[str] = []
        self._groups: dict[str, dict[str, str]] = {}

    def start(self, full_name: str, given: dict[str, str]) -> None:
        """An XML element begins."""
        namespace, _, name = full_name.rpartition(" ")
        if namespace not in ("", NAMESPACE) or name not in _INSIDE.get(self._names[-1], ()):
            raise unparsable("The metadata are not a Native DICOM Model")
        self._names.append(name)
        self._text = []
        if name == _ROOT:
            self._levels.append(self.root)
        elif name == "DicomAttribute":
            self._start_attribute(given)
        elif name in ("Value", "PersonName", "Item", "InlineBinary", "BulkData"):
            self._start_content(name, given)
        elif name in NAME_GROUPS:
            if name in self._groups:
                raise unparsable("A person name repeats a group")
            self._groups[name] = {}

    def end(self, full_name: str) -> None:
        """An XML element ends."""
        name = self._names.pop()
        text = "".join(self._text)
        self._text = []
        if name == "DicomAttribute":
            self._end_attribute()
        elif name == "Item":
            level = self._levels.pop()
            self._attributes[-1].items.append(cleaned(level.attributes, outermost=False))
        elif name == "PersonName":
            self._attributes[-1].texts.append(self._name())
        elif name in ("Value", "InlineBinary"):
            self._attributes[-1].texts.append(text)
        elif name in NAME_COMPONENTS:
            group = self._groups[self._names[-1]]
            if name in group:
                raise unparsable("A person name repeats a component")
            group[name] = text
        elif name == _ROOT:
            self._levels.pop()

    def characters(self, text: str) -> None:
        """Text inside an XML element."""
        if self._names[-1] in _LEAVES:
            self._text.append(text)

    def _start_attribute(self, given: dict[str, str]) -> None:
        tag = tag_of(given.get("tag", ""))
        if is_private(tag):
            tag = self._placed(tag, given.get("privateCreator", ""))
        path = f"{self._attributes[-1].path}/{len(self._attributes[-1].items) + 1}/" if self._attributes else ""
        vr = vr_of_text(given.get("vr"), tag)
        self._attributes.append(_Open(tag, vr, f"{path}{tag:08X}"))

    def _start_content(self, name: str, given: dict[str, str]) -> None:
        attribute = self._attributes[-1]
        single = name in ("InlineBinary", "BulkData")
        if attribute.kind and (single or attribute.kind != name):
            raise unparsable("An attribute has more than one kind of value", attribute.tag)
        if (name == "Item") != (attribute.vr == "SQ") or (name == "PersonName" and attribute.vr != "PN"):
            raise unparsable("A value does not fit its VR", attribute.tag)
        attribute.kind = name
        if name == "Item":
            self.gatherer.count_item(len(self._levels) - 1)
            self._levels.append(_Level())
        elif name == "BulkData":
            attribute.uri = given.get("uri") or given.get("uuid") or ""
        elif not single:
            self._fill_up(attribute, given.get("number", ""))
            self._groups = {}

    def _fill_up(self, attribute: _Open, number: str) -> None:
        """Values say their number; those in between are empty."""
        place = attribute.number + 1 if not number else int(number) if number.isdecimal() and len(number) < 9 else 0
        if not attribute.number < place <= MAX_MODEL_VALUES:
            raise unparsable("Values are out of order", attribute.tag)
        self.gatherer.count_values(place - attribute.number)
        attribute.texts += [""] * (place - attribute.number - 1)
        attribute.number = place

    def _name(self) -> str:
        groups = []
        for group in NAME_GROUPS:
            components = self._groups.get(group, {})
            last = max((NAME_COMPONENTS.index(name) for name in components), default=0)
            groups.append("^".join(components.get(name, "") for name in NAME_COMPONENTS[: last + 1]))
        return "=".join(groups).rstrip("=")

    def _end_attribute(self) -> None:
        found = self._attributes.pop()
        self._put(found.tag, self._finished(found))

    def _finished(self, found: _Open) -> Attribute:
        if found.kind == "Item":
            return Attribute("SQ", tuple(found.items))
        if found.kind == "BulkData":
            return self.gatherer.refer(found.path, found.tag, found.vr, found.uri)
        if found.kind == "InlineBinary":
            return inline(found.vr, found.texts[0], found.tag)
        if found.kind:
            return plain(found.vr, found.texts, found.tag)
        return Attribute(found.vr)

    def _placed(self, tag: int, creator: str) -> int:
        """Where a private element of `creator` belongs, in the creator's block; one is reserved if it has none yet.

        Its own tag says only the last two digits; a full tag, which some write, stands as it is.
        """
        level, group = self._levels[-1], tag >> 16
        if not creator or tag & 0xFFFF > _LAST_BLOCK:
            return tag
        block = level.blocks.get((group, creator))
        if block is None:
            block = level.free_block(group)
            self._put(group << 16 | block, Attribute("LO", (creator,)))
        return group << 16 | block << 8 | tag & 0xFF

    def _put(self, tag: int, attribute: Attribute) -> None:
        level = self._levels[-1]
        if is_private(tag):
            level.note(tag, attribute)
        self.gatherer.put(level.attributes, tag, attribute, outermost=len(self._levels) == 1)


def _refuse(*_: object) -> NoReturn:
    raise unparsable("The metadata declare a document type or an entity")


def read_xml(document: bytes) -> ReadModel:
    """The data set of a Native DICOM Model document.

    Raises LeadglassError UNPARSABLE on what is none (a DOCTYPE, unknown VRs and malformed values among them) and
    beyond core.limits.
    """
    check_size(document)
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = parser.ExternalEntityRefHandler = _refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    try:
        parser.Parse(document, True)
    except LeadglassError:
        raise
    except (expat.ExpatError, ValueError, LookupError):
        raise unparsable("The metadata are not XML") from None
    return reader.gatherer.result(reader.root.attributes)
