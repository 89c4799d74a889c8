"""What the demo tells to try: every line can be pasted as it stands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from leadglass.app.home import Home
from leadglass.web.urls import BASE


def dicom_steps(home: Home, port: int, calling: str, called: str, study_uid: str) -> str:
    """Lines for DCMTK."""
    call = f"-aet {calling} -aec {called}"
    return f"""
The archive listens on 127.0.0.1 port {port} as {called}, for the device {calling} and nobody else.
Try it with DCMTK (apt install dcmtk):

  echoscu {call} 127.0.0.1 {port}
  findscu -S {call} -k 0008,0052=STUDY -k PatientName -k ModalitiesInStudy -k StudyDescription 127.0.0.1 {port}
  getscu -S {call} -k 0008,0052=STUDY -k StudyInstanceUID={study_uid} -od . 127.0.0.1 {port}
  echoscu -aet STRANGER -aec {called} 127.0.0.1 {port}        (is refused, and you can see it below)
"""


def web_steps(curl: Path, address: str, token: str, study_uid: str) -> str:
    """Lines for curl."""
    call, root = f"curl -sK {_shown(curl)}", address + BASE
    return f"""DICOMweb answers on {root} for who shows the token (new at each start; {_shown(curl)} holds it for curl)

  {token}

  {call} '{root}/studies?PatientName=jor%20mus&fuzzymatching=true'
  {call} {root}/studies/{study_uid}/metadata
  {call} {root}/studies/{study_uid} -H 'Accept: application/zip' -o study.zip
  curl -i {root}/studies        (without the token: 401, whatever is asked for)
"""


def browser_steps(port: int, people: Mapping[str, str]) -> str:
    """Where a browser goes, and as whom."""
    width = max(map(len, people))
    lines = "\n".join(f"    {name:<{width}}  {password}" for name, password in people.items())
    return f"""
In a browser: http://localhost:{port}/
as one of these (passwords are new at each start):

{lines}

chief sees and administers everything; doctor sees what some physicians asked for, and can break the glass;
tech stores and sees what the demo's device sent; audit reads the journal and nothing else.
"""


def looking_steps(home: Home) -> str:
    """Lines for looking at the archive."""
    place = _shown(home.root)
    return f"""What it saw and how it stands:

  .venv/bin/leadglass device refused --home {place}
  .venv/bin/leadglass journal show --home {place}
  .venv/bin/leadglass status --home {place}
"""


def _shown(path: Path) -> str:
    here = Path.cwd()
    return os.fspath(path.relative_to(here) if path.is_relative_to(here) else path)
