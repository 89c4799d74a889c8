"""Long work of one device keeps no other's from beginning: queries, decoding, storing have threads of their own."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from objects import image, store_one

from leadglass.app.archive import FINDERS
from leadglass.core.attributes import Attribute
from leadglass.core.principal import SYSTEM
from leadglass.core.query import Level, Query
from leadglass.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from leadglass.services.retrieve import Retrieve

RLE = "1.2.840.10008.1.2.5"


async def test_queries_that_take_long_delay_no_store_and_no_retrieve(archive):
    await store_one(archive)
    query, release = Query(Level.STUDY, {0x0020000D: Attribute("UI")}), threading.Event()
    long_ones = [asyncio.ensure_future(archive.find.find(SYSTEM, query, release.wait)) for _ in range(FINDERS * 4)]
    try:
        async with asyncio.timeout(20):
            await store_one(archive, study=2)
            (stored,) = await archive.retrieve.select(SYSTEM, image(1, 1))
            assert await fetched(archive.retrieve, stored, EXPLICIT_VR_LE)
        assert not any(task.done() for task in long_ones)
    finally:
        release.set()
        await asyncio.gather(*long_ones)


async def test_images_that_do_not_decode_in_time_delay_none_that_need_no_decoder(archive):
    await store_one(archive)
    (stored,) = await archive.retrieve.select(SYSTEM, image(1, 1))
    with ThreadPoolExecutor(1) as threads, ThreadPoolExecutor(1) as decoding:
        release = threading.Event()
        decoding.submit(release.wait)  # somebody's frame that hangs
        retrieve = Retrieve(
            archive.gate,
            vault=archive.vault,
            catalog=archive.catalog,
            accesses=Unheard(),
            decoder=None,
            threads=threads,
            decoding=decoding,
        )
        try:
            async with asyncio.timeout(20):
                for syntax in (EXPLICIT_VR_LE, IMPLICIT_VR_LE):
                    assert await fetched(retrieve, stored, syntax)
        finally:
            release.set()


async def fetched(retrieve, stored, syntax):
    """The data set in this syntax."""
    item = await retrieve.source(SYSTEM).open_all([stored], lambda _: [syntax]).next()
    return b"".join([piece async for piece in item.outgoing.chunks()])


class Unheard:
    """Journals nothing."""

    def begin(self, principal, address, study_uid):
        """Nothing."""

    def note(self, principal, address, study_uid, count):
        """Nothing."""
