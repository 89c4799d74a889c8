"""Every probe, in the order in which they are asked. A test proves that the table is whole."""

from __future__ import annotations

from leadglass.exposure.probes import (
    association,
    count,
    dcm4chee,
    dicomweb,
    honeypot,
    identity,
    iscl,
    kinds,
    orthanc,
    pages,
    reverse,
    titles,
    tls,
    web,
)
from leadglass.exposure.site import Probe

PROBES: tuple[Probe, ...] = (
    association.PROBE,
    titles.PROBE,
    identity.PROBE,
    web.PROBE,
    orthanc.PROBE,
    dcm4chee.PROBE,
    dicomweb.PROBE,
    pages.PROBE,
    tls.PROBE,
    iscl.PROBE,
    reverse.PROBE,
    honeypot.PROBE,
    count.PROBE,
    kinds.PROBE,
)
