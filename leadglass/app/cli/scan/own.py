"""scan self: this archive as a stranger sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from leadglass.app.audits.own import OwnLook, look, outside_scope
from leadglass.app.cli.opening import HomeOption, JsonOption, opened, operator
from leadglass.app.cli.output import as_json, say, table
from leadglass.app.config import read_config
from leadglass.app.lock import is_served
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.exposure.reports.plain import result_to_plain
from leadglass.exposure.reports.words import RUNGS

_CLEAN, _OPEN = 0, 1


def register(scan: typer.Typer) -> None:
    """Add the command of this file."""
    scan.command("self")(own)


def own(
    home: HomeOption = None,
    outside: Annotated[
        Path | None, typer.Option(help="Write the scope file for a look from outside here.", show_default=False)
    ] = None,
    json: JsonOption = False,
) -> None:
    """Audit every listener of this archive as a stranger. Exit code 1 if it gets anywhere; fit for a nightly job."""
    with opened(home) as archive:
        if not is_served(archive.home.lock):
            raise LeadglassError(ErrorCode.UNAVAILABLE, "The archive is not serving: there is nothing to look at.")
        config = read_config(archive.home.config)
        devices = archive.devices.devices(operator())
    seen = look(config, devices)
    if outside is not None:
        outside_scope(config, outside)
    if json:
        as_json(_plain(seen))
    else:
        show(seen)
        if outside is not None:
            say(f"The scope for a look from outside is in {outside}.")
    raise typer.Exit(_CLEAN if seen.clean else _OPEN)


def show(seen: OwnLook) -> None:
    """For people."""
    rows = [
        (
            result.assessment.service.label,
            RUNGS[result.assessment.rung],
            ", ".join(finding.id for finding in result.assessment.findings if finding.score) or "nothing",
        )
        for result in seen.results
    ]
    table("This archive, as a stranger on this machine sees it", ("listener", "how far", "findings"), rows)
    tried = [impostor for impostor in seen.impostors if impostor.let_in is not None]
    let_in = [impostor for impostor in tried if impostor.let_in]
    left = len(seen.impostors) - len(tried)
    say(f"Enrolled titles from a wrong address: {len(tried)} tried, {len(let_in)} let in, {left} could not be tried.")
    for impostor in let_in:
        say(f"  [bold]{impostor.device}[/] was let in at {impostor.service.label} from {impostor.source}.")
    verdict = (
        "A stranger gets nowhere." if seen.clean else "[bold]A stranger gets in, or a listener does not answer.[/]"
    )
    say(verdict)
    say("Port forwards of a router cannot be seen from here: look from outside, with the scope that --outside writes.")


def _plain(seen: OwnLook) -> dict[str, Any]:
    return {
        "clean": seen.clean,
        "services": [result_to_plain(result) for result in seen.results],
        "impostors": [
            {
                "device": impostor.device,
                "service": impostor.service.label,
                "source": impostor.source,
                "let_in": impostor.let_in,
            }
            for impostor in seen.impostors
        ],
    }
