"""What the web probes say of servers with a known truth, and what they do not do to them."""

import asyncio
import contextlib
import json
import ssl
import subprocess

import pytest
from web_fakes import Reply, WebFake, fact, found_by, json_reply, listening, page_reply

from leadglass.exposure.facts import Answer, Fact, Facts, Observation, to_plain
from leadglass.exposure.probes import dcm4chee, dicomweb, honeypot, orthanc, pages, web
from leadglass.exposure.proposal import EVERYTHING
from leadglass.exposure.streams import Reason, Unreachable

ALL = (web.PROBE, orthanc.PROBE, dcm4chee.PROBE, dicomweb.PROBE, pages.PROBE)
DICOM_JSON = "application/dicom+json"
ORIGIN = "https://audit.invalid"
CANARY = "CANARY^Zebedee"

SYSTEM = json.dumps({"ApiVersion": 27, "Version": "1.12.6", "Name": CANARY, "DicomAet": CANARY})
ROW = json.dumps([{"00100010": {"vr": "PN", "Value": [{"Alphabetic": CANARY}]}}])
STATISTICS = '{"CountPatients": 3, "CountStudies": "40", "CountSeries": 90, "CountInstances": 1200}'


def orthanc_fake(**more) -> WebFake:
    return WebFake(
        {
            "/": Reply(301, headers={"Location": "app/explorer.html"}),
            "/app/explorer.html": page_reply("<html><title>Orthanc Explorer</title>"),
            "/system": json_reply(SYSTEM),
            "/statistics": json_reply(STATISTICS),
            "/plugins": json_reply(json.dumps(["dicom-web", "explorer.js", CANARY, 7])),
            "/tools/create-dicom": Reply(405, headers={"Allow": "POST"}),
            "/dicom-web/studies": json_reply("[]", DICOM_JSON),
            **more,
        }
    )


def dcm4chee_fake(**more) -> WebFake:
    root = "/dcm4chee-arc/aets/DCM4CHEE/rs"
    return WebFake(
        {
            "/dcm4chee-arc/aets": json_reply(
                json.dumps(
                    [
                        {"dicomAETitle": "AS_RECEIVED", "dicomDescription": CANARY},
                        *({"dicomAETitle": title} for title in ("DCM4CHEE", "../x", 7)),
                    ]
                )
            ),
            **{
                f"{root}/{level}/count": json_reply(f'{{"count": {number}}}')
                for level, number in (("studies", 40), ("patients", 30), ("series", 90), ("instances", 1200))
            },
            f"{root}/studies": Reply(204),
            f"{root}/leadglass-audit": Reply(404),
            **more,
        }
    )


async def looked(fake: WebFake, *probes, **settings) -> Facts:
    async with listening(fake.serve, **settings) as site:
        return await found_by(site, *(probes or ALL))


def answers(facts: Facts) -> dict[str, str]:
    return {item.check: item.answer.value for item in facts if item.check[0] == "W"}


# --- W00, W06, W07 ---------------------------------------------------------------------------------------------------


async def test_an_http_server_is_one_and_tells_no_more_than_products():
    headers = {"Server": f"Apache/2.4.62 (Debian; {CANARY}) OpenSSL/3.0 {CANARY}"}
    facts = await looked(WebFake({"/": page_reply(f"<title>OHIF {CANARY}</title>", **headers)}), web.PROBE)
    expected = {"server": "Apache/2.4.62 OpenSSL/3.0", "status": 200, "tls": False, "title": "OHIF"}
    assert dict(fact(facts, "W00").values) == expected
    assert (fact(facts, "W07").answer, fact(facts, "D01").answer) == (Answer.YES, Answer.NO)


@pytest.mark.parametrize(
    ("headers", "status", "expected"),
    [
        ({}, 200, None),
        ({"Access-Control-Allow-Origin": "*"}, 200, ("any", False)),
        ({"Access-Control-Allow-Origin": "*"}, 401, None),
        ({"Access-Control-Allow-Origin": ORIGIN}, 401, ("echoed", False)),
        ({"Access-Control-Allow-Origin": ORIGIN, "Access-Control-Allow-Credentials": "true"}, 200, ("echoed", True)),
        ({"Access-Control-Allow-Origin": "https://other.invalid"}, 200, None),
    ],
)
async def test_any_origin_is_one_that_the_answer_lets_read(headers, status, expected):
    w06 = fact(await looked(WebFake({"/": Reply(status, headers=headers)}), web.PROBE), "W06")
    assert w06.yes == (expected is not None)
    if expected:
        assert (w06.values["origin"], w06.values["credentials"]) == expected


