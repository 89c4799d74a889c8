"""Where the viewer is: its files, and the listener it is served on."""

from __future__ import annotations

from dataclasses import dataclass

from leadglass.web.neighbour import Neighbour
from leadglass.web.viewer.files import ViewerFiles


@dataclass(frozen=True, slots=True)
class ViewerSite(Neighbour):
    """The viewer of one archive: what tools/viewer fetched, if it did, and the listener that is for it."""

    files: ViewerFiles | None = None
