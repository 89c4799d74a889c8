"""scan report, notify: the audit as a page and for programs, and messages to the owners."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from html import escape
from pathlib import Path
from typing import Annotated

import typer

from leadglass.app.audits.owner_files import read_owner_files
from leadglass.app.audits.running import DEFAULT_FOLDER, ledger_of
from leadglass.app.cli.opening import JsonOption
from leadglass.app.cli.output import as_json, say, table
from leadglass.app.cli.scan.results import one_audit
from leadglass.app.cli.scan.running import FolderOption
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.exposure.audit import Audit
from leadglass.exposure.changes import changes
from leadglass.exposure.ledger import Ledger, Notice
from leadglass.exposure.notify.languages import LANGUAGES
from leadglass.exposure.notify.message import Message, as_mail, messages
from leadglass.exposure.notify.states import DRAFTED, due, moved
from leadglass.exposure.reports.exports import FORMS
from leadglass.exposure.reports.page import html_page

_ENDINGS = {
    "html": "html",
    "pdf": "pdf",
    "jsonl": "jsonl",
    "csv": "csv",
    "defectdojo": "defectdojo.json",
    "sarif": "sarif",
}
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_PRINT_SECONDS = 120

AuditArgument = Annotated[str, typer.Argument(help="An audit; the last if not given.")]
OwnersOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--owners",
        help="CSV (network, country, organisation, contact), RDAP (JSON) or MaxMind's database; may be repeated: what "
        "an earlier one leaves empty the next one fills.",
        exists=True,
        dir_okay=False,
        show_default=False,
    ),
]


def register(scan: typer.Typer) -> None:
    """Add the commands of this file."""
    scan.command()(report)
    scan.command()(notify)


def report(
    audit: AuditArgument = "",
    form: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(_ENDINGS)}; may be repeated. html if none.")
    ] = None,
    owners: OwnersOption = None,
    folder: FolderOption = DEFAULT_FOLDER,
) -> None:
    """Write an audit as a page with pictures, or for other programs."""
    ledger = ledger_of(folder)
    found = one_audit(ledger, audit)
    listed = read_owner_files(owners or ())
    into = folder / "reports" / found.id
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in form or ["html"]:
        if name not in _ENDINGS:
            raise LeadglassError(ErrorCode.USAGE, f"There is no form {name}: {', '.join(_ENDINGS)}.")
        path = into / f"audit.{_ENDINGS[name]}"
        if name in FORMS:
            _write(path, FORMS[name](found, listed))
        else:
            earlier = [ledger.audit(head.id) for head in ledger.audits() if head.id < found.id]
            changed = changes(earlier[-1], found, earlier=tuple(earlier[:-1])) if earlier else []
            page = path.with_suffix(".html")
            _write(page, html_page(found, listed, earlier=earlier, changed=changed))
            if name == "pdf":
                _print(page, path)
        say(f"{path}")


def notify(
    audit: AuditArgument = "",
    owners: OwnersOption = None,
    language: Annotated[str, typer.Option(help="en, de, it or es; that of the owner's country if not given.")] = "",
    sender: Annotated[str, typer.Option("--from", help="The From of the mails.")] = "",
    pdf: Annotated[bool, typer.Option("--pdf", help="As PDF, too, for letters.")] = False,
    set_state: Annotated[
        str, typer.Option("--set", help="OWNER=sent, answered or silent: what became of a message.", show_default=False)
    ] = "",
    folder: FolderOption = DEFAULT_FOLDER,
    json: JsonOption = False,
) -> None:
    """Write one message for each owner of something open, as text and mail. Nothing is sent."""
    ledger = ledger_of(folder)
    if set_state:
        _set(ledger, set_state)
    else:
        into = _draft(ledger, one_audit(ledger, audit), messages_of(ledger, audit, owners, language), sender, folder)
        for path in sorted(into.glob("*.txt")) if pdf else ():
            _letter(path)
    notices = ledger.notices()
    late = {notice.owner for notice in due(notices, time.time())}
    if json:
        as_json([{**notice._asdict(), "reminder_due": notice.owner in late} for notice in notices])
        return
    rows = [
        (notice.owner, notice.state, "reminder due" if notice.owner in late else "", ", ".join(notice.services))
        for notice in notices
    ]
    table("Owners", ("owner", "state", "", "services"), rows)


def messages_of(ledger: Ledger, audit: str, owners: list[Path] | None, language: str = "") -> list[Message]:
    """What the owners of an audit are told. USAGE for a language that there is not."""
    if language and language not in LANGUAGES:
        raise LeadglassError(ErrorCode.USAGE, f"There is no language {language}: {', '.join(LANGUAGES)}.")
    return messages(one_audit(ledger, audit), read_owner_files(owners or ()), language)


def _draft(ledger: Ledger, found: Audit, made: list[Message], sender: str, folder: Path) -> Path:
    into = folder / "notices" / found.id
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    known = {notice.owner: notice for notice in ledger.notices()}
    for message in made:
        _write(into / f"{message.name}.txt", message.text)
        mail = into / f"{message.name}.eml"
        mail.touch(mode=0o600)
        mail.write_bytes(bytes(as_mail(message, sender)))
        name = owner_name(message)
        before = known.get(name)
        state, changed = (before.state, before.changed) if before else (DRAFTED, time.time())
        ledger.note(Notice(name, found.id, state, changed, message.services))
    say(f"Messages are in {into}; read them, send them, and say so with --set OWNER=sent.")
    return into


def _letter(text: Path) -> None:
    """A message as PDF beside its text."""
    page = text.with_suffix(".html")
    style = "body{font:12pt/1.5 serif;white-space:pre-wrap;overflow-wrap:anywhere;margin:2cm}"
    head = f'<!DOCTYPE html><html><head><meta charset="utf-8"><style>{style}</style></head>'
    _write(page, f"{head}<body>{escape(text.read_text('utf-8'))}</body></html>")
    _print(page, text.with_suffix(".pdf"))
    page.unlink()


def owner_name(message: Message) -> str:
    """By which an owner is known in the ledger."""
    return message.owner.organisation or message.owner.contact or message.services[0]


def _set(ledger: Ledger, text: str) -> None:
    owner, equals, state = text.rpartition("=")
    notice = next((notice for notice in ledger.notices() if notice.owner == owner), None)
    if not equals or notice is None:
        raise LeadglassError(ErrorCode.NOT_FOUND, "There is no such owner; write OWNER=STATE.")
    try:
        ledger.note(moved(notice, state, time.time()))
    except ValueError as error:
        raise LeadglassError(ErrorCode.USAGE, f"{str(error).capitalize()}.") from error


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _print(page: Path, path: Path) -> None:
    """The page as PDF, by a browser that is on this machine."""
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise LeadglassError(ErrorCode.UNAVAILABLE, "A PDF needs Chromium on this machine; the page was written.")
    command = [browser, "--headless", "--disable-gpu", "--no-pdf-header-footer", f"--print-to-pdf={path.absolute()}"]
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    done = subprocess.run(  # noqa: S603 - the arguments are ours
        [*command, *sandbox, page.absolute().as_uri()], capture_output=True, timeout=_PRINT_SECONDS, check=False
    )
    if done.returncode or not path.exists():
        raise LeadglassError(ErrorCode.UNAVAILABLE, "The browser did not print the page.")
