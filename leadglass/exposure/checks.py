"""Every question that an audit asks, by its number. A probe answers some of them; rules judge the answers.

The numbers are stable: ledgers, reports and other people's scripts name them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Check(NamedTuple):
    """A question whose answer is yes, no or could not test. `asks` is written so that "yes" is what was looked for."""

    id: str
    name: str
    asks: str


_ALL = (
    Check("T01", "port-open", "Does the port accept a TCP connection?"),
    Check("D01", "dicom-answers", "Does a DICOM upper layer answer with a PDU?"),
    Check("D02", "any-title", "Is an association accepted whatever the calling and called AE titles are?"),
    Check("D03", "called-title-enforced", "Is an unknown called AE title refused?"),
    Check("D04", "calling-title-enforced", "Is an unknown calling AE title refused?"),
    Check("D05", "default-title", "Is a product's default called AE title accepted?"),
    Check("D06", "echo", "Is C-ECHO answered with success?"),
    Check("D07", "query-contexts", "Are presentation contexts for queries accepted?"),
    Check("D08", "query-answered", "Is C-FIND of a stranger answered?"),
    Check("D09", "worklist-answered", "Does the modality worklist answer a stranger?"),
    Check("D10", "get-context", "Is a C-GET context accepted?"),
    Check("D11", "move-context", "Is a C-MOVE context accepted?"),
    Check("D12", "storage-contexts", "Are storage contexts accepted, so that a stranger could probably write?"),
    Check("D13", "other-contexts", "Are contexts for commitment, MPPS, print or UPS accepted?"),
    Check("D14", "identity-ignored", "Is a user identity that nobody has issued ignored?"),
    Check("D16", "plaintext-public", "Is DICOM spoken in plain text on a public address?"),
    Check("D17", "plaintext-tls-port", "Is DICOM spoken in plain text on port 2762, the port of DICOM over TLS?"),
    Check("D18", "tls-weak", "Are versions or suites accepted that BCP 195 forbids?"),
    Check(
        "D19", "certificate-unsound", "Is the certificate expired, not yet valid, self-signed, weak or of another name?"
    ),
    Check("D20", "no-client-certificate", "Is a TLS session given to a client without certificate?"),
    Check("D21", "iscl", "Does a service on port 2761 speak first, as ISCL does?"),
    Check("W00", "http-answers", "Does an HTTP server answer?"),
    Check("W01", "qido", "Does QIDO-RS answer a stranger?"),
    Check("W02", "wado", "Does WADO look for a made-up study where it ought to ask who is there?"),
    Check("W03", "stow", "Does the service say that a stranger may store, with STOW-RS or by an interface of its own?"),
    Check("W04", "orthanc-api", "Does Orthanc's REST API answer a stranger?"),
    Check("W05", "dcm4chee-api", "Does the API of dcm4chee-arc answer a stranger?"),
    Check("W06", "cors-any", "May a page of any origin read the answers?"),
    Check("W07", "plain-http", "Is it served over plain HTTP?"),
    Check(
        "W08", "viewer", "Is a viewer (OHIF, Orthanc Explorer, Stone, Weasis, dcm4chee, Oviyam) shown to a stranger?"
    ),
    Check("W09", "listing", "Is there a directory listing that names DICOM files?"),
    Check("W10", "console", "Is an administration console shown to a stranger?"),
    Check("W11", "security-txt", "Is there a security.txt (RFC 9116)?"),
    Check("P01", "counted", "Could what is exposed be counted?"),
    Check("P02", "span", "Are years and modalities known?"),
    Check("P03", "personal-data", "Which kinds of personal data are present?"),
    Check("P04", "burned-in", "Are there objects likely to carry burned-in or attached identity?"),
    Check("M01", "product", "Which product and version does it say it is?"),
    Check("M02", "owner", "Does the service itself say whose it is?"),
    Check("M04", "honeypot", "Are there signs of a honeypot?"),
)

CHECKS: Mapping[str, Check] = {check.id: check for check in _ALL}
