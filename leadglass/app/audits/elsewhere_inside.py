"""The stranger of `elsewhere`: runs in a network namespace, is told where to look, and prints what it got as JSON."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import uvloop

from leadglass.app.audits.running import confine
from leadglass.app.audits.stranger import is_let_in, look_at, own_scope
from leadglass.app.namespaces import raise_loopback
from leadglass.exposure.dialer import ScopedDialer
from leadglass.exposure.facts import to_plain
from leadglass.exposure.findings import Rung
from leadglass.exposure.service import Service

HERE = "here"  # said when the namespace is there, before the line to it is
STRANGER = "stranger"  # our end of that line
_PATIENCE = 20  # seconds for a command


def main() -> None:
    """Say that we are here, read what to do when the line is laid, do it, and tell."""
    confine()
    print(HERE, flush=True)  # noqa: T201 - to who started it
    task = json.loads(sys.stdin.read())
    _settle(task["address"], task["gateway"])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        told = runner.run(_look(task))
    print(json.dumps(told))  # noqa: T201


def _settle(address: str, gateway: str) -> None:
    ip = shutil.which("ip") or "ip"
    raise_loopback()
    for words in (
        ("address", "add", address, "dev", STRANGER),
        ("link", "set", STRANGER, "up"),
        ("route", "add", "default", "via", gateway),
    ):
        subprocess.run([ip, *words], check=True, capture_output=True, timeout=_PATIENCE)  # noqa: S603 - our own words


async def _look(task: Mapping[str, Any]) -> dict[str, Any]:
    services = [(Service(item["address"], item["port"]), item["dicom"]) for item in task["services"]]
    scope = own_scope(service for service, _ in services)
    dialer = ScopedDialer(scope, now=time.time)
    secret = secrets.token_bytes(32)
    results = [await look_at(service, scope, dialer, secret) for service, _ in services]
    tried = [
        (service, wanted["device"], wanted["title"])
        for (service, dicom), result in zip(services, results, strict=True)
        if dicom and result.assessment.rung >= Rung.PORT_OPEN
        for wanted in task["titles"]
    ]
    impostors = [
        {
            "device": device,
            "address": service.address,
            "port": service.port,
            "let_in": await is_let_in(service, scope, dialer, task["called"], title),
        }
        for service, device, title in tried
    ]
    return {"observations": [to_plain(result.observation) for result in results], "impostors": impostors}


if __name__ == "__main__":
    main()
