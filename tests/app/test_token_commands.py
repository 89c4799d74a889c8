"""`leadglass token` and `leadglass grant`, as an administrator and a script use them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from archives import device, make, opened, served
from typer.testing import CliRunner, Result

from leadglass.access.tokens import is_token_text
from leadglass.app.cli import app
from leadglass.app.home import Home
from leadglass.core.errors import ErrorCode, LeadglassError

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make(tmp_path, [device("ct")])


@pytest.fixture
def run(home: Home) -> Run:
    return lambda *words: CliRunner().invoke(app, [*words, "--home", str(home.root)])


def code_of(result: Result) -> ErrorCode:
    assert isinstance(result.exception, LeadglassError), result.output
    return result.exception.code


def test_a_token_is_shown_once_alone_on_standard_output(run: Run) -> None:
    issued = run("token", "issue", "ci", "--scope", "read")
    assert issued.exit_code == 0, issued.output
    assert is_token_text(issued.stdout.strip())
    assert issued.stdout.strip() not in run("token", "list").stdout + run("token", "list", "--json").stdout


def test_a_token_is_issued_listed_and_revoked_as_json(run: Run) -> None:
    words = ("--study", "1.2", "--study", "1.3", "--patient", "P1", "--issuer", "clinic", "--days", "7")
    issued = json.loads(run("token", "issue", "ci", "--scope", "read", "--scope", "store", *words, "--json").stdout)
    assert is_token_text(issued.pop("token"))
    (listed,) = json.loads(run("token", "list", "--json").stdout)
    assert listed == issued
    assert listed["scopes"] == ["read", "store"]
    assert (listed["reach"]["studies"], listed["reach"]["patients"]) == (["1.2", "1.3"], [["clinic", "P1"]])
    assert (listed["last_used"], listed["revoked"]) == (None, None)
    assert run("token", "revoke", "ci").exit_code == 0
    assert json.loads(run("token", "list", "--json").stdout)[0]["revoked"]
    assert "revoked" in run("token", "list").stdout
    assert code_of(run("token", "revoke", "ci")) is ErrorCode.NOT_FOUND


@pytest.mark.parametrize(
    "words",
    [
        ("--scope", "write"),
        ("--scope", "read", "--days", "400"),
        ("--scope", "read", "--issuer", "clinic"),
        ("--scope", "read", "--study", "x"),
        ("--scope", "admin", "--study", "1.2"),
    ],
)
def test_what_makes_no_sense_is_said(run: Run, words: tuple[str, ...]) -> None:
    assert code_of(run("token", "issue", "ci", *words)) is ErrorCode.USAGE


def test_grants_come_and_go(run: Run) -> None:
    assert run("grant", "add", "ci", "--study", "1.2").exit_code == 0
    assert run("grant", "add", "anna@https://id.example", "--patient", "P1", "--issuer", "clinic").exit_code == 0
    listed = json.loads(run("grant", "list", "--json").stdout)
    assert [item["to"] for item in listed] == ["anna@https://id.example", "ci"]
    assert [item["study"] for item in json.loads(run("grant", "list", "ci", "--json").stdout)] == ["1.2"]
    assert code_of(run("grant", "remove", "ci", "--patient", "P1")) is ErrorCode.NOT_FOUND
    assert run("grant", "remove", "ci", "--study", "1.2").exit_code == 0
    assert json.loads(run("grant", "list", "ci", "--json").stdout) == []


async def test_it_works_while_the_archive_is_served(home: Home, run: Run) -> None:
    with served(home):
        text = run("token", "issue", "ci", "--scope", "read").stdout.strip()
        with opened(home) as another:
            assert (await another.programs.principal(f"Bearer {text}", "127.0.0.1")).name == "ci"
            assert run("token", "revoke", "ci").exit_code == 0
            with pytest.raises(LeadglassError):
                await another.programs.principal(f"Bearer {text}", "127.0.0.1")