async def test_an_interface_that_lets_any_origin_read_is_found_though_the_first_page_does_not():
    def echoes(asked):
        allowed = {"Access-Control-Allow-Origin": asked.headers["origin"]} if "origin" in asked.headers else {}
        return json_reply("[]", DICOM_JSON, **allowed)

    facts = await looked(orthanc_fake(**{"/dicom-web/studies": echoes}))
    assert fact(facts, "W06").values["origin"] == "echoed"


async def test_a_stronger_answer_is_not_forgotten_for_a_weaker_one():
    open_page = Reply(200, headers={"Access-Control-Allow-Origin": "*"})
    assert fact(await looked(orthanc_fake(**{"/": open_page})), "W06").yes


async def garbage(reader, writer):
    writer.write(b"\x15\x03\x01 what is this?\r\n" * 20)


async def closing(reader, writer):
    pass


async def silent(reader, writer):
    await reader.read()


@pytest.mark.parametrize("serve", [garbage, closing], ids=["garbage", "closing"])
async def test_what_speaks_no_http_has_no_web_server(serve):
    async with listening(serve) as site:
        facts = await found_by(site, *ALL)
    assert answers(facts) == {"W00": "no", "W06": "no", "W07": "no"}


async def test_silence_is_not_called_the_absence_of_a_web_server():
    async with listening(silent, probe_timeout=0.5) as site:
        with pytest.raises(Unreachable) as ended:
            await web.PROBE.run(site)
    assert ended.value.reason is Reason.TIMEOUT


@pytest.fixture(scope="module")
def context(tmp_path_factory) -> ssl.SSLContext:
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subject = ["-subj", "/CN=pacs.example.org", "-days", "2"]
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *subject]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=60)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return server


async def test_https_is_found_and_everything_after_it_goes_the_same_way(context):
    fake = orthanc_fake()
    facts = await looked(fake, context=context, name="pacs.example.org")
    assert (fact(facts, "W00").values["tls"], fact(facts, "W07").answer) == (True, Answer.NO)
    assert fact(facts, "W04").values["studies"] == 40
    assert {asked.headers["host"].partition(":")[0] for asked in fake.asked} == {"pacs.example.org"}


async def pump(reader, writer):
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def test_a_server_of_tls_that_answers_plain_text_with_400_is_no_plain_one(context):
    """As Apache, nginx and Go do. Taken for plain HTTP, an archive behind it would be missed."""
    async with listening(orthanc_fake().serve, context=context) as behind:

        async def serve(reader, writer):
            first = await reader.read(1)
            if first != b"\x16":  # no handshake (RFC 8446 5.1)
                await reader.readuntil(b"\r\n\r\n")
                writer.write(Reply(400, b"You are speaking plain HTTP to an SSL-enabled server port.").encoded())
                return
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", behind.service.port)
            inner_writer.write(first)
            await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

        async with listening(serve) as site:
            facts = await found_by(site, web.PROBE)
    assert (fact(facts, "W00").values["tls"], fact(facts, "W07").answer) == (True, Answer.NO)


async def test_a_plain_server_that_answers_400_is_a_plain_one():
    facts = await looked(WebFake({"/": Reply(400)}), web.PROBE)
    assert (fact(facts, "W00").values["tls"], fact(facts, "W00").values["status"]) == (False, 400)


