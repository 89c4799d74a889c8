"""Memory of images is used again rather than given back to the system and fetched anew."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource
from leadglass.app.heap import keep_buffers
if {keep}:
    keep_buffers()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
buffers = [bytearray(600_000) for _ in range(4)]
buffers.clear()
before = faults()
for _ in range(100):
    buffers = [bytearray(600_000) for _ in range(4)]
    buffers.clear()
print(faults() - before)
"""


def page_faults(keep: bool) -> int:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(keep=keep)], check=True, capture_output=True, text=True, timeout=60
    )
    return int(run.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other C libraries keep memory by other rules")
def test_a_buffer_that_was_freed_serves_again() -> None:
    assert page_faults(keep=True) * 10 < page_faults(keep=False)
