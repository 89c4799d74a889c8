"""keys export, test."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Annotated

import typer

from leadglass.app.cli.opening import HomeOption, home_of, opened, operator
from leadglass.app.cli.output import say
from leadglass.app.cli.secret_input import secret
from leadglass.app.config import read_config
from leadglass.app.judging import KIT_TESTED
from leadglass.app.master import obtain
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent
from leadglass.keys import keyset, recovery

MIN_PASSPHRASE = 12


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    group = typer.Typer(
        help="The recovery kit: what opens the archive when the key file is lost.", no_args_is_help=True
    )
    group.command()(export)
    group.command()(test)
    app.add_typer(group, name="keys")


def export(
    kit: Annotated[Path, typer.Argument(help="The new kit file; print it and keep it elsewhere.")],
    home: HomeOption = None,
) -> None:
    """Write a recovery kit, protected by a passphrase that is asked for."""
    place = home_of(home)
    config = read_config(place.config)
    master = obtain(config.key_source, place, getpass.getpass)
    passphrase = secret("Passphrase for the kit", None, new=True)
    if len(passphrase) < MIN_PASSPHRASE:
        raise LeadglassError(ErrorCode.USAGE, f"The passphrase needs at least {MIN_PASSPHRASE} characters.")
    text = recovery.export(master, keyset.open_keyset(place.keyset, master), passphrase)
    try:
        descriptor = os.open(kit, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LeadglassError(ErrorCode.USAGE, f"The kit cannot be written: {error.strerror}.") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    say(f"Wrote {kit}. Now prove it: leadglass keys test {kit}")


def test(
    kit: Annotated[Path, typer.Argument(help="The kit file.")],
    home: HomeOption = None,
) -> None:
    """Prove that a kit opens this archive; the server starts only after this was done once."""
    place = home_of(home)
    try:
        text = kit.read_text("utf-8")
    except OSError as error:
        raise LeadglassError(ErrorCode.USAGE, f"The kit cannot be read: {error.strerror}.") from error
    recovery.prove(text, secret("Passphrase of the kit", None), place.keyset)
    with opened(home) as archive:
        who = operator()
        event = JournalEvent(EventKind.SECURITY_ALERT, "recovery-kit-tested", who.name, who.address)
        archive.journal.record(event, durable=True)
        archive.state.put_setting(KIT_TESTED, "yes")
    say("The kit opens this archive. Keep it, and its passphrase apart from it, outside this building.")
