"""The pages of tokens and grants: a token's text is shown once; an empty list never means everything."""

from __future__ import annotations

import logging
import re

import pytest
from objects import study_uid
from signed_in import Somebody, client, signed_in

from leadglass.access.tokens import is_token_text
from leadglass.app.archive import Archive
from leadglass.core.accounts import Role
from leadglass.core.principal import SYSTEM
from leadglass.core.tokens import Grant, Scope
from leadglass.journal.reader import read_journal

TOKENS, GRANTS = "/administration/tokens", "/administration/grants"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
NEW = {"name": "router", "scope": ["read", "store"], "reach": "all", "days": "30"}


@pytest.fixture
def admin(archive: Archive) -> Somebody:
    return signed_in(archive, "admin", Role.ADMINISTRATOR)


async def test_a_tokens_text_is_shown_once_and_lets_in(
    archive: Archive, admin: Somebody, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with client(archive) as http:
        answer = await http.post(TOKENS, data=NEW, headers=admin.changing)
        listed = (await http.get(TOKENS, headers=admin.headers)).text
        (text,) = set(re.findall(r'value="(lg_[^"]+)"', answer.text))
        bearer = {"authorization": f"Bearer {text}", "accept": "application/dicom+json"}
        assert (await http.get("/dicom-web/studies", headers=bearer)).status_code == 200
        revoked = await http.post(f"{TOKENS}/router/revoke", headers=admin.changing)
        assert revoked.status_code == 303
        assert (await http.get("/dicom-web/studies", headers=bearer)).status_code == 401
        assert "revoked" in (await http.get(revoked.headers["location"], headers=admin.headers)).text
    assert answer.status_code == 200 and is_token_text(text) and answer.headers["cache-control"] == "no-store"
    (token,) = archive.tokens.tokens(SYSTEM)
    assert token.scopes == {Scope.READ, Scope.STORE} and token.reach.everything
    archive.journal.flush()
    for place in (listed, caplog.text, repr(list(read_journal(archive.home.journal, archive.keys.journal)))):
        assert text not in place


@pytest.mark.parametrize(
    ("changed", "english", "italian"),
    [
        ({"name": "no good"}, "A token&#39;s name has", "Il nome di un token"),
        ({"scope": []}, "Say what the token is for", "a che cosa serve il token"),
        ({"scope": ["admin"], "reach": "list", "studies": study_uid(1)}, "The scope admin", "riguarda tutto"),
        ({"reach": "list"}, "The list of studies and patients is empty", "è vuoto"),
        ({"reach": ""}, "The list of studies and patients is empty", "è vuoto"),
        ({"reach": "list", "studies": "not a uid"}, "A study is named by", "Uno studio si indica"),
        ({"days": "0"}, "A token lasts from 1", "Un token dura da 1"),
        ({"days": "\u0663\u0660"}, "A token lasts from 1", "Un token dura da 1"),
        ({"days": "9" * 5000}, "A token lasts from 1", "Un token dura da 1"),
    ],
)
async def test_a_form_that_is_wrong_keeps_what_was_typed(
    archive: Archive, admin: Somebody, changed: dict[str, object], english: str, italian: str
) -> None:
    typed = {**NEW, "patients": "", **changed}
    async with client(archive) as http:
        answer = await http.post(TOKENS, data=typed, headers=admin.changing)
        other = await http.post(TOKENS, data=typed, headers={**admin.changing, "accept-language": "it"})
    assert answer.status_code == other.status_code == 422
    assert english in answer.text and italian in other.text and not archive.tokens.tokens(SYSTEM)
    assert f'value="{typed["name"]}"' in answer.text and f'value="{typed["days"]}"' in answer.text
    assert ('value="store" checked' in answer.text) is ("store" in typed["scope"])  # type: ignore[operator]


async def test_a_list_reaches_what_is_listed(archive: Archive, admin: Somebody) -> None:
    form = {**NEW, "reach": "list", "studies": f"{study_uid(1)}\r\n{study_uid(2)}\r\n", "patients": "A1", "issuer": "H"}
    async with client(archive) as http:
        assert (await http.post(TOKENS, data=form, headers=admin.changing)).status_code == 200
    (token,) = archive.tokens.tokens(SYSTEM)
    assert token.reach.studies == {study_uid(1), study_uid(2)} and token.reach.patients == {("H", "A1")}


async def test_grants_are_given_and_taken_back(archive: Archive, admin: Somebody) -> None:
    async with client(archive) as http:
        data = {"to": "rossi", "patient": HOSTILE, "study": "", "issuer": ""}
        assert (await http.post(GRANTS, data=data, headers=admin.changing)).status_code == 303
        assert [grant.patient_id for grant in archive.tokens.grants(SYSTEM)] == [HOSTILE]
        shown = (await http.get(GRANTS, headers=admin.headers)).text
        assert "&lt;script&gt;" in shown and "<script>alert" not in shown and "<img src=x" not in shown
        assert (await http.post(f"{GRANTS}/withdraw", data=data, headers=admin.changing)).status_code == 303
    assert not archive.tokens.grants(SYSTEM)


async def test_a_wrong_grant_keeps_what_was_typed(archive: Archive, admin: Somebody) -> None:
    data = {"to": HOSTILE, "study": "1.2.3", "patient": "P", "issuer": "I"}
    async with client(archive) as http:
        answer = await http.post(GRANTS, data=data, headers={**admin.changing, "accept-language": "it"})
        gone = await http.post(f"{GRANTS}/withdraw", data={"to": "x", "study": "1.2"}, headers=admin.changing)
    assert answer.status_code == 422 and "Una concessione riguarda" in answer.text
    for kept in ('value="1.2.3"', 'value="P"', 'value="I"', "&lt;script&gt;"):
        assert kept in answer.text
    assert gone.status_code == 404 and archive.tokens.grants(SYSTEM) == []


async def test_withdrawing_names_one_grant(archive: Archive, admin: Somebody) -> None:
    for patient in ("A", "B"):
        archive.tokens.grant(SYSTEM, Grant("rossi", patient_id=patient))
    async with client(archive) as http:
        await http.post(f"{GRANTS}/withdraw", data={"to": "rossi", "patient": "A"}, headers=admin.changing)
    assert [grant.patient_id for grant in archive.tokens.grants(SYSTEM)] == ["B"]
