"""DELETE puts a study into the trash and undelete brings it back; only for who may, and only what they reach."""

from __future__ import annotations

import pytest
import webbed
from objects import CT, data_set, encoded, image, read_back, store_one, study_uid, uid, whole_study
from stowing import STUDIES, part10, stow

from leadglass.app.archive import Archive
from leadglass.core.principal import SYSTEM, Right
from leadglass.core.reach import Reach
from tests.web.test_every_route import IMAGE


async def test_a_study_goes_to_the_trash_and_comes_back_as_it_was(archive: Archive) -> None:
    data = await store_one(archive, 1)
    await store_one(archive, 2)
    async with webbed.client(archive) as http:
        assert (await http.delete(f"{STUDIES}/{study_uid(1)}")).status_code == 204
        assert len((await http.get(STUDIES)).json()) == 1
        assert archive.trash.entries(SYSTEM)[0].principal == "tester"
        assert (await http.post(f"{STUDIES}/{study_uid(1)}/undelete")).status_code == 204
        assert len((await http.get(STUDIES)).json()) == 2
        assert (await http.post(f"{STUDIES}/{study_uid(1)}/undelete")).status_code == 404
    (found,) = await archive.retrieve.select(SYSTEM, image(1, 1))
    assert read_back(archive, found) == data


async def test_what_is_out_of_reach_looks_absent(archive: Archive) -> None:
    await store_one(archive, 1)
    narrow = webbed.program("narrow", reach=Reach(studies=frozenset({study_uid(2)})))
    async with webbed.client(archive, narrow) as http:
        answers = [await http.delete(f"{STUDIES}/{uid}") for uid in (study_uid(1), "9.9.9", "..%2f..")]
        archive.trash.delete(SYSTEM, whole_study(1), "test")
        answers += [await http.post(f"{STUDIES}/{uid}/undelete") for uid in (study_uid(1), "9.9.9")]
    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].content == answers[1].content
    assert answers[3].content == answers[4].content
    assert len(archive.trash.entries(SYSTEM)) == 1


@pytest.mark.parametrize("rights", [{Right.STORE, Right.FIND, Right.RETRIEVE, Right.ADMINISTER}, set()])
async def test_it_needs_the_right_to_delete(archive: Archive, rights: set[Right]) -> None:
    await store_one(archive, 1)
    async with webbed.client(archive, webbed.program("other", frozenset(rights))) as http:
        assert (await http.delete(f"{STUDIES}/{study_uid(1)}")).status_code == 403
        assert (await http.post(f"{STUDIES}/{study_uid(1)}/undelete")).status_code == 403
    assert archive.trash.entries(SYSTEM) == []


SERIES = f"{STUDIES}/{study_uid(1)}/series/{study_uid(1)}.1000"


def one(number: int) -> str:
    return f"{SERIES}/instances/{uid(1, number)}"


async def test_an_instance_is_deleted_by_itself_everywhere_at_once(archive: Archive) -> None:
    for number in (1, 2):
        await store_one(archive, 1, number, **IMAGE)
    ways = ("", "/metadata", "/frames/1", "/rendered", "/thumbnail")
    async with webbed.client(archive) as http:
        before = [await http.get(one(1) + way) for way in ways]
        (found,) = before[1].json()
        bulk = found["7FE00010"]["BulkDataURI"]
        assert (await http.get(bulk)).status_code == 200
        whole = (await http.get(f"{SERIES}/metadata")).headers["etag"]
        assert (await http.delete(one(1))).status_code == 204
        assert {(await http.get(one(1) + way)).status_code for way in ways} == {404}
        assert (await http.get(bulk)).status_code == 404
        assert len((await http.get(f"{SERIES}/instances")).json()) == 1
        rest = await http.get(f"{SERIES}/metadata", headers={"if-none-match": whole})
        assert (rest.status_code, len(rest.json())) == (200, 1)
        assert (await http.delete(one(1))).status_code == 404
        assert (await http.post(f"{one(2)}/undelete")).status_code == 404
        assert (await http.post(f"{one(1)}/undelete")).status_code == 204
        assert [(await http.get(one(1) + way)).content for way in ways] == [answer.content for answer in before]
        assert (await http.post(f"{one(1)}/undelete")).status_code == 404


async def test_a_series_is_deleted_and_its_study_with_the_last_of_them(archive: Archive) -> None:
    for number in (1, 2):
        await store_one(archive, 1, number)
    async with webbed.client(archive) as http:
        assert (await http.delete(SERIES)).status_code == 204
        assert (await http.get(STUDIES)).json() == []
        assert (await http.get(SERIES)).status_code == 404
        assert (await http.post(f"{SERIES}/undelete")).status_code == 204
        assert len((await http.get(f"{SERIES}/instances")).json()) == 2


async def test_undelete_of_a_study_brings_back_what_was_taken_out_of_it(archive: Archive) -> None:
    for number in (1, 2):
        await store_one(archive, 1, number)
    async with webbed.client(archive) as http:
        await http.delete(one(1))
        await http.delete(f"{STUDIES}/{study_uid(1)}")
        assert (await http.post(f"{one(1)}/undelete")).status_code == 404
        assert (await http.post(f"{STUDIES}/{study_uid(1)}/undelete")).status_code == 204
        assert len((await http.get(f"{SERIES}/instances")).json()) == 1
        assert (await http.post(f"{STUDIES}/{study_uid(1)}/undelete")).status_code == 204
        assert len((await http.get(f"{SERIES}/instances")).json()) == 2


async def test_no_part_is_touched_that_is_out_of_reach_or_named_in_another_study(archive: Archive) -> None:
    await store_one(archive, 1)
    await store_one(archive, 2)
    narrow = webbed.program("narrow", reach=Reach(studies=frozenset({study_uid(2)})))
    wrong = f"{STUDIES}/{study_uid(2)}/series/{study_uid(1)}.1000"
    async with webbed.client(archive, narrow) as http:
        for path in (SERIES, one(1), wrong, f"{wrong}/instances/{uid(1, 1)}", f"{SERIES}.9"):
            assert (await http.delete(path)).status_code == 404
        archive.trash.delete_instances(SYSTEM, whole_study(1), "test")
        for path in (SERIES, one(1), wrong, f"{STUDIES}/{study_uid(1)}"):
            assert (await http.post(f"{path}/undelete")).status_code == 404
        assert archive.trash.instance_entries(webbed.program("narrow", reach=narrow.reach)) == []
    assert len(archive.trash.instance_entries(SYSTEM)) == 1
    assert archive.trash.entries(SYSTEM) == []


async def test_sent_again_it_comes_back(archive: Archive) -> None:
    await store_one(archive, 1)
    async with webbed.client(archive) as http:
        await http.delete(f"{STUDIES}/{study_uid(1)}")
        answer = await stow(http, part10(encoded(data_set(1, 1)), CT, uid(1, 1)))
        assert answer.status_code == 200
        assert len((await http.get(STUDIES)).json()) == 1
