"""The pages of devices: forms keep what was typed, keys are handed out once, a device is called and answers."""

from __future__ import annotations

import base64
import html
import logging
import re

import archives
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from signed_in import Somebody, client, signed_in

from leadglass.app.archive import Archive
from leadglass.core.accounts import Role
from leadglass.core.device import CertificateBinding, Device, DuplicatePolicy
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.principal import Right
from leadglass.journal.reader import read_journal

HERE = "/administration/devices"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
PASSWORD = "a key's long password"
NEW = {
    "name": "ct-1",
    "titles": "CT1\r\nCT1B",
    "networks": "10.1.2.3",
    "right": ["echo", "store"],
    "character_set": "ISO_IR 192",
    "query_limit": "500",
    "associations": "4",
    "idle_minutes": "7,5",
    "institution": "Poliambulatorio",
}


@pytest.fixture
def admin(archive: Archive) -> Somebody:
    return signed_in(archive, "admin", Role.ADMINISTRATOR)


def device_of(archive: Archive, name: str = "ct-1") -> Device:
    found = archive.state.device(name)
    assert found is not None
    return found


async def test_a_device_is_enrolled_changed_disabled_and_removed(archive: Archive, admin: Somebody) -> None:
    async with client(archive) as http:

        async def post(path: str, **data: object) -> None:
            answer = await http.post(path, data=data, headers=admin.changing)
            assert answer.status_code == 303, answer.text
            assert 'class="done"' in (await http.get(answer.headers["location"], headers=admin.headers)).text

        await post(HERE, **NEW)
        made = device_of(archive)
        assert (made.ae_titles, made.networks, made.rights) == (
            ("CT1", "CT1B"),
            ("10.1.2.3",),
            {Right.ECHO, Right.STORE},
        )
        assert (made.query_limit, made.max_associations, made.idle_timeout) == (500, 4, 450.0)
        assert not made.plain and made.duplicates is DuplicatePolicy.VERSION
        form = (await http.get(f"{HERE}/ct-1/change", headers=admin.headers)).text
        assert "CT1\nCT1B</textarea>" in form and 'value="7.5"' in form
        changed = {**NEW, "plain": "1", "right": "find", "refuse_duplicates": "1", "name": "other"}
        await post(f"{HERE}/ct-1/change", **changed, listens_title="CT1", host="10.1.2.3", port="104")
        made = device_of(archive)
        assert made.plain and made.rights == {Right.FIND} and made.listens is not None and made.listens.port == 104
        await post(f"{HERE}/ct-1/disable")
        assert not device_of(archive).enabled
        await post(f"{HERE}/ct-1/enable")
        assert device_of(archive).enabled
        await post(f"{HERE}/ct-1/remove")
    assert archive.state.devices() == []


WRONG = [
    ({"name": HOSTILE}, "A device&#39;s name has letters", "Il nome di un dispositivo"),
    ({"titles": ""}, "at least one AE title", "almeno un AE title"),
    ({"titles": "A" * 17}, "An AE title has 1 to 16", "Un AE title ha da 1 a 16"),
    ({"networks": "10.1.2.3/8"}, "no address or network", "Non è un indirizzo o una rete"),
    ({"networks": "0.0.0.0/0"}, "more than 256 IPv4", "più di 256 indirizzi IPv4"),
    ({"plain": "1", "networks": "10.1.2.0/24"}, "never for a range. Name its", "mai per un intervallo. Indichi"),
    ({"plain": "1", "networks": "198.51.100.7"}, "Plain DICOM from 198.51.100.7", "DICOM in chiaro da 198.51.100.7"),
    ({"query_limit": "-1"}, "The most answers", "Il massimo di risposte"),
    ({"associations": "257"}, "The most associations", "Il massimo di associazioni"),
    ({"idle_minutes": "inf"}, "Minutes of silence", "I minuti di silenzio"),
    ({"idle_minutes": "0.0"}, "Minutes of silence", "I minuti di silenzio"),
    ({"host": "10.1.2.3"}, "needs a title, a host and a port", "servono un titolo"),
    (
        {"host": "10.1.2.3", "listens_title": "CT", "port": "\u0661"},
        "A port is a whole number",
        "Una porta è un numero",
    ),
    ({"syntaxes": "1.2.x"}, "A UID has digits and dots", "Un UID ha cifre e punti"),
    ({"passcode": "short"}, "A passcode has 12 characters", "Un codice ha almeno 12"),
]