@pytest.mark.parametrize("context_or_none", [None, "context"], ids=["plain", "tls"])
async def test_http_that_cannot_be_read_is_not_called_the_absence_of_a_web_server(context_or_none, request):
    async def sloppy(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nServer : x\r\nContent-Length: 0\r\n\r\n")

    context = request.getfixturevalue("context") if context_or_none else None
    async with listening(sloppy, context=context) as site:
        facts = await found_by(site, *ALL)
    untested = {check for check, answer in answers(facts).items() if answer == "could-not-test"}
    assert untested == {f"W{number:02}" for number in range(12)} - {"W00", "W07"}
    assert (fact(facts, "W00").yes, fact(facts, "W00").values["tls"]) == (True, context is not None)


# --- Orthanc and dcm4chee-arc (W03, W04, W05, M01) --------------------------------------------------------------------


async def test_an_open_orthanc_tells_version_counts_and_plugins():
    fake = orthanc_fake()
    facts = await looked(fake)
    assert answers(facts) == {
        **dict.fromkeys(("W00", "W01", "W02", "W03", "W04", "W07", "W08"), "yes"),
        **dict.fromkeys(("W05", "W06", "W09", "W10", "W11"), "no"),
    }
    assert dict(fact(facts, "W04").values) == {
        "version": "1.12.6",
        "api": 27,
        "patients": 3,
        "studies": 40,
        "series": 90,
        "instances": 1200,
        "plugins": ("dicom-web", "explorer.js"),
    }
    assert dict(fact(facts, "M01").values) == {"product": "Orthanc", "version": "1.12.6", "evidence": ("rest-api",)}
    assert fake.connections <= 6


async def test_an_orthanc_that_only_reads_is_not_said_to_take_objects():
    only_reads = json_reply('{"ApiVersion": 27, "Version": "1.12.6", "ReadOnly": true}')
    assert not fact(await looked(orthanc_fake(**{"/system": only_reads})), "W03").yes


async def test_a_closed_orthanc_is_closed_and_still_told_from_others():
    facts = await looked(WebFake(refuses="Orthanc Secure Area"))
    assert {check for check, answer in answers(facts).items() if answer == "yes"} == {"W00", "W07"}
    assert "could-not-test" not in answers(facts).values()
    assert dict(fact(facts, "M01").values) == {"product": "Orthanc", "evidence": ("http-realm",)}


async def test_what_orthanc_told_before_it_fell_silent_is_kept():
    def falls(asked):
        raise ConnectionResetError

    facts = await looked(orthanc_fake(**{"/statistics": falls}), web.PROBE, orthanc.PROBE)
    assert fact(facts, "W04").values["version"] == "1.12.6"


@pytest.mark.parametrize(
    "body",
    [
        '{"ApiVersion": 1e999, "Version": 7}',
        '{"ApiVersion": true, "Version": "%s"}' % ("1" * 500),
        '{"ApiVersion": 99999999999999999999999, "Version": "Jane Doe, 1970"}',
        '{"ApiVersion": null}',
    ],
)
async def test_absurd_words_and_numbers_are_not_kept(body):
    statistics = '{"CountStudies": -1, "CountPatients": "x", "CountSeries": 1e30, "CountInstances": %s}' % ("9" * 40)
    fake = orthanc_fake(**{"/system": json_reply(body), "/statistics": json_reply(statistics)})
    facts = await looked(fake, web.PROBE, orthanc.PROBE)
    assert dict(fact(facts, "W04").values) == {"version": "", "plugins": ("dicom-web", "explorer.js")}


async def test_an_open_dcm4chee_tells_titles_and_counts():
    facts = await looked(dcm4chee_fake())
    assert dict(fact(facts, "W05").values) == {
        "aets": ("DCM4CHEE", "AS_RECEIVED"),
        "studies": 40,
        "patients": 30,
        "series": 90,
        "instances": 1200,
    }
    assert fact(facts, "W01").values["roots"] == ("/dcm4chee-arc/aets/DCM4CHEE/rs",)
    assert fact(facts, "M01").values["product"] == "dcm4che"


async def test_the_counts_are_asked_of_another_entity_if_the_first_has_no_services():
    root = "/dcm4chee-arc/aets"
    fake = dcm4chee_fake(
        **{
            f"{root}/DCM4CHEE/rs/studies/count": Reply(404),
            f"{root}/AS_RECEIVED/rs/studies/count": json_reply('{"count": 7}'),
        }
    )
    assert fact(await looked(fake, web.PROBE, dcm4chee.PROBE), "W05").values["studies"] == 7


# --- DICOMweb (W01, W02, W03) -----------------------------------------------------------------------------------------


async def test_a_search_asks_for_a_study_that_nobody_has_and_for_one_answer():
    fake = orthanc_fake()
    await looked(fake, web.PROBE, dicomweb.PROBE)
    searches = [path for path in fake.paths if "/studies?" in path]
    assert searches
    assert all("?StudyInstanceUID=2.25." in path and path.endswith("&limit=1") for path in searches)
    assert {asked.method for asked in fake.asked} == {"GET", "OPTIONS"}


async def test_a_row_that_is_sent_all_the_same_is_not_kept():
    facts = await looked(orthanc_fake(**{"/dicom-web/studies": json_reply(ROW, DICOM_JSON)}))
    assert fact(facts, "W01").yes


@pytest.mark.parametrize(
    "reply",
    [
        page_reply("[]"),
        json_reply("{}"),
        json_reply('[{"id": 7, "name": "x"}]'),
        json_reply("[]x"),
        json_reply("[{}]"),
        json_reply("[7]"),
        Reply(200),
        Reply(302, headers={"Location": "/login"}),
    ],
    ids=["page", "object", "other-rows", "no-json", "empty-row", "number", "nothing", "login"],
)
async def test_what_is_no_answer_to_a_search_is_not_called_one(reply):
    assert fact(await looked(WebFake({"/dicom-web/studies": reply}), web.PROBE, dicomweb.PROBE), "W01").answer is (
        Answer.NO
    )


@pytest.mark.parametrize("reply", [json_reply("[]"), Reply(204)], ids=["empty-list", "no-content"])
async def test_a_server_that_says_the_same_to_everything_is_no_archive(reply):
    class Everything(dict):
        def get(self, path, default=None):
            return reply

    assert not fact(await looked(WebFake(Everything()), web.PROBE, dicomweb.PROBE), "W01").yes
    fake = WebFake({"/dicom-web/studies": reply})
    assert fact(await looked(fake, web.PROBE, dicomweb.PROBE), "W01").yes


async def test_all_open_roots_are_told_for_there_may_be_several_archives():
    found = json_reply("[]", DICOM_JSON)
    fake = WebFake({"/dicomweb/studies": found, "/rs/studies": found, "/wado-rs/studies": Reply(401)})
    assert fact(await looked(fake, web.PROBE, dicomweb.PROBE), "W01").values["roots"] == ("/dicomweb", "/rs")


async def test_a_refusal_at_one_root_does_not_hide_an_open_one():
    fake = WebFake(
        {
            "/dicom-web/studies": Reply(403),
            "/dicomweb/studies": Reply(401),
            "/rs/studies": Reply(401),
            "/wado-rs/studies": json_reply("[]", DICOM_JSON),
        }
    )
    assert fact(await looked(fake, web.PROBE, dicomweb.PROBE), "W01").yes


async def test_behind_one_door_it_stops_knocking():
    fake = WebFake(refuses="Somewhere")
    facts = await looked(fake)
    assert set(answers(facts).values()) == {"yes", "no"}
    assert {check for check, answer in answers(facts).items() if answer == "yes"} == {"W00", "W07"}
    assert len(fake.asked) <= 14
    assert all("authorization" not in asked.headers for asked in fake.asked)


async def test_a_server_without_a_first_page_is_looked_at_all_the_same():
    """403 is what nginx and Apache say to `/` where there is no index."""
    viewer = page_reply("<title>OHIF Viewer</title>")
    found = json_reply("[]", DICOM_JSON)
    facts = await looked(WebFake({"/": Reply(403), "/viewer": viewer, "/pacs/dicom-web/studies": found}))
    assert fact(facts, "W08").values["viewers"] == ("ohif",)
    assert fact(facts, "W01").values["roots"] == ("/pacs/dicom-web",)


async def test_a_server_in_trouble_is_not_called_closed():
    class Trouble(dict):
        def get(self, path, default=None):
            return Reply(503)

    facts = await looked(WebFake(Trouble()))
    untested = {check for check, answer in answers(facts).items() if answer == "could-not-test"}
    assert untested >= {"W01", "W04", "W05", "W08", "W10"}


async def test_wado_that_looks_before_it_asks_is_found_though_searching_is_closed():
    fake = WebFake({"/dicom-web/studies": Reply(401)})  # and the made-up study below it: 404
    facts = await looked(fake, web.PROBE, dicomweb.PROBE)
    assert (fact(facts, "W01").answer, fact(facts, "W02").answer) == (Answer.NO, Answer.YES)
    assert fact(facts, "W02").values["roots"] == ("/dicom-web",)


@pytest.mark.parametrize(
    ("without", "with_study", "expected"), [(400, 404, True), (400, 401, False), (404, 404, False)]
)
async def test_wado_uri_is_open_if_it_looks_for_what_nobody_has(without, with_study, expected):
    def wado(asked):
        return Reply(with_study if "requestType" in asked.path else without)

    assert fact(await looked(WebFake({"/wado": wado}), web.PROBE, dicomweb.PROBE), "W02").yes == expected


@pytest.mark.parametrize(
    ("allow", "status", "expected"),
    [
        ("GET, HEAD, POST", 200, Answer.YES),
        ("GET", 204, Answer.NO),
        ("", 200, Answer.UNKNOWN),
        ("POST", 404, Answer.UNKNOWN),
        ("", 401, Answer.NO),
    ],
)
async def test_storing_is_what_the_service_says_that_it_allows(allow, status, expected):
    def studies(asked):
        if asked.method == "OPTIONS":
            return Reply(status, headers={"Allow": allow})
        return json_reply("[]", DICOM_JSON)

    fake = WebFake({"/dicom-web/studies": studies})
    assert fact(await looked(fake, web.PROBE, dicomweb.PROBE), "W03").answer is expected


# --- pages (W08 to W11) -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "viewer"),
    [
        ("/viewer", "<title>OHIF Viewer</title>", "ohif"),
        ("/ui/app/", "<title>Orthanc Explorer 2</title>", "orthanc-explorer"),
        ("/stone-webviewer/index.html", "<title>Stone Web Viewer</title>", "stone"),
        ("/dcm4chee-arc/ui2/", "<title>dcm4chee-arc-ui</title>", "dcm4chee"),
        ("/oviyam2/oviyam", "<title>Oviyam </title>", "oviyam"),
        ("/oviyam2/oviyam", "<title>Oviyam login</title>", None),
        ("/viewer", '<title>OHIF Viewer</title><input name="p" type="password">', None),
        ("/viewer", "<title>A blog about OHIF</title>", None),
    ],
)
async def test_a_viewer_is_its_page_and_not_a_page_that_asks_who_is_there(path, body, viewer):
    w08 = fact(await looked(WebFake({path: page_reply(body)}), web.PROBE, pages.PROBE), "W08")
    assert w08.values["viewers"] == ((viewer,) if viewer else ())


