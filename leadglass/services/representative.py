"""Which instance stands for a study or a series: the middle image of the series that shows most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from leadglass.core.records import StoredInstance
from leadglass.dicom.picture_kinds import PictureKind, picture_kind

MOST_CANDIDATES: Final = 6  # headers that are read at most for one thumbnail: the last one is taken as it is

_RANK: Final = {kind: place for place, kind in enumerate(PictureKind)}


def representatives(found: Sequence[StoredInstance]) -> list[StoredInstance]:
    """Instances that may stand for `found` (in the catalog's order), the best first; empty if `found` is.

    Images go before what is derived from them, before screens and scanned pages, before what has no picture. Among
    equals the longest series goes first: localisers are short. Who can see an image's header skips a localiser.
    """
    series: dict[str, list[StoredInstance]] = {}
    for stored in found:
        series.setdefault(stored.identity.series_uid, []).append(stored)
    best = sorted((_of_best_kind(members) for members in series.values()), key=_by_kind_and_length)
    return [members[len(members) // 2] for members in best][:MOST_CANDIDATES]


def _kind(stored: StoredInstance) -> int:
    return _RANK[picture_kind(stored.identity.sop_class_uid)]


def _of_best_kind(members: Sequence[StoredInstance]) -> list[StoredInstance]:
    best = min(map(_kind, members))
    return [stored for stored in members if _kind(stored) == best]


def _by_kind_and_length(members: Sequence[StoredInstance]) -> tuple[int, int]:
    return _kind(members[0]), -len(members)
