"""Metadata: DICOM JSON of stored instances (PS3.18 F), made once per series and kept compressed.

What is kept is one gzip stream per series: the array as it is served. It is found by the series' stamp, so a series
that grows is made again when it is asked for next. Single instances and series that are not worth keeping are made at
once.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import imagecodecs

from leadglass.core.events import EventKind
from leadglass.core.ports import Catalog, Derived, Vault
from leadglass.core.principal import Principal, Right
from leadglass.core.query import Level, Selection
from leadglass.core.reach import Reach
from leadglass.core.records import SeriesState, StoredInstance
from leadglass.dicom.json_model import json_maker
from leadglass.dicom.model import ModelMaker
from leadglass.dicom.xml_model import xml_maker
from leadglass.services.admit import Gate, use_case
from leadglass.services.read_ahead import AccessJournal

T = TypeVar("T")

KIND: Final = "metadata"
VERSION_DIGITS: Final = 16  # hex digits of the record's digest that stand in a bulk data URL


@dataclass(frozen=True, slots=True)
class SeriesDocument:
    """The metadata of one series: a JSON array of its instances as a gzip stream, and what tells this state of it."""

    state: SeriesState
    gzip: bytes


def version_of(stored: StoredInstance) -> str:
    """What a URL carries that names the bytes of an instance, not just the instance."""
    return stored.digest.hex()[:VERSION_DIGITS]


def _limit(reach: Reach) -> str:
    """What is added to a name for who sees some instances of a series: another document than that of all of them."""
    if reach.instances is None:
        return ""
    digest = hashlib.blake2b("\n".join(sorted(reach.instances)).encode(), digest_size=16)
    return f" {digest.hexdigest()}"


class Metadata:
    """The use case behind the metadata resources."""

    def __init__(
        self,
        gate: Gate,
        *,
        vault: Vault,
        derived: Derived,
        catalog: Catalog,
        accesses: AccessJournal,
        threads: ThreadPoolExecutor,
    ) -> None:
        self.gate = gate
        self._vault = vault
        self._derived = derived
        self._catalog = catalog
        self._accesses = accesses
        self._threads = threads

    @use_case(Right.RETRIEVE, EventKind.INSTANCES_ACCESSED)
    async def series(self, principal: Principal, selection: Selection, bulk_root: str) -> list[SeriesDocument]:
        """The series of a selection (of level STUDY or SERIES); none is not an error.

        `bulk_root` is the URL below which studies lie: bulk data are named as the instance's URL under it, followed by
        /bulkdata/VERSION/PATH.
        """
        narrowed = replace(selection, reach=principal.reach)
        return await self._in_thread(lambda: self._series(principal, narrowed, bulk_root))

    @use_case(Right.RETRIEVE, EventKind.INSTANCES_ACCESSED)
    async def instances(self, principal: Principal, selection: Selection, bulk_root: str) -> list[bytes]:
        """A JSON object for each instance of a selection, in order."""
        return await self._made(principal, selection, bulk_root, json_maker())

    @use_case(Right.RETRIEVE, EventKind.INSTANCES_ACCESSED)
    async def xml(self, principal: Principal, selection: Selection, bulk_root: str) -> list[bytes]:
        """A Native DICOM Model document (PS3.19 A.1) for each instance of a selection, in order."""
        return await self._made(principal, selection, bulk_root, xml_maker())

    async def _made(self, principal: Principal, selection: Selection, bulk_root: str, maker: ModelMaker) -> list[bytes]:
        narrowed = replace(selection, reach=principal.reach)

        def work() -> list[bytes]:
            found = self._catalog.select(narrowed)
            self._journal(principal, {stored.identity.study_uid: 0 for stored in found})
            return [self._document(stored, maker, bulk_root) for stored in found]

        return await self._in_thread(work)

    def _series(self, principal: Principal, selection: Selection, bulk_root: str) -> list[SeriesDocument]:
        states = self._catalog.series_states(selection)
        self._journal(principal, {state.study_uid: 0 for state in states})
        return [SeriesDocument(state, self._kept(state, selection, bulk_root)) for state in states]

    def _journal(self, principal: Principal, studies: dict[str, int]) -> None:
        for study_uid in studies:
            self._accesses.begin(principal.name, principal.address, study_uid)

    def _kept(self, state: SeriesState, selection: Selection, bulk_root: str) -> bytes:
        name = f"{state.study_uid}/{state.series_uid} {bulk_root}{_limit(selection.reach)}"
        kept = self._derived.get(state.key_id, KIND, name, state.stamp)
        if kept is not None:
            return kept
        one = Selection(
            Level.SERIES, study_uids=(state.study_uid,), series_uids=(state.series_uid,), reach=selection.reach
        )
        made = self._array(self._catalog.select(one), bulk_root)
        self._derived.put(state.key_id, KIND, name, state.stamp, made)
        return made

    def _array(self, found: Sequence[StoredInstance], bulk_root: str) -> bytes:
        maker = json_maker()
        documents = [self._document(stored, maker, bulk_root) for stored in found]
        return bytes(imagecodecs.gzip_encode(b"[" + b",".join(documents) + b"]", level=1))

    def _document(self, stored: StoredInstance, maker: ModelMaker, bulk_root: str) -> bytes:
        identity = stored.identity
        prefix = (
            f"{bulk_root}/studies/{identity.study_uid}/series/{identity.series_uid}"
            f"/instances/{identity.sop_instance_uid}/bulkdata/{version_of(stored)}/"
        )
        reader = self._vault.open(stored.location, identity)
        try:
            return maker.make(
                reader.read,
                stored.transfer_syntax_uid,
                prefix,
                assumed_character_set=reader.trailer.assumed_character_set,
                length=reader.data_set_length,
            ).document
        finally:
            reader.close()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
