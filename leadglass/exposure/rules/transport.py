"""What can be overheard or changed on the way."""

from __future__ import annotations

from leadglass.exposure.facts import Facts
from leadglass.exposure.findings import Rung
from leadglass.exposure.rules.rule import (
    BCP_195,
    CWE_319,
    HINT,
    NOTHING,
    OVERHEAR,
    OVERHEAR_HARD,
    OVERHEAR_NEAR,
    PS3_15,
    Rule,
)


def _plain(facts: Facts) -> bool:
    return facts.yes("D01") and facts.value("D01", "tls") is False


def _an_archive(facts: Facts) -> bool:
    return any(facts.yes(check) for check in ("W01", "W02", "W03", "W04", "W05", "W08"))


RULES = (
    Rule(
        "plaintext-public",
        "DICOM is spoken in plain text on a public address",
        Rung.PDU_ANSWERED,
        OVERHEAR,
        ("D01", "D16"),
        lambda facts: facts.yes("D16"),
        "Whoever is on the way can read every image and name that passes, and change them unnoticed.",
        (PS3_15, CWE_319),
    ),
    Rule(
        "plaintext",
        "DICOM is spoken in plain text",
        Rung.PDU_ANSWERED,
        OVERHEAR_NEAR,
        ("D01",),
        lambda facts: _plain(facts) and not facts.yes("D16"),
        "Whoever is on the same network can read and change what passes.",
        (PS3_15, CWE_319),
    ),
    Rule(
        "plaintext-tls-port",
        "Plain text on the port of DICOM over TLS",
        Rung.PDU_ANSWERED,
        NOTHING,
        ("D17",),
        lambda facts: facts.yes("D17"),
        "Users believe this port (2762) to be encrypted, and it is not.",
        (PS3_15,),
    ),
    Rule(
        "tls-weak",
        "TLS versions or suites that BCP 195 forbids are accepted",
        Rung.PORT_OPEN,
        OVERHEAR_HARD,
        ("D18",),
        lambda facts: facts.yes("D18"),
        "With effort, somebody on the way could break or weaken the encryption.",
        (BCP_195, PS3_15),
    ),
    Rule(
        "certificate-unsound",
        "The certificate is not sound",
        Rung.PORT_OPEN,
        OVERHEAR_HARD,
        ("D19",),
        lambda facts: facts.yes("D19"),
        "Clients that look at the certificate refuse to connect; those that do not can be talked to by anybody on the "
        "way who shows a certificate of their own.",
        (BCP_195,),
    ),
    Rule(
        "no-client-certificate",
        "TLS asks no certificate of the client",
        Rung.PORT_OPEN,
        HINT,
        ("D20", "D02"),
        lambda facts: facts.yes("D20") and facts.yes("D02"),
        "The line is encrypted, and open to everybody: DICOM has no other way to know for sure who calls.",
        (PS3_15,),
    ),
    Rule(
        "iscl",
        "The withdrawn ISCL protocol is likely spoken",
        Rung.PORT_OPEN,
        NOTHING,
        ("D21",),
        lambda facts: facts.yes("D21"),
        "ISCL was taken out of the standard; what speaks it is old and no longer maintained.",
        (PS3_15,),
    ),
    Rule(
        "plain-http",
        "An archive or a viewer is served over plain HTTP",
        Rung.PORT_OPEN,
        OVERHEAR_NEAR,
        ("W07",),
        lambda facts: facts.yes("W07") and _an_archive(facts),
        "Whoever is on the way can read images and passwords.",
        (CWE_319,),
    ),
)
