"""The viewer's files: what the list names is served, in a coding the browser reads, and nothing beside it."""

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest
from starlette.requests import Request

from leadglass.web.viewer import files as viewer_files
from leadglass.web.viewer.files import read_viewer, send
from leadglass.web.viewer.policy import PAGE_POLICY, SCRIPT_POLICY

SCRIPT = "app.bundle.0123456789abcdef.js"
CONTENT = b"window.started = true;\n" * 40


@pytest.fixture
def dist(tmp_path) -> Path:
    """A fetched viewer of two files, with one more that its list does not name."""
    facts = {}
    for name, content, hashed in ((SCRIPT, CONTENT, True), ("index.html", b"<!doctype html>", False)):
        (tmp_path / name).write_bytes(content)
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
        (tmp_path / f"{name}.br").write_bytes(b"in Brotli")
        digest = hashlib.sha256(content).hexdigest()
        facts[name] = {"sha256": digest, "hashed": hashed, "codings": ["br", "gz"]}
    (tmp_path / "LICENSE").write_text("MIT")
    (tmp_path / "manifest.json").write_text(json.dumps({"form": 1, "version": "3.13.2", "files": facts}))
    return tmp_path


def asked(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": raw})


async def got(dist, name, **headers):
    file = read_viewer(dist).find(name)
    assert file is not None
    return await send(asked(**headers), file)


async def test_a_script_comes_as_it_lies_there_and_is_kept_for_good(dist):
    answer = await got(dist, SCRIPT)
    assert answer.body == CONTENT
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-security-policy"] == SCRIPT_POLICY
    assert "content-encoding" not in answer.headers


async def test_a_file_whose_name_stays_is_asked_for_again(dist):
    answer = await got(dist, "index.html")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-security-policy"] == PAGE_POLICY


async def test_each_coding_has_its_own_body_and_tag(dist):
    brotli = await got(dist, SCRIPT, accept_encoding="gzip, deflate, br")
    packed = await got(dist, SCRIPT, accept_encoding="gzip")
    plain = await got(dist, SCRIPT, accept_encoding="zstd")
    assert (brotli.headers["content-encoding"], brotli.body) == ("br", b"in Brotli")
    assert gzip.decompress(packed.body) == plain.body == CONTENT
    assert len({answer.headers["etag"] for answer in (brotli, packed, plain)}) == 3
    assert all(answer.headers["vary"] == "accept-encoding" for answer in (brotli, packed, plain))


async def test_who_has_a_file_is_told_so(dist):
    tag = (await got(dist, SCRIPT, accept_encoding="br")).headers["etag"]
    again = await got(dist, SCRIPT, accept_encoding="br", if_none_match=f'"other", W/{tag}')
    assert (again.status_code, again.body) == (304, b"")
    assert again.headers["content-security-policy"] == SCRIPT_POLICY
    assert (await got(dist, SCRIPT, accept_encoding="gzip", if_none_match=tag)).status_code == 200


@pytest.mark.parametrize("name", ["", "LICENSE", "manifest.json", f"{SCRIPT}.gz", "../" + SCRIPT, "./index.html"])
def test_what_the_list_does_not_name_is_not_there(dist, name):
    assert read_viewer(dist).find(name) is None


@pytest.mark.parametrize("text", ["", "{", '{"form": 2, "version": "1", "files": {}}', '{"form": 1}', "[]"])
def test_without_a_list_of_this_form_there_is_no_viewer(dist, text):
    (dist / "manifest.json").write_text(text)
    assert read_viewer(dist) is None
    assert read_viewer(dist / "nowhere") is None


def test_no_script_of_the_page_may_be_inline_or_made_of_text():
    script = re.search(r"script-src ([^;]*)", PAGE_POLICY)
    assert script is not None
    assert script[1] == "'self'"
    hosts = re.findall(r"https?:|\*|\bdata:", PAGE_POLICY + SCRIPT_POLICY)
    assert not hosts


async def test_the_configuration_is_ours_and_names_no_host(dist):
    answer = await got(dist, viewer_files.CONFIG)
    assert b"dataSources" in answer.body
    assert not re.findall(rb"https?://", answer.body)
    assert b"dicomjson" not in answer.body
    assert answer.headers["cache-control"] == "no-cache"
