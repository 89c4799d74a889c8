from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import archives
import pytest

from leadglass.app.archive import Archive


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """An empty archive, open in this process."""
    with archives.opened(archives.make(tmp_path, [])) as opened:
        yield opened
