"""init, serve, stats, demo."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from leadglass.app import demo as demonstration
from leadglass.app.certificates import utc_now
from leadglass.app.cli.opening import HomeOption, JsonOption, home_of, keys_of, opened, operator
from leadglass.app.cli.output import as_json, complain, say, size, table
from leadglass.app.config import Config, Override, read_config
from leadglass.app.expiry import endings
from leadglass.app.facts import forbid_core_dumps
from leadglass.app.first_start import set_up_link
from leadglass.app.home import Home
from leadglass.app.judging import situation
from leadglass.app.lock import server_lock
from leadglass.app.making import Plan, make_archive
from leadglass.app.safety import Risk, overrides_in_force, standing
from leadglass.app.supervisor import Supervisor
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.index.state import SqliteState
from leadglass.journal.writer import ChainedJournal
from leadglass.keys.keyset import KeySet

MAX_WEB_PROCESSES = 2  # decryption runs in threads beside the loop: more only compete with ingest


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(init)
    app.command()(serve)
    app.command()(stats)
    app.command()(demo)


def init(
    home: HomeOption = None,
    key_file: Annotated[Path | None, typer.Option(help="Where the new master key goes; outside the archive.")] = None,
    title: Annotated[str, typer.Option(help="The archive's AE title.")] = "LEADGLASS",
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port for plain DICOM; 0 for none.", min=0, max=65535)] = 11112,
    tls_port: Annotated[int, typer.Option(help="The port for DICOM over TLS; 0 for none.", min=0, max=65535)] = 2762,
    web_port: Annotated[
        int, typer.Option(help="The port for the pages and DICOMweb, over TLS; 0 for none.", min=0, max=65535)
    ] = 8443,
    viewer_port: Annotated[int, typer.Option(help="The port for the viewer; 0 for none.", min=0, max=65535)] = 8444,
) -> None:
    """Make a new, empty archive with keys of its own."""
    place = home_of(home)
    key = key_file or place.root.parent / f"{place.root.name}-key" / "master.key"
    make_archive(place, Plan(key, title, host, port, tls_port, web_port, viewer_port))
    say(f"Made the archive [bold]{escape(str(place.root))}[/], its master key is in [bold]{escape(str(key))}[/].")
    say("Next: export and test a recovery kit, and keep it where a fire in this room does not reach it:")
    say(f"  leadglass keys export --home {place.root} KIT.txt")
    say(f"  leadglass keys test --home {place.root} KIT.txt")
    say(f"then: leadglass serve --home {place.root}")
    if web_port:
        say("It prints a link for making the first account; further ones: leadglass account add.")


def serve(home: HomeOption = None) -> None:
    """Serve the archive until it is told to stop. Unsafe settings do not start."""
    place = home_of(home)
    config = read_config(place.config)
    forbid_core_dumps()
    with server_lock(place.lock):
        place.quotas.unlink(missing_ok=True)  # of the run before
        keys = keys_of(place, config)
        _judge(place, config, keys)
        supervisor = Supervisor(place, keys, _web_processes(config), metrics=config.metrics is not None)

        def ready() -> None:
            _say_ready(config)
            _say_set_up(set_up_link(place, config, keys))

        raise SystemExit(supervisor.run(ready))


def _web_processes(config: Config) -> int:
    return min(os.cpu_count() or 1, MAX_WEB_PROCESSES) if config.web else 0


def _judge(place: Home, config: Config, keys: KeySet) -> None:
    with contextlib.ExitStack() as stack:
        state = SqliteState(place.state, keys.state)
        stack.callback(state.close)
        seen = situation(place, config, state)
        against = standing(seen)
        journal = ChainedJournal(place.journal, keys.journal)
        stack.callback(journal.close)
        for override in overrides_in_force(seen):
            journal.record(_override_event(override), durable=True)
        for risk in against:
            journal.record(_refusal_event(risk))
        ending = endings(config, seen.devices, None, utc_now())
    for risk in against:
        override_name = f"[override: {risk.name}]" if risk.overridable else ""
        complain(f"unsafe: {risk.sentence}")
        complain(f"  mend: {risk.mend} {override_name}".rstrip())
    if against:
        raise LeadglassError(ErrorCode.UNSAFE, f"Not started: {len(against)} unsafe setting(s), named above.")
    for item in ending:
        complain(f"warning: {item.sentence}")
    closed = [item.kind for item in ending if item.kind in ("listener", "web") and item.expired]
    everywhere = len(closed) == len(config.listeners) + len(config.web)
    if closed and (everywhere or closed.count("listener") == len(config.listeners) > 0):
        raise LeadglassError(ErrorCode.UNSAFE, "Not started: the certificate of every listener has expired.")


def _override_event(override: Override) -> JournalEvent:
    """Somebody takes a risk, for a reason, until a day: told at every start, whether the risk is there or not."""
    details = {
        "risk": override.risk,
        "device": override.device,
        "reason": override.reason,
        "until": override.until.isoformat(),
    }
    kind, outcome = EventKind.SECURITY_ALERT, Outcome.MINOR_FAILURE
    return JournalEvent(kind, "override-in-force", "leadglass", "", outcome, details)


def _refusal_event(risk: Risk) -> JournalEvent:
    details = {"risk": risk.name, "device": risk.device}
    return JournalEvent(EventKind.SECURITY_ALERT, "start-refused", "leadglass", "", Outcome.SERIOUS_FAILURE, details)


def _say_ready(config: Config) -> None:
    expired = {item.name for item in endings(config, (), None, utc_now()) if item.expired}
    for listener in config.listeners:
        kind = "TLS" if listener.tls else "plain"
        if f"{listener.host}:{listener.port}" in expired:
            complain(f"Not listening on {listener.host} port {listener.port}: its certificate has expired.")
        else:
            say(f"Listening on {listener.host} port {listener.port} ({kind}) as {', '.join(config.ae_titles)}.")
    for item in config.web:
        if item.label in expired:
            complain(f"Not listening on {item.label}: its certificate has expired.")
        else:
            say(f"DICOMweb on {item.label}.")


def _say_set_up(address: str) -> None:
    if address:
        say("Nobody has an account yet. Whoever opens this link within 30 minutes makes the first one:")
        say(f"  {escape(address)}")


def stats(home: HomeOption = None, json: JsonOption = False) -> None:
    """How much is in the archive."""
    with opened(home) as archive:
        counts = dict(archive.maintenance.statistics(operator()))
    if json:
        as_json(counts)
    else:
        rows = [
            (name.replace("_", " "), size(number) if name == "bytes" else f"{number:,}")
            for name, number in counts.items()
        ]
        table("In the archive", ("what", "how many"), rows)


def demo(
    home: Annotated[Path, typer.Option(help="Where the demo lies.")] = Path("leadglass-demo"),
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 11112,
    web_port: Annotated[int, typer.Option(help="The port for the pages and DICOMweb; 0 for none.")] = 8042,
    viewer_port: Annotated[int, typer.Option(help="The port for the viewer; 0 for none.")] = 8043,
    shares_port: Annotated[int, typer.Option(help="The port for what is shared by link; 0 for none.")] = 8044,
    serve_: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve when it is filled.")] = True,
) -> None:
    """Make an archive with sample studies, filled through its own DICOM port, and serve it on loopback."""
    demonstration.run(home.absolute(), port, (web_port, viewer_port, shares_port), keep_serving=serve_, say=say)
