"""The DICOM process with a stop-watch around the steps of a store. HOME KEY_DESCRIPTOR READY_DESCRIPTOR RESULT

Each step is the time inside one named method less the time inside the steps that it calls; a thread's steps never
overlap. Written as JSON to RESULT when the process ends. A reading costs under a microsecond.
"""

from __future__ import annotations

import functools
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from leadglass.app import dicom_process
from leadglass.dicom.scan import HeaderScanner
from leadglass.index.catalog_reader import CatalogReader
from leadglass.index.catalog_writer import CatalogWriter
from leadglass.index.sqlite_engine import SqlCipherEngine
from leadglass.net.connection import Connection
from leadglass.scp.store import StoreOperation
from leadglass.services.group_commit import GroupCommit
from leadglass.services.ingest import Reception
from leadglass.vault.appender import Appender
from leadglass.vault.record_format import RecordCipher
from leadglass.vault.record_writer import SegmentRecordWriter
from leadglass.wire.dimse.messages import MessageAssembler
from leadglass.wire.ul.association import Association

# What is timed, and the name of the step in the table. In the order of a store.
STEPS: tuple[tuple[type[Any], str, str], ...] = (
    (Connection, "buffer_updated", "loop: driver"),
    (Association, "buffer_updated", "loop: PDUs, state table, deadlines"),
    (MessageAssembler, "feed", "loop: message assembly"),
    (StoreOperation, "__init__", "loop: begin a store"),
    (CatalogReader, "lookup", "loop: is it there already"),
    (Reception, "feed", "loop: reception"),
    (HeaderScanner, "feed", "loop: header scan"),
    (SegmentRecordWriter, "write", "loop: digest, chunking"),
    (RecordCipher, "seal", "loop: encryption"),
    (SegmentRecordWriter, "finish", "loop: trailer, last chunk"),
    (GroupCommit, "submit", "loop: hand over to the writer"),
    (Connection, "send_message", "loop: answer"),
    (GroupCommit, "_commit", "writer: batch"),
    (Appender, "append", "writer: write"),
    (Appender, "sync", "writer: fdatasync"),
    (CatalogWriter, "add", "writer: rows"),
    (SqlCipherEngine, "commit", "writer: catalog commit"),
    (GroupCommit, "_tell", "writer: hand back to the loop"),
)


class StopWatch:
    """Seconds and calls by step, exclusive of inner steps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.calls: dict[str, int] = {}
        self._inner = threading.local()

    def around(self, step: str, method: Callable[..., Any]) -> Callable[..., Any]:
        clock = time.perf_counter
        inner = self._inner

        @functools.wraps(method)
        def timed(*args: Any, **kwargs: Any) -> Any:
            outer = getattr(inner, "spent", 0.0)
            inner.spent = 0.0
            started = clock()
            try:
                return method(*args, **kwargs)
            finally:
                took = clock() - started
                self.seconds[step] = self.seconds.get(step, 0.0) + took - inner.spent
                self.calls[step] = self.calls.get(step, 0) + 1
                inner.spent = outer + took

        return timed


def main() -> None:
    watch = StopWatch()
    for owner, name, step in STEPS:
        declared = owner.__dict__[name]
        timed = watch.around(step, getattr(owner, name))
        setattr(owner, name, staticmethod(timed) if isinstance(declared, staticmethod) else timed)
    try:
        dicom_process.main()
    finally:
        Path(sys.argv[4]).write_text(json.dumps({"seconds": watch.seconds, "calls": watch.calls}))


if __name__ == "__main__":
    main()
