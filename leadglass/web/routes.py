"""Every route there is, each with the right it needs. Nothing is reachable that is not in this table.

The tests try each row with every kind of bad credential, so a new row is covered when it is written.
"""

from __future__ import annotations

from typing import Final

from leadglass.core.principal import Right
from leadglass.web import bulkdata, conformance, deletion, frames, metadata, openapi, qido, rendered, stow, uri, wado
from leadglass.web.route import Route
from leadglass.web.urls import BASE, CONFORMANCE, INSTANCE, OPENAPI, SERIES, STUDY, URI

_SEARCHED: Final = "StudyInstanceUID={study}"

ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", BASE + "/studies", Right.FIND, qido.search_studies, _SEARCHED),
    Route("POST", BASE + "/studies", Right.STORE, stow.store),
    Route("POST", STUDY, Right.STORE, stow.store),
    Route("DELETE", STUDY, Right.DELETE, deletion.delete_study),
    Route("POST", STUDY + "/undelete", Right.DELETE, deletion.undelete_study),
    Route("DELETE", SERIES, Right.DELETE, deletion.delete_series),
    Route("POST", SERIES + "/undelete", Right.DELETE, deletion.undelete_series),
    Route("DELETE", INSTANCE, Right.DELETE, deletion.delete_instance),
    Route("POST", INSTANCE + "/undelete", Right.DELETE, deletion.undelete_instance),
    Route("GET", BASE + "/series", Right.FIND, qido.search_series, _SEARCHED),
    Route("GET", BASE + "/instances", Right.FIND, qido.search_instances, _SEARCHED),
    Route("GET", STUDY + "/series", Right.FIND, qido.search_series),
    Route("GET", STUDY + "/instances", Right.FIND, qido.search_instances),
    Route("GET", SERIES + "/instances", Right.FIND, qido.search_instances),
    Route("GET", STUDY + "/metadata", Right.RETRIEVE, metadata.study_metadata),
    Route("GET", SERIES + "/metadata", Right.RETRIEVE, metadata.series_metadata),
    Route("GET", INSTANCE + "/metadata", Right.RETRIEVE, metadata.instance_metadata),
    Route("GET", STUDY, Right.RETRIEVE, wado.study, export=True),
    Route("GET", SERIES, Right.RETRIEVE, wado.series, export=True),
    Route("GET", INSTANCE, Right.RETRIEVE, wado.instance),
    Route("GET", INSTANCE + "/frames/{list}", Right.RETRIEVE, frames.frames),
    Route("GET", INSTANCE + "/bulkdata/{version}/{path:path}", Right.RETRIEVE, bulkdata.bulkdata),
    Route("GET", URI, Right.RETRIEVE, uri.retrieve, uri.NAMES),
    Route("GET", STUDY + "/rendered", Right.RETRIEVE, rendered.study, export=True),
    Route("GET", SERIES + "/rendered", Right.RETRIEVE, rendered.series, export=True),
    Route("GET", INSTANCE + "/rendered", Right.RETRIEVE, rendered.instance),
    Route("GET", INSTANCE + "/frames/{list}/rendered", Right.RETRIEVE, rendered.frames),
    Route("GET", STUDY + "/thumbnail", Right.RETRIEVE, rendered.study_thumbnail),
    Route("GET", SERIES + "/thumbnail", Right.RETRIEVE, rendered.series_thumbnail),
    Route("GET", INSTANCE + "/thumbnail", Right.RETRIEVE, rendered.instance_thumbnail),
    Route("GET", INSTANCE + "/frames/{list}/thumbnail", Right.RETRIEVE, rendered.frame_thumbnail),
    Route("GET", OPENAPI, Right.FIND, openapi.handler_of(lambda: ROUTES)),
    Route("GET", CONFORMANCE, Right.FIND, conformance.conformance),
)

# Open to everybody who reaches the listener: they say nothing about content.
OPEN: Final = ("/healthz", "/readyz")
