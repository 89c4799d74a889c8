"""The command line: one file per group of commands. Errors are one plain sentence with the next step."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from leadglass import __version__
from leadglass.app.cli import (
    accounts,
    conformance,
    data,
    devices,
    journal,
    keys,
    scan,
    scu,
    server,
    shares,
    status,
    tokens,
)
from leadglass.app.cli.output import INTERRUPTED, fail, fail_on_file, fail_unexpectedly, prepare, say
from leadglass.core.errors import LeadglassError

_EXIT_CODES = (
    "Exit codes: 0 done, 1 failed otherwise, 2 wrong words, 3 unsafe, 4 in use, 5 not found, 6 not allowed, "
    "7 damaged, 8 peer or key not available, 9 no room, 10 done in part, 70 a defect of Leadglass, 130 interrupted."
)

app = typer.Typer(
    name="leadglass",
    help="A medical image archive that cannot be left open by mistake.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
server.register(app)
status.register(app)
devices.register(app)
scu.register(app)
data.register(app)
journal.register(app)
keys.register(app)
shares.register(app)
tokens.register(app)
accounts.register(app)
scan.register(app)
conformance.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"leadglass {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """A medical image archive that cannot be left open by mistake."""


def main() -> None:
    """Run the command line; whatever goes wrong becomes one sentence and an exit code."""
    prepare()
    try:
        app(prog_name="leadglass")  # however it was started
    except LeadglassError as error:
        fail(error)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except OSError as error:
        fail_on_file(error)
    except Exception as error:  # the last resort: no trace on the screen of a hospital
        fail_unexpectedly(error)
