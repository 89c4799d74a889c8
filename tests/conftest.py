"""What every room's tests share: peers that may be missing, and how hypothesis behaves."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from leadglass.app.namespaces import enclosing
from leadglass.web.viewer.files import read_viewer

SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", "/sbin"))
LEFT_OUT = "left out, peer missing: "


class Peer:
    """A foreign DICOM implementation: the packages that bring it and the programs that are used of it."""

    def __init__(self, name: str, package: str, tools: tuple[str, ...]) -> None:
        self.name = name
        self.package = package
        self.tools = tools

    @property
    def present(self) -> bool:
        return all(shutil.which(tool, path=SEARCH_PATH) for tool in self.tools)

    def tool(self, name: str) -> str:
        """The path of one of its programs."""
        path = shutil.which(name, path=SEARCH_PATH)
        assert path is not None, f"{name} of {self.package} is not installed"
        return path


class OrthancPlugin(Peer):
    """A plugin of Orthanc; `library` is the file that Orthanc loads."""

    def __init__(self, package: str, library: str) -> None:
        super().__init__(package, package, ("Orthanc",))
        self.library = Path("/usr/share/orthanc/plugins") / library

    @property
    def present(self) -> bool:
        return super().present and self.library.exists()


class NpmPeer(Peer):
    """A package of tests/interop/npm, which tools/peers installs there."""

    folder = Path(__file__).parent / "interop" / "npm"

    @property
    def present(self) -> bool:
        return super().present and (self.folder / "node_modules" / self.name / "package.json").exists()


class Namespaces(Peer):
    """A network of one's own, where servers may listen on every address and be reached by nobody."""

    @property
    def present(self) -> bool:
        return bool(enclosing())


class Viewer(Peer):
    """OHIF, which tools/viewer fetches; Chromium shows it."""

    @property
    def present(self) -> bool:
        return super().present and read_viewer() is not None


class OwnEnvironment(Peer):
    """A program of Python with a virtual environment of its own below tests/interop, which tools/peers makes."""

    @property
    def program(self) -> Path:
        return Path(__file__).parent / "interop" / self.name / "venv" / "bin" / self.name

    @property
    def present(self) -> bool:
        return self.program.exists()

    def tool(self, name: str) -> str:
        return str(self.program)


DCMTK_TOOLS = (
    *("echoscu", "storescu", "storescp", "findscu", "movescu", "getscu", "dcmqrscp"),
    *("dcmdump", "dcmconv", "dcmftest", "img2dcm"),
)
PEERS = {
    peer.name: peer
    for peer in (
        Peer("dcmtk", "dcmtk", DCMTK_TOOLS),
        Peer("orthanc", "orthanc", ("Orthanc",)),
        OrthancPlugin("orthanc-dicomweb", "libOrthancDicomWeb.so"),
        Peer("gdcm", "libgdcm-tools", ("gdcmscu", "gdcmconv")),
        Namespaces("namespaces", "util-linux", ("unshare",)),
        Peer("iproute2", "iproute2", ("ip",)),
        OwnEnvironment("sslyze", "python3-venv", ()),
        Peer("chromium", "chromium", ("chromium",)),
        Peer("nginx", "nginx-light", ("nginx", "openssl")),
        Peer("npm", "npm", ("npm", "node")),
        Viewer("ohif", "npm", ("chromium",)),
        NpmPeer("axe-core", "npm", ("node",)),
        NpmPeer("oidc-provider", "npm", ("node",)),
        NpmPeer("dicomweb-client", "npm", ("node",)),
    )
}

# Shared machines stall: a slow example is no failure. On a build machine the same examples are drawn each time.
hypothesis.settings.register_profile("house", deadline=None, derandomize=os.environ.get("CI") == "true")
hypothesis.settings.load_profile("house")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out interop tests whose peer is not installed; with CI=true they stay, and fail."""
    if os.environ.get("CI") == "true":
        return
    absent = {name for name, peer in PEERS.items() if not peer.present}
    for item in items:
        wanted = {name for marker in item.iter_markers("interop") for name in marker.args}
        assert wanted <= PEERS.keys(), f"{item.nodeid}: unknown peer {wanted - PEERS.keys()}"
        if wanted & absent:
            item.add_marker(pytest.mark.skip(reason=LEFT_OUT + " ".join(sorted(wanted & absent))))


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("interop"):
        for name in marker.args:
            if not PEERS[name].present:
                pytest.fail(f"{name} is not installed (package {PEERS[name].package})", pytrace=False)


def _left_out(terminalreporter: pytest.TerminalReporter) -> Iterator[tuple[str, str]]:
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        if LEFT_OUT in reason:
            yield report.nodeid, reason.split(LEFT_OUT, 1)[1]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End with the interop tests that were left out, and how to get them."""
    left_out = sorted(_left_out(terminalreporter))
    if not left_out:
        return
    terminalreporter.section(f"{len(left_out)} interop tests were left out")
    for test, names in left_out:
        terminalreporter.write_line(f"{test}  (needs {names})")
    packages = sorted({PEERS[name].package for _, names in left_out for name in names.split()})
    install = f"sudo apt-get install {' '.join(packages)}; tools/peers"
    terminalreporter.write_line(f"To run them, on Debian and Ubuntu: {install}")


@pytest.fixture(scope="session")
def dcmtk() -> Peer:
    """DCMTK; a test that uses it is marked `interop("dcmtk")`."""
    return PEERS["dcmtk"]


@pytest.fixture(scope="session")
def nginx() -> Peer:
    """nginx; a test that uses it is marked `interop("nginx")`."""
    return PEERS["nginx"]


@pytest.fixture(scope="session")
def orthanc() -> Peer:
    """Orthanc; a test that uses it is marked `interop("orthanc")`."""
    return PEERS["orthanc"]


@pytest.fixture(scope="session")
def orthanc_dicomweb() -> Peer:
    """Orthanc with its DICOMweb plugin; a test that uses it is marked `interop("orthanc-dicomweb")`."""
    return PEERS["orthanc-dicomweb"]


@pytest.fixture(scope="session")
def gdcm() -> Peer:
    """GDCM; a test that uses it is marked `interop("gdcm")`."""
    return PEERS["gdcm"]


@pytest.fixture(scope="session")
def chromium() -> Peer:
    """Chromium, which shows pages; a test that uses it is marked `interop("chromium")`."""
    return PEERS["chromium"]


@pytest.fixture(scope="session")
def sslyze() -> Peer:
    """sslyze, which judges TLS; a test that uses it is marked `interop("sslyze")`."""
    return PEERS["sslyze"]