@pytest.mark.parametrize(("changed", "english", "italian"), WRONG)
async def test_a_form_that_is_wrong_keeps_what_was_typed(
    archive: Archive, admin: Somebody, changed: dict[str, str], english: str, italian: str
) -> None:
    typed = {**NEW, **changed}
    async with client(archive) as http:
        answer = await http.post(HERE, data=typed, headers=admin.changing)
        other = await http.post(HERE, data=typed, headers={**admin.changing, "accept-language": "it"})
    assert answer.status_code == other.status_code == 422
    assert english in answer.text and italian in other.text
    text = html.unescape(answer.text)
    for name in typed.keys() - {"right", "passcode"}:
        assert all(line in text for line in str(typed[name]).splitlines()), name
    assert "short" not in answer.text and "<script>alert" not in answer.text and archive.state.devices() == []


async def test_a_passcode_is_set_kept_and_taken_off(archive: Archive, admin: Somebody) -> None:
    async with client(archive) as http:
        await http.post(HERE, data={**NEW, "passcode": PASSWORD}, headers=admin.changing)
        first = device_of(archive).passcode_hash
        await http.post(f"{HERE}/ct-1/change", data=NEW, headers=admin.changing)
        assert device_of(archive).passcode_hash == first and first.startswith("$argon2id$")
        page = (await http.get(f"{HERE}/ct-1/change", headers=admin.headers)).text
        assert first not in page and PASSWORD not in page
        await http.post(f"{HERE}/ct-1/change", data={**NEW, "passcode_off": "1"}, headers=admin.changing)
    assert device_of(archive).passcode_hash == ""


