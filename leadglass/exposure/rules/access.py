"""Who gets in by DICOM, and how far."""

from __future__ import annotations

from leadglass.exposure.findings import Rung
from leadglass.exposure.rules.rule import CISA_PACS, CWE_306, DISTURB, HINT, NOTHING, PS3_15, READ, WRITE, Rule

RULES = (
    Rule(
        "read-exposure",
        "Studies can be found and read by anybody",
        Rung.QUERY_ANSWERED,
        READ,
        ("D08", "W01", "W04", "W05"),
        lambda facts: any(facts.yes(check) for check in ("D08", "W01", "W04", "W05")),
        "A stranger can list the patients and studies of this archive with a free viewer, without any password, and "
        "where retrieval is offered as well, take every image.",
        (CWE_306, CISA_PACS),
    ),
    Rule(
        "worklist-exposure",
        "The worklist of today's patients is answered to anybody",
        Rung.QUERY_ANSWERED,
        READ,
        ("D09",),
        lambda facts: facts.yes("D09"),
        "A stranger can read who is examined today and tomorrow, when, and for what.",
        (CWE_306,),
    ),
    Rule(
        "write-exposure",
        "Objects can probably be stored by anybody",
        Rung.ASSOCIATION_ACCEPTED,
        WRITE,
        ("D02", "D12", "W03"),
        lambda facts: facts.yes("W03") or (facts.yes("D02") and facts.yes("D12")),
        "A stranger is offered to store images: forged ones could enter a patient's record, and the disk could be "
        "filled. It was seen from what the service accepts; nothing was stored.",
        (CWE_306,),
    ),
    Rule(
        "any-title",
        "Associations are accepted whatever the AE titles are",
        Rung.ASSOCIATION_ACCEPTED,
        HINT,
        ("D02",),
        lambda facts: facts.yes("D02"),
        "Nothing is asked of who connects: every weakness of what lies behind is within a stranger's reach. AE titles "
        "are no passwords, but a service that does not even look at them is open to every scan.",
        (PS3_15,),
    ),
    Rule(
        "default-title",
        "A product's default AE title is accepted",
        Rung.ASSOCIATION_ACCEPTED,
        HINT,
        ("D05",),
        lambda facts: facts.yes("D05"),
        "Whoever has read the product's manual knows the called AE title that lets them in.",
        (PS3_15,),
    ),
    Rule(
        "identity-ignored",
        "A user identity that nobody issued is not refused",
        Rung.ASSOCIATION_ACCEPTED,
        NOTHING,
        ("D14",),
        lambda facts: facts.yes("D14"),
        "User identities are not looked at, so they protect nothing here.",
        (PS3_15,),
    ),
    Rule(
        "workflow-exposure",
        "Storage commitment, MPPS, print or worklist steps are offered to anybody",
        Rung.ASSOCIATION_ACCEPTED,
        DISTURB,
        ("D02", "D13"),
        lambda facts: facts.yes("D02") and facts.yes("D13"),
        "A stranger could report procedures that did not happen, print, or ask for commitments, and disturb the work.",
        (PS3_15,),
    ),
)
