"""conformance: what the archive can do, for those who connect to it."""

from __future__ import annotations

import sys

import typer

from leadglass.app.cli.opening import JsonOption
from leadglass.app.conformance import texts


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(conformance)


def conformance(json: JsonOption = False) -> None:
    """Print the DICOM conformance statement of this version, in Markdown. It needs no archive and names no site."""
    kind = "application/json" if json else "text/markdown"
    sys.stdout.write(texts()[kind].decode() + "\n")
