"""One patient, study, series or instance of the catalog: its attributes, decoded when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping

from leadglass.core.attributes import Attribute
from leadglass.core.errors import LeadglassError
from leadglass.core.records import HeaderValue
from leadglass.dicom import index_keys
from leadglass.dicom.charset import parse_specific_character_set
from leadglass.dicom.values import decode_value
from leadglass.index import moments
from leadglass.index.blobs import ASSUMED, DEFAULT_CHARACTER_SET, unpack


class Entity:
    """Attributes of one entity. `columns` holds what the catalog's columns say; they go before the blob.

    With a `timezone` (request's (0008,0201)) dates and times that belong together are told in that zone, as far as
    the object says which zone its own are in (PS3.4 C.2.1.2, timezone query adjustment). `zone` is the one they are
    told in: the request's, else the object's own, else empty.
    """

    def __init__(
        self,
        values: Mapping[int, HeaderValue],
        columns: Mapping[int, Attribute],
        timezone: str = "",
        assumed: str = DEFAULT_CHARACTER_SET,
    ) -> None:
        self._values = values
        self._decoded: dict[int, Attribute | None] = dict(columns)
        declared = values.get(index_keys.SPECIFIC_CHARACTER_SET)
        self._sets, _warning = parse_specific_character_set(declared.raw if declared else None, assumed)
        own = self._own_zone()
        asked, known = moments.offset_minutes(timezone), moments.offset_minutes(own)
        self._shift = None if asked is None or known is None else asked - known
        self.zone = "" if known is None else own if asked is None else timezone.strip(" \0")

    @classmethod
    def of_blob(cls, blob: bytes, columns: Mapping[int, Attribute], timezone: str = "") -> Entity:
        """The entity whose attributes `blobs.pack` put into `blob`."""
        values = unpack(blob)
        assumed = values.get(ASSUMED)
        default = assumed.raw.decode("ascii", "replace") if assumed else DEFAULT_CHARACTER_SET
        return cls(values, columns, timezone, default)

    def attribute(self, tag: int) -> Attribute | None:
        """The attribute `tag`, or None if the entity has none that can be read."""
        if tag in self._decoded:
            return self._decoded[tag]
        found = self._plain(tag)
        if found is not None and found.values and self._shift is not None:
            found = self._shifted(tag, found)
        self._decoded[tag] = found
        return found

    def text(self, tag: int) -> str:
        """The first value of `tag` as text, or an empty text."""
        found = self.attribute(tag)
        value = found.values[0] if found and found.values else ""
        return value.strip(" \0") if isinstance(value, str) else ""

    def _plain(self, tag: int) -> Attribute | None:
        value = self._values.get(tag)
        if value is None:
            return None
        try:
            return decode_value(value, self._sets)
        except LeadglassError:
            return None  # an unreadable value neither matches nor is told; the object itself keeps it

    def _own_zone(self) -> str:
        found = self._plain(index_keys.TIMEZONE_OFFSET) if index_keys.TIMEZONE_OFFSET in self._values else None
        return str(found.values[0]).strip(" \0") if found and found.values else ""

    def _shifted(self, tag: int, found: Attribute) -> Attribute:
        assert self._shift is not None
        pair = moments.PAIRS.get(tag)
        if pair is None or self._shift == 0:
            return found
        date, time = (self._plain(one) for one in pair)
        if not date or not time or not date.values or not time.values:
            return found
        moved = moments.shift(str(date.values[0]), str(time.values[0]), self._shift)
        if moved is None:
            return found
        return Attribute(found.vr, (moved[0] if tag == pair[0] else moved[1],))
