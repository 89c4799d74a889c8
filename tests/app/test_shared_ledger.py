"""Quotas of several web processes are one: what one process counts the others know, whatever becomes of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import archives
import httpx
import pytest
from web_tls import token

from leadglass.app.shared_ledger import SharedLedger
from leadglass.core.principal import Principal, PrincipalKind
from leadglass.services.quotas import OverQuotaError, QuotaLimits, Quotas

LIMITS = QuotaLimits(requests=10, bytes_minute=6_000, exports=2)
ONE, OTHER = (Principal(PrincipalKind.PROGRAM, name, frozenset()) for name in ("one", "other"))
PROCESS = """
import sys
from pathlib import Path
from leadglass.app.shared_ledger import SharedLedger
from leadglass.core.principal import Principal, PrincipalKind
from leadglass.services.quotas import QuotaLimits, Quotas
ledger = SharedLedger(Path(sys.argv[1]), int(sys.argv[2]))
quotas = Quotas(QuotaLimits(10**6, 6000, 10**6), ledger=ledger, now=lambda: 1000.0)
one = Principal(PrincipalKind.PROGRAM, "one", frozenset())
print("ready", flush=True)
for word in sys.stdin:
    leases = [quotas.begin(one, export=True) for _ in range(int(word))]
    for lease in leases[1:]:
        lease.end()
    print("done", flush=True)
"""


def quotas_of(path: Path, process: int, slots: int = 4096) -> Quotas:
    return Quotas(LIMITS, ledger=SharedLedger(path, process, slots), now=lambda: 1000.0)


def refused(quotas: Quotas, who: Principal = ONE, *, export: bool = False) -> str:
    with pytest.raises(OverQuotaError) as error:
        quotas.begin(who, export=export)
    return error.value.what


async def test_requests_bytes_and_exports_are_counted_together(tmp_path: Path) -> None:
    first, second = (quotas_of(tmp_path / "quotas", number) for number in (1, 2))
    for quotas in (first, second) * 50:
        quotas.begin(OTHER, export=False)
    assert (refused(first, OTHER), refused(second, OTHER)) == ("requests", "requests")
    lease = first.begin(ONE, export=True)
    second.begin(ONE, export=True)
    assert (refused(first, export=True), refused(second, export=True)) == ("exports", "exports")
    lease.end()
    lease.end()
    second.begin(ONE, export=True)
    await second.begin(ONE, export=False).moved(6_001, more=False)
    assert refused(first) == "bytes"


def test_places_of_a_process_that_died_come_free_when_it_is_started_again(tmp_path: Path) -> None:
    first, second = (quotas_of(tmp_path / "quotas", number) for number in (1, 2))
    second.begin(ONE, export=True)
    lost = first.begin(ONE, export=True)
    assert refused(second, export=True) == "exports"
    again = quotas_of(tmp_path / "quotas", 1)
    again.begin(ONE, export=True)
    assert refused(again, export=True) == "exports"  # the other process's own is still under way
    lost.end()


def test_names_without_end_are_not_kept_and_exports_not_forgotten(tmp_path: Path) -> None:
    first, second = (quotas_of(tmp_path / "quotas", number, slots=8) for number in (1, 2))
    for _ in range(2):
        first.begin(ONE, export=True)
    for number in range(100):
        second.begin(Principal(PrincipalKind.PROGRAM, str(number), frozenset()), export=False)
    assert refused(second, export=True) == "exports"
    for number in range(20):  # more exports under way than there are slots: counted by nobody, refused to nobody
        first.begin(Principal(PrincipalKind.PROGRAM, f"x{number}", frozenset()), export=True)


def test_times_of_before_the_machine_s_start_do_not_lock_anybody_out(tmp_path: Path) -> None:
    moment = [1e9]
    early, late = (
        Quotas(LIMITS, ledger=SharedLedger(tmp_path / "quotas", number), now=lambda: moment[0]) for number in (1, 2)
    )
    for _ in range(100):
        early.begin(ONE, export=False)
    moment[0] = 5.0
    assert refused(late) == "requests"
    moment[0] = 6.0
    late.begin(ONE, export=False)


def test_processes_at_work_at_once_lose_no_count(tmp_path: Path) -> None:
    path = tmp_path / "quotas"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(path), str(number)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ),
        )
        for number in (1, 2)
    ]  # fmt: skip
    try:
        for process in started:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("5000\n")
            process.stdin.flush()
        for process in started:
            assert process.stdout is not None and process.stdout.readline() == "done\n"
        ledger = SharedLedger(path, 3)
        with ledger.of("one", lambda: pytest.fail("it is known")) as standing:
            assert standing.exports == 2  # one of each process is still under way
            assert standing.requests.level == 10**7 - 10_000  # drawn by both
    finally:
        for process in started:
            process.communicate(timeout=30)


def test_a_served_archive_counts_over_all_its_web_processes(tmp_path: Path) -> None:
    port = archives.free_port()
    home = archives.make(tmp_path, [], web_port=port)
    home.config.write_text(home.config.read_text() + "\n[web_limits]\nrequests_per_second = 1\n")
    known = token(home)
    url, before = f"http://127.0.0.1:{port}/dicom-web/studies?limit=1", time.monotonic()
    with archives.served(home):
        # A connection for each, so that they fall on every process.
        codes = [httpx.get(url, headers=known).status_code for _ in range(60)]
        assert home.quotas.stat().st_mode & 0o777 == 0o600
    assert 10 <= codes.count(200) <= 11 + time.monotonic() - before  # two allowances of ten would be more
    assert {*codes} == {200, 429}
