"""The URLs of the resources (PS3.18 table 8.2-1), for routes and for answers that name them."""

from __future__ import annotations

from typing import Final

from leadglass.core.identity import InstanceIdentity

BASE: Final = "/dicom-web"
URI: Final = "/wado"  # the URI service
OPENAPI: Final = BASE + "/openapi.json"
CONFORMANCE: Final = "/conformance"
STUDY: Final = BASE + "/studies/{study}"
SERIES: Final = STUDY + "/series/{series}"
INSTANCE: Final = SERIES + "/instances/{instance}"


def study_url(origin: str, study: str) -> str:
    """The URL of a study."""
    return f"{origin}{BASE}/studies/{study}"


def series_url(origin: str, study: str, series: str) -> str:
    """The URL of a series."""
    return f"{study_url(origin, study)}/series/{series}"


def instance_url(origin: str, identity: InstanceIdentity) -> str:
    """The URL of an instance."""
    return f"{series_url(origin, identity.study_uid, identity.series_uid)}/instances/{identity.sop_instance_uid}"
