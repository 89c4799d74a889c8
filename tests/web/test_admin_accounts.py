"""The pages of accounts: forms keep what was typed, links are shown once, nothing of a name becomes markup."""

from __future__ import annotations

import logging
import re
from dataclasses import replace

import pytest
from signed_in import ORIGIN, Somebody, account, again, client, signed_in

from leadglass.app.archive import Archive
from leadglass.core.accounts import Role
from leadglass.core.principal import SYSTEM
from leadglass.core.sessions import Purpose
from leadglass.journal.reader import read_journal

HERE = "/administration/accounts"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202e\r\nSet-Cookie: a=b"
NEW = {"name": "bianchi", "display": "Ugo Bianchi", "role": ["clinician"], "institutions": "Poliambulatorio\nStudio B"}


@pytest.fixture
def admin(archive: Archive) -> Somebody:
    return signed_in(archive, "admin", Role.ADMINISTRATOR)


async def test_everybody_is_listed(archive: Archive, admin: Somebody) -> None:
    account(archive, "rossi", Role.CLINICIAN, disabled=1)
    async with client(archive) as http:
        text = (await http.get(HERE, headers=admin.headers)).text
        italian = (await http.get(HERE, headers={**admin.headers, "accept-language": "it"})).text
    assert 'href="/administration/accounts/rossi"' in text and "disabled" in text
    assert "Profili" in italian and "Amministratore" in italian and "disattivato" in italian


