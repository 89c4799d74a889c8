"""Whether two encodings of an instance carry the same values: transfer syntax, group lengths and padding aside."""

from __future__ import annotations

from collections.abc import Iterator

from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.core.errors import LeadglassError
from leadglass.core.ports import Vault
from leadglass.core.records import StoredInstance
from leadglass.dicom.transfer_syntaxes import TRANSFER_SYNTAXES
from leadglass.dicom.values import read_attributes

DATA_SET_TRAILING_PADDING = 0xFFFCFFFC
PIXEL_DATA = 0x7FE00010
LARGEST_COMPARED = 64 * 1024 * 1024


def same_values(vault: Vault, data_set: bytes, transfer_syntax_uid: str, stored: StoredInstance) -> bool:
    """Whether `data_set` and the stored instance carry the same values.

    Encapsulated pixels are compared as encoded: the same image compressed anew counts as different, which keeps both.
    """
    if stored.location.data_set_length > LARGEST_COMPARED:
        return False
    if _encapsulated(transfer_syntax_uid) != _encapsulated(stored.transfer_syntax_uid):
        return False
    try:
        reader = vault.open(stored.location, stored.identity)
        try:
            theirs = reader.read(0, reader.data_set_length)
        finally:
            reader.close()
        return _plain_form(read_attributes(data_set, transfer_syntax_uid)) == _plain_form(
            read_attributes(theirs, stored.transfer_syntax_uid)
        )
    except LeadglassError:
        return False


def is_whole(vault: Vault, stored: StoredInstance) -> bool:
    """Whether the stored instance can be read; up to LARGEST_COMPARED all of it is, beyond only its ends."""
    try:
        reader = vault.open(stored.location, stored.identity)
        try:
            if stored.location.data_set_length <= LARGEST_COMPARED:
                for _ in reader.chunks():
                    pass
        finally:
            reader.close()
    except LeadglassError:
        return False
    return True


def _encapsulated(transfer_syntax_uid: str) -> str:
    syntax = TRANSFER_SYNTAXES.get(transfer_syntax_uid)
    return transfer_syntax_uid if syntax is None or syntax.encapsulated else ""


def _plain_form(attributes: AttributeSet) -> list[tuple[int, tuple[object, ...]]]:
    return [(tag, tuple(_plain_values(attribute))) for tag, attribute in sorted(attributes.items()) if _counts(tag)]


def _counts(tag: int) -> bool:
    return tag & 0xFFFF != 0 and tag != DATA_SET_TRAILING_PADDING


def _plain_values(attribute: Attribute) -> Iterator[object]:
    for value in attribute.values:
        if isinstance(value, bytes):
            yield value.rstrip(b"\0")
        elif isinstance(value, str):
            yield value.strip(" \0")
        else:
            yield _plain_form(value)
