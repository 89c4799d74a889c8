"""scan lab: a small internet on loopback to learn the auditor on."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from leadglass.app.audits.running import confine
from leadglass.app.cli.opening import JsonOption
from leadglass.app.cli.output import as_json, complain, say, table
from leadglass.app.lab import archive, peers
from leadglass.app.lab.lab import chosen, lights, write_scope
from leadglass.app.lab.places import Light
from leadglass.app.lab.truth import Place
from leadglass.exposure.reports.words import RUNGS

MAX_FAKES = 4000
_SHOWN = 40


def register(scan: typer.Typer) -> None:
    """Add the command of this file."""
    scan.command()(lab)


def lab(
    folder: Annotated[Path, typer.Option("--folder", help="Where its scope and its archive lie.")] = Path(
        "leadglass-lab"
    ),
    close: Annotated[
        list[str] | None, typer.Option(help="A server that is closed this time; may be repeated.", show_default=False)
    ] = None,
    fakes: Annotated[int, typer.Option(help="So many more small servers.", min=0, max=MAX_FAKES)] = 0,
    with_archive: Annotated[bool, typer.Option("--archive/--no-archive", help="This archive as one of them.")] = True,
    with_peers: Annotated[
        bool, typer.Option("--peers/--no-peers", help="Orthanc, DCMTK and pynetdicom, where they are installed.")
    ] = True,
    json: JsonOption = False,
) -> None:
    """Start the laboratory on loopback addresses, say what is so of each server, and run until Ctrl-C."""
    confine()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    closed = frozenset(close or ())
    servers = chosen(fakes, closed)
    foreign, missing = peers.chosen_peers(closed) if with_peers else ([], [])
    scope = write_scope(folder, fakes=fakes)

    def tell(places: list[Place]) -> None:
        if json:
            as_json([_plain(place) for place in places])
        else:
            _show(places, scope)
        for one in missing:
            complain(f"Not here: {one.name} ({one.why}).")

    with contextlib.ExitStack() as stack:
        places = stack.enter_context(peers.served(foreign))
        if with_archive:
            places += archive.PLACES
            stack.enter_context(archive.served(folder))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_stopped(servers, folder, places, tell))


async def _until_stopped(
    servers: list[Light], folder: Path, places: list[Place], tell: Callable[[list[Place]], None]
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with lights(servers, folder) as started:
        tell([*started, *places])
        await stop.wait()


def _show(places: list[Place], scope: Path) -> None:
    rows = [
        (place.name, f"{place.address}:{place.port}", place.what, RUNGS[place.truth.rung], _held(place))
        for place in places[:_SHOWN]
    ]
    table("The laboratory, and what is so", ("name", "address", "", "a stranger gets", "holds"), rows)
    if len(places) > _SHOWN:
        say(f"... and {len(places) - _SHOWN:,} more.")
    say(f"\nAudit it in another terminal:  leadglass scan run {scope}\nStop it with Ctrl-C.")


def _held(place: Place) -> str:
    truth = place.truth
    return "" if truth.studies is None else f"{truth.studies:,} studies, {truth.images:,} images"


def _plain(place: Place) -> dict[str, object]:
    truth = place.truth
    return {
        "name": place.name,
        "address": place.address,
        "port": place.port,
        "what": place.what,
        "rung": truth.rung.name.lower().replace("_", "-"),
        "studies": truth.studies,
        "images": truth.images,
        "exact": truth.exact,
        "findings": sorted(truth.findings),
    }
