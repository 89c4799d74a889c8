"""Uploading files from a browser: each comes as the body of a request of its own and streams into ingest, as STOW does.

The page's script opens folders and takes archives (ZIP) apart, in the browser: what may be hostile in an archive stays
with who sends it, and names of files never leave the browser. Sending again what is there already is free.
"""

from __future__ import annotations

from typing import Final

from starlette.responses import JSONResponse, Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Right
from leadglass.web.body import body_pieces, refuse_coding
from leadglass.web.doorway import Call
from leadglass.web.pages.page import Page, PageCall
from leadglass.web.pages.rendering import page
from leadglass.web.pages.trying import in_words
from leadglass.web.store_response import Stored
from leadglass.web.stow import DICOM, Parts

MAX_ENTRIES: Final = 100_000  # of one archive
_PLACES: Final = {"stored": "%1", "found": "%2", "refused": "%3"}  # in the words that the script fills
_NOT_THE_FILE: Final = frozenset(  # what says nothing of this file: the script stops or tries again
    {ErrorCode.NOT_AUTHENTICATED, ErrorCode.UNAVAILABLE, ErrorCode.OUT_OF_RESOURCES, ErrorCode.INTERNAL}
)


async def form(call: PageCall) -> Response:
    """GET /upload."""
    values = {"largest": call.doorway.uploads.instance, "entries": MAX_ENTRIES, "places": _PLACES}
    return page(call, "studies/upload.html", values)


async def take(call: PageCall) -> Response:
    """POST /upload/file: one DICOM file. {"study": UID}, or 422 and {"why": what is wrong with it}."""
    request = call.request
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != DICOM:
        raise LeadglassError(ErrorCode.UNSUPPORTED, "A DICOM file comes here as application/dicom.")
    refuse_coding(request)
    sender = Call(request, call.principal, call.doorway, call.origin, call.person)
    parts = Parts(sender)
    try:
        study = await _stored(parts, sender)
    except LeadglassError as error:
        if error.code in _NOT_THE_FILE:
            raise
        call.doorway.ingest.note_failed(call.principal, error, 1)
        return JSONResponse({"why": in_words(call, error.comment)}, 422, {"cache-control": "no-store"})
    finally:
        parts.close()
    return JSONResponse({"study": study}, 200, {"cache-control": "no-store"})


async def _stored(parts: Parts, sender: Call) -> str:
    """The study that the file went to; raises what kept it out."""
    await parts.read_one(body_pieces(sender.request, sender.doorway.uploads.body, sender.still_valid))
    outcomes = await parts.outcomes(None)
    if not outcomes:
        raise LeadglassError(ErrorCode.UNPARSABLE, "The file is empty.")
    outcome = outcomes[0]
    if isinstance(outcome, Stored):
        return outcome.identity.study_uid
    raise outcome.error


PAGES: Final[tuple[Page, ...]] = (
    Page("GET", "/upload", form, right=Right.STORE),
    Page("POST", "/upload/file", take, right=Right.STORE),
)
