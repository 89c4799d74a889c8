"""E14: programs that export everything they can, and stores that are answered all the while."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import archives
import httpx
import stowing
from asking import Asker, Given
from objects import CT, data_set, encoded, study_uid, uid

from leadglass.core.limits import MIB
from leadglass.core.principal import SYSTEM
from leadglass.core.tokens import Scope
from leadglass.dicom.uids import EXPLICIT_VR_LE
from leadglass.services.tokens import Wanted

EXPORTERS = 40  # of them, sixteen at a time have a place in each web process
STORES = 20
READY_SECONDS = 60.0


def given(study: int, number: int, size: int = 2_000) -> Given:
    return Given(CT, uid(study, number), EXPLICIT_VR_LE, encoded(data_set(study, number, size=size)))


class Exporters:
    """Fetch a study again and again, as often as they are let."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self.received = 0
        self.statuses: set[int] = set()
        self._http = http
        self._headers = {"authorization": f"Bearer {token}", "accept": "application/zip; transfer-syntax=*"}
        self._tasks = [asyncio.ensure_future(self._export()) for _ in range(EXPORTERS)]

    async def _export(self) -> None:
        while True:
            url = f"/dicom-web/studies/{study_uid(1)}"
            async with self._http.stream("GET", url, headers=self._headers) as answer:
                self.statuses.add(answer.status_code)
                async for piece in answer.aiter_raw():
                    self.received += len(piece) if answer.status_code == 200 else 0
            await asyncio.sleep(0)

    async def more(self) -> None:
        """Wait until more has come."""
        before = self.received
        async with asyncio.timeout(READY_SECONDS):
            while self.received == before:
                await asyncio.sleep(0.01)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            results = await asyncio.gather(*self._tasks, return_exceptions=True)
            assert [item for item in results if not isinstance(item, asyncio.CancelledError)] == []


async def test_e14_exports_starve_no_store(tmp_path: Path) -> None:
    web_port = archives.free_port()
    home = archives.make(tmp_path, [archives.device("ct", "CT")], web_port=web_port)
    with archives.opened(home) as archive:
        reader = archive.tokens.issue(SYSTEM, Wanted("exporter", frozenset({Scope.READ}))).text
        sender = archive.tokens.issue(SYSTEM, Wanted("sender", frozenset({Scope.STORE}))).text
    limits = httpx.Limits(max_connections=EXPORTERS + 2)
    with archives.served(home) as server:
        asker = Asker(server.port, "CT")
        assert {answer.status for answer in await asker.store([given(1, n, MIB) for n in range(1, 25)])} == {0}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{web_port}", limits=limits, timeout=100) as http:
            exporters = Exporters(http, reader)
            for number in range(STORES):
                await exporters.more()
                (answer,) = await asker.store([given(2, number + 1)])
                assert answer.status == 0
                item = given(3, number + 1)
                body, header = stowing.related(stowing.part10(item.data, CT, item.sop_instance))
                header["authorization"] = f"Bearer {sender}"
                stored = await http.post("/dicom-web/studies", content=body, headers=header)
                assert stored.status_code == 200, stored.text
            await exporters.more()
            await exporters.end()
    assert exporters.statuses == {200, 429}
    with archives.opened(home) as archive:
        for study in (2, 3):
            assert archive.catalog.lookup(uid(study, STORES)) is not None
