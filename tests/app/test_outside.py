"""Who knocks at the plain port from outside is dropped unheard, and the journal raises the alarm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import outside
import pytest


def test_plain_callers_from_outside_are_dropped_and_alarmed(tmp_path: Path) -> None:
    script = Path(outside.__file__)
    words = ["unshare", "--map-root-user", "--net", sys.executable, str(script), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(script.parent), *sys.path])}
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=environment, check=False)
    if "unshare" in done.stderr:
        pytest.skip("this machine lets nobody make a network namespace")
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["told"] == {**dict.fromkeys(outside.ALLOWED, "02"), **dict.fromkeys(outside.DROPPED, "")}
    alarms = [row for row in seen["journal"] if "plain-from-outside" in json.dumps(row)]
    assert {address for address in outside.DROPPED if any(address in json.dumps(row) for row in alarms)} == set(
        outside.DROPPED
    )
    assert all("serious" in json.dumps(row).lower() or '"outcome": 8' in json.dumps(row) for row in alarms)
