"""The command line: one file per group of commands. Errors are one plain sentence with the next step."""

from __future__ import annotations

import sys

import typer

from leadglass.app.cli import data, devices, journal, keys, scu, server
from leadglass.app.cli.output import fail
from leadglass.core.errors import LeadglassError

app = typer.Typer(
    name="leadglass",
    help="A medical image archive that cannot be left open by mistake.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
server.register(app)
devices.register(app)
scu.register(app)
data.register(app)
journal.register(app)
keys.register(app)


def main() -> None:
    """Run the command line; LeadglassError becomes one sentence and an exit code."""
    try:
        app()
    except LeadglassError as error:
        fail(error)
    except KeyboardInterrupt:
        sys.exit(130)
