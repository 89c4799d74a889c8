"""Runs an audit as a program: its folder, its seed, the kill switch, what is left of it afterwards."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import resource
import secrets
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvloop

from leadglass.app.audits.scope_file import ScopeFile
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.exposure.audit import Audit
from leadglass.exposure.dialer import ScopedDialer
from leadglass.exposure.ledger import Ledger, LedgerError
from leadglass.exposure.names import resolve
from leadglass.exposure.notify.states import after_audit
from leadglass.exposure.run import Outcome, Run, Watch
from leadglass.exposure.run_journal import JournalError, RunJournal
from leadglass.exposure.service import Service
from leadglass.exposure.targets import WHOLE, Shard, Targets

_OTHER_FILES = 128  # open files that are not connections
DEFAULT_FOLDER = Path("leadglass-audit")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run. `digest` is the SHA-256 of the scope file."""

    file: ScopeFile
    digest: str
    seed: int | None = None
    shard: Shard = WHOLE
    given: tuple[Service, ...] | None = None
    fresh: bool = False


def ledger_of(folder: Path) -> Ledger:
    """The ledger in an auditor's folder. Raises LeadglassError."""
    try:
        return Ledger(folder / "ledger.sqlite")
    except LedgerError as error:
        raise LeadglassError(ErrorCode.DAMAGED, str(error)) from error


def digest_of(data: bytes) -> str:
    """By which audits know their scope."""
    return hashlib.sha256(data).hexdigest()


def run_audit(plan: Plan, folder: Path, watch: Watch) -> Audit:
    """Run it to its end, or until Ctrl-C, and record it. What is unfinished goes on with the next call."""
    confine()
    head, path = _head(plan, folder)
    try:
        journal = RunJournal(path, head)
    except JournalError as error:
        raise LeadglassError(ErrorCode.DAMAGED, f"{error} Begin anew with --fresh.") from error
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            outcome, targets = runner.run(_run(plan, journal, watch, head["seed"]))
    finally:
        journal.close()
    audit = _audit(plan, head, outcome, targets)
    ledger = ledger_of(folder)
    ledger.record(audit)
    for notice in after_audit(ledger.notices(), audit):
        ledger.note(notice)
    if outcome.complete:
        path.unlink()
    return audit


def confine() -> None:
    """No core dump of a process that holds answers of archives, and as many open files as the system grants."""
    gc.set_threshold(50_000, 20, 20)  # a run makes many objects that live for one probe and few circles
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def open_files() -> int:
    """How many connections may be open at a time."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, soft - _OTHER_FILES)


def unfinished(plan: Plan, folder: Path) -> Path:
    """Where the journal of this scope and shard lies while it is not finished."""
    return folder / "runs" / f"{plan.digest[:16]}-{plan.shard.number}of{plan.shard.of}.jsonl"


async def _run(plan: Plan, journal: RunJournal, watch: Watch, seed: int) -> tuple[Outcome, Targets]:
    scope = plan.file.scope
    scope = replace(scope, pace=replace(scope.pace, concurrent=min(scope.pace.concurrent, open_files())))
    named, _ = await resolve(scope, ScopedDialer(scope, now=time.time))
    targets = Targets(scope, seed=seed, shard=plan.shard, named=named, given=plan.given)
    run = Run(scope, targets, journal, watch, now=time.time)
    loop = asyncio.get_running_loop()
    if threading.current_thread() is threading.main_thread():  # a worker of a cluster has none of its own
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, run.stop)
    return await run.run(), targets


def _head(plan: Plan, folder: Path) -> tuple[dict[str, Any], Path]:
    """Which run it is: the unfinished one of this scope and shard if there is one."""
    path = unfinished(plan, folder)
    if plan.fresh:
        path.unlink(missing_ok=True)
    started = time.time()
    head: dict[str, Any] = {
        "id": f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(started))}-{secrets.token_hex(2)}",
        "started": started,
        "scope": plan.digest,
        "shard": list(plan.shard),
        "seed": secrets.randbelow(2**32) if plan.seed is None else plan.seed,
    }
    with suppress(OSError, ValueError, KeyError, TypeError):
        with path.open("rb") as file:
            before = json.loads(file.readline(65536))["head"]
        same = before["scope"] == plan.digest and before["shard"] == head["shard"]
        if same and plan.seed in (None, before["seed"]):
            return before, path
    return head, path


def _audit(plan: Plan, head: dict[str, Any], outcome: Outcome, targets: Targets) -> Audit:
    scope = plan.file.scope
    return Audit(
        id=head["id"],
        started=head["started"],
        ended=time.time(),
        scope=plan.digest,
        title=plan.file.title,
        authorised_by=scope.authorised_by,
        contact=scope.contact,
        addresses=targets.addresses,
        ports=scope.ports,
        contacted=outcome.progress.contacted,
        unanswered=outcome.progress.unanswered,
        complete=outcome.complete,
        shard=(plan.shard.number, plan.shard.of),
        results=outcome.results,
    )
