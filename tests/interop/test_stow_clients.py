"""Clients that others wrote store over HTTP into a served archive: curl, and dicomweb-client."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import archives
import pytest
from dicomweb_client.api import DICOMwebClient
from objects import CT, data_set, encoded, image, read_back, study_uid, uid
from pydicom import dcmread
from stowing import part10, related

from leadglass.app.cli.opening import operator
from leadglass.app.home import Home
from leadglass.core.principal import SYSTEM
from leadglass.core.tokens import Scope
from leadglass.services.tokens import Wanted

ALL = frozenset({Scope.READ, Scope.STORE, Scope.DELETE})


@dataclass
class Site:
    home: Home
    url: str
    token: str

    @property
    def bearer(self) -> str:
        return f"Bearer {self.token}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One served archive for all of them."""
    port = archives.free_port()
    home = archives.make(tmp_path_factory.mktemp("site"), [], web_port=port)
    with archives.opened(home) as archive:
        token = archive.tokens.issue(operator(), Wanted("client", ALL)).text
    with archives.served(home):
        yield Site(home, f"http://127.0.0.1:{port}/dicom-web", token)


def made(study: int, number: int, size: int = 60_000) -> bytes:
    return part10(encoded(data_set(study, number, size=size)), CT, uid(study, number))


async def kept(site: Site, study: int, number: int) -> bytes | None:
    with archives.opened(site.home) as archive:
        found = await archive.retrieve.select(SYSTEM, image(study, number))
        return read_back(archive, found[0]) if found else None


def curl(site: Site, *arguments: str, path: str = "/studies") -> tuple[int, dict]:
    """Status and answer; the token goes in by standard input, so that no process list shows it."""
    program = shutil.which("curl")
    if program is None:
        pytest.skip("needs curl")
    command = [program, "-sS", "-K", "-", "-w", "\n%{http_code}", *arguments, site.url + path]
    config = f'header = "Authorization: {site.bearer}"\n'
    done = subprocess.run(command, input=config.encode(), capture_output=True, check=True, timeout=60)
    body, _, status = done.stdout.rpartition(b"\n")
    return int(status), json.loads(body) if body.strip() else {}


async def test_curl_posts_a_file_as_the_documentation_says(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "image.dcm"
    file.write_bytes(made(1, 1))
    status, answer = curl(site, "-H", "Content-Type: application/dicom", "--data-binary", f"@{file}")
    assert (status, answer["00081199"]["Value"][0]["00081155"]["Value"]) == (200, [uid(1, 1)])
    assert await kept(site, 1, 1) == encoded(data_set(1, 1, size=60_000))


@pytest.mark.parametrize("chunked", [False, True])
async def test_curl_posts_many_with_and_without_a_length(site: Site, tmp_path: Path, chunked: bool) -> None:
    study = 2 + chunked
    body, header = related(*(made(study, number, 400_000) for number in range(1, 21)))
    file = tmp_path / "body"
    file.write_bytes(body)
    options = ["-H", f"Content-Type: {header['content-type']}", "-X", "POST", "-T", str(file)]
    options += ["-H", "Transfer-Encoding: chunked"] if chunked else []
    status, answer = curl(site, *options, path=f"/studies/{study_uid(study)}")
    assert (status, len(answer["00081199"]["Value"])) == (200, 20)
    assert await kept(site, study, 20) == encoded(data_set(study, 20, size=400_000))


async def test_dicomweb_client_stores_finds_and_deletes(site: Site, tmp_path: Path) -> None:
    client = DICOMwebClient(site.url, headers={"Authorization": site.bearer})
    files = []
    for number in (1, 2, 3):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(made(5, number))
        files.append(dcmread(path))
    answer = client.store_instances(files)
    assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == [uid(5, n) for n in (1, 2, 3)]
    assert "FailedSOPSequence" not in answer
    assert answer.RetrieveURL.endswith(f"/dicom-web/studies/{study_uid(5)}")  # it asks for the host without its port
    found = client.search_for_instances(study_instance_uid=study_uid(5))
    assert {item["00080018"]["Value"][0] for item in found} == {uid(5, n) for n in (1, 2, 3)}
    client.store_instances(files, study_instance_uid=study_uid(5))
    client.delete_study(study_uid(5))
    assert client.search_for_instances(study_instance_uid=study_uid(5)) == []
