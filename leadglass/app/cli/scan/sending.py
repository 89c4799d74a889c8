"""scan send: the drafted messages by mail, as a command of its own. Nothing else of the auditor sends anything."""

from __future__ import annotations

import ipaddress
import smtplib
import ssl
import time
from email.message import Message as Mail
from pathlib import Path
from typing import Annotated

import typer

from leadglass.app.audits.running import DEFAULT_FOLDER, ledger_of
from leadglass.app.cli.output import say, shown
from leadglass.app.cli.scan.running import FolderOption
from leadglass.app.cli.scan.telling import OwnersOption, messages_of, owner_name
from leadglass.app.cli.secret_input import secret
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.exposure.ledger import Ledger, Notice
from leadglass.exposure.notify.message import Message, as_mail
from leadglass.exposure.notify.states import DRAFTED, SENT, moved

_SECONDS = 30
_IMPLICIT_TLS = 465  # RFC 8314 3.3


def register(scan: typer.Typer) -> None:
    """Add the command of this file."""
    scan.command()(send)


def send(
    server: Annotated[str, typer.Option(help="HOST:PORT of your mail server; 465 is TLS, others STARTTLS.")],
    sender: Annotated[str, typer.Option("--from", help="The From of the mails.")],
    owner: Annotated[
        list[str] | None, typer.Option(help="Only this owner; may be repeated.", show_default=False)
    ] = None,
    audit: Annotated[str, typer.Option(help="An audit; the last if not given.")] = "",
    owners: OwnersOption = None,
    user: Annotated[str, typer.Option(help="To sign in as, if the server wants it.")] = "",
    password_file: Annotated[
        Path | None, typer.Option(help="Its password; a file that only you can read.", exists=True, show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    folder: FolderOption = DEFAULT_FOLDER,
) -> None:
    """Send each drafted message to its owner's address, and keep that it was sent."""
    ledger = ledger_of(folder)
    waiting = _waiting(ledger, messages_of(ledger, audit, owners), frozenset(owner or ()))
    if not waiting:
        say("No drafted message has an address to go to.")
        return
    for message, _ in waiting:
        say(f"{shown(message.mail)}  {shown(message.subject)}")
    if not yes:
        typer.confirm(f"Send {len(waiting)} messages?", abort=True)
    with _connected(server, user, password_file) as line:
        for message, notice in waiting:
            _send(line, message, sender)
            ledger.note(moved(notice, SENT, time.time()))
            say(f"Sent to {shown(message.mail)}.")


def _waiting(ledger: Ledger, made: list[Message], wanted: frozenset[str]) -> list[tuple[Message, Notice]]:
    drafted = {notice.owner: notice for notice in ledger.notices() if notice.state == DRAFTED}
    return [
        (message, drafted[name])
        for message in made
        if message.mail and (name := owner_name(message)) in drafted and (not wanted or name in wanted)
    ]


def _connected(server: str, user: str, password_file: Path | None) -> smtplib.SMTP:
    host, colon, port = server.rpartition(":")
    if not colon or not port.isdigit():
        raise LeadglassError(ErrorCode.USAGE, "A mail server is written as HOST:PORT.")
    context = ssl.create_default_context()
    try:
        if int(port) == _IMPLICIT_TLS:
            line: smtplib.SMTP = smtplib.SMTP_SSL(host, int(port), timeout=_SECONDS, context=context)
        else:
            line = smtplib.SMTP(host, int(port), timeout=_SECONDS)
            _secure(line, host, context)
        if user:
            line.login(user, secret("Password", password_file))
    except (OSError, smtplib.SMTPException) as error:
        raise LeadglassError(ErrorCode.DESTINATION_UNREACHABLE, "The mail server did not let us in.") from error
    return line


def _secure(line: smtplib.SMTP, host: str, context: ssl.SSLContext) -> None:
    """STARTTLS, without which only a server on this machine is spoken to."""
    line.ehlo()
    if line.has_extn("starttls"):
        line.starttls(context=context)
    elif not _is_here(host):
        line.close()
        raise LeadglassError(ErrorCode.UNSAFE, "The mail server offers no encryption; the messages name open servers.")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _send(line: smtplib.SMTP, message: Message, sender: str) -> None:
    mail: Mail = as_mail(message, sender)
    try:
        line.send_message(mail, sender, [message.mail])
    except smtplib.SMTPException as error:
        what = f"The mail server refused the message to {message.mail}."
        raise LeadglassError(ErrorCode.DESTINATION_UNREACHABLE, what) from error
