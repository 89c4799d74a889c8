"""`leadglass account`, as an administrator and a script use it, and the link that the first start prints."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from archives import device, free_port, make, opened
from people_support import HERE
from typer.testing import CliRunner, Result

from leadglass.app.cli import app
from leadglass.app.cli.opening import keys_of
from leadglass.app.config import Config, KeySource, read_config
from leadglass.app.first_start import set_up_link
from leadglass.app.home import Home
from leadglass.app.links import link
from leadglass.app.web_config import WebListener
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.sessions import Purpose
from leadglass.services.sign_in import MustEnrol, SignedIn

Run = Callable[..., Result]
NEW = "barca di carta sul fiume"
ANNA = ("--display", "Anna Rossi")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make(tmp_path, [device("ct")], web_port=free_port())


@pytest.fixture
def run(home: Home) -> Run:
    return lambda *words: CliRunner().invoke(app, [*words, "--home", str(home.root)])


def code_of(result: Result) -> ErrorCode:
    assert isinstance(result.exception, LeadglassError), result.output
    return result.exception.code


def path_of(address: str) -> tuple[str, str]:
    found = re.fullmatch(r"http://127\.0\.0\.1:\d+(/[a-z-]+/)([A-Za-z0-9_-]{43})", address.strip())
    assert found is not None, address
    return found[1], found[2]


async def test_the_link_alone_is_on_standard_output_and_sets_a_password(run: Run, home: Home) -> None:
    added = run("account", "add", "rossi", *ANNA, "--role", "clinician", "--institution", "Nord")
    assert added.exit_code == 0, added.output
    path, code = path_of(added.stdout)
    assert path == "/enrol/"
    assert "invited" in run("account", "list").stdout
    with opened(home) as archive:
        assert isinstance(await archive.sign_in.enrol(code, NEW, HERE), SignedIn)
    (listed,) = json.loads(run("account", "list", "--json").stdout)
    assert (listed["roles"], listed["institutions"], listed["signs_in_by"]) == (["clinician"], ["nord"], ["password"])
    assert "argon2" not in run("account", "list", "--json").stdout + run("account", "list").stdout


def test_an_account_is_changed_as_json(run: Run) -> None:
    made = json.loads(run("account", "add", "rossi", *ANNA, "--role", "clinician", "--json").stdout)
    assert path_of(made.pop("link"))[0] == "/enrol/"
    assert json.loads(run("account", "list", "--json").stdout) == [made]
    assert json.loads(run("account", "disable", "rossi", "--json").stdout)["disabled"]
    assert not json.loads(run("account", "enable", "rossi", "--json").stdout)["disabled"]
    words = ("--role", "auditor", "--role", "technologist")
    assert json.loads(run("account", "roles", "rossi", *words, "--json").stdout)["roles"] == ["auditor", "technologist"]
    assert path_of(json.loads(run("account", "reset", "rossi", "--json").stdout)["link"])[0] == "/enrol/"
    assert path_of(run("account", "reset", "rossi").stdout)[0] == "/enrol/"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("add", "Rossi", *ANNA, "--role", "clinician"), ErrorCode.USAGE),
        (("add", "rossi", *ANNA, "--role", "chief"), ErrorCode.USAGE),
        (("add", "ct", *ANNA, "--role", "clinician"), ErrorCode.USAGE),
        (("disable", "nobody"), ErrorCode.NOT_FOUND),
        (("enable", "nobody"), ErrorCode.NOT_FOUND),
        (("reset", "nobody"), ErrorCode.NOT_FOUND),
        (("roles", "nobody", "--role", "auditor"), ErrorCode.NOT_FOUND),
    ],
)
def test_what_is_wrong_is_said_with_its_code(run: Run, words: tuple[str, ...], code: ErrorCode) -> None:
    assert code_of(run("account", *words)) is code


def test_no_command_takes_a_password(run: Run) -> None:
    for command in ("add", "list", "roles", "disable", "enable", "reset"):
        assert "--password" not in CliRunner().invoke(app, ["account", command, "--help"]).output


async def test_the_first_start_prints_a_link_until_there_is_an_account(home: Home) -> None:
    config = read_config(home.config)
    keys = keys_of(home, config)
    older, address = (set_up_link(home, config, keys) for _ in range(2))
    path, code = path_of(address)
    assert path == "/set-up/"
    with opened(home) as archive:
        assert not await archive.sign_in.can_set_up(path_of(older)[1])
        assert isinstance(await archive.sign_in.set_up(code, "chief", "Anna Rossi", NEW, HERE), MustEnrol)
    assert set_up_link(home, config, keys) == ""


CODE = "x" * 43


@pytest.mark.parametrize(
    ("listeners", "address"),
    [
        ([], f"/enrol/{CODE}"),
        ([WebListener("127.0.0.1", 8042, tls=False)], f"http://127.0.0.1:8042/enrol/{CODE}"),
        ([WebListener("::1", 80, tls=False)], f"http://[::1]/enrol/{CODE}"),
        ([WebListener("0.0.0.0", 8443)], f"https://localhost:8443/enrol/{CODE}"),
        ([WebListener("10.1.2.3", 443, names=("pacs.example",))], f"https://pacs.example/enrol/{CODE}"),
        ([WebListener(unix="/run/x", tls=False)], f"/enrol/{CODE}"),
        ([WebListener("10.1.2.3", 8443, serves="viewer")], f"/enrol/{CODE}"),
        ([WebListener(unix="/run/x", tls=False, public="https://pacs.example")], f"https://pacs.example/enrol/{CODE}"),
        ([WebListener(unix="/run/x", tls=False, names=("pacs.example",))], f"https://pacs.example/enrol/{CODE}"),
        (
            [WebListener("10.1.2.3", 80, tls=False), WebListener("10.1.2.3", 8443)],
            f"https://10.1.2.3:8443/enrol/{CODE}",
        ),
    ],
)
def test_links_are_for_the_first_listener_where_nobody_reads_them(listeners: list[WebListener], address: str) -> None:
    config = Config(("A",), KeySource("file", "x"), (), web=tuple(listeners))
    assert link(config, Purpose.ENROL, CODE) == address
