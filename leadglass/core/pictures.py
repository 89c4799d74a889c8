"""Pictures: what is asked for, and the order by which a frame's stored values become one (PS3.18 8.3.5, PS3.3 C.11)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from leadglass.core.ports import PixelDescription
from leadglass.core.principal import Principal

JPEG: Final = "image/jpeg"
PNG: Final = "image/png"
GIF: Final = "image/gif"
PICTURE_TYPES: Final = (JPEG, PNG, GIF)
DEFAULT_QUALITY: Final = 85


class WindowFunction(Enum):
    """VOI LUT Function (0028,1056); the values are those of PS3.18 8.3.5.1.4."""

    LINEAR = "linear"
    LINEAR_EXACT = "linear-exact"
    SIGMOID = "sigmoid"


@dataclass(frozen=True, slots=True)
class Window:
    """A window on values behind the modality transformation."""

    center: float
    width: float
    function: WindowFunction = WindowFunction.LINEAR


@dataclass(frozen=True, slots=True)
class Viewport:
    """PS3.18 8.3.5.1.3: a region of the image (pixels; negative sizes mirror) scaled to fit into `width` x `height`.

    Without a region it is the whole image. `enlarge` says whether a smaller image is scaled up.
    """

    width: int
    height: int
    x: float = 0.0
    y: float = 0.0
    region_width: float | None = None
    region_height: float | None = None
    enlarge: bool = True


class Annotation(Enum):
    """What is written into the picture; PS3.18 8.3.5.1.1 has the first two."""

    PATIENT = "patient"
    TECHNIQUE = "technique"
    OVERLAYS = "overlays"  # overlay planes (60xx)


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """How a picture is wanted. `quality` is 1 to 100 and counts for JPEG."""

    media_type: str = JPEG
    quality: int = DEFAULT_QUALITY
    window: Window | None = None
    viewport: Viewport | None = None
    annotation: frozenset[Annotation] = frozenset()


# --- the order a worker is given: checked before, so that the worker decides nothing ---------------------------------


@dataclass(frozen=True, slots=True)
class LookupTable:
    """Entry 0 is of `first` and below, the last entry of all above. `data` holds 16-bit little-endian entries of
    `bits` significant bits."""

    first: int
    bits: int
    data: bytes

    @property
    def entries(self) -> int:
        """How many."""
        return len(self.data) // 2


@dataclass(frozen=True, slots=True)
class Grey:
    """From stored values to grey: modality table or slope and intercept, then window or VOI table; with neither, the
    range of the values. Stored values in `padding` (both ends within) are background."""

    slope: float = 1.0
    intercept: float = 0.0
    modality: LookupTable | None = None
    window: Window | None = None
    voi: LookupTable | None = None
    inverse: bool = False
    padding: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class OverlayPlane:
    """One overlay over one frame, its upper left pixel at `row`, `column` (from 0, maybe negative).

    `data` are its bits from `first_bit` on, least significant first; without, it lies in bit `embedded` of the pixels.
    """

    rows: int
    columns: int
    row: int
    column: int
    first_bit: int = 0
    embedded: int | None = None
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Placement:
    """The region that is shown (pixels of the image), how it is mirrored, and the size it leaves in."""

    left: int
    top: int
    right: int
    bottom: int
    width: int
    height: int
    mirror_columns: bool = False
    mirror_rows: bool = False


@dataclass(frozen=True, slots=True)
class FrameForm:
    """What the bytes of every frame are: encapsulated, or native in little endian, single bits from the first on."""

    description: PixelDescription
    encapsulated: bool
    high_bit: int
    floating: bool = False


@dataclass(frozen=True, slots=True)
class PictureOrder:
    """Everything a worker needs beside the `frames`: how each is shown, and how the picture is made of them.

    `greys` has one entry per frame, or none for colour images; `palette` is red, green, blue. `lines` are written in
    the upper corners and `captions` below. `delays` are milliseconds per frame of an animation.
    """

    form: FrameForm
    frames: int
    placement: Placement
    media_type: str
    quality: int = DEFAULT_QUALITY
    greys: tuple[Grey, ...] = ()
    palette: tuple[LookupTable, ...] = ()
    overlays: tuple[tuple[OverlayPlane, ...], ...] = ()
    lines: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    delays: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Owner:
    """For whom a worker works: one principal and one study, never another."""

    principal: str
    study_uid: str

    @classmethod
    def of(cls, principal: Principal, study_uid: str) -> Owner:
        """The owner that somebody is, from where he asks."""
        return cls(f"{principal.kind.value} {principal.name} {principal.address}", study_uid)


class PictureMaker(Protocol):
    """Makes pictures and other encodings of hostile pixels where nothing can be stolen. May block.

    CANNOT_CONVERT if the frames cannot be decoded or shown, the worker dies or takes too long; UNAVAILABLE if none
    becomes free in time.
    """

    def picture(self, owner: Owner, order: PictureOrder, frames: Iterable[bytes]) -> bytes:
        """The encoded picture of `frames`, as many as the order says."""
        ...

    def encode(self, owner: Owner, description: PixelDescription, target: str, frame: bytes) -> bytes:
        """A native frame (little endian, colour by pixel), of `description` but for its syntax, in the transfer syntax
        `target`, one of ENCODABLE."""
        ...


ENCODABLE: Final = (
    "1.2.840.10008.1.2.4.201",  # HTJ2K lossless
    "1.2.840.10008.1.2.4.202",  # HTJ2K lossless, RPCL
    "1.2.840.10008.1.2.4.203",  # HTJ2K
)
