"""Reads the DICOM JSON Model (PS3.18 annex F) from clients, with bounds on what it may cost."""

from __future__ import annotations

import json
from typing import Final, NoReturn

from leadglass.core.attributes import Attribute
from leadglass.core.limits import MAX_ITEMS, MAX_MODEL_VALUES
from leadglass.dicom.model_reader import (
    Gatherer,
    ReadModel,
    check_size,
    cleaned,
    inline,
    number,
    plain,
    tag_of,
    vr_of_text,
)
from leadglass.dicom.walk import unparsable

_KINDS: Final = ("Value", "InlineBinary", "BulkDataURI")
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")


class _Literal(str):
    """A number as it was written: nothing is lost and nothing large is worked out."""

    __slots__ = ()


def read_json(document: bytes) -> list[ReadModel]:
    """The data sets of a JSON document in UTF-8: an array of objects, or one object.

    Raises LeadglassError UNPARSABLE on what is no DICOM JSON (repeated names, NaN, unknown VRs and malformed values
    among them) and beyond core.limits.
    """
    check_size(document)
    # What is read takes some 60 bytes per value: count before anything is made of it.
    if document.count(b"{") + document.count(b"[") + document.count(b",") > MAX_MODEL_VALUES:
        raise unparsable("The metadata have too many values")
    try:
        found = json.loads(
            document.decode("utf-8-sig"),
            object_pairs_hook=_object,
            parse_constant=_refused,
            parse_float=_Literal,
            parse_int=_Literal,
        )
    except (ValueError, RecursionError):
        raise unparsable("The metadata are not JSON, or nested too deep") from None
    instances = found if isinstance(found, list) else [found]
    if len(instances) > MAX_ITEMS:
        raise unparsable("The metadata are of too many instances")
    return [_instance(instance) for instance in instances]


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is repeated")
    return found


def _refused(constant: str) -> NoReturn:
    raise ValueError("no JSON")


def _instance(found: object) -> ReadModel:
    gatherer = Gatherer()
    attributes = _data_set(found, gatherer, "", 0)
    return gatherer.result(attributes)


def _data_set(found: object, gatherer: Gatherer, path: str, depth: int) -> dict[int, Attribute]:
    if not isinstance(found, dict):
        raise unparsable("A data set is not a JSON object")
    level: dict[int, Attribute] = {}
    for key, entry in found.items():
        tag = tag_of(key)
        gatherer.put(level, tag, _attribute(tag, entry, gatherer, path, depth), outermost=not depth)
    return level


def _attribute(tag: int, entry: object, gatherer: Gatherer, path: str, depth: int) -> Attribute:
    if not isinstance(entry, dict):
        raise unparsable("An attribute is not a JSON object", tag)
    vr = vr_of_text(entry.get("vr"), tag)
    given = [(kind, entry[kind]) for kind in _KINDS if entry.get(kind) is not None]
    if not given:
        return Attribute(vr)
    kind, content = given[0]
    if len(given) > 1:
        raise unparsable("An attribute has more than one value", tag)
    if kind != "Value":
        return _apart(tag, vr, kind, content, gatherer, path)
    if not isinstance(content, list):
        raise unparsable("A value is not a JSON array", tag)
    if vr == "SQ":
        return Attribute(vr, tuple(_item(tag, n, item, gatherer, path, depth) for n, item in enumerate(content, 1)))
    texts = [_text(tag, vr, value) for value in content]
    return plain(vr, texts, tag)


def _apart(  # noqa: PLR0917 - all that there is to know of one attribute
    tag: int, vr: str, kind: str, content: object, gatherer: Gatherer, path: str
) -> Attribute:
    if isinstance(content, list) and len(content) == 1:  # as in an example of PS3.18 F.4
        content = content[0]
    if type(content) is not str:  # nor a literal
        raise unparsable("A binary value or reference is not text", tag)
    if kind == "InlineBinary":
        return inline(vr, content, tag)
    return gatherer.refer(f"{path}{tag:08X}", tag, vr, content)


def _item(  # noqa: PLR0917
    tag: int, place: int, found: object, gatherer: Gatherer, path: str, depth: int
) -> dict[int, Attribute]:
    gatherer.count_item(depth)
    content = {} if found is None else found
    return cleaned(_data_set(content, gatherer, f"{path}{tag:08X}/{place}/", depth + 1), outermost=False)


def _text(tag: int, vr: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, _Literal) and vr in ("DS", "IS"):
        return number(vr, value, tag)
    if vr == "PN" and isinstance(value, dict):
        groups = [value.get(group, "") for group in _GROUPS]
        if all(type(group) is str for group in groups):
            return "=".join(groups).rstrip("=")
    elif isinstance(value, str):
        return str(value)
    raise unparsable("A value is of the wrong JSON type", tag)
