"""What the conformance statement says of DICOMweb: from the table of routes and its descriptions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from leadglass.app.statement import Section, Table
from leadglass.core import limits
from leadglass.web.description import ALWAYS_REFUSED, Description
from leadglass.web.descriptions import DESCRIPTIONS, SEARCH
from leadglass.web.route import Route
from leadglass.web.urls import BASE

_TITLE: Final = "Web services"


def overview(routes: Iterable[Route]) -> Table:
    """Every resource with its transaction."""
    rows = [
        (described.name, route.method, _path(route), described.reference, route.right.value)
        for route, described in _described(routes)
    ]
    columns = ("Transaction", "Method", "Resource", "Reference", "Right that a caller needs")
    return Table("Resources", columns, tuple(rows))


def details(routes: Sequence[Route]) -> Section:
    """Media types, parameters and statuses of each."""
    kept = tuple(_described(routes))
    return Section(
        _TITLE,
        (
            f"Leadglass is an origin server. The Base URI of the Studies Service is {BASE}; OPTIONS on it answers the "
            "Capabilities Description. HEAD is answered wherever GET is. Refusals are problem documents (RFC 9457).",
            "An Accept header may be given as query parameter too. Media types are chosen by quality. Documents are "
            "compressed with zstd, Brotli or gzip where the client accepts that.",
        ),
        (
            Table("Media types", ("Transaction", "Answered", "If stored so", "Taken"), tuple(map(_media, kept))),
            Table("Statuses", ("Transaction", "Success", "Refusal"), tuple(map(_statuses, kept))),
            Table("Query parameters", ("Transaction", "Parameter", "Meaning"), tuple(_parameters(kept))),
            Table("Bounds", ("Bound", "Value"), _bounds()),
        ),
    )


def _described(routes: Iterable[Route]) -> list[tuple[Route, Description]]:
    keyed = ((route, DESCRIPTIONS.get((route.method, route.path))) for route in routes)
    return [(route, described) for route, described in keyed if described is not None]


def _path(route: Route) -> str:
    return route.path.replace(":path}", "}")


def _media(kept: tuple[Route, Description]) -> tuple[str, ...]:
    _, described = kept
    return (described.name, *("; ".join(kinds) for kinds in (described.answers, described.if_stored, described.takes)))


def _statuses(kept: tuple[Route, Description]) -> tuple[str, ...]:
    _, described = kept
    refused = sorted({*described.refusals, *ALWAYS_REFUSED})
    return (described.name, *(", ".join(map(str, statuses)) for statuses in (described.statuses, refused)))


def _parameters(kept: Iterable[tuple[Route, Description]]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("all searches", parameter.name, parameter.about) for parameter in SEARCH]
    for _, described in kept:
        if described.parameters is not SEARCH:
            rows += [(described.name, parameter.name, parameter.about) for parameter in described.parameters]
    return rows


def _bounds() -> tuple[tuple[str, str], ...]:
    return (
        ("Results of one search", f"{limits.DEFAULT_QUERY_LIMIT:,}"),
        ("UIDs in one key", f"{limits.MAX_UID_LIST:,}"),
        ("Parts of one store request", f"{limits.MAX_PARTS:,}"),
        ("One store request, unless configured", f"{limits.MAX_BODY // limits.MIB:,} MiB"),
        ("One instance, unless configured", f"{limits.MAX_INSTANCE // limits.MIB:,} MiB"),
        ("Pixels of one picture", f"{limits.MAX_PICTURE_PIXELS:,}"),
    )
