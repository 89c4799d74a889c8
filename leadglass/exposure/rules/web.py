"""What is open by HTTP beside searches, and what products are known for."""

from __future__ import annotations

import re

from leadglass.exposure.facts import Facts
from leadglass.exposure.findings import Rung
from leadglass.exposure.rules.rule import CWE_306, HINT, LURE, NOTHING, READ, TAKE_OVER, Rule


def _older(told: object, than: tuple[int, ...]) -> bool:
    """Whether a version that was told is older. One that was not told, or is no number, is not."""
    if not isinstance(told, str) or not re.fullmatch(r"\d{1,4}(\.\d{1,4}){1,3}", told):
        return False
    return tuple(int(part) for part in told.split(".")) < than


def known_flaws(facts: Facts) -> tuple[str, ...]:
    """CVEs that the version, as the service tells it, may have: distributions mend without changing it."""
    orthanc = facts.value("W04", "version")
    dcmtk = facts.value("M01", "version") if facts.value("M01", "product") == "DCMTK" else None
    table = (
        (orthanc, (1, 5, 8), ("CVE-2025-0896",)),
        (orthanc, (1, 12, 0), ("CVE-2023-33466",)),
        (orthanc, (1, 12, 11), tuple(f"CVE-2026-{number}" for number in range(5437, 5446))),
        (orthanc, (1, 13, 0), ("CVE-2026-10528",)),
        (dcmtk, (3, 6, 7), ("CVE-2022-2119", "CVE-2022-2120")),
        (dcmtk, (3, 7, 0), ("CVE-2024-47796", "CVE-2024-52333")),
    )
    return tuple(name for told, than, names in table if _older(told, than) for name in names)


RULES = (
    Rule(
        "script-execution",
        "Scripts sent by anybody are executed",
        Rung.QUERY_ANSWERED,
        TAKE_OVER,
        ("W04",),
        lambda facts: facts.value("W04", "scripts") is True,
        "A stranger can have the server execute a script of theirs: the machine is theirs.",
        (CWE_306,),
    ),
    Rule(
        "wado-open",
        "Images are looked for before it is asked who is there",
        Rung.PORT_OPEN,
        HINT,
        ("W02",),
        lambda facts: facts.yes("W02") and not facts.yes("W01"),
        "Whoever knows or guesses the identifier of a study may read it.",
        (CWE_306,),
    ),
    Rule(
        "viewer-open",
        "A viewer is shown to anybody",
        Rung.PORT_OPEN,
        HINT,
        ("W08",),
        lambda facts: facts.yes("W08"),
        "A stranger gets the page by which images are looked at; what it shows depends on the archive behind it.",
        (CWE_306,),
    ),
    Rule(
        "listing-open",
        "A directory of DICOM files is listed to anybody",
        Rung.QUERY_ANSWERED,
        READ,
        ("W09",),
        lambda facts: facts.yes("W09"),
        "A stranger can take the files with a browser.",
        (CWE_306,),
    ),
    Rule(
        "console-open",
        "An administration console is shown to anybody",
        Rung.PORT_OPEN,
        HINT,
        ("W10",),
        lambda facts: facts.yes("W10"),
        "A stranger can try to sign in where the server is administered.",
        (CWE_306,),
    ),
    Rule(
        "cors-any",
        "Pages of any origin may read the answers",
        Rung.PORT_OPEN,
        LURE,
        ("W06",),
        lambda facts: facts.yes("W06"),
        "A page that a user inside the network opens can read this service in their name, past the firewall.",
        ("https://fetch.spec.whatwg.org/#http-cors-protocol",),
    ),
    Rule(
        "known-flaws-possible",
        "The version that it tells has known flaws (possible, not confirmed)",
        Rung.PORT_OPEN,
        NOTHING,
        ("M01", "W04"),
        lambda facts: bool(known_flaws(facts)),
        "If the version is what it says and was not mended by its distributor, published flaws may be used.",
        ("https://www.cve.org/",),
    ),
    Rule(
        "honeypot-likely",
        "Signs of a honeypot",
        Rung.PORT_OPEN,
        NOTHING,
        ("M04",),
        lambda facts: facts.yes("M04"),
        "This service looks like a trap for scanners; check before telling its owner.",
    ),
)
