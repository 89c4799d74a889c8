"""Opened instances as DICOM files on their way out (PS3.10): File Meta rebuilt, the preamble zero."""

from __future__ import annotations

from collections.abc import AsyncIterator

from leadglass.core.errors import LeadglassError
from leadglass.core.ports import OpenedInstance, OpenedInstances, OutgoingDataSet
from leadglass.core.records import StoredInstance
from leadglass.dicom.part10 import build_file_header


class Files:
    """Instances in order, opened ahead. SOP Instance UIDs of those that cannot be read are kept in `missing`."""

    def __init__(self, opened: OpenedInstances) -> None:
        self.missing: list[str] = []
        self.first_syntax = ""
        self._opened = opened
        self._first: OpenedInstance | None = None

    async def open_first(self) -> None:
        """Have the first one that can be read; raises the error of the first if none can."""
        problem: LeadglassError | None = None
        while (item := await self._opened.next()) is not None:
            if isinstance(item.outgoing, OutgoingDataSet):
                self._first, self.first_syntax = item, item.outgoing.transfer_syntax_uid
                return
            self.missing.append(item.stored.identity.sop_instance_uid)
            problem = problem or item.outgoing
        if problem is not None:
            raise problem

    async def each(self) -> AsyncIterator[tuple[StoredInstance, OutgoingDataSet]]:
        """All that can be read, once."""
        item, self._first = self._first, None
        try:
            while item is not None:
                if isinstance(item.outgoing, OutgoingDataSet):
                    yield item.stored, item.outgoing
                else:
                    self.missing.append(item.stored.identity.sop_instance_uid)
                item = await self._opened.next()
        finally:
            self._opened.close()


def file_header(stored: StoredInstance, transfer_syntax_uid: str) -> bytes:
    """What stands before the data set: nothing that the file came with is in it."""
    return build_file_header(stored.identity.sop_class_uid, stored.identity.sop_instance_uid, transfer_syntax_uid)
