"""Tokens of a real OpenID provider (npm package oidc-provider), its keys and its refusals, over loopback."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlencode

import pytest
from archives import device, make, opened

from leadglass.app.archive import Archive
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Right
from leadglass.core.reach import EVERYTHING

pytestmark = pytest.mark.interop("oidc-provider")

NPM = Path(__file__).parent / "npm"
CONFIG = """
[openid]
issuer = "http://127.0.0.1:{port}"
audience = "{audience}"
algorithm = "RS256"
keys = "http://127.0.0.1:{port}/jwks"
userinfo = "http://127.0.0.1:{port}/me"
[[openid.grant]]
scope = "dicom"
group = "radiology"
rights = ["read"]
everything = true
"""


class Provider:
    """A running provider."""

    def __init__(self, port: int, secret: str) -> None:
        self.port = port
        self.secret = secret

    def bearer(self) -> str:
        """An access token, as the client gets it (RFC 6749 4.4)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        basic = base64.b64encode(f"viewer:{self.secret}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode({"grant_type": "client_credentials", "scope": "dicom"})
        connection.request("POST", "/token", body, headers)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return str(answer["access_token"])


@contextlib.contextmanager
def provider(port: int, groups: Sequence[str] = ("radiology",)) -> Iterator[Provider]:
    node, secret = shutil.which("node"), secrets.token_hex(16)
    assert node is not None
    process = subprocess.Popen(
        [node, "provider.mjs", str(port), "leadglass"],
        cwd=NPM,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps({"secret": secret, "groups": list(groups)}) + "\n")
        process.stdin.flush()
        assert any(line.strip() == "ready" for line in process.stdout)
        yield Provider(port, secret)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def port(free_port: Callable[[], int]) -> int:
    return free_port()


@contextlib.contextmanager
def archive_of(folder: Path, port: int, audience: str = "leadglass") -> Iterator[Archive]:
    home = make(folder, [device("ct")])
    home.config.write_text(home.config.read_text("utf-8") + CONFIG.format(port=port, audience=audience), "utf-8")
    with opened(home) as archive:
        yield archive


async def refused(archive: Archive, bearer: str) -> None:
    with pytest.raises(LeadglassError) as error:
        await archive.programs.principal(f"Bearer {bearer}", "127.0.0.1")
    assert error.value.code is ErrorCode.NOT_AUTHENTICATED


async def test_its_tokens_let_in(tmp_path: Path, port: int) -> None:
    with archive_of(tmp_path, port) as archive, provider(port) as peer:
        who = await archive.programs.principal(f"Bearer {peer.bearer()}", "127.0.0.1")
        assert (who.name, who.reach) == (f"viewer@http://127.0.0.1:{port}", EVERYTHING)
        assert who.rights == {Right.ECHO, Right.FIND, Right.RETRIEVE}
        assert archive.programs.still_valid(who)


async def test_another_group_or_audience_lets_nobody_in(tmp_path: Path, port: int) -> None:
    with archive_of(tmp_path / "a", port) as archive, provider(port, ["porters"]) as peer:
        await refused(archive, peer.bearer())
    with archive_of(tmp_path / "b", port, "another") as archive, provider(port) as peer:
        await refused(archive, peer.bearer())


async def test_its_keys_may_change(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with archive_of(tmp_path, port) as archive:
        with provider(port) as peer:
            old = peer.bearer()
            await archive.programs.principal(f"Bearer {old}", "127.0.0.1")
        with provider(port) as peer:  # with a new key
            later = time.time() + 61
            monkeypatch.setattr(archive.programs._provider, "_now", lambda: later)
            await archive.programs.principal(f"Bearer {peer.bearer()}", "127.0.0.1")
            monkeypatch.setattr(archive.programs, "_now", lambda: later + 300)  # what was remembered has run out
            await refused(archive, old)


async def test_an_old_token_that_it_does_not_confirm_lets_nobody_in(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This provider takes no token for another audience at its userinfo endpoint."""
    with archive_of(tmp_path, port) as archive, provider(port) as peer:
        bearer = peer.bearer()
        monkeypatch.setattr(archive.programs._provider, "_now", lambda: time.time() + 599)
        await archive.programs.principal(f"Bearer {bearer}", "127.0.0.1")
        late = time.time() + 601
        monkeypatch.setattr(archive.programs._provider, "_now", lambda: late)
        monkeypatch.setattr(archive.programs, "_now", lambda: late)
        await refused(archive, bearer)


async def test_a_provider_that_is_down_lets_nobody_in(tmp_path: Path, port: int) -> None:
    with archive_of(tmp_path, port) as archive:
        with provider(port) as peer:
            bearer = peer.bearer()
        await refused(archive, bearer)
