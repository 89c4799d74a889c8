"""account add, list, roles, disable, enable, reset."""

from __future__ import annotations

import datetime as dt
import sys
from typing import Annotated

import typer

from leadglass.app.archive import Archive
from leadglass.app.cli.opening import HomeOption, JsonOption, opened, operator
from leadglass.app.cli.output import as_json, errors, say, table
from leadglass.app.links import link
from leadglass.core.accounts import Account, Role
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.sessions import Purpose
from leadglass.services.accounts import Invitation, WantedAccount

_ROLES = {role.value: role for role in Role}
_SECOND = 1_000_000_000  # nanoseconds

NameArgument = Annotated[str, typer.Argument(help="What the person signs in with.")]
RoleOption = Annotated[list[str], typer.Option("--role", help=f"{', '.join(_ROLES)}; may be repeated.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    accounts = typer.Typer(help="Let people in at the pages, and out again.", no_args_is_help=True)
    accounts.command()(add)
    accounts.command("list")(list_accounts)
    accounts.command()(roles)
    accounts.command()(disable)
    accounts.command()(enable)
    accounts.command()(reset)
    app.add_typer(accounts, name="account")


def add(
    name: NameArgument,
    display: Annotated[str, typer.Option(help="The person's name, as others read it.")],
    role: RoleOption,
    institution: Annotated[
        list[str] | None,
        typer.Option(help="A clinician or technologist sees what this institution sent; may be repeated."),
    ] = None,
    referring: Annotated[
        list[str] | None,
        typer.Option(help="A clinician sees what this physician referred (Rossi^Anna); may be repeated."),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Add an account and print the link, good once and for a day, by which its owner sets a password."""
    wanted = WantedAccount(name, display, _roles(role), tuple(institution or ()), tuple(referring or ()))
    with opened(home) as archive:
        _tell(archive, archive.accounts.add(operator(), wanted), json=json)


def list_accounts(home: HomeOption = None, json: JsonOption = False) -> None:
    """All accounts: who it is, what they may do, how they sign in."""
    with opened(home) as archive:
        accounts = archive.accounts.accounts(operator())
    if json:
        as_json([_public(account) for account in accounts])
        return
    rows = [
        (
            account.name,
            account.display,
            " ".join(_role_names(account)),
            "; ".join(sorted((*account.institutions, *account.referring))),
            ", ".join(_proofs(account)) or "invited",
            "disabled" if account.disabled else "",
        )
        for account in accounts
    ]
    table("Accounts", ("name", "who", "roles", "reaches", "signs in by", ""), rows)


def roles(name: NameArgument, role: RoleOption, home: HomeOption = None, json: JsonOption = False) -> None:
    """Give an account these roles and no others. The person signs in anew."""
    with opened(home) as archive:
        archive.accounts.change_roles(operator(), name, _roles(role))
        _show(archive, name, f"{name} signs in anew, as {' and '.join(sorted(set(role)))}.", json=json)


def disable(name: NameArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """Keep somebody out, from the next request on."""
    with opened(home) as archive:
        archive.accounts.enable(operator(), name, enabled=False)
        _show(archive, name, f"{name} is kept out from now on.", json=json)


def enable(name: NameArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """Let somebody in again who was disabled."""
    with opened(home) as archive:
        archive.accounts.enable(operator(), name, enabled=True)
        _show(archive, name, f"{name} may sign in again.", json=json)


def reset(name: NameArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """Take away password, second factors and sessions, and print a link for a new password."""
    with opened(home) as archive:
        _tell(archive, archive.accounts.reset(operator(), name), json=json)


def _tell(archive: Archive, invitation: Invitation, *, json: bool) -> None:
    """The link alone on standard output: it is not shown again."""
    address = link(archive.config, Purpose.ENROL, invitation.code)
    if json:
        as_json({**_public(invitation.account), "link": address})
        return
    name = invitation.account.name
    errors.print(f"By this link {name} sets a password, once and within a day; it is not shown again:", markup=False)
    if address.startswith("/"):
        errors.print(
            "(no [[web]] listener has TLS or is on loopback: put your server's address before it)", markup=False
        )
    sys.stdout.write(address + "\n")


def _show(archive: Archive, name: str, sentence: str, *, json: bool) -> None:
    if json:
        as_json(_public(archive.accounts.account(operator(), name)))
    else:
        say(sentence)


def _roles(names: list[str]) -> frozenset[Role]:
    unknown = [name for name in names if name not in _ROLES]
    if unknown:
        raise LeadglassError(ErrorCode.USAGE, f"A role is one of {', '.join(_ROLES)}.")
    return frozenset(_ROLES[name] for name in names)


def _role_names(account: Account) -> list[str]:
    return sorted(role.value for role in account.roles)


def _proofs(account: Account) -> list[str]:
    having = {
        "password": account.password_hash,
        "app": account.totp_secret,
        "passkey": account.passkeys,
        "provider": account.subject,
    }
    return [name for name, there in having.items() if there]


def _public(account: Account) -> dict[str, object]:
    """What may be shown of an account: nothing that it proves itself with."""
    return {
        "name": account.name,
        "display": account.display,
        "roles": _role_names(account),
        "institutions": sorted(account.institutions),
        "referring": sorted(account.referring),
        "created": _moment(account.created),
        "created_by": account.created_by,
        "signs_in_by": _proofs(account),
        "recovery_codes_left": len(account.recovery),
        "subject": account.subject or None,
        "disabled": _moment(account.disabled) if account.disabled else None,
    }


def _moment(nanoseconds: int) -> str:
    """ISO 8601 in UTC."""
    return dt.datetime.fromtimestamp(nanoseconds // _SECOND, dt.UTC).isoformat()
