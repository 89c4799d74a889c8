"""A study's page and the quick look: absent and forbidden look the same, strangers' texts stay texts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from objects import data_set, encoded, store, store_one, study_uid, uid
from signed_in import client, signed_in

from leadglass.app.archive import Archive
from leadglass.core.accounts import Role
from leadglass.core.attributes import Attribute
from leadglass.core.tokens import Grant
from leadglass.dicom.dictionary import tag_of
from leadglass.web.pages.studies.look import presets

SERIES = f"{study_uid(1)}.1000"
LOOK = f"/studies/{study_uid(1)}/series/{SERIES}/look"


async def test_a_study_shows_whom_it_is_about_and_its_series(archive: Archive) -> None:
    await store_one(archive, 1, PatientBirthDate="19700203", PatientSex="F", StudyDescription="CT thorax")
    who = signed_in(archive, "rossi", Role.ADMINISTRATOR)
    async with client(archive) as http:
        shown = (await http.get(f"/studies/{study_uid(1)}", headers=who.headers)).text
        italian = (await http.get(f"/studies/{study_uid(1)}", headers={**who.headers, "accept-language": "it"})).text
    here = f"/studies/{study_uid(1)}"
    ways = (LOOK, "accept=application/zip", f"/shares/new?study={study_uid(1)}", f"{here}/viewer", f"{here}/trash")
    for part in ("Rossi, Anna1", "1970-02-03", "female", "P1", "CT thorax", *ways):
        assert part in shown, part
    assert "femminile" in italian and "Sposta nel cestino" in italian


async def test_what_is_absent_and_what_is_forbidden_look_the_same(archive: Archive) -> None:
    for number in (1, 2):
        await store_one(archive, number)
    who = signed_in(archive, "rossi", Role.CLINICIAN)
    archive.state.put_grant(Grant("rossi", study_uid(2)))
    async with client(archive) as http:
        assert (await http.get(f"/studies/{study_uid(2)}", headers=who.headers)).status_code == 200
        for path in ("/studies/{}", "/studies/{}/series/{}.1000/look"):
            answers = []
            for study in (study_uid(1), study_uid(9), "nonsense", "1*"):
                answer = await http.get(path.format(study, study), headers=who.headers)
                answers.append((answer.status_code, answer.text))
            assert len(set(answers)) == 1 and answers[0][0] == 404
        foreign = f"/studies/{study_uid(2)}/series/{SERIES}/look"
        assert (await http.get(foreign, headers=who.headers)).status_code == 404


async def test_who_may_not_delete_sees_no_way_to_and_has_none(archive: Archive) -> None:
    await store_one(archive, 1)
    who = signed_in(archive, "rossi", Role.CLINICIAN)
    archive.state.put_grant(Grant("rossi", study_uid(1)))
    async with client(archive) as http:
        shown = await http.get(f"/studies/{study_uid(1)}", headers=who.headers)
        refused = await http.post(f"/studies/{study_uid(1)}/trash", data={"reason": "x"}, headers=who.changing)
        there = await http.get(f"/studies/{study_uid(1)}", headers=who.headers)
    assert shown.status_code == there.status_code == 200 and "/trash" not in shown.text
    assert refused.status_code == 403


async def test_the_trash_takes_a_study_with_a_reason(archive: Archive) -> None:
    await store_one(archive, 1)
    who = signed_in(archive, "admin", Role.ADMINISTRATOR)
    trash = f"/studies/{study_uid(1)}/trash"
    async with client(archive) as http:
        for reason in ("", "x" * 201, "a\x07b"):
            wrong = await http.post(trash, data={"reason": reason}, headers=who.changing)
            assert wrong.status_code == 422 and 'role="alert"' in wrong.text
        done = await http.post(trash, data={"reason": "Sent twice"}, headers=who.changing)
        assert (done.status_code, done.headers["location"]) == (303, "/studies")
        assert (await http.get(f"/studies/{study_uid(1)}", headers=who.headers)).status_code == 404
        assert (await http.post(trash, data={"reason": "Again"}, headers=who.changing)).status_code == 404
    assert [entry.reason for entry in archive.state.trash()] == ["Sent twice"]


async def test_the_quick_look_goes_through_frames_in_the_order_of_their_numbers(archive: Archive) -> None:
    for number, frames in ((3, None), (1, None), (2, 4)):
        made = data_set(1, number, SliceLocation=f"{number}.25", Rows=10 * number, Columns=7)
        if frames:
            made.NumberOfFrames = frames
        await store(archive, encoded(made), uid(1, number))
    who = signed_in(archive, "rossi", Role.ADMINISTRATOR)
    async with client(archive) as http:
        shown = (await http.get(LOOK, headers=who.headers)).text
        third = (await http.get(f"{LOOK}?at=3", headers=who.headers)).text
        for odd in ("0", "-1", "9999999999", "x", "", "1e3", "٣"):
            assert (await http.get(LOOK, params={"at": odd}, headers=who.headers)).status_code == 200
    order = " ".join((f"{uid(1, 1)}*1@1.2", f"{uid(1, 2)}*4@2.2", f"{uid(1, 3)}*1@3.2"))
    assert 'data-side="30"' in shown
    assert f'data-frames="{order}"' in shown and "Image 1 of 6" in shown
    assert f"instances/{uid(1, 2)}/frames/2/rendered" in third and "Image 3 of 6" in third
    assert "Rossi, Anna1" in shown and "Lung" in shown


async def test_a_series_without_pictures_says_so(archive: Archive) -> None:
    report = "1.2.840.10008.5.1.4.1.1.88.11"
    made = data_set(1, 1, SOPClassUID=report, Modality="SR")
    await store(archive, encoded(made), uid(1, 1), sop_class_uid=report)
    who = signed_in(archive, "rossi", Role.ADMINISTRATOR)
    async with client(archive) as http:
        shown = (await http.get(LOOK, headers=who.headers)).text
    assert "can be shown as a picture" in shown and 'id="stage"' not in shown


@pytest.mark.parametrize("hostile", ['"><script>alert(1)</script>', "' onload='alert(1)", "<img src=x>", "{{ csrf }}"])
async def test_strangers_texts_stay_texts(archive: Archive, hostile: str) -> None:
    names = ("PatientName", "PatientID", "StudyDescription", "SeriesDescription")
    await store_one(archive, 1, **dict.fromkeys(names, hostile), BodyPartExamined="<B>", AccessionNumber=hostile[:16])
    who = signed_in(archive, "rossi", Role.ADMINISTRATOR)
    async with client(archive) as http:
        for path in (f"/studies/{study_uid(1)}", LOOK):
            shown = await http.get(path, headers=who.headers)
            assert shown.status_code == 200
            for bad in ("<script>alert", "' onload='", "<img src=x>", "<B>"):
                assert bad not in shown.text
            assert "&lt;" in shown.text or "&#39;" in shown.text or "{{ csrf }}" in shown.text


async def test_a_series_number_can_be_anything(archive: Archive) -> None:
    for number, text in enumerate(("10", "9", "-1", "", "99999999999"), 1):
        numbered = {"SeriesNumber": text} if text else {}
        await store_one(archive, 1, number, SeriesInstanceUID=f"1.2.{number}", **numbered)
    who = signed_in(archive, "rossi", Role.ADMINISTRATOR)
    async with client(archive) as http:
        shown = (await http.get(f"/studies/{study_uid(1)}", headers=who.headers)).text
    places = [shown.index(f"/series/1.2.{number}/look", shown.index('class="tiles"')) for number in (3, 2, 1, 5, 4)]
    assert places == sorted(places)


def test_windows_are_the_images_own_and_the_customary_ones() -> None:
    def windowed(center: tuple[str, ...], width: tuple[str, ...]) -> list[dict[int, Attribute]]:
        return [{tag_of("WindowCenter"): Attribute("DS", center), tag_of("WindowWidth"): Attribute("DS", width)}]

    two = presets("MR", windowed(("40", "-600"), ("400", "1500")))  # type: ignore[arg-type]
    assert [one.value for one in two] == ["40,400", "-600,1500"]
    assert presets("MR", windowed(("40",), ("400",))) == presets("MR", []) == []  # type: ignore[arg-type]
    assert presets("MR", windowed(("x", "nan", "1_0"), ("1", "1", "inf"))) == []  # type: ignore[arg-type]
    assert [one.word for one in presets("CT", [])][:2] == ["soft", "lung"]
    assert replace(two[0], center=1e-3).value == "0.001,400"
