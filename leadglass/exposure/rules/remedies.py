"""How to close what was found: exact settings for the product where it is known, and what holds for every one."""

from __future__ import annotations

from collections.abc import Mapping

from leadglass.exposure.facts import Facts

_FIREWALL = (
    "Until that is done, let only the addresses that need it through the firewall; nothing on the internet does."
)

_ORTHANC_DICOM = (
    'In orthanc.json list the devices in "DicomModalities", and set "DicomCheckCalledAet": true, '
    '"DicomCheckModalityHost": true, "DicomAlwaysAllowEcho": false, "DicomAlwaysAllowFind": false, '
    '"DicomAlwaysAllowFindWorklist": false, "DicomAlwaysAllowGet": false, "DicomAlwaysAllowMove": false and '
    '"DicomAlwaysAllowStore": false. Restart it.'
)
_ORTHANC_HTTP = (
    'In orthanc.json set "AuthenticationEnabled": true with named users in "RegisteredUsers" (none of them the ones of '
    'the manual), "SslEnabled": true with "SslCertificate", and "RemoteAccessAllowed": false where only this machine '
    "needs it. Restart it."
)
_ORTHANC_TLS = (
    'In orthanc.json set "DicomTlsEnabled": true with "DicomTlsCertificate", "DicomTlsPrivateKey", '
    '"DicomTlsTrustedCertificates" and "DicomTlsRemoteCertificateRequired": true.'
)
_DCMTK_ACCESS = (
    "In dcmqrscp.cfg replace ANY in the AETable by the peers of the HostTable that need this area (title, host name, "
    "port), and RW by R where nobody stores. storescp and other tools of DCMTK have no access control: put them behind "
    "a firewall or replace them."
)
_DCMTK_TLS = "Start it with +tls KEY CERTIFICATE, +cf CA-FILE, and require certificates of peers (-rc)."
_DCM4CHEE_ACCESS = (
    "In the archive's UI, Configuration, Network AE: list the devices under Accepted Calling AE Title, and set Accept "
    "only preferred Calling AE Titles; deploy the secured version (Keycloak) for everything by HTTP."
)
_DCM4CHEE_TLS = "In the device's Network Connection choose TLS cipher suites and set TLS Need Client Auth to true."
_PYNETDICOM_ACCESS = (
    "Set ae.require_called_aet = True and ae.require_calling_aet to the titles of your devices, and check "
    "event.assoc.requestor.address; bind it to an inner address."
)
_ANY_ACCESS = (
    "List the devices that may connect by AE title and address, refuse all others, and take this service off the "
    "internet: behind a VPN, or TLS with client certificates."
)
_ANY_TLS = "Offer DICOM over TLS 1.2 or 1.3 with client certificates (PS3.15 B.12), and close the plain port."
_ANY_HTTP = "Ask everybody who they are before anything is answered, over HTTPS, and take it off the internet."
_CERTIFICATE = "Have a certificate issued for the name by which it is called, and renew it by a job, not by hand."
_SUITES = "Allow TLS 1.2 with ECDHE and AEAD suites, and TLS 1.3; switch off everything older."

_BY_DICOM: Mapping[str, str] = {
    "Orthanc": _ORTHANC_DICOM,
    "DCMTK": _DCMTK_ACCESS,
    "dcm4chee": _DCM4CHEE_ACCESS,
    "pynetdicom": _PYNETDICOM_ACCESS,
    "": _ANY_ACCESS,
}
_BY_HTTP: Mapping[str, str] = {"Orthanc": _ORTHANC_HTTP, "dcm4chee": _DCM4CHEE_ACCESS, "": _ANY_HTTP}
_LINE: Mapping[str, str] = {"Orthanc": _ORTHANC_TLS, "DCMTK": _DCMTK_TLS, "dcm4chee": _DCM4CHEE_TLS, "": _ANY_TLS}

_READS = ("read-exposure", "write-exposure")
_TABLE: Mapping[str, Mapping[str, str]] = {
    "worklist-exposure": _BY_DICOM,
    "any-title": _BY_DICOM,
    "default-title": {"": "Give it an AE title of its own, and list the devices that may connect."},
    "identity-ignored": {"": "Do not rely on user identities here: use TLS with client certificates."},
    "workflow-exposure": _BY_DICOM,
    "plaintext-public": _LINE,
    "plaintext": _LINE,
    "plaintext-tls-port": {"": "Switch TLS on, or move the plain service to another port until it is."},
    "tls-weak": {"": _SUITES},
    "certificate-unsound": {"": _CERTIFICATE},
    "no-client-certificate": _LINE,
    "iscl": {"": "Replace it by DICOM over TLS."},
    "plain-http": {"Orthanc": _ORTHANC_HTTP, "": "Serve it over HTTPS only."},
    "script-execution": {
        "": 'Set "ExecuteLuaEnabled": false and "RestApiWriteToFileSystemEnabled": false in orthanc.json, and restart '
        "it; then look for what was run."
    },
    "wado-open": _BY_HTTP,
    "viewer-open": _BY_HTTP,
    "listing-open": {"": "Switch the listing off and move the files to where the web server does not reach."},
    "console-open": {"": "Let only the administrators' network reach it."},
    "cors-any": {"": "Name the origins that need it, and never answer with the one that asks or with an asterisk."},
    "known-flaws-possible": {"": "Update it, or have its distributor say which of them are mended."},
    "honeypot-likely": {"": "Nothing has to be closed if it is one."},
}


def product_of(facts: Facts) -> str:
    """The product by whose settings this is closed, "" if it is not known."""
    if facts.yes("W04") or "orthanc" in str(facts.value("W08", "viewers")):
        return "Orthanc"
    told = facts.value("M01", "product")
    if facts.yes("W05") or told == "dcm4che":
        return "dcm4chee"
    if told == "DCMTK" and facts.value("M01", "evidence") and not facts.yes("D08") and facts.yes("D10"):
        return "Orthanc"  # built on DCMTK, it accepts the contexts of anybody and then aborts the query
    return told if isinstance(told, str) else ""


def remedy(rule: str, facts: Facts) -> str:
    """What to do about this finding here."""
    if rule in _READS:
        by_web = any(facts.yes(check) for check in ("W01", "W03", "W04", "W05"))
        table = _BY_HTTP if by_web else _BY_DICOM
        return f"{_for(table, facts)} {_FIREWALL}"
    return _for(_TABLE[rule], facts)


def _for(table: Mapping[str, str], facts: Facts) -> str:
    return table.get(product_of(facts), table[""])
