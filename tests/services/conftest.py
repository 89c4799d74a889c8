"""An archive of real rooms in a folder of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from archives import device, make, opened

from leadglass.app.archive import Archive
from leadglass.app.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make(tmp_path, [device("ct")])


@pytest.fixture
def archive(home: Home) -> Iterator[Archive]:
    with opened(home) as opened_archive:
        yield opened_archive
