"""The Native DICOM Model (PS3.19 A.1): attributes and stored instances written as XML.

XML 1.0 forbids most control characters, even as references. A value that holds one (a form feed in a report, say) is
written whole as InlineBinary: its characters in UTF-8, values separated by backslashes as in the data set.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_NESTING
from leadglass.dicom.charset import UTF_8
from leadglass.dicom.dictionary import keyword_of
from leadglass.dicom.index_keys import SPECIFIC_CHARACTER_SET
from leadglass.dicom.json_model import told_in_utf_8
from leadglass.dicom.model import BULK_ABOVE, ModelMaker
from leadglass.dicom.private_blocks import PrivateBlocks, is_private

NAMESPACE: Final = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
NAME_COMPONENTS: Final = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
NAME_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")

_HEAD: Final = f'<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">'
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_QUOTED: Final = str.maketrans({"&": "&amp;", "<": "&lt;", '"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"})
_NOT_FINITE: Final = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}  # as in DICOM JSON


class XmlForm:
    """See model.Form."""

    names_private_creators: bool = True

    def attribute(self, tag: int, attribute: Attribute, creator: str) -> str:
        """See model.Form."""
        return _attribute(tag, attribute, creator, 0)

    def bulk(self, tag: int, vr: str, uri: str, creator: str) -> str:
        """See model.Form."""
        return _element(tag, vr, creator, f'<BulkData uri="{uri.translate(_QUOTED)}"/>')

    def sequence(self, tag: int, items: Sequence[str], creator: str) -> str:
        """See model.Form."""
        return _sequence(tag, items, creator)

    def data_set(self, attributes: Iterable[str]) -> str:
        """See model.Form."""
        return "".join(attributes)

    def document(self, attributes: Iterable[str]) -> str:
        """See model.Form."""
        return f"{_HEAD}{''.join(attributes)}</NativeDicomModel>"


def _element(tag: int, vr: str, creator: str, content: str) -> str:
    keyword = keyword_of(tag)
    named = f' keyword="{keyword}"' if keyword else ""
    if creator and not _FORBIDDEN.search(creator):  # the block is the creator's, whatever its number
        tag &= 0xFFFF00FF
        named += f' privateCreator="{creator.translate(_QUOTED)}"'
    if not content:
        return f'<DicomAttribute tag="{tag:08X}" vr="{vr}"{named}/>'
    return f'<DicomAttribute tag="{tag:08X}" vr="{vr}"{named}>{content}</DicomAttribute>'


def _sequence(tag: int, items: Sequence[str], creator: str) -> str:
    return _element(tag, "SQ", creator, "".join(f'<Item number="{n}">{item}</Item>' for n, item in enumerate(items, 1)))


def _inline(raw: bytes) -> str:
    return f"<InlineBinary>{b64encode(raw).decode()}</InlineBinary>"


def _attribute(tag: int, attribute: Attribute, creator: str, depth: int) -> str:
    vr, values = attribute.vr, attribute.values
    if not values:
        return _element(tag, vr, creator, "")
    if vr == "SQ":
        items = [_attributes(value, depth + 1) for value in values if isinstance(value, Mapping)]
        return _sequence(tag, items, creator)
    if isinstance(values[0], bytes):
        return _element(tag, vr, creator, _inline(b"".join(v for v in values if isinstance(v, bytes))))
    texts = [value for value in values if isinstance(value, str)]
    if any(map(_FORBIDDEN.search, texts)):
        return _element(tag, vr, creator, _inline("\\".join(texts).encode("utf-8", "replace")))
    if vr == "PN":
        content = "".join(_name(number, text) for number, text in enumerate(texts, 1))
    else:
        if vr in ("FL", "FD"):
            texts = [_NOT_FINITE.get(text, text) for text in texts]
        content = "".join(_value(number, text) for number, text in enumerate(texts, 1))
    return _element(tag, vr, creator, content)


def _value(number: int, text: str) -> str:
    return f'<Value number="{number}">{text.translate(_ESCAPES)}</Value>' if text else f'<Value number="{number}"/>'


def _name(number: int, text: str) -> str:
    """One PN: groups and their components (A.1.5). What stands behind the fifth component stays with it."""
    groups = "".join(_group(key, group) for key, group in zip(NAME_GROUPS, text.split("=", 2), strict=False) if group)
    return f'<PersonName number="{number}">{groups}</PersonName>' if groups else f'<PersonName number="{number}"/>'


def _group(key: str, group: str) -> str:
    components = group.translate(_ESCAPES).split("^", 4)
    last = len(components) - 1  # written even if empty: it says how many there are
    named = enumerate(zip(NAME_COMPONENTS, components, strict=False))
    written = "".join(f"<{name}>{text}</{name}>" for place, (name, text) in named if text or place == last)
    return f"<{key}>{written}</{key}>"


def _attributes(attributes: AttributeSet, depth: int) -> str:
    if depth > MAX_NESTING:
        raise LeadglassError(ErrorCode.CANNOT_CONVERT, "Sequences are nested too deep")
    private = PrivateBlocks()
    written = []
    for tag in sorted(attributes):
        if is_private(tag):
            private.note(tag, attributes[tag])
        written.append(_attribute(tag, attributes[tag], private.creator_of(tag), depth))
    return "".join(written)


def xml_maker(bulk_above: int = BULK_ABOVE) -> ModelMaker:
    """A maker of Native DICOM Model documents for the instances of one series."""
    return ModelMaker(XmlForm(), bulk_above)


def attributes_xml(attributes: AttributeSet) -> bytes:
    """`attributes` (an answer to a query) as a Native DICOM Model document in UTF-8.

    (0008,0005) says so where the answer has it or a text needs it. Raises LeadglassError CANNOT_CONVERT only beyond
    MAX_NESTING.
    """
    written = _attributes(told_in_utf_8(attributes), 0)
    if not written.isascii() and SPECIFIC_CHARACTER_SET not in attributes:
        written = _attributes({**attributes, SPECIFIC_CHARACTER_SET: Attribute("CS", (UTF_8,))}, 0)
    return XmlForm().document([written]).encode("utf-8", "replace")
