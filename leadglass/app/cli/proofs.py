"""How a device proves who it is, from the command line: certificates issued, signed, pinned or of a foreign CA."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from leadglass.access.authority import Issued
from leadglass.access.certificates import bind_authority, pin
from leadglass.app.archive import Archive
from leadglass.app.cli.opening import operator
from leadglass.app.cli.output import say
from leadglass.app.cli.secret_input import read_file, secret
from leadglass.core.device import Device, DeviceCertificate
from leadglass.core.errors import ErrorCode, LeadglassError

CertOption = Annotated[bool, typer.Option("--cert", help="Make it a key and a certificate of the archive's own CA.")]
CsrOption = Annotated[Path | None, typer.Option("--csr", help="Sign this certificate request (PKCS#10) of the device.")]
PinOption = Annotated[list[Path] | None, typer.Option("--pin", help="A certificate it has already; may be repeated.")]
CaOption = Annotated[Path | None, typer.Option("--ca", help="The CA that issues its certificate; with --subject.")]
SubjectOption = Annotated[str, typer.Option("--subject", help="Its exact subject under --ca: CN=ct1,O=Hospital.")]
OutOption = Annotated[Path, typer.Option("--out", help="The folder that its new files go to, mode 0600.")]
Pkcs12Option = Annotated[bool, typer.Option("--pkcs12", help="One password-protected PKCS#12 file instead of PEM.")]
PasswordFileOption = Annotated[
    Path | None,
    typer.Option("--password-file", help="Its first line is the password of --pkcs12."),
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The certificate options of one command."""

    cert: bool = False
    csr: Path | None = None
    pins: tuple[Path, ...] = ()
    ca: Path | None = None
    subject: str = ""
    out: Path = Path()
    pkcs12: bool = False
    password_file: Path | None = None

    def check(self) -> None:
        """USAGE if they contradict each other."""
        if self.cert and self.csr is not None:
            raise _usage("--cert makes the key here, --csr signs one that was made elsewhere: give one of them.")
        if (self.ca is None) is not (not self.subject):
            raise _usage("--ca and --subject go together: which CA, and which of its certificates.")
        if self.pkcs12 and not self.cert:
            raise _usage("--pkcs12 packs a key that was made here: it goes with --cert.")

    @property
    def any(self) -> bool:
        """Whether a certificate is asked for at all."""
        return self.cert or self.csr is not None or bool(self.pins) or self.ca is not None


@dataclass(frozen=True, slots=True)
class Proofs:
    """Certificates to bind to a device, and the files to hand over with them (path, content)."""

    certificates: tuple[DeviceCertificate, ...] = ()
    files: dict[Path, bytes] = field(default_factory=dict, repr=False)


def proofs_for(archive: Archive, device: Device, wanted: Wanted) -> Proofs:
    """Issue, sign and bind what is wanted for `device`. Nothing is written and nothing enrolled yet."""
    wanted.check()
    now = dt.datetime.now(dt.UTC)
    bound = [pin(read_file(path), now) for path in wanted.pins]
    if wanted.ca is not None:
        bound.append(bind_authority(read_file(wanted.ca), wanted.subject, now))
    files: dict[Path, bytes] = {}
    if wanted.cert or wanted.csr is not None:
        issued = _issued(archive, device, wanted)
        bound.append(issued.binding())
        files = _files(device.name, issued, wanted)
    return Proofs(tuple(bound), files)


def say_files(files: dict[Path, bytes]) -> None:
    """What was handed over, and what is to be done with it."""
    for path in files:
        say(f"  {path}")
    if files:
        say("Carry them to the device over a way you trust, then delete them here: the private key is not kept.")


def _issued(archive: Archive, device: Device, wanted: Wanted) -> Issued:
    if wanted.csr is not None:
        return archive.credentials.sign(operator(), device, read_file(wanted.csr))
    return archive.credentials.issue(operator(), device)


def _files(name: str, issued: Issued, wanted: Wanted) -> dict[Path, bytes]:
    """The device's name is letters, digits, dots, dashes, underscores (access.devices): it can be part of a path."""
    ca = wanted.out / f"{name}.ca.pem"
    if wanted.pkcs12:
        password = secret(f"Password for {name}.p12", wanted.password_file, new=True)
        return {wanted.out / f"{name}.p12": issued.as_pkcs12(name, password)}
    files = {wanted.out / f"{name}.cert.pem": issued.certificate_pem, ca: issued.authority_pem}
    if issued.key_pem:
        files = {wanted.out / f"{name}.key.pem": issued.key_pem, **files}
    return files


def _usage(comment: str) -> LeadglassError:
    return LeadglassError(ErrorCode.USAGE, comment)