@pytest.mark.parametrize(
    ("path", "reply", "console"),
    [
        ("/console/", page_reply("<title>HAL Management Console</title>"), "wildfly"),
        ("/jmx-console/", page_reply("<title>JBoss JMX Management Console"), "jboss-jmx"),
        (
            "/manager/html",
            Reply(401, headers={"WWW-Authenticate": 'Basic realm="Tomcat Manager Application"'}),
            "tomcat-manager",
        ),
        ("/manager/html", Reply(401, headers={"WWW-Authenticate": 'Basic realm="Private"'}), None),
        ("/", page_reply("<title>Apache Tomcat/9.0</title>"), None),
    ],
)
async def test_a_console_is_shown_or_asks_for_its_password(path, reply, console):
    w10 = fact(await looked(WebFake({path: reply}), web.PROBE, pages.PROBE), "W10")
    assert w10.values["consoles"] == ((console,) if console else ())


async def test_the_names_in_a_listing_are_counted_and_dropped():
    links = "".join(f'<a href="{CANARY}-{number}.dcm">x</a>' for number in range(7))
    links += "<a href='DICOMDIR'>x</a><a href=../>up</a><a href=IM000001>x</a><a href=\"readme.txt\">x</a>"
    links += '<a href="1.2.840.113619.2.55.3.604688">x</a><a href="/icons/back.gif">x</a>'
    w09 = fact(await looked(WebFake({"/": page_reply(f"<title>Index of /</title>{links}")})), "W09")
    assert (w09.answer, w09.values["files"], w09.values["more"]) == (Answer.YES, 10, False)


