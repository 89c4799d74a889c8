"""The processes of `bench.scan`, each alone in its own: servers, our probes, pynetdicom's, a count.

    python -m bench.scan_process serve COUNT | probe COUNT | sweep COUNT | pynetdicom COUNT | count | hold

Results are one JSON line.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvloop

from leadglass.app.audits.running import confine
from leadglass.app.lab.fake_scp import Behaviour, factory
from leadglass.app.lab.holdings import Holdings, made_up
from leadglass.dicom import uids
from leadglass.exposure.asking import line
from leadglass.exposure.counting.by_find import by_find
from leadglass.exposure.counting.count import count
from leadglass.exposure.dialer import ScopedDialer
from leadglass.exposure.observing import observe
from leadglass.exposure.probes import association
from leadglass.exposure.proposal import EVERYTHING, STORES, SYNTAXES
from leadglass.exposure.run import Run
from leadglass.exposure.run_journal import RunJournal
from leadglass.exposure.scope import Pace, Scope
from leadglass.exposure.service import Service
from leadglass.exposure.site import Site
from leadglass.exposure.targets import Targets
from leadglass.exposure.upper_layer import Talk, associate, request
from leadglass.wire.ul.pdu import ProposedContext

PORT = 11112
HOLDER = "127.77.9.1"  # the archive of 100,000 studies
STUDIES = 100_000
WIDTH = 256
_THREADS = 32


def address(number: int) -> str:
    """Of a light server."""
    return f"127.79.{number // 250}.{number % 250 + 1}"


def scope(*networks: str) -> Scope:
    """Loopback, without any pace."""
    now = time.time()
    pace = Pace(per_host=1e6, total=1e6, concurrent=WIDTH, connect_timeout=5, probe_timeout=30)
    return Scope("bench", "", now - 1, now + 7200, tuple(map(ipaddress.ip_network, networks)), ports=(PORT,), pace=pace)


class Nobody:
    """Watches nothing."""

    def moved(self, progress: object) -> None: ...

    def judged(self, result: object) -> None: ...


async def serve(number: int) -> None:
    """Light servers that accept verification and storage, and answer an echo."""
    loop = asyncio.get_running_loop()
    made = factory(Behaviour(offers=frozenset({uids.VERIFICATION, *STORES.values()})))
    for index in range(number):
        await loop.create_server(made, address(index), PORT, backlog=16)
    await _ready()


async def hold(_: int) -> None:
    """An archive of 100,000 studies."""
    made = factory(Behaviour(holdings=Holdings(made_up(STUDIES, years=10))))
    await asyncio.get_running_loop().create_server(made, HOLDER, PORT)
    await _ready()


async def _ready() -> None:
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def probe(number: int) -> None:
    """One deep probe of each server: association with 29 contexts, parse, echo, release, facts."""
    asked = scope("127.79.0.0/16")
    dialer = ScopedDialer(asked, now=time.time)
    secret = secrets.token_bytes(32)
    services = iter([Service(address(index), PORT) for index in range(number)])
    spoken = 0

    async def worker() -> None:
        nonlocal spoken
        for service in services:
            seen = await observe(service, asked, dialer, probes=(association.PROBE,), now=time.time, secret=secret)
            spoken += any(fact.check == "D06" and fact.yes for fact in seen.facts)

    start = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(WIDTH)))
    _tell(rate=number / (time.perf_counter() - start), right=spoken == number)


async def sweep(_: int) -> None:
    """Knock at every address of a /16 that nobody listens on."""
    asked = scope("127.80.0.0/16")
    with tempfile.TemporaryDirectory() as folder:
        journal = RunJournal(Path(folder) / "run.jsonl", {})
        run = Run(asked, Targets(asked, seed=1), journal, Nobody(), now=time.time, probes=())
        start = time.perf_counter()
        outcome = await run.run()
        _tell(rate=65536 / (time.perf_counter() - start), right=outcome.progress.services == 0 and outcome.complete)


async def count_all(_: int) -> None:
    """Count the archive of 100,000 studies, a thousand answers at a time."""
    site = Site(
        Service(HOLDER, PORT), scope(f"{HOLDER}/32"), ScopedDialer(scope(f"{HOLDER}/32"), now=time.time), time.time
    )
    context = ProposedContext(1, uids.STUDY_ROOT_FIND, SYNTAXES)
    start = time.perf_counter()
    async with line(site, site.deadline(600), tls=False, bound=2**31) as stream:
        talk = await associate(stream, request("ANY", "BENCH", (context,)))
        assert isinstance(talk, Talk)
        found = await count(by_find(talk, talk.accepted[1], site.secret, patients=False))
    right = found.exact and len(found.tally.studies) == STUDIES
    _tell(rate=time.perf_counter() - start, right=right, queries=found.queries)


def pynetdicom(number: int) -> None:
    """The same association by pynetdicom with 32 threads."""
    from pynetdicom import AE  # noqa: PLC0415 - only this process is to pay for it

    def one(index: int) -> bool:
        entity = AE("BENCH")
        for proposed in EVERYTHING:
            entity.add_requested_context(proposed.abstract_syntax, list(proposed.transfer_syntaxes))
        found = entity.associate(address(index), PORT, ae_title="ANY")
        if not found.is_established:
            return False
        echoed = found.send_c_echo().Status == 0
        found.release()
        return echoed

    start = time.perf_counter()
    with ThreadPoolExecutor(_THREADS) as pool:
        right = sum(pool.map(one, range(number))) == number
    _tell(rate=number / (time.perf_counter() - start), right=right)


def _tell(**found: object) -> None:
    print(json.dumps(found | {"at": dt.datetime.now(dt.UTC).isoformat()}), flush=True)


_TASKS: dict[str, Callable[[int], object]] = {
    "serve": serve, "hold": hold, "probe": probe, "sweep": sweep, "count": count_all,
}  # fmt: skip


def main() -> None:
    confine()
    name, number = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
    if name == "pynetdicom":
        pynetdicom(number)
    else:
        uvloop.run(_TASKS[name](number))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
