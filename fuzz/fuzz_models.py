"""Fuzz the readers and makers of DICOM JSON and Native XML: what is read can be written, or is refused; what is written
is read the same again.

Input: one byte that chooses what the rest is: a JSON document, an XML document, or a data set in some transfer syntax.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import fuzz_header_scan

from leadglass.core.errors import LeadglassError
from leadglass.dicom.bulk import find_bulk
from leadglass.dicom.json_model import json_maker
from leadglass.dicom.json_reader import read_json
from leadglass.dicom.model import ModelMaker
from leadglass.dicom.model_reader import ReadModel
from leadglass.dicom.model_writer import Bulk, data_set_pieces
from leadglass.dicom.uids import EXPLICIT_VR_LE
from leadglass.dicom.xml_model import xml_maker
from leadglass.dicom.xml_reader import read_xml

READERS = 2
FORMS: tuple[tuple[Callable[[int], ModelMaker], Callable[[bytes], list[ReadModel]]], ...] = (
    (json_maker, read_json),
    (xml_maker, lambda document: [read_xml(document)]),
)


def written(model: ReadModel) -> bytes | None:
    """The data set of a model with empty bulk data; None if it cannot be written."""
    try:
        return b"".join(data_set_pieces(model, lambda reference: Bulk(0, [])))
    except LeadglassError:
        return None


def document_of(maker: ModelMaker, data: bytes, syntax: str) -> bytes | None:
    """The model of a data set; None if it is refused."""
    try:
        return maker.make(lambda start, length: data[start : start + length], syntax, "x:", length=len(data)).document
    except LeadglassError:
        return None


def check_document(number: int, document: bytes) -> None:
    """What a client sends."""
    try:
        models = FORMS[number][1](document)
    except LeadglassError:
        return
    for model in models:
        data = written(model)
        if data is not None:
            for make, read in FORMS:
                again = document_of(make(1 << 16), data, EXPLICIT_VR_LE)
                assert again is not None, "what was written cannot be followed"
                read(again)


def references(found: dict[str, dict[str, object]]) -> Iterator[str]:
    """All references of a JSON model."""
    for entry in found.values():
        if "BulkDataURI" in entry:
            yield str(entry["BulkDataURI"])
        values = entry.get("Value") if entry["vr"] == "SQ" else None
        for item in values if isinstance(values, list) else ():
            yield from references(item)


def check_data_set(data: bytes, syntax: str) -> None:
    """What lies in the archive."""
    documents = [document_of(make(4), data, syntax) for make, _ in FORMS]
    assert (documents[0] is None) == (documents[1] is None), "only one form can be made"
    if documents[0] is None or documents[1] is None:
        return
    for reference in references(json.loads(documents[0])):
        path = reference.removeprefix("x:")
        find_bulk(lambda start, length: data[start : start + length], syntax, path, len(data))
    for document, (_, read) in zip(documents, FORMS, strict=True):
        try:
            read(document)
        except LeadglassError as error:  # a value that is against the standard is not taken back
            assert "JSON" not in error.comment and "XML" not in error.comment, error.comment


def check(data: bytes) -> None:
    """Run one input."""
    if not data:
        return
    kind, body = data[0] % (READERS + len(fuzz_header_scan.SYNTAXES)), data[1:]
    if kind < READERS:
        check_document(kind, body)
    else:
        check_data_set(body, fuzz_header_scan.SYNTAXES[kind - READERS])


def seeds() -> Iterator[bytes]:
    """A small data set in every transfer syntax, and what it is in both forms."""
    for number, seed in enumerate(fuzz_header_scan.seeds()):
        syntax, body = seed[0], seed[2:]
        yield bytes((READERS + syntax,)) + body
        for kind, (make, _) in enumerate(FORMS):
            document = document_of(make(4), body, fuzz_header_scan.SYNTAXES[syntax])
            assert document is not None, number
            yield bytes((kind,)) + document