async def test_a_new_account_gets_a_link_that_is_shown_once(
    archive: Archive, admin: Somebody, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with client(archive) as http:
        answer = await http.post(HERE, data=NEW, headers=admin.changing)
        shown = (await http.get(f"{HERE}/bianchi", headers=admin.headers)).text
    assert answer.status_code == 200 and "location" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    (link,) = set(re.findall(rf'value="({re.escape(ORIGIN)}/enrol/[^"]+)"', answer.text))
    code = link.rpartition("/")[2]
    assert archive.codes.look(code, Purpose.ENROL) is not None
    made = archive.state.people.account("bianchi")
    assert made is not None and made.institutions == {"poliambulatorio", "studio b"} and made.roles == {Role.CLINICIAN}
    archive.journal.flush()
    journal = repr(list(read_journal(archive.home.journal, archive.keys.journal)))
    assert "account-added" in journal
    for place in (shown, caplog.text, journal):
        assert code not in place


@pytest.mark.parametrize(
    ("changed", "english", "italian"),
    [
        ({"name": "Not A Name"}, "A name has up to 64 small letters", "Un nome ha al massimo 64"),
        ({"name": "admin"}, "There is an account of that name already", "Esiste già un profilo"),
        ({"role": []}, "An account needs a role", "Un profilo ha bisogno di un ruolo"),
        ({"role": ["emperor"]}, "An account needs a role", "Un profilo ha bisogno di un ruolo"),
        ({"display": ""}, "Say who it is", "Indichi chi è"),
        ({"referring": "^^"}, "A physician is named as DICOM", "Un medico si indica come DICOM"),
    ],
)
async def test_a_form_that_is_wrong_keeps_what_was_typed(
    archive: Archive, admin: Somebody, changed: dict[str, object], english: str, italian: str
) -> None:
    typed = {**NEW, "referring": "Verdi^Ada", **changed}
    async with client(archive) as http:
        answer = await http.post(HERE, data=typed, headers=admin.changing)
        other = await http.post(HERE, data=typed, headers={**admin.changing, "accept-language": "it"})
    assert answer.status_code == other.status_code == 422
    assert english in answer.text and 'role="alert"' in answer.text and italian in other.text
    assert f'value="{typed["name"]}"' in answer.text and str(typed["referring"]) in answer.text
    assert "Studio B</textarea>" in answer.text
    assert ('value="clinician" checked' in answer.text) is (typed["role"] == ["clinician"])


async def test_a_hostile_form_stays_text(archive: Archive, admin: Somebody) -> None:
    wrong = dict.fromkeys(("name", "display", "role", "institutions", "referring"), HOSTILE)
    async with client(archive) as http:
        answer = await http.post(HERE, data=wrong, headers=admin.changing)
        missing = await http.get(f"{HERE}/%3Cscript%3Ealert(1)%3C%2Fscript%3E", headers=admin.headers)
        done = await http.get(f"{HERE}?done=%3Cscript%3E", headers=admin.headers)
    assert answer.status_code == 422 and "a=b" not in answer.headers.get("set-cookie", "")
    for page in (answer, missing, done):
        assert "<script>alert" not in page.text and "<img" not in page.text.replace('<img src="/static/', "")
    assert missing.status_code == 404


async def test_hostile_names_that_are_kept_stay_text(archive: Archive, admin: Somebody) -> None:
    account(archive, "odd", Role.CLINICIAN, institutions=frozenset({HOSTILE}), subject=HOSTILE)
    archive.state.people.change_account("odd", lambda one: replace(one, display=HOSTILE, created_by=HOSTILE))
    async with client(archive) as http:
        for path in (HERE, f"{HERE}/odd"):
            text = (await http.get(path, headers=admin.headers)).text
            assert "&lt;script&gt;" in text and "<script>alert" not in text and "<img src=x" not in text


async def test_roles_reach_and_state_are_changed(archive: Archive, admin: Somebody) -> None:
    rossi = account(archive, "rossi", Role.CLINICIAN)
    again(archive, rossi)
    people = archive.state.people
    async with client(archive) as http:

        async def post(what: str, **data: object) -> None:
            answer = await http.post(f"{HERE}/rossi/{what}", data=data, headers=admin.changing)
            assert answer.status_code == 303, answer.text
            shown = await http.get(answer.headers["location"], headers=admin.headers)
            assert 'class="done"' in shown.text

        assert "Nowhere." not in (await http.get(f"{HERE}/rossi", headers=admin.headers)).text
        await post("sign-out")
        assert not people.sessions("rossi")
        await post("roles", role=["auditor", "technologist"])
        await post("describe", display="Anna R.", institutions="Nord", referring="Bianchi^Ugo")
        await post("disable")
        now = people.account("rossi")
        assert now is not None and now.roles == {Role.AUDITOR, Role.TECHNOLOGIST} and now.disabled
        assert (now.display, now.institutions) == ("Anna R.", {"nord"})
        await post("enable")
        now = people.account("rossi")
        assert now is not None and not now.disabled


async def test_the_last_administrator_stays(archive: Archive, admin: Somebody) -> None:
    async with client(archive) as http:
        for what, data in (("disable", {}), ("roles", {"role": ["auditor"]})):
            answer = await http.post(f"{HERE}/admin/{what}", data=data, headers=admin.changing)
            assert answer.status_code == 422 and "last enabled administrator" in answer.text
    now = archive.state.people.account("admin")
    assert now is not None and not now.disabled and now.roles == {Role.ADMINISTRATOR}


async def test_a_reset_takes_everything_away_and_gives_a_link(archive: Archive, admin: Somebody) -> None:
    account(archive, "rossi", Role.CLINICIAN, password_hash="$argon2id$", totp_secret=b"s")
    async with client(archive) as http:
        answer = await http.post(f"{HERE}/rossi/reset", headers=admin.changing)
    (code,) = set(re.findall(r"/enrol/([^\"]+)\"", answer.text))
    assert archive.codes.look(code, Purpose.ENROL) is not None
    now = archive.state.people.account("rossi")
    assert now is not None and not now.password_hash and not now.second_factor


async def test_a_stale_proof_leads_back_to_the_page_of_the_form(archive: Archive, admin: Somebody) -> None:
    """Not to an address that only takes forms."""
    account(archive, "rossi", Role.CLINICIAN)
    session = archive.state.people.session(archive.sessions.digest(admin.cookie))
    assert session is not None
    archive.state.people.put_session(replace(session, raised=1))
    async with client(archive) as http:
        answer = await http.post(f"{HERE}/rossi/disable", headers=admin.changing)
    assert answer.headers["location"] == "/confirm?next=%2Fadministration%2Faccounts%2Frossi"
    now = archive.accounts.account(SYSTEM, "rossi")
    assert not now.disabled
