"""Power fails at each named step of a store, four senders at work: all that was not synced is gone, databases included.

A moment is frozen in the middle of the work: what each file of the vault held at its last sync, under the names that
were durable; the state with its write-ahead log (synchronous=FULL); the catalog as it was at its last checkpoint, the
least that synchronous=NORMAL leaves, or with its log. From that a new archive starts.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from archives import device, make, opened
from media import LosesUnsynced
from objects import data_set, encoded, read_back, store, uid, whole_study

from leadglass.app import archive as composition
from leadglass.app.archive import Archive
from leadglass.app.home import Home
from leadglass.core import crashpoints
from leadglass.core.limits import MIB
from leadglass.core.principal import SYSTEM
from leadglass.vault.store import SegmentVault

SENDERS, EACH, PER_STUDY = 4, 24, 4
POINTS = [point for point in crashpoints.STORE_POINTS if point != "store.answered"]  # that one is the door's
TIMES = {"store.segment-created": (1, 3), **dict.fromkeys(("store.before-ring", "store.ring-written"), (1, 7))}


@dataclass
class Frozen:
    """What a power cut leaves, and what had been acknowledged before it."""

    home: Home
    acknowledged: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Moment:
    """Freezes the archive when `point` is reached for the n-th time."""

    home: Home
    disk: LosesUnsynced
    point: str
    times: int
    catalog_log: bool
    acknowledged: dict[str, bytes] = field(default_factory=dict)
    frozen: Frozen | None = None
    _reached: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __call__(self, name: str) -> None:
        if name == self.point and next(self._reached) == self.times:
            self.frozen = self._freeze()

    def _freeze(self) -> Frozen:
        acknowledged = dict(self.acknowledged)  # first: what is acknowledged while we look may be lost
        root = self.home.root
        copy = root.with_name("frozen")
        logs = ["state.db-wal", "catalog.db-wal"] if self.catalog_log else ["state.db-wal"]
        kept = {"leadglass.toml", "keyset.json", "state.db", "catalog.db", *logs}
        for path in root.rglob("*"):
            if path.is_file() and (path.name in kept or path.parent.name == "journal"):
                target = copy / path.relative_to(root)
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                shutil.copy(path, target)
        self.disk.rebuild(self.home.vault, copy / "vault")
        for folder in (copy, copy / "vault", copy / "index", copy / "journal", copy / "run"):
            folder.mkdir(mode=0o700, exist_ok=True)
        return Frozen(Home(copy), acknowledged)


async def send(archive: Archive, moment: Moment, sender: int) -> None:
    for number in range(EACH):
        study = sender * 100 + number // PER_STUDY
        data = encoded(data_set(study, number, size=150_000))
        await store(archive, data, uid(study, number))
        moment.acknowledged[uid(study, number)] = data


@pytest.mark.parametrize("catalog_log", [True, False], ids=["log-kept", "log-lost"])
@pytest.mark.parametrize("point", POINTS)
async def test_what_was_acknowledged_survives_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, catalog_log: bool
) -> None:
    for times in TIMES.get(point, (1, 9)):
        home = make(tmp_path / str(times), [device("ct")])
        moment = Moment(home, LosesUnsynced(), point, times, catalog_log)
        with monkeypatch.context() as patch:
            vault = functools.partial(SegmentVault, disk=moment.disk, segment_size=2 * MIB)
            patch.setattr(composition, "SegmentVault", vault)
            with opened(home) as archive:
                crashpoints.install(moment)
                try:
                    await asyncio.gather(*(send(archive, moment, sender) for sender in range(SENDERS)))
                finally:
                    crashpoints.install(None)
        assert moment.frozen is not None, "the point was not reached"
        judge(moment.frozen)


def judge(frozen: Frozen) -> None:
    with opened(frozen.home) as archive:
        assert archive.recovery.replay(SYSTEM).damage == []
        for name, data in frozen.acknowledged.items():
            stored = archive.catalog.lookup(name)
            assert stored is not None, "acknowledged and lost"
            assert read_back(archive, stored) == data
        assert [
            item for item in archive.maintenance.check(SYSTEM, read_data=True).problems if "mended" not in item
        ] == []
        assert archive.maintenance.statistics(SYSTEM)["versions"] == 0


async def test_a_deletion_that_was_told_survives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = make(tmp_path, [device("ct")])
    moment = Moment(home, LosesUnsynced(), "now", 1, catalog_log=False)
    monkeypatch.setattr(composition, "SegmentVault", functools.partial(SegmentVault, disk=moment.disk))
    with opened(home) as archive:
        await send(archive, moment, 0)
        archive.trash.delete(SYSTEM, whole_study(0), "test")
        moment("now")
    monkeypatch.undo()
    assert moment.frozen is not None
    with opened(moment.frozen.home) as archive:
        archive.recovery.replay(SYSTEM)
        assert archive.catalog.trashed() == [item.study_uid for item in archive.state.trash()]
        assert archive.catalog.select(whole_study(0)) == []
        assert len(archive.catalog.select(whole_study(1))) == PER_STUDY