async def test_a_listing_is_followed_down_by_our_words_and_uids_and_never_by_names_of_people():
    fake = WebFake(
        {
            "/": page_reply(f'<title>Index of /</title><a href="{CANARY}/">x</a><a href="DICOM/">x</a>'),
            "/DICOM/": page_reply(f'<title>Index of /</title><a href="{CANARY}/">x</a><a href="1.2.3.4.5.6.7/">x</a>'),
            "/DICOM/1.2.3.4.5.6.7/": page_reply('<title>Index of /</title><a href="a.dcm">x</a>'),
        }
    )
    w09 = fact(await looked(fake), "W09")
    assert (w09.answer, w09.values["files"]) == (Answer.YES, 1)
    assert not [path for path in fake.paths if CANARY in path or path.endswith(".dcm")]


@pytest.mark.parametrize(
    "page",
    [
        "<title>Index of /</title><a href='readme.txt'>x</a>",
        "<title>Our images</title><a href='a.dcm'>x</a>",
        "<title>Index of /</title><a href='https://other.invalid/a.dcm/'>x</a>",
    ],
    ids=["no-dicom", "no-listing", "elsewhere"],
)
async def test_what_lists_no_dicom_is_no_listing_of_it(page):
    assert fact(await looked(WebFake({"/": page_reply(page)})), "W09").answer is Answer.NO


