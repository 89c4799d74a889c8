"""The DICOM JSON Model (PS3.18 annex F): attributes and stored instances written as compact JSON."""

from __future__ import annotations

import json.encoder
import math
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from leadglass.core.attributes import Attribute, AttributeSet, Value
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_NESTING
from leadglass.dicom.charset import UTF_8
from leadglass.dicom.index_keys import SPECIFIC_CHARACTER_SET
from leadglass.dicom.model import BULK_ABOVE, ModelMaker

_LARGEST_EXACT: Final = 2**53 - 1  # integers beyond are not exact where numbers are doubles, as in browsers
_LONGEST_NUMBER: Final = 32  # characters; a longer one is no DS or IS (16, 12) and stays a string
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_DECIMAL: Final = re.compile(r"([+-]?)0*([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?")
_INTEGER: Final = re.compile(r"([+-]?)0*([0-9]+)")
# JSON has no such numbers, and many readers take -0 for an integer, which has no sign then.
_SPECIAL: Final = {"nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"', "-0": "-0.0"}

_quoted: Final[Callable[[str], str]] = json.encoder.encode_basestring


def _text(value: str) -> str:
    return _quoted(value) if value else "null"


def _decimal(value: str) -> str:
    """A DS. What is a number but not in JSON's grammar is rewritten; what is none stays a string."""
    if _NUMBER.fullmatch(value) and len(value) <= _LONGEST_NUMBER:
        return value
    match = _DECIMAL.fullmatch(value)
    if match is None or len(value) > _LONGEST_NUMBER or not (match[2] or match[3] or "0" in value.partition(".")[0]):
        return _text(value)
    if not math.isfinite(float(value)):
        return _text(value)
    sign, whole, fraction, exponent = match[1].strip("+"), match[2] or "0", match[3], match[4]
    return f"{sign}{whole}{'.' + fraction if fraction else ''}{'e' + exponent if exponent else ''}"


def _integer(value: str) -> str:
    """An IS, SV or UV; one that is too large to be exact everywhere stays a string."""
    match = _INTEGER.fullmatch(value)
    if match is None or len(value) > _LONGEST_NUMBER or abs(int(value)) > _LARGEST_EXACT:
        return _text(value)
    return match[1].strip("+") + match[2]


def _float(value: str) -> str:
    return _SPECIAL.get(value, value)


def _name(value: str) -> str:
    """A PN in its three groups (F.2.2)."""
    groups = zip(("Alphabetic", "Ideographic", "Phonetic"), value.split("=", 2), strict=False)
    written = ",".join(f'"{key}":{_quoted(group)}' for key, group in groups if group)
    return f"{{{written}}}" if written else "null"


_WRITERS: Final[Mapping[str, Callable[[str], str]]] = (
    dict.fromkeys(("US", "SS", "UL", "SL"), str)
    | dict.fromkeys(("IS", "SV", "UV"), _integer)
    | dict.fromkeys(("FL", "FD"), _float)
    | {"DS": _decimal, "PN": _name}
)


class JsonForm:
    """See model.Form."""

    names_private_creators: bool = False

    def attribute(self, tag: int, attribute: Attribute, creator: str) -> str:
        """See model.Form."""
        return _attribute(tag, attribute, 0)

    def bulk(self, tag: int, vr: str, uri: str, creator: str) -> str:
        """See model.Form."""
        return f'"{tag:08X}":{{"vr":"{vr}","BulkDataURI":{_quoted(uri)}}}'

    def sequence(self, tag: int, items: Sequence[str], creator: str) -> str:
        """See model.Form."""
        return _with_values(tag, "SQ", items)

    def data_set(self, attributes: Iterable[str]) -> str:
        """See model.Form."""
        return f"{{{','.join(attributes)}}}"

    document = data_set


def _with_values(tag: int, vr: str, values: Sequence[str]) -> str:
    if not values:
        return f'"{tag:08X}":{{"vr":"{vr}"}}'
    return f'"{tag:08X}":{{"vr":"{vr}","Value":[{",".join(values)}]}}'


def _attribute(tag: int, attribute: Attribute, depth: int) -> str:
    vr, values = attribute.vr, attribute.values
    if values and isinstance(values[0], bytes):
        joined = b"".join(value for value in values if isinstance(value, bytes))
        return f'"{tag:08X}":{{"vr":"{vr}","InlineBinary":"{b64encode(joined).decode()}"}}'
    write = _WRITERS.get(vr, _text)
    return _with_values(
        tag, vr, [_item(value, depth) if not isinstance(value, str) else write(value) for value in values]
    )


def _item(value: Value, depth: int) -> str:
    if not isinstance(value, Mapping):
        return "null"
    if depth >= MAX_NESTING:
        raise LeadglassError(ErrorCode.CANNOT_CONVERT, "Sequences are nested too deep")
    return f"{{{','.join(_attribute(tag, value[tag], depth + 1) for tag in sorted(value))}}}"


def json_maker(bulk_above: int = BULK_ABOVE) -> ModelMaker:
    """A maker of DICOM JSON for the instances of one series; each document is one object, not yet in an array."""
    return ModelMaker(JsonForm(), bulk_above)


def attributes_json(attributes: AttributeSet) -> bytes:
    """`attributes` (an answer to a query) as a DICOM JSON object in UTF-8.

    (0008,0005) says so where the answer has it or a text needs it. Raises LeadglassError CANNOT_CONVERT only beyond
    MAX_NESTING.
    """
    written = _item(told_in_utf_8(attributes), 0)
    if not written.isascii() and SPECIFIC_CHARACTER_SET not in attributes:
        written = _item({**attributes, SPECIFIC_CHARACTER_SET: Attribute("CS", (UTF_8,))}, 0)
    return written.encode("utf-8", "replace")


def told_in_utf_8(attributes: AttributeSet) -> AttributeSet:
    """`attributes` with (0008,0005), where it is there, as the models are written."""
    if SPECIFIC_CHARACTER_SET not in attributes:
        return attributes
    return {**attributes, SPECIFIC_CHARACTER_SET: Attribute("CS", (UTF_8,))}
