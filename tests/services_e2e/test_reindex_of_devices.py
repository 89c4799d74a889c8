"""The catalog is deleted: after `reindex` each device gets every answer, and every refusal, byte for byte as before."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from archives import ALL, device, make, opened
from asking import Asker, Given
from hosting import hosted
from objects import CT, data_set, encoded, study_uid, uid, whole_study

from leadglass.app.home import Home
from leadglass.core.attributes import Attribute
from leadglass.core.device import Device
from leadglass.core.errors import LeadglassError
from leadglass.core.principal import SYSTEM, Right
from leadglass.dicom.dictionary import tag_of, vr_of
from leadglass.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE, PATIENT_ROOT_FIND, STUDY_ROOT_FIND
from leadglass.dicom.values import write_attributes
from leadglass.net.proposals import association_request, propose_one
from leadglass.net.requestor import dial

DEVICES = [
    device("north", issuer="North", institution="North"),
    device("south", issuer="South", character_set="ISO_IR 126"),  # Greek, where the object does not say
    device("few", query_limit=2),
    device("blind", rights=ALL - {Right.FIND}),
]
RETURNED = {
    "PATIENT": ["PatientName", "PatientID", "IssuerOfPatientID", "NumberOfPatientRelatedStudies"],
    "STUDY": [
        *("StudyInstanceUID", "StudyDate", "PatientName", "PatientID", "ModalitiesInStudy", "SOPClassesInStudy"),
        *("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"),
    ],
    "SERIES": ["StudyInstanceUID", "SeriesInstanceUID", "Modality", "NumberOfSeriesRelatedInstances"],
    "IMAGE": ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "InstanceNumber"],
}
MATCHED = [
    ("PATIENT", {}),
    ("PATIENT", {"PatientName": "ro*"}),
    ("STUDY", {}),
    ("STUDY", {"PatientName": "*"}),
    ("STUDY", {"PatientName": "Ρωμα*"}),
    ("STUDY", {"PatientID": "P1"}),
    ("STUDY", {"StudyDate": "20240201-20240430"}),
    ("STUDY", {"ModalitiesInStudy": "MR"}),
    ("SERIES", {"StudyInstanceUID": study_uid(1)}),
    ("IMAGE", {"StudyInstanceUID": study_uid(1)}),
    ("IMAGE", {"StudyInstanceUID": study_uid(5)}),
    ("IMAGE", {"SOPInstanceUID": uid(1, 2)}),
]


def sent_by(name: str) -> Iterator[Given]:
    """What a device stores: names in its own characters, a Patient ID that both give, versions, a conflict."""
    first = name == "north"
    base = 1 if first else 2
    for number in (1, 2, 3):
        yield given(base, number, PatientID="P1")
    changes = {"SpecificCharacterSet": None} if not first else {}
    yield given(base + 2, 1, Modality="MR", **changes)
    yield given(base + 4, 1, PatientID="")
    yield given(1, 2, PatientID="P1", PatientName=f"Rossi^{name}")  # other values of one that is there
    yield given(7, base, PatientID=f"of {name}")  # one study, two patients


def given(study: int, number: int, **changes: str | None) -> Given:
    data = encoded(data_set(study, number, **changes))
    if changes.get("SpecificCharacterSet", "") is None:
        data = data.replace(b"Rossi^Anna", "Ρωμαίος^Ά".encode("iso8859_7").ljust(10)[:10])
    return Given(CT, uid(study, number), EXPLICIT_VR_LE, data)


async def answers(port: int, asker: Device) -> list[object]:
    """Every response of every query, and the bytes of every image."""
    found: list[object] = []
    for model in (STUDY_ROOT_FIND, PATIENT_ROOT_FIND):
        for syntax in (EXPLICIT_VR_LE, IMPLICIT_VR_LE):
            request = association_request("LEADGLASS", asker.ae_titles[0], propose_one([(model, (syntax,))]))
            association = await dial("127.0.0.1", port, request)
            for level, values in MATCHED:
                try:
                    context = association.context_for(model)
                    responses = association.find(context, identifier(level, values, syntax))
                    found.append([(response.status, response.data) async for response in responses])
                except LeadglassError as refused:
                    found.append(refused.code)
            await association.release()
    came = await Asker(port, asker.ae_titles[0]).get(
        Given(CT, uid(study, number), EXPLICIT_VR_LE, b"") for study in range(1, 9) for number in (1, 2, 3)
    )
    return [*found, came]


def identifier(level: str, values: dict[str, str], syntax: str) -> bytes:
    keys = {tag_of(name): Attribute(vr_of(tag_of(name))) for name in RETURNED[level]}
    keys |= {tag_of(name): Attribute(vr_of(tag_of(name)), (value,)) for name, value in values.items()}
    keys |= {tag_of("QueryRetrieveLevel"): Attribute("CS", (level,))}
    keys |= {tag_of("SpecificCharacterSet"): Attribute("CS", ("ISO_IR 192",))}
    return write_attributes(dict(sorted(keys.items())), syntax, "ISO_IR 192")


async def all_answers(home: Home) -> dict[str, list[object]]:
    async with hosted(home) as port:
        return {asker.name: await answers(port, asker) for asker in DEVICES}


@pytest.fixture
async def home(tmp_path: Path) -> Home:
    home = make(tmp_path, DEVICES)
    async with hosted(home) as port:
        for asker in DEVICES[:2]:
            stored = await Asker(port, asker.ae_titles[0]).store(list(sent_by(asker.name)))
            assert {answer.status for answer in stored} == {0x0000}
    with opened(home) as archive:
        archive.trash.delete(SYSTEM, whole_study(5), "test")
    return home


async def test_every_query_of_every_device_answers_as_before(home: Home) -> None:
    before = await all_answers(home)
    with opened(home) as archive:
        conflicts, counts = archive.maintenance.conflicts(SYSTEM), archive.maintenance.statistics(SYSTEM)
    assert {item["kind"] for item in conflicts} == {"version", "patient"}
    assert counts["trashed_studies"] == 1
    for name in home.catalog.parent.glob("catalog.db*"):
        name.unlink()
    command = [sys.executable, "-m", "leadglass.app", "reindex", "--home", str(home.root)]
    subprocess.run(command, check=True, timeout=100, capture_output=True)
    after = await all_answers(home)
    for name, expected in before.items():
        assert after[name] == expected, name
    with opened(home) as archive:
        assert archive.maintenance.conflicts(SYSTEM) == conflicts
        assert archive.maintenance.statistics(SYSTEM) == counts


async def test_the_answers_tell_the_devices_apart(home: Home) -> None:
    """Else the comparison above would prove little."""
    found = await all_answers(home)
    every, greek = MATCHED.index(("STUDY", {})), MATCHED.index(("STUDY", {"PatientName": "Ρωμα*"}))
    assert len(found["north"][every]) > 4
    assert found["few"][every][-1][0] == 0xA700
    assert isinstance(found["blind"][every], type(found["blind"][greek]))
    assert found["blind"][every] != found["north"][every]
    assert len(found["north"][greek]) == 2  # the match, and the end
    assert len(found["north"][-1]) > 8
