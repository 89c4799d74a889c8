"""The quick look: one frame after the other, rendered here, in any browser that shows pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from leadglass.core.attributes import AttributeSet
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Right
from leadglass.dicom.picture_kinds import PICTURED, picture_kind
from leadglass.web.pages.page import Page, PageCall
from leadglass.web.pages.rendering import page
from leadglass.web.pages.studies.found import images_found, series_found, study_found
from leadglass.web.pages.studies.values import count as count_of
from leadglass.web.pages.studies.values import exact, plain, text, texts

MAX_FRAMES: Final = 50_000  # of one series
_NO_SERIES: Final = "There is no such series here."


@dataclass(frozen=True, slots=True)
class Preset:
    """A window: its name among the words (or the name that stands in the object), center and width."""

    word: str
    center: float
    width: float
    number: int = 0  # of several in the object

    @property
    def value(self) -> str:
        """As the rendered resource takes it (PS3.18 8.3.5.1.4)."""
        return f"{self.center:g},{self.width:g}"


# Customary windows of computed tomography, in Hounsfield units.
CT_PRESETS: Final = (
    Preset("soft", 40, 400),
    Preset("lung", -600, 1500),
    Preset("bone", 400, 1800),
    Preset("brain", 40, 80),
    Preset("stroke", 35, 35),
    Preset("liver", 80, 150),
)


@dataclass(frozen=True, slots=True)
class Image:
    """An instance that can be shown: how many frames, and where it lies ("" if it does not say)."""

    uid: str
    frames: int
    place: str

    @property
    def short(self) -> str:
        """As the page's script reads it."""
        return f"{self.uid}*{self.frames}" + (f"@{self.place}" if self.place else "")


async def look(call: PageCall) -> Response:
    """GET /studies/{study}/series/{series}/look?at=N."""
    study = await study_found(call, call.path("study"))
    series = await series_found(call, study.uid)
    here = next((number for number, row in enumerate(series) if row.uid == call.path("series")), None)
    if here is None:
        raise LeadglassError(ErrorCode.NOT_FOUND, _NO_SERIES)
    found = [one for one in await images_found(call, study.uid, series[here].uid) if _is_picture(one)]
    images = [_image(one) for one in found]
    count = min(sum(image.frames for image in images), MAX_FRAMES)
    at = min(_at(call), max(count, 1))
    values = {
        "study": study,
        "series": series[here],
        "before": series[here - 1] if here else None,
        "after": series[here + 1] if here + 1 < len(series) else None,
        "place": here + 1,
        "places": len(series),
        "frames": " ".join(image.short for image in images),
        "count": count,
        "at": at,
        "first": _frame(images, at),
        "side": max((count_of(one, name) for one in found for name in ("Rows", "Columns")), default=0),
        "presets": presets(series[here].modality, found),
    }
    return page(call, "studies/look.html", values)


def presets(modality: str, found: list[AttributeSet]) -> list[Preset]:
    """The windows to choose from: those of the middle image, and the customary ones of a CT."""
    middle = found[len(found) // 2] if found else {}
    pairs = zip(texts(middle, "WindowCenter"), texts(middle, "WindowWidth"), strict=False)
    own = [(_real(center), _real(width)) for center, width in pairs]
    good = [(center, width) for center, width in own if center is not None and width is not None and width >= 1][:4]
    stored = [Preset("stored", center, width, number) for number, (center, width) in enumerate(good, 1)]
    return [*(stored if len(stored) > 1 else ()), *(CT_PRESETS if modality == "CT" else ())]


def _image(found: AttributeSet) -> Image:
    frames = text(found, "NumberOfFrames")
    count = int(frames) if frames.isascii() and frames.isdigit() and len(frames) < 7 else 1
    place = _real(text(found, "SliceLocation"))
    return Image(plain(exact(found, "SOPInstanceUID"), 64), max(count, 1), "" if place is None else f"{place:.1f}")


def _is_picture(found: AttributeSet) -> bool:
    return picture_kind(exact(found, "SOPClassUID")) in PICTURED


def _frame(images: list[Image], at: int) -> tuple[str, int] | None:
    """The instance and frame at a place that counts from 1."""
    for image in images:
        if at <= image.frames:
            return image.uid, at
        at -= image.frames
    return None


def _at(call: PageCall) -> int:
    given = call.request.query_params.get("at", "1")
    return max(int(given), 1) if given.isascii() and given.isdigit() and len(given) < 7 else 1


def _real(given: str) -> float | None:
    try:
        number = float(given) if given.isascii() and "_" not in given else None
    except ValueError:
        return None
    return number if number is not None and abs(number) < 1e9 else None


PAGES: Final[tuple[Page, ...]] = (Page("GET", "/studies/{study}/series/{series}/look", look, right=Right.RETRIEVE),)
