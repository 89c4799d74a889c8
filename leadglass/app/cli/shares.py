"""share list, revoke."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import typer

from leadglass.app.cli.opening import HomeOption, JsonOption, opened, operator
from leadglass.app.cli.output import as_json, say, table
from leadglass.core.shares import Share

_SECOND = 1_000_000_000  # nanoseconds


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    shares = typer.Typer(help="See what people share by links, and take it back.", no_args_is_help=True)
    shares.command("list")(list_shares)
    shares.command()(revoke)
    app.add_typer(shares, name="share")


def list_shares(
    sharer: Annotated[str | None, typer.Argument(help="Only what this account shares.", show_default=False)] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Everything that is shared by a link: by whom and for whom, until when, and how often it was opened."""
    with opened(home) as archive:
        shares = [item for item in archive.shares.shares(operator()) if sharer in (None, item.sharer)]
    now = int(dt.datetime.now(dt.UTC).timestamp() * _SECOND)
    if json:
        as_json([_public(item, now) for item in shares])
        return
    rows = [
        (
            item.identifier,
            item.sharer,
            item.recipient,
            str(len(item.studies)),
            f"{item.openings} of {item.most_openings}" if item.most_openings else str(item.openings),
            _moment(item.expires)[:10],
            item.state(now).value,
        )
        for item in shares
    ]
    table("Shares", ("id", "by", "for", "studies", "openings", "until", ""), rows)


def revoke(
    share: Annotated[str, typer.Argument(help="Its id, as `share list` shows it.")], home: HomeOption = None
) -> None:
    """Take a share back: it shows nothing from the next request on, and what is being downloaded is cut off."""
    with opened(home) as archive:
        archive.shares.revoke(operator(), share)
    say(f"{share} shows nothing from now on.")


def _public(item: Share, now: int) -> dict[str, Any]:
    """Everything but the digests."""
    return {
        "id": item.identifier,
        "sharer": item.sharer,
        "recipient": item.recipient,
        "note": item.note,
        "studies": list(item.studies),
        "instances": len(item.instances),
        "later": item.later,
        "download": item.download,
        "created": _moment(item.created),
        "expires": _moment(item.expires),
        "state": item.state(now).value,
        "most_openings": item.most_openings,
        "openings": item.openings,
        "misses": item.misses,
        "opened": [{"at": _moment(one.at), "address": one.address, "agent": one.agent} for one in item.opened],
    }


def _moment(nanoseconds: int) -> str:
    return dt.datetime.fromtimestamp(nanoseconds / _SECOND, dt.UTC).isoformat(timespec="seconds")
