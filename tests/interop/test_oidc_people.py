"""People who sign in at a real OpenID provider (npm package oidc-provider): there and back, over loopback."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from archives import device, make, opened

from leadglass.app.archive import Archive
from leadglass.core.accounts import Role
from leadglass.core.errors import LeadglassError
from leadglass.core.sessions import Audience
from leadglass.services.provider_sign_in import ProviderSignIn, Return
from leadglass.services.sessions import Known
from leadglass.services.sign_in import SignedIn

pytestmark = pytest.mark.interop("oidc-provider")

NPM = Path(__file__).parent / "npm"
ORIGIN = "http://127.0.0.1:8042"
CALLBACK = f"{ORIGIN}/sign-in/provider/callback"
HERE = Known("127.0.0.1", "a browser")
CONFIG = """
[openid]
issuer = "http://127.0.0.1:{port}"
audience = "leadglass"
algorithm = "RS256"
keys = "http://127.0.0.1:{port}/jwks"
userinfo = "http://127.0.0.1:{port}/me"
[openid.people]
client_id = "pages"
secret_file = "{secret}"
authorization = "http://127.0.0.1:{port}/auth"
token = "http://127.0.0.1:{port}/token"
[[openid.role]]
group = "radiology"
role = "clinician"
institutions = ["Nord"]
"""


@contextlib.contextmanager
def provider(port: int, secret: str, groups: Sequence[str] = ("radiology",)) -> Iterator[None]:
    node = shutil.which("node")
    assert node is not None
    process = subprocess.Popen(
        [node, "provider.mjs", str(port), "leadglass", CALLBACK],
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
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def archive_of(folder: Path, port: int, secret: str) -> Iterator[Archive]:
    home = make(folder, [device("ct")])
    file = folder / "client-secret"
    file.write_text(secret)
    file.chmod(0o600)
    home.config.write_text(home.config.read_text("utf-8") + CONFIG.format(port=port, secret=file), "utf-8")
    with opened(home) as archive:
        yield archive


def there_and_back(address: str, name: str) -> dict[str, str]:
    """Sign in as a person does: a name, any password, yes; what the browser brings back."""
    with httpx.Client(timeout=60) as http:
        answer = http.get(address)
        for _ in range(12):
            if answer.is_redirect:
                place = urljoin(str(answer.url), answer.headers["location"])
                if place.startswith(CALLBACK):
                    return {key: values[0] for key, values in parse_qs(urlsplit(place).query).items()}
                answer = http.get(place)
                continue
            form = re.search(r'<form[^>]*action="([^"]+)"', answer.text)
            assert form is not None, answer.text
            prompt = "login" if 'value="login"' in answer.text else "consent"
            place = urljoin(str(answer.url), form[1])
            answer = http.post(place, data={"prompt": prompt, "login": name, "password": "any"})
    raise AssertionError("the provider leads nowhere")


def of(archive: Archive) -> ProviderSignIn:
    assert archive.provider_sign_in is not None
    return archive.provider_sign_in


async def test_somebody_signs_in_there_and_is_in_here(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port, secret = free_port(), secrets.token_hex(16)
    with archive_of(tmp_path, port, secret) as archive, provider(port, secret):
        for fresh in (False, True):
            left = of(archive).depart(ORIGIN, fresh=fresh)
            told = there_and_back(left.address, "anna")
            back = Return(left.ticket, told["state"], told["code"], told.get("iss", ""))
            assert back.issuer == f"http://127.0.0.1:{port}"
            step = await of(archive).arrive(back, ORIGIN, HERE)
            assert isinstance(step, SignedIn)
            person = archive.sessions.person(step.cookie, Audience.PAGES, "")
            assert person is not None and archive.sessions.fresh(person)
            account = person.account
            assert (account.name, account.display, account.roles) == ("anna", "Anna Rossi", {Role.CLINICIAN})
            with pytest.raises(LeadglassError):
                await of(archive).arrive(back, ORIGIN, HERE)
        assert len(archive.state.people.accounts()) == 1


async def test_somebody_without_a_group_is_not_in_here(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port, secret = free_port(), secrets.token_hex(16)
    with archive_of(tmp_path, port, secret) as archive, provider(port, secret, ["porters"]):
        left = of(archive).depart(ORIGIN)
        told = there_and_back(left.address, "anna")
        with pytest.raises(LeadglassError):
            await of(archive).arrive(Return(left.ticket, told["state"], told["code"]), ORIGIN, HERE)
        assert not archive.state.people.accounts()
