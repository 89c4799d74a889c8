"""From an image and what is asked for to what a worker is told. Everything a peer said is checked here, before."""

from __future__ import annotations

from collections.abc import Sequence

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_CINE_BYTES, MAX_CINE_FRAMES, MAX_CINE_PIXELS
from leadglass.core.pictures import (
    GIF,
    PICTURE_TYPES,
    Annotation,
    Grey,
    LookupTable,
    OverlayPlane,
    PictureOrder,
    Placement,
    RenderRequest,
)
from leadglass.core.ports import PixelDescription
from leadglass.dicom import presentation
from leadglass.dicom.annotation import Words
from leadglass.dicom.frame_form import frame_form
from leadglass.dicom.frames import ReadAt
from leadglass.dicom.picture_header import PictureHeader
from leadglass.dicom.refusal import broken
from leadglass.dicom.viewport import place


def check_request(request: RenderRequest) -> None:
    """Raise LeadglassError USAGE if the request makes no sense whatever the image."""
    if request.media_type not in PICTURE_TYPES:
        raise _usage("Pictures are made as JPEG, PNG and GIF.")
    if not 1 <= request.quality <= 100:
        raise _usage("The quality is a number from 1 to 100.")
    if request.window is not None and not presentation.is_usable(request.window):
        raise _usage("A window needs a finite center and a width of at least 1 (above 0 unless linear).")


def picture_order(
    header: PictureHeader,
    read: ReadAt,
    frames: Sequence[int],
    request: RenderRequest,
    assumed_character_set: str,
) -> PictureOrder:
    """The order for `frames` (numbers from 0) of the image; several make an animation, which only a GIF can be.

    Raises LeadglassError USAGE for a request that does not fit the image, NOT_FOUND for a frame that there is not,
    CANNOT_CONVERT for an image that cannot be shown.
    """
    check_request(request)
    form = frame_form(header)
    description = form.description
    _check_frames(frames, description, request)
    aspect = presentation.aspect(header, frames[0])
    placement = place(description.rows, description.columns, aspect, request.viewport)
    _check_cine(description, placement, len(frames))
    greys: tuple[Grey, ...] = ()
    palette: tuple[LookupTable, ...] = ()
    if description.photometric_interpretation in presentation.MONOCHROME:
        greys = tuple(presentation.grey(header, frame, request.window) for frame in frames)
    elif description.photometric_interpretation == "PALETTE COLOR":
        palette = presentation.palette(header)
    if (description.samples_per_pixel == 1) != bool(greys or palette):
        raise broken("samples per pixel and photometric interpretation do not fit")
    words = Words(header, assumed_character_set)
    patient, technique = Annotation.PATIENT in request.annotation, Annotation.TECHNIQUE in request.annotation
    return PictureOrder(
        form=form,
        frames=len(frames),
        placement=placement,
        media_type=request.media_type,
        quality=request.quality,
        greys=greys,
        palette=palette,
        overlays=_overlays(header, read, frames) if Annotation.OVERLAYS in request.annotation else (),
        lines=words.patient() if patient else (),
        captions=words.technique(frames[0], greys[0] if greys else None) if technique else (),
        delays=tuple(presentation.delay(header, frame) for frame in frames) if len(frames) > 1 else (),
    )


def _usage(comment: str) -> LeadglassError:
    return LeadglassError(ErrorCode.USAGE, comment)


def _check_frames(frames: Sequence[int], description: PixelDescription, request: RenderRequest) -> None:
    count = description.number_of_frames
    if not frames or len(frames) > MAX_CINE_FRAMES:
        raise _usage(f"A picture is made of one frame to {MAX_CINE_FRAMES}.")
    if len(frames) > 1 and request.media_type != GIF:
        raise _usage("Only a GIF can hold several frames.")
    if not all(0 <= frame < count for frame in frames):
        raise LeadglassError(ErrorCode.NOT_FOUND, "The image has no such frame.")


def _check_cine(description: PixelDescription, placement: Placement, count: int) -> None:
    native = description.rows * description.columns * description.samples_per_pixel * description.bits_allocated // 8
    if count > 1 and (native * count > MAX_CINE_BYTES or placement.width * placement.height * count > MAX_CINE_PIXELS):
        raise _usage("The animation would be too large; ask for fewer frames or a smaller viewport.")


def _overlays(header: PictureHeader, read: ReadAt, frames: Sequence[int]) -> tuple[tuple[OverlayPlane, ...], ...]:
    found = []
    for frame in frames:
        planes = [_filled(header, read, plane, tag) for plane, tag in presentation.overlay_planes(header, frame)]
        found.append(tuple(planes))
    return tuple(found)


def _filled(header: PictureHeader, read: ReadAt, plane: OverlayPlane, tag: int) -> OverlayPlane:
    """The plane with its bits, no more of them than its frame has."""
    if not tag:
        return plane
    start, length = header.overlays[tag]
    count = plane.rows * plane.columns
    first, end = plane.first_bit // 16 * 2, (plane.first_bit + count + 15) // 16 * 2
    data = read(start + first, min(end, length) - first)
    if header.big_endian:
        data = bytes(data[place ^ 1] for place in range(len(data) & ~1))  # OW, words turned round
    if len(data) * 8 < plane.first_bit % 16 + count:
        raise broken("an overlay is cut short")
    return OverlayPlane(plane.rows, plane.columns, plane.row, plane.column, plane.first_bit % 16, None, data)
