"""token issue, list, revoke; grant add, list, remove."""

from __future__ import annotations

import datetime as dt
import sys
from typing import Annotated

import typer

from leadglass.access.tokens import DEFAULT_DAYS, MAX_DAYS
from leadglass.app.cli.opening import HomeOption, JsonOption, opened, operator
from leadglass.app.cli.output import as_json, errors, say, table
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.reach import EVERYTHING, Reach
from leadglass.core.reach_json import reach_to_dict
from leadglass.core.tokens import ApiToken, Grant, Scope
from leadglass.services.tokens import Wanted

_SCOPES = {scope.value: scope for scope in Scope}
_SECOND = 1_000_000_000  # nanoseconds

StudyOption = Annotated[str, typer.Option(help="Study Instance UID.")]
PatientOption = Annotated[str, typer.Option(help="Patient ID.")]
IssuerOption = Annotated[str, typer.Option(help="Issuer of the Patient ID; without it any.")]
ToArgument = Annotated[str, typer.Argument(help="A token's name, or SUBJECT@ISSUER of the OpenID provider.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    tokens = typer.Typer(help="Let programs in over DICOMweb, and out again.", no_args_is_help=True)
    tokens.command()(issue)
    tokens.command("list")(list_tokens)
    tokens.command()(revoke)
    app.add_typer(tokens, name="token")
    grants = typer.Typer(help="Let somebody see single studies and patients.", no_args_is_help=True)
    grants.command()(add)
    grants.command("list")(list_grants)
    grants.command()(remove)
    app.add_typer(grants, name="grant")


def issue(
    name: Annotated[str, typer.Argument(help="What you call the program; it stands in the journal.")],
    scope: Annotated[list[str], typer.Option(help="read, store, delete or admin; may be repeated.")],
    study: Annotated[
        list[str] | None, typer.Option(help="Only this Study Instance UID; may be repeated.", show_default=False)
    ] = None,
    patient: Annotated[
        list[str] | None, typer.Option(help="Only this Patient ID; may be repeated.", show_default=False)
    ] = None,
    issuer: Annotated[str, typer.Option(help="Issuer of the Patient IDs; without it any.")] = "",
    days: Annotated[int, typer.Option(help=f"How long it lasts, at most {MAX_DAYS}.")] = DEFAULT_DAYS,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a token and print it, this once: only a digest of it is kept.

    Without --study and --patient it reaches every study.
    """
    listed = Reach(studies=frozenset(study or ()), patients=frozenset((issuer, item) for item in patient or ()))
    reach = listed if study or patient else EVERYTHING
    if issuer and not patient:
        raise LeadglassError(ErrorCode.USAGE, "--issuer belongs to --patient.")
    wanted = Wanted(name, frozenset(_scope(text) for text in scope), reach, days)
    with opened(home) as archive:
        issued = archive.tokens.issue(operator(), wanted)
    if json:
        as_json({**_public(issued.token), "token": issued.text})
        return
    errors.print(f"The token of {name}, valid until {_day(issued.token.expires)}; it is not shown again:", markup=False)
    sys.stdout.write(issued.text + "\n")


def list_tokens(home: HomeOption = None, json: JsonOption = False) -> None:
    """All tokens: what they are for, what they reach, when they were last used."""
    with opened(home) as archive:
        tokens = archive.tokens.tokens(operator())
    if json:
        as_json([_public(token) for token in tokens])
        return
    now = int(dt.datetime.now(dt.UTC).timestamp() * _SECOND)
    rows = [
        (
            token.name,
            " ".join(sorted(scope.value for scope in token.scopes)),
            _reach(token.reach),
            _day(token.expires),
            _day(token.last_used) or "never",
            "" if token.valid_at(now) else "revoked" if token.revoked else "expired",
        )
        for token in tokens
    ]
    table("Tokens", ("name", "for", "reaches", "until", "last used", ""), rows)


def revoke(name: Annotated[str, typer.Argument(help="The token.")], home: HomeOption = None) -> None:
    """Let nobody in by this token any more: at the next request, and within two seconds for what is running."""
    with opened(home) as archive:
        archive.tokens.revoke(operator(), name)
    say(f"{name} lets nobody in from now on.")


def add(
    to: ToArgument,
    study: StudyOption = "",
    patient: PatientOption = "",
    issuer: IssuerOption = "",
    home: HomeOption = None,
) -> None:
    """Let somebody see a study, or all studies of a patient, beyond what they see anyway."""
    with opened(home) as archive:
        archive.tokens.grant(operator(), _grant(to, study, patient, issuer))
    say("Granted.")


def list_grants(
    to: Annotated[str | None, typer.Argument(help="Only those to this name.", show_default=False)] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """All grants, or those to one name."""
    with opened(home) as archive:
        grants = archive.tokens.grants(operator(), to)
    columns = ("to", "study", "patient", "issuer", "since", "by")
    rows = [
        (item.principal, item.study_uid, item.patient_id, item.issuer, _moment(item.granted), item.granted_by)
        for item in grants
    ]
    if json:
        as_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        table("Grants", columns, rows)


def remove(
    to: ToArgument,
    study: StudyOption = "",
    patient: PatientOption = "",
    issuer: IssuerOption = "",
    home: HomeOption = None,
) -> None:
    """Take back a grant."""
    with opened(home) as archive:
        archive.tokens.withdraw(operator(), _grant(to, study, patient, issuer))
    say("Taken back.")


def _grant(to: str, study: str, patient: str, issuer: str) -> Grant:
    if issuer and not patient:
        raise LeadglassError(ErrorCode.USAGE, "--issuer belongs to --patient.")
    return Grant(to, study, patient, issuer)


def _scope(text: str) -> Scope:
    if text not in _SCOPES:
        raise LeadglassError(ErrorCode.USAGE, f"A scope is one of {', '.join(_SCOPES)}.")
    return _SCOPES[text]


def _public(token: ApiToken) -> dict[str, object]:
    """What may be shown of a token: not its digest."""
    return {
        "name": token.name,
        "scopes": sorted(scope.value for scope in token.scopes),
        "reach": reach_to_dict(token.reach),
        "created": _moment(token.created),
        "created_by": token.created_by,
        "expires": _moment(token.expires),
        "last_used": _moment(token.last_used) or None,
        "revoked": _moment(token.revoked) or None,
    }


def _reach(reach: Reach) -> str:
    if reach.everything:
        return "everything"
    counts = ((len(reach.studies), "study(ies)"), (len(reach.patients), "patient(s)"))
    return ", ".join(f"{count} {what}" for count, what in counts if count)


def _moment(nanoseconds: int) -> str:
    """ISO 8601 in UTC; empty for never."""
    if not nanoseconds:
        return ""
    return dt.datetime.fromtimestamp(nanoseconds // _SECOND, dt.UTC).isoformat()


def _day(nanoseconds: int) -> str:
    return _moment(nanoseconds)[:10]