async def test_a_key_is_made_once_and_kept_nowhere(
    archive: Archive, admin: Somebody, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with client(archive) as http:
        await http.post(HERE, data=NEW, headers=admin.changing)
        path = f"{HERE}/ct-1/certificate/issue"
        for wrong, sentence in (("tooshrt", "at least 8 characters"), ("another password", "passwords differ")):
            data = {"password": wrong, "again": PASSWORD}
            answer = await http.post(path, data=data, headers=admin.changing)
            assert answer.status_code == 422 and sentence in answer.text and wrong not in answer.text
        assert device_of(archive).certificates == ()
        answer = await http.post(path, data={"password": PASSWORD, "again": PASSWORD}, headers=admin.changing)
        shown = (await http.get(f"{HERE}/ct-1", headers=admin.headers)).text
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    (packed,) = re.findall(r'href="data:application/x-pkcs12;base64,([^"]+)" download="ct-1.p12"', answer.text)
    key, certificate, chain = pkcs12.load_key_and_certificates(base64.b64decode(packed), PASSWORD.encode())
    assert key is not None and certificate is not None and len(chain) == 1
    with pytest.raises(ValueError):
        pkcs12.load_key_and_certificates(base64.b64decode(packed), b"another password")
    (bound,) = device_of(archive).certificates
    assert bound.binding is CertificateBinding.ISSUED and bound.value == certificate.fingerprint(hashes.SHA256()).hex()
    assert bound.value in shown and "data:application" not in shown
    archive.journal.flush()
    journal = repr(list(read_journal(archive.home.journal, archive.keys.journal)))
    assert PASSWORD not in journal + caplog.text + answer.text


async def test_a_request_is_signed_and_the_old_certificate_stays_if_asked(archive: Archive, admin: Somebody) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    pem = request.public_bytes(serialization.Encoding.PEM).decode()
    async with client(archive) as http:
        await http.post(HERE, data=NEW, headers=admin.changing)
        path = f"{HERE}/ct-1/certificate/sign"
        for wrong in ("nonsense", HOSTILE, "\u00e8"):
            answer = await http.post(path, data={"request": wrong}, headers=admin.changing)
            assert answer.status_code == 422 and 'role="alert"' in answer.text
            assert wrong in html.unescape(answer.text) and "<script>alert" not in answer.text
        answer = await http.post(path, data={"request": pem}, headers=admin.changing)
        (made,) = re.findall(r'href="data:application/x-pem-file;base64,([^"]+)" download="ct-1.cert.pem"', answer.text)
        certificate = x509.load_pem_x509_certificate(base64.b64decode(made))
        assert certificate.public_key() == key.public_key()
        await http.post(path, data={"request": pem, "keep": "1"}, headers=admin.changing)
        first, second = device_of(archive).certificates
        await http.post(f"{HERE}/ct-1/certificate/drop", data={"value": first.value}, headers=admin.changing)
        assert device_of(archive).certificates == (second,)
        pinned = {"certificate": base64.b64decode(made).decode(), "subject": "", "keep": ""}
        accepted = await http.post(f"{HERE}/ct-1/certificate/accept", data=pinned, headers=admin.changing)
        assert accepted.status_code == 303
        (bound,) = device_of(archive).certificates
        assert bound.binding is CertificateBinding.PINNED
        wrong = await http.post(
            f"{HERE}/ct-1/certificate/accept", data={**pinned, "subject": "CN=x"}, headers=admin.changing
        )
        assert wrong.status_code == 422 and "no usable CA" in wrong.text and 'value="CN=x"' in wrong.text
        authority = await http.get("/administration/authority.pem", headers=admin.headers)
    assert b"BEGIN CERTIFICATE" in authority.content and b"PRIVATE" not in authority.content


async def test_who_was_refused_is_listed_with_the_way_in(archive: Archive, admin: Somebody) -> None:
    def refuse(title: str, cause: str, device: str = "", **more: int) -> None:
        details = {"reason": cause, "title": title, "hint": cause, "tls": 0, **more}
        kind, outcome = EventKind.SECURITY_ALERT, Outcome.MINOR_FAILURE
        archive.journal.record(JournalEvent(kind, "association-refused", device, "10.9.8.7", outcome, details))

    refuse("NEW CT", "unknown-address")
    refuse("NEW CT", "unknown-address", further=41)
    refuse('"><script>', "unknown-title")
    refuse("A\\B", "unknown-address")
    refuse("OLD", "disabled", "ct-1")
    refuse("ODD", "of-tomorrow")
    async with client(archive) as http:
        text = (await http.get("/administration/refused", headers=admin.headers)).text
        italian = (await http.get("/administration/refused", headers={**admin.headers, "accept-language": "it"})).text
        ways = [html.unescape(way) for way in re.findall(r'href="(/administration/new-device[^"]+)"', text)]
        assert sorted(ways)[1:] == ["/administration/new-device?title=NEW+CT&network=10.9.8.7&plain=1"]
        form = (await http.get(ways[-1], headers=admin.headers)).text
        hostile = (await http.get(sorted(ways)[0], headers=admin.headers)).text
    assert ">42<" in text and "nobody is enrolled from this address" in text and "of-tomorrow" in text
    assert "/administration/devices/ct-1" in text and "nessuno è registrato" in italian
    assert 'value="new-ct"' in form and ">NEW CT</textarea>" in form and ">10.9.8.7</textarea>" in form
    for page in (text, hostile):
        assert "<script>" not in page.replace('<script src="', "")


async def test_a_device_is_called_and_what_came_of_it_is_said(archive: Archive, admin: Somebody) -> None:
    archive.devices.enrol(archives.operator(), archives.sink("silent", archives.free_port()))
    archive.devices.enrol(archives.operator(), archives.device("deaf"))
    async with client(archive) as http:
        part = await http.post(f"{HERE}/silent/test", headers={**admin.changing, "hx-request": "true"})
        whole = await http.post(f"{HERE}/silent/test", headers=admin.changing)
        nowhere = await http.post(f"{HERE}/deaf/test", headers={**admin.changing, "hx-request": "true"})
    assert part.status_code == 200 and 'class="wrong"' in part.text and "<html" not in part.text
    assert 'class="wrong"' in whole.text and "<h1>silent</h1>" in whole.text
    assert "no address to call" in nowhere.text


async def test_a_device_that_listens_answers(
    archive: Archive, admin: Somebody, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Called as this archive, over the network: the other end is another archive that has enrolled it."""
    caller = archives.device("us", archive.config.ae_titles[0])
    home = archives.make(tmp_path_factory.mktemp("other"), [caller])
    with archives.served(home) as server:
        archive.devices.enrol(archives.operator(), archives.sink(archives.TITLE.lower(), server.port))
        async with client(archive) as http:
            path = f"{HERE}/{archives.TITLE.lower()}/test"
            answer = await http.post(path, headers={**admin.changing, "hx-request": "true"})
    assert "It answered in" in answer.text
