"""The DICOM conformance statement, organised after PS3.2 Annex N, made from the tables that the program works by.

It tells of the product, not of a site: no AE title, address or name of anybody is in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from leadglass import __version__
from leadglass.access.study_policy import RIGHTS_OF_SCOPE
from leadglass.app import conformance_dicom as network
from leadglass.app import conformance_web as web
from leadglass.app.statement import Section, Table, as_html, as_json, as_markdown
from leadglass.core.principal import DEVICE_RIGHTS
from leadglass.journal.audit_messages import EVENT_IDS
from leadglass.net.tls import CIPHERS
from leadglass.web.route import Route
from leadglass.web.routes import ROUTES

TITLE: Final = f"DICOM Conformance Statement of Leadglass {__version__}"
_NOT_THERE: Final = (
    "Print management, workflow management (worklists, procedure steps, storage commitment) and UPS are not supported."
)


def statement(routes: Sequence[Route] = ROUTES) -> tuple[Section, ...]:
    """All of it."""
    body = (
        _introduction(),
        _model(),
        Section("Service and interoperability description", sections=(_storage(), _queries(), web.details(routes))),
        _configuration(),
        Section("Network communication details", sections=(network.network_details(),)),
        _character_sets(),
        _security(),
        Section("Annex: storage SOP classes", tables=(network.storage_classes(),)),
    )
    overview = _overview(routes)
    titles = [overview.title, "Table of contents", *(section.title for section in body)]
    contents = Section("Table of contents", tuple(f"{number} {title}" for number, title in enumerate(titles, 1)))
    return (overview, contents, *body)


def texts() -> Mapping[str, bytes]:
    """The statement by media type, the plainest first."""
    sections = statement()
    made = {"text/html": as_html, "text/markdown": as_markdown, "application/json": as_json}
    return {kind: write(TITLE, sections) for kind, write in made.items()}


def _overview(routes: Sequence[Route]) -> Section:
    return Section(
        "Overview",
        (
            "Leadglass is an image archive: it stores, finds and sends DICOM objects over the DICOM network and over "
            "DICOMweb. Everything at rest is encrypted, and nobody is served who was not enrolled.",
            _NOT_THERE,
        ),
        (
            network.services(),
            web.overview(routes),
            Table(
                "Media services",
                ("Service", "Supported"),
                (
                    ("File-set reader (import of folders, DICOMDIR and ZIP)", "yes"),
                    ("File-set creator (export to a folder with a DICOMDIR)", "yes"),
                ),
            ),
        ),
    )


def _introduction() -> Section:
    return Section(
        "Introduction",
        (
            "For those who connect devices and programs to the archive; knowledge of the DICOM Standard is expected. "
            "The statement follows the organisation of PS3.2 Annex N. It is made by the program, from the tables "
            "that the program works by, so it is that of this version and no other.",
            "That two conformance statements fit does not prove that two products work together: test it.",
        ),
    )


def _model() -> Section:
    return Section(
        "Implementation model",
        (
            "One Application Entity accepts associations under one or more AE titles and opens associations to send. "
            "An AE title identifies nobody by itself: a device is matched by its address, its title and, where one is "
            "bound to it, its certificate, before its first message is read.",
            "A C-STORE is answered with success once the object is on disk, encrypted and synced.",
            "The web service is a second door to the same objects, with the same rules on who reaches which study.",
        ),
        (
            Table(
                "Rights",
                ("Of", "May have"),
                (
                    ("a device", ", ".join(right.value for right in DEVICE_RIGHTS)),
                    *(
                        (f"a token of scope {scope.value}", ", ".join(sorted(right.value for right in rights)))
                        for scope, rights in RIGHTS_OF_SCOPE.items()
                    ),
                ),
            ),
        ),
    )


def _storage() -> Section:
    return Section(
        "Storage",
        (
            "Every attribute is kept, private ones too (level 2), and no value is changed: the data set that is sent "
            "on unconverted is the one that came, byte for byte. Private SOP classes are accepted from devices that "
            "were enrolled with them.",
        ),
        (network.transfer_syntaxes(),),
    )


def _queries() -> Section:
    return Section(
        "Query and retrieve",
        (
            "The same keys are matched by C-FIND and by searches of the web service, at their level and, in relational "
            "queries, at those below. An attribute that is not listed is not matched and comes back empty.",
        ),
        network.query_keys(),
    )


def _configuration() -> Section:
    return Section(
        "Configuration",
        (
            "Nothing is open until it is configured: AE titles, ports, peers and their rights have no default value. "
            "Devices are enrolled one by one with networks, AE title, rights and, for TLS, a certificate.",
        ),
    )


def _character_sets() -> Section:
    return Section(
        "Character sets",
        (
            "Answers are written in the character set that was asked in if it can carry them, otherwise in that of the "
            "device, otherwise in Unicode (ISO_IR 192). The web service writes Unicode.",
        ),
        (network.character_sets(),),
    )


def _security() -> Section:
    profiles = (
        ("PS3.15 B.12", "BCP 195 RFC 9325 TLS Secure Transport Connection Profile", "yes"),
        ("PS3.15 B.13", "Modified BCP 195 RFC 9325 TLS Secure Transport Connection Profile", "yes"),
        ("PS3.15 A.5", "Audit Trail Message Format Profile", "no; the journal has its events"),
        ("PS3.15 A.6, A.7", "Audit Trail Message Transmission Profiles", "no"),
        ("PS3.15 E.1", "Basic Application Level Confidentiality Profile", "no"),
        ("PS3.15 C", "Digital Signature Profiles", "signatures are kept, neither made nor checked"),
    )
    events = tuple((code, meaning) for (code, meaning), _ in dict.fromkeys(EVENT_IDS.values()))
    return Section(
        "Security",
        (
            f"TLS 1.2 (OpenSSL's {CIPHERS}) and TLS 1.3, with client certificates unless a listener is configured "
            "otherwise. Plain DICOM is possible from named private addresses; querying and retrieving over it needs "
            "an override that ends.",
            "Programs show a bearer token: one of the archive's own, with scopes and an end, or a JWT of a configured "
            "OpenID provider. What is out of a caller's reach is answered as what is not there.",
        ),
        (
            Table("Security profiles", ("Reference", "Profile", "Supported"), profiles),
            Table("Audit events", ("Code", "Meaning"), events),
        ),
    )
