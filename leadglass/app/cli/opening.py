"""Opening an archive for a command: where it is, its configuration, its keys, who the operator is."""

from __future__ import annotations

import contextlib
import getpass
import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from leadglass.app.archive import Archive, open_archive
from leadglass.app.config import Config, read_config
from leadglass.app.home import Home
from leadglass.app.master import open_keys
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Principal, PrincipalKind, Right
from leadglass.keys.keyset import KeySet

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", envvar="LEADGLASS_HOME", help="The archive's folder.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def home_of(path: Path | None) -> Home:
    """The archive named by --home or LEADGLASS_HOME. USAGE if neither is given."""
    if path is None:
        raise LeadglassError(ErrorCode.USAGE, "Name the archive with --home FOLDER or LEADGLASS_HOME.")
    return Home(path.absolute())


def operator() -> Principal:
    """The person at this terminal: who can read the master key may do everything, under their account's name."""
    account = pwd.getpwuid(os.getuid()).pw_name
    return Principal(PrincipalKind.OPERATOR, f"operator:{account}", frozenset(Right), "local")


def keys_of(home: Home, config: Config) -> KeySet:
    """The archive's keys, asking for a passphrase if that is where they come from."""
    return open_keys(config.key_source, home, getpass.getpass)


@contextlib.contextmanager
def opened(path: Path | None) -> Iterator[Archive]:
    """The archive, open for one command, beside a running server or without."""
    home = home_of(path)
    config = read_config(home.config)
    with open_archive(home, config, keys_of(home, config)) as archive:
        yield archive
