"""What a route says of itself: the words of every description that is made of the table of routes.

Capabilities (PS3.18 8.9), OpenAPI and the conformance statement are written from the same rows, so they cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Schema: TypeAlias = Mapping[str, object]  # of JSON Schema 2020-12

TEXT: Final[Schema] = {"type": "string"}
UID: Final[Schema] = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)*$", "maxLength": 64}  # PS3.5 9.1


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter. One that is `open` stands for any attribute, by keyword or tag."""

    name: str
    about: str
    schema: Schema = field(default_factory=lambda: TEXT)
    required: bool = False
    open: bool = False


@dataclass(frozen=True, slots=True)
class Description:
    """What one method of one path does.

    `name` is the transaction's (PS3.18 table H-1), unique. `answers` are the media types it answers in, `if_stored`
    those it has only where the pixels are stored so. `statuses` are of success, `refusals` of problem documents.
    `model` is the schema of what it answers in JSON.
    """

    name: str
    about: str
    reference: str
    answers: tuple[str, ...] = ()
    if_stored: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    statuses: tuple[int, ...] = (200,)
    refusals: tuple[int, ...] = ()
    model: str = ""


# What fills a template.
PATH_PARAMETERS: Final[Mapping[str, tuple[str, Schema]]] = {
    "study": ("Study Instance UID", UID),
    "series": ("Series Instance UID", UID),
    "instance": ("SOP Instance UID", UID),
    "list": (
        "Frame numbers from 1, separated by commas, each once",
        {"type": "string", "pattern": "^[1-9][0-9]{0,9}(,[1-9][0-9]{0,9})*$", "maxLength": 4096},
    ),
    "version": (
        "The version of the instance, as its metadata name it",
        {"type": "string", "pattern": "^[0-9a-f]{16}$"},
    ),
    "path": (
        "The place of the value, as the metadata name it",
        {"type": "string", "pattern": "^[0-9A-F]{8}(/[0-9]+/[0-9A-F]{8})*$", "maxLength": 1024},
    ),
}

# What any request may meet before its handler, or because of the machine.
ALWAYS_REFUSED: Final = (401, 403, 421, 429, 500, 503)
