"""scan self: this archive as a stranger sees it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from leadglass.app.audits.own import OwnLook, look, outside_scope
from leadglass.app.audits.stranger import Impostor
from leadglass.app.cli.opening import HomeOption, JsonOption, opened, operator
from leadglass.app.cli.output import as_json, say, table
from leadglass.app.config import read_config
from leadglass.app.lock import is_served
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.exposure.audit import Result
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
    elsewhere: Annotated[
        bool,
        typer.Option(
            "--elsewhere/--loopback-only", help="From a network namespace too, where this user may make one (root)."
        ),
    ] = True,
    json: JsonOption = False,
) -> None:
    """Audit every listener of this archive as a stranger. Exit code 1 if it gets anywhere; fit for a nightly job."""
    with opened(home) as archive:
        if not is_served(archive.home.lock):
            raise LeadglassError(ErrorCode.UNAVAILABLE, "The archive is not serving: there is nothing to look at.")
        config = read_config(archive.home.config)
        devices = archive.devices.devices(operator())
    seen = look(config, devices, elsewhere=elsewhere)
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
    _show_results("This archive, as a stranger on this machine sees it", seen.results)
    tried = [impostor for impostor in seen.impostors if impostor.let_in is not None]
    left = len(seen.impostors) - len(tried)
    _show_impostors(tried, f", {left} could not be tried")
    there = seen.elsewhere
    if there.source:
        say("")
        _show_results(f"As a neighbour sees it, from {there.source} in a network namespace", there.results)
        _show_impostors(there.impostors)
        for service in there.misplaced:
            say(f"  [bold]{service.label}[/] is reached by others, and its configuration says this machine only.")
    else:
        say(f"Looked from this machine only, not from a network namespace: {there.why}.")
    verdict = (
        "A stranger gets nowhere." if seen.clean else "[bold]A stranger gets in, or a listener does not answer.[/]"
    )
    say(f"\n{verdict}")
    say("Port forwards of a router cannot be seen from here: look from outside, with the scope that --outside writes.")


def _show_results(title: str, results: Sequence[Result]) -> None:
    rows = [
        (
            result.assessment.service.label,
            RUNGS[result.assessment.rung],
            ", ".join(finding.id for finding in result.assessment.findings if finding.score) or "nothing",
        )
        for result in results
    ]
    table(title, ("listener", "how far", "findings"), rows)


def _show_impostors(tried: Sequence[Impostor], more: str = "") -> None:
    let_in = [impostor for impostor in tried if impostor.let_in]
    say(f"Enrolled titles from a wrong address: {len(tried)} tried, {len(let_in)} let in{more}.")
    for impostor in let_in:
        say(f"  [bold]{impostor.device}[/] was let in at {impostor.service.label} from {impostor.source}.")


def _plain(seen: OwnLook) -> dict[str, Any]:
    there = seen.elsewhere
    return {
        "clean": seen.clean,
        "services": [result_to_plain(result) for result in seen.results],
        "impostors": [_impostor(impostor) for impostor in seen.impostors],
        "elsewhere": {
            "source": there.source,
            "why_not": there.why,
            "services": [result_to_plain(result) for result in there.results],
            "impostors": [_impostor(impostor) for impostor in there.impostors],
            "misplaced": [service.label for service in there.misplaced],
        },
    }


def _impostor(impostor: Impostor) -> dict[str, Any]:
    return {
        "device": impostor.device,
        "service": impostor.service.label,
        "source": impostor.source,
        "let_in": impostor.let_in,
    }
