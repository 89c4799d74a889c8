"""One audit by several workers, on Dask: each takes a shard, verifies the signed scope itself, and gives back facts.

A Dask scheduler runs whatever it is sent. So one that is not in this process is used only over TLS with a certificate
of the client (`tls://`), and by default the cluster is made here, on loopback, for this run alone.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from leadglass.app.audits.running import Plan, digest_of, ledger_of, run_audit
from leadglass.app.audits.scope_file import read_scope
from leadglass.app.audits.trust import Trust, check_permission
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.exposure.audit import Audit, Result
from leadglass.exposure.facts import from_plain, to_plain
from leadglass.exposure.inputs import read_targets
from leadglass.exposure.rules.judge import judge
from leadglass.exposure.scope import Pace
from leadglass.exposure.targets import Shard

LOCAL = "local"
_WORKERS = 2


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the workers are: LOCAL, or the `tls://` address of a scheduler and PEM files to be let in with."""

    address: str = LOCAL
    workers: int = _WORKERS
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker is sent: the scope as it was signed, and its part. Keys to verify it with are the worker's own."""

    scope: bytes
    signature: bytes | None
    keys: str  # the folder of trusted keys on the worker
    given: bytes | None
    seed: int
    number: int
    of: int


class _Unwatched:
    def moved(self, progress: object) -> None:
        """Nobody is there to see it."""

    def judged(self, result: object) -> None:
        """Likewise."""


def look_at_shard(task: Task) -> dict[str, Any]:
    """On a worker: verify the permission, look at one shard, give back what was seen as plain values."""
    file = read_scope(task.scope, "The scope")
    check_permission(file.scope, task.scope, task.signature, Trust(Path(task.keys)), time.time())
    given = read_targets(task.given, file.scope).services if task.given is not None else None
    own = file._replace(scope=replace(file.scope, pace=_part(file.scope.pace, task.of)))
    plan = Plan(own, digest_of(task.scope), task.seed, Shard(task.number, task.of), given, fresh=True)
    with tempfile.TemporaryDirectory(prefix="leadglass-shard-") as folder:
        audit = run_audit(plan, Path(folder), _Unwatched())
    return {
        "observations": [to_plain(result.observation) for result in audit.results],
        "contacted": audit.contacted,
        "unanswered": audit.unanswered,
        "addresses": audit.addresses,
        "complete": audit.complete,
        "id": audit.id,
        "started": audit.started,
    }


def _part(pace: Pace, of: int) -> Pace:
    """What one of so many workers may do, so that together they keep the pace. A host is in one shard only."""
    return replace(pace, total=pace.total / of, concurrent=max(1, pace.concurrent // of))


def run_shared(tasks: Sequence[Task], cluster: Cluster, folder: Path) -> Audit:
    """Have every task done by a worker, and record the whole as one audit."""
    started = time.time()
    parts = _gathered(tasks, cluster)
    audit = _merged(tasks[0], parts, started)
    ledger_of(folder).record(audit)
    return audit


def tasks_of(first: Task, shards: int) -> list[Task]:
    """The same for each shard."""
    return [replace(first, number=number, of=shards) for number in range(shards)]


def check_cluster(cluster: Cluster) -> None:
    """UNSAFE for a scheduler that anybody could be, or could use."""
    if cluster.address == LOCAL:
        return
    if not cluster.address.startswith("tls://") or not (cluster.ca and cluster.certificate and cluster.key):
        raise LeadglassError(
            ErrorCode.UNSAFE,
            "A scheduler elsewhere is used over TLS with a client certificate only: tls://HOST:PORT, and --dask-ca, "
            "--dask-cert and --dask-key. It runs whatever it is sent.",
        )


def _gathered(tasks: Sequence[Task], cluster: Cluster) -> list[Mapping[str, Any]]:
    check_cluster(cluster)
    try:
        from distributed import Client, LocalCluster  # noqa: PLC0415 - an extra that most do without
        from distributed.security import Security  # noqa: PLC0415
    except ImportError as error:
        raise LeadglassError(ErrorCode.UNAVAILABLE, "Dask is not installed: pip install 'leadglass[dask]'.") from error
    if cluster.address == LOCAL:
        # Certificates made for this run alone: nobody else on this machine can send it anything.
        security = Security.temporary()
        with (
            LocalCluster(
                n_workers=cluster.workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=None,
                security=security,
                protocol="tls://",
            ) as made,
            Client(made, security=security) as client,
        ):
            return list(client.gather(client.map(look_at_shard, tasks, pure=False, retries=0)))
    security = Security(
        tls_ca_file=str(cluster.ca),
        tls_client_cert=str(cluster.certificate),
        tls_client_key=str(cluster.key),
        require_encryption=True,
    )
    with Client(cluster.address, security=security) as client:
        return list(client.gather(client.map(look_at_shard, tasks, pure=False, retries=0)))


def _merged(task: Task, parts: Sequence[Mapping[str, Any]], started: float) -> Audit:
    file = read_scope(task.scope, "The scope")
    observations = [from_plain(plain) for part in parts for plain in part["observations"]]
    results = [Result(seen, judge(seen)) for seen in sorted(observations, key=lambda seen: seen.service)]
    return Audit(
        id=str(parts[0]["id"]),
        started=started,
        ended=time.time(),
        scope=digest_of(task.scope),
        title=file.title,
        authorised_by=file.scope.authorised_by,
        contact=file.scope.contact,
        addresses=int(parts[0]["addresses"]),
        ports=file.scope.ports,
        contacted=sum(int(part["contacted"]) for part in parts),
        unanswered=sum(int(part["unanswered"]) for part in parts),
        complete=all(part["complete"] for part in parts),
        shard=(0, 1),
        results=tuple(results),
    )
