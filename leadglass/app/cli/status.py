"""status: what runs, what is unsafe, which risks are taken, which certificates end, what cannot be seen from inside."""

from __future__ import annotations

import datetime as dt
from typing import Any

import typer
from rich.markup import escape

from leadglass.app.certificates import utc_now
from leadglass.app.cli.opening import HomeOption, JsonOption, opened
from leadglass.app.cli.output import EXIT_CODES, as_json, say, table
from leadglass.app.config import Override
from leadglass.app.standing import Standing, look
from leadglass.core.errors import ErrorCode


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(status)


def status(home: HomeOption = None, json: JsonOption = False) -> None:
    """How the archive stands. Exit code 3 if something is unsafe, a listener is closed or lacks its new certificate."""
    with opened(home) as archive:
        seen = look(archive.home, archive.config, archive.state, archive.keys.ca)
    if json:
        as_json(_plain(seen))
    else:
        _say(seen)
    if seen.bad:
        raise SystemExit(EXIT_CODES[ErrorCode.UNSAFE])


def _plain(seen: Standing) -> dict[str, Any]:
    return {
        "home": seen.home,
        "running": seen.running,
        "listeners": seen.listeners,
        "web": seen.web,
        "live": seen.live,
        "unsafe": [{"risk": risk.name, "sentence": risk.sentence, "mend": risk.mend} for risk in seen.unsafe],
        "overrides": [
            {"risk": item.risk, "device": item.device, "until": str(item.until), "reason": item.reason}
            for item in seen.overrides
        ],
        "certificates": [
            {"of": item.kind, "name": item.name, "until": item.until.isoformat(), "expired": item.expired}
            for item in seen.endings
        ],
        "outside_scan": seen.scan,
    }


def _say(seen: Standing) -> None:
    say(f"Archive {seen.home}: {'running' if seen.running else 'not running'}.")
    for item in seen.listeners:
        say(f"  listener {item['host']}:{item['port']} {_kind(item, seen.running)}")
    for item in seen.web:
        say(f"  web {escape(item['listener'])} {_kind(item, seen.running)}")
    if seen.live is not None:
        counts = f"{seen.live['refused']} refused, {seen.live['failed']} failed stores"
        say(f"  {seen.live['associations']} associations since start, {counts}")
    for risk in seen.unsafe:
        say(f"[bold red]unsafe[/] {escape(f'{risk.sentence} {risk.mend}')}")
    for ending in seen.endings:
        say(f"[bold red]certificate[/] {escape(ending.sentence)}")
    today = utc_now().date()
    rows = [(item.risk, item.device, _until(item, today), item.reason) for item in seen.overrides]
    table("Overrides in force", ("risk", "device", "until", "reason"), rows)
    say("A forwarded port cannot be seen from inside. From outside, run:")
    say("  " + seen.scan)


def _kind(listener: dict[str, Any], running: bool) -> str:
    told = "TLS" if listener["tls"] else "plain"
    if listener["closed"] and (running or listener["expired"]):
        told += f" [bold red]closed[/], {escape(listener['closed'])}"
    if listener["renewal"]:
        told += f" [bold red]does not show its new certificate[/]: {escape(listener['renewal'])}"
    return told


def _until(override: Override, today: dt.date) -> str:
    return f"{override.until} ({(override.until - today).days} days)"