async def test_whom_to_tell_is_read_from_security_txt():
    text = (
        "-----BEGIN PGP SIGNED MESSAGE-----\r\n# Contact: mailto:not@example.org\r\n"
        "Contact: mailto:security@example.org\r\ncontact:   https://example.org/report\r\nContact: tel:+1-201\r\n"
        "Contact: javascript:alert(1)\r\nExpires: 2027-01-01T00:00:00Z\r\n"
    )
    fake = WebFake(
        {"/.well-known/security.txt": Reply(200, text.encode(), {"Content-Type": "text/plain; charset=utf-8"})}
    )
    values = dict(fact(await looked(fake, web.PROBE, pages.PROBE), "W11").values)
    contacts = ("mailto:security@example.org", "https://example.org/report")
    assert values == {"contact": contacts, "expires": 1798761600}


@pytest.mark.parametrize(
    "reply",
    [
        page_reply("Contact: mailto:security@example.org"),
        Reply(200, b"Contact:\nmailto:x@example.org", {"Content-Type": "text/plain"}),
        Reply(404),
    ],
)
async def test_what_is_no_security_txt_names_nobody(reply):
    fake = WebFake({"/.well-known/security.txt": reply})
    assert fact(await looked(fake, web.PROBE, pages.PROBE), "W11").answer is Answer.NO


# --- M04 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("d02", "m01", "likely"),
    [
        ({"contexts": len(EVERYTHING), "max_pdu": 4194304}, {"implementation_class": ""}, True),
        ({"contexts": len(EVERYTHING), "max_pdu": 16384}, {"implementation_class": "1.2.3"}, False),
        ({"contexts": 3, "max_pdu": 16384}, {"implementation_class": ""}, False),
        (
            {"contexts": 12, "max_pdu": 16384},
            {"implementation_class": "1.3.12.2.1107.5.2", "implementation_version": "syngo CT VA48A"},
            True,
        ),
    ],
    ids=["dicompot", "lenient", "nameless", "dicomhawk"],
)
async def test_a_honeypot_is_likely_by_more_than_one_sign(d02, m01, likely):
    async with listening(silent) as site:
        site.facts.add([Fact("D02", Answer.YES, "", d02), Fact("M01", Answer.UNKNOWN, "", m01)])
        facts = await found_by(site, honeypot.PROBE)
    assert fact(facts, "M04").yes == likely


# --- all of them ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [orthanc_fake, dcm4chee_fake], ids=["orthanc", "dcm4chee"])
async def test_no_value_of_a_patient_comes_into_a_fact(made):
    listing = f'<title>Index of /</title><a href="{CANARY}.dcm">{CANARY}</a>'
    fake = made(
        **{
            "/": page_reply(listing, Server=f"{CANARY}/1", Link=CANARY),
            "/dicom-web/studies": json_reply(ROW, DICOM_JSON),
            "/dcm4chee-arc/aets/DCM4CHEE/rs/studies": json_reply(ROW, DICOM_JSON),
        }
    )
    async with listening(fake.serve) as site:
        facts = await found_by(site, *ALL)
        told = str(to_plain(Observation(site.service, 0, 1, tuple(facts))))
    assert fact(facts, "W01").yes
    assert "canary" not in told.lower()
    assert "zebedee" not in told.lower()


@pytest.mark.parametrize("after", range(1, 12))
async def test_a_server_that_vanishes_anywhere_leaves_no_check_without_an_answer(after):
    class Vanishing(WebFake):
        def _reply(self, head):
            if len(self.asked) >= after:
                raise ConnectionResetError
            return super()._reply(head)

    fake = Vanishing(orthanc_fake().replies)
    facts = await looked(fake)
    assert set(answers(facts)) == {f"W{number:02}" for number in range(12)}


async def test_a_server_that_closes_after_each_answer_is_seen_whole():
    fake = orthanc_fake()
    fake.then_drops = 1
    facts = await looked(fake)
    assert answers(facts) == answers(await looked(orthanc_fake()))


async def test_the_kill_switch_ends_a_probe():
    async with listening(silent) as site:
        site.facts.add([Fact("W00", Answer.YES, "", {"tls": False})])
        site.dialer.stop()
        for probe in ALL:
            with pytest.raises(Unreachable) as ended:
                await probe.run(site)
            assert ended.value.reason is Reason.STOPPED
