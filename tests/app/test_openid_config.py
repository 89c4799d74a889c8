"""`[openid]` in the configuration: what would let in too many, or nobody, is refused with the place where it stands."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from leadglass.access.openid import OpenIdSettings
from leadglass.app.config import parse_config
from leadglass.core.accounts import Role
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.reach import EVERYTHING
from leadglass.core.tokens import Scope

BASE = """
[archive]
ae_titles = ["LEADGLASS"]
[keys]
source = "passphrase"
[openid]
issuer = "https://id.example"
audience = "leadglass"
algorithm = "RS256"
keys = "https://id.example/jwks"
userinfo = "https://id.example/me"
[[openid.grant]]
group = "radiology"
rights = ["read"]
everything = true
[[openid.grant]]
scope = "dicom"
rights = ["read", "store"]
institutions = ["Poliambulatorio  NORD"]
referring = ["Bianchi^Änna=山田^太郎"]
patients = ["P1"]
issuer = "clinic"
"""


def settings(text: str = BASE) -> OpenIdSettings | None:
    return parse_config(tomllib.loads(text)).openid


def test_entries_keep_their_order_and_names_are_compared_without_case_and_accents() -> None:
    found = settings()
    assert found is not None
    first, second = found.entries
    assert (first.group, first.scopes, first.reach) == ("radiology", {Scope.READ}, EVERYTHING)
    assert second.reach.institutions == {"poliambulatorio nord"}
    assert second.reach.referring == {"bianchi^anna", "山田^太郎"}
    assert second.reach.patients == {("clinic", "P1")}


def test_without_the_table_there_is_no_provider() -> None:
    assert settings(BASE[: BASE.index("[openid]")]) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"RS256"', '"HS256"'),
        ('"RS256"', '"none"'),
        ('"https://id.example/jwks"', '"http://id.example/jwks"'),
        ('"https://id.example/me"', '"http://id.example/me"'),
        ('issuer = "https://id.example"', 'issuer = " "'),
        ('audience = "leadglass"', 'audience = ""'),
        ('group = "radiology"\n', ""),  # for everybody
        ("everything = true", "everything = false"),  # reaches nothing
        ("everything = true", 'everything = true\nstudies = ["1.2"]'),  # which of the two?
        ("everything = true", 'studies = ["x"]'),
        ('["read"]', '["write"]'),
        ('["read"]', "[]"),
        ('["read", "store"]', '["read", "admin"]'),
        ("everything = true", "everything = true\nall = true"),
        ('audience = "leadglass"', 'audience = "leadglass"\nalgorithms = ["RS256"]'),
    ],
)
def test_what_would_let_in_too_many_or_nobody_is_refused(old: str, new: str) -> None:
    assert old in BASE
    with pytest.raises(LeadglassError) as error:
        settings(BASE.replace(old, new, 1))
    assert error.value.code is ErrorCode.USAGE
    assert "openid" in error.value.comment


def test_a_provider_that_gives_nothing_is_refused() -> None:
    plain: dict[str, Any] = tomllib.loads(BASE)
    del plain["openid"]["grant"]
    with pytest.raises(LeadglassError):
        parse_config(plain)


PEOPLE = """
[openid.people]
client_id = "leadglass-pages"
authorization = "https://id.example/authorize"
token = "https://id.example/token"
[[openid.role]]
group = "radiology"
role = "clinician"
institutions = ["Poliambulatorio  NORD"]
referring = ["Bianchi^Änna"]
"""


def test_people_sign_in_by_what_stands_there(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    secret.chmod(0o600)
    more = f'client_id = "leadglass-pages"\nsecret_file = "{secret}"\nasks_second_factor = true'
    text = BASE + PEOPLE.replace('client_id = "leadglass-pages"', more)
    found = parse_config(tomllib.loads(text)).openid_people
    assert found is not None
    assert (found.client_id, found.secret, found.asks_second_factor) == ("leadglass-pages", "s3cret", True)
    assert "s3cret" not in repr(found)
    (entry,) = found.entries
    assert (entry.role, entry.institutions, entry.referring) == (
        Role.CLINICIAN,
        {"poliambulatorio nord"},
        {"bianchi^anna"},
    )


def test_a_provider_may_be_for_people_alone() -> None:
    grants = BASE[BASE.index("[[openid.grant]]") :]
    config = parse_config(tomllib.loads(BASE.replace(grants, "") + PEOPLE))
    assert config.openid is not None and not config.openid.entries and config.openid_people is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"leadglass-pages"', '"leadglass"'),  # the programs' audience
        ('"leadglass-pages"', '""'),
        ('"https://id.example/authorize"', '"http://id.example/authorize"'),
        ('"https://id.example/token"', '"http://id.example/token"'),
        ('role = "clinician"', 'role = "chief"'),
        ('group = "radiology"', 'group = ""'),
        ('group = "radiology"', 'group = "radiology"\nrights = ["read"]'),
        ('token = "https', 'scopes = ["profile"]\ntoken = "https'),
        ('token = "https', 'secret = "s3cret"\ntoken = "https'),
        ('token = "https', 'secret_file = "secret"\ntoken = "https'),
        ('token = "https', 'secret_file = "/nowhere/secret"\ntoken = "https'),
        (PEOPLE[PEOPLE.index("[[openid.role]]") :], ""),
        (PEOPLE[: PEOPLE.index("[[openid.role]]")], ""),
    ],
)
def test_what_would_let_the_wrong_people_in_is_refused(old: str, new: str) -> None:
    assert old in PEOPLE
    with pytest.raises(LeadglassError) as error:
        parse_config(tomllib.loads(BASE + PEOPLE.replace(old, new)))
    assert error.value.code is ErrorCode.USAGE


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    secret.chmod(0o644)
    text = BASE + PEOPLE.replace('token = "https', f'secret_file = "{secret}"\ntoken = "https')
    with pytest.raises(LeadglassError, match="chmod 600"):
        parse_config(tomllib.loads(text))
