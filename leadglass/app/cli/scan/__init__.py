"""scan: the auditor. One file for each group of its commands."""

from __future__ import annotations

import typer

from leadglass.app.cli.scan import lab, own, permission, results, running, sending, telling

EXIT_CODES = "Exit codes of run: 0 nothing open, 1 findings, 2 could not test all, 3 wrong words or no permission."


def register(app: typer.Typer) -> None:
    """Add the commands of this folder."""
    scan = typer.Typer(
        help="Find open DICOM servers on networks that you may audit; take nothing; tell the owners; come back.",
        epilog=EXIT_CODES,
        no_args_is_help=True,
    )
    permission.register(scan)
    running.register(scan)
    results.register(scan)
    telling.register(scan)
    sending.register(scan)
    own.register(scan)
    lab.register(scan)
    app.add_typer(scan, name="scan")
