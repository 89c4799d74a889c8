"""Every probe, in the order in which they are asked. A test proves that the table is whole."""

from __future__ import annotations

from leadglass.exposure.probes import association, count, tls, web, web_archives
from leadglass.exposure.site import Probe

PROBES: tuple[Probe, ...] = (association.PROBE, web.PROBE, web_archives.PROBE, tls.PROBE, count.PROBE)
