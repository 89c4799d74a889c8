"""pynetdicom against a served archive, as SCU of every service and as the receiver of a C-MOVE."""

import asyncio
import threading
from dataclasses import replace

import interop_studies as studies
import pydicom
import pytest
from asking import Asker, Given
from collection import specimen
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE, AllStoragePresentationContexts, build_role, evt
from pynetdicom.pdu_primitives import AsynchronousOperationsWindowNegotiation, SOPClassExtendedNegotiation
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

MUELLER = studies.MUELLER
FIND = StudyRootQueryRetrieveInformationModelFind
MOVE = StudyRootQueryRetrieveInformationModelMove
GET = StudyRootQueryRetrieveInformationModelGet
CLASSES = (CTImageStorage, MRImageStorage)


def settle():
    """Let pynetdicom's reactor thread come to rest: a request that follows too soon has its answer taken by it."""
    threading.Event().wait(0.05)


@pytest.fixture
def association(archive):
    """Open an association for SOP classes; storage classes are received too where `receives` says so."""
    opened = []

    def open_one(*classes, receives=(), handlers=(), syntaxes=(ExplicitVRLittleEndian, ImplicitVRLittleEndian)):
        ae = AE("PYNETDICOM")
        for sop_class in (*classes, *receives):
            ae.add_requested_context(sop_class, list(syntaxes))
        roles = [build_role(sop_class, scp_role=True) for sop_class in receives]
        assoc = ae.associate(
            "127.0.0.1", archive.port, ae_title="LEADGLASS", ext_neg=roles, evt_handlers=list(handlers)
        )
        assert assoc.is_established
        opened.append(assoc)
        settle()
        return assoc

    yield open_one
    for assoc in opened:
        if assoc.is_established:
            assoc.release()


@pytest.fixture(scope="module")
def stored(archive, tmp_path_factory):
    """The small studies, stored by the archive's own requestor."""
    files = studies.write(tmp_path_factory.mktemp("files"))
    sent = [specimen(path) for path in files]
    given = [Given(item.sop_class, item.sop_instance, item.syntax, item.data) for item in sent]
    answers = asyncio.run(Asker(archive.port, "LGCLI").store(given))
    assert {answer.status for answer in answers} == {0}
    return [pydicom.dcmread(path) for path in files]


def question(level="STUDY", **keys):
    made = pydicom.Dataset()
    made.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(made, keyword, value)
    return made


def of(made, series):
    return {item.SOPInstanceUID: item for item in made if item.SeriesInstanceUID == series.uid}


def test_echo(association):
    assert association(Verification).send_c_echo().Status == 0


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_store(association, tmp_path, syntax):
    assoc = association(*CLASSES, syntaxes=[syntax])
    for path in studies.write(tmp_path):
        assert assoc.send_c_store(pydicom.dcmread(path)).Status == 0
        settle()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_find(association, stored, syntax):
    assoc = association(FIND, syntaxes=[syntax])
    answers = list(
        assoc.send_c_find(question(PatientID="M-1", StudyInstanceUID="", NumberOfStudyRelatedInstances=""), FIND)
    )
    assert [status.Status for status, _ in answers] == [0xFF00, 0xFF00, 0]
    counts = {str(found.StudyInstanceUID): int(found.NumberOfStudyRelatedInstances) for _, found in answers[:-1]}
    assert counts == {f"{studies.ROOT}.1": 3, f"{studies.ROOT}.2": 2}


def test_find_with_a_level_of_another_model(association):
    assoc = association(FIND)
    ((status, _),) = assoc.send_c_find(question("PATIENT", PatientID="*"), FIND)
    assert status.Status == 0xA900
    assert status.ErrorComment


def test_find_by_a_sequence_key(association, stored):
    wanted = question(StudyInstanceUID=MUELLER.study_uid)
    wanted.ProcedureCodeSequence = [pydicom.Dataset()]
    assoc = association(FIND, PatientRootQueryRetrieveInformationModelFind)
    answers = list(assoc.send_c_find(wanted, FIND))
    assert answers[-1][0].Status == 0
    assert len(answers) == 2


def test_get(association, stored):
    came = {}

    def take(event):
        came[event.request.AffectedSOPInstanceUID] = event.dataset
        return 0

    assoc = association(GET, receives=CLASSES, handlers=[(evt.EVT_C_STORE, take)])
    answers = list(assoc.send_c_get(question(StudyInstanceUID=MUELLER.study_uid), GET))
    assert answers[-1][0].Status == 0
    assert answers[-1][0].NumberOfCompletedSuboperations == 3
    assert came == of(stored, MUELLER)


def test_get_without_a_context_for_the_images_names_what_failed(association, stored):
    assoc = association(GET, receives=(MRImageStorage,))
    status, identifier = list(assoc.send_c_get(question(StudyInstanceUID=MUELLER.study_uid), GET))[-1]
    assert status.Status == 0xA702
    assert status.NumberOfFailedSuboperations == 3
    assert set(identifier.FailedSOPInstanceUIDList) == set(of(stored, MUELLER))


@pytest.mark.parametrize(("answer", "status"), [(0x0000, 0x0000), (0xA700, 0xA702), (0xB000, 0xB000)])
def test_move(archive, association, stored, answer, status):
    came, originators = {}, set()

    def take(event):
        came[event.request.AffectedSOPInstanceUID] = event.dataset
        originators.add((event.request.MoveOriginatorApplicationEntityTitle, event.request.MoveOriginatorMessageID))
        return answer

    receiver = AE("PYSCP")
    for sop_class in CLASSES:
        receiver.add_supported_context(sop_class, [ExplicitVRLittleEndian])
    server = receiver.start_server(
        ("127.0.0.1", archive.sinks["PYSCP"]), block=False, evt_handlers=[(evt.EVT_C_STORE, take)]
    )
    try:
        assoc = association(MOVE)
        found = list(assoc.send_c_move(question(StudyInstanceUID=MUELLER.study_uid), "PYSCP", MOVE, msg_id=77))
    finally:
        server.shutdown()
    assert found[-1][0].Status == status
    assert came == of(stored, MUELLER)
    assert originators == {("PYNETDICOM", 77)}


@pytest.mark.parametrize(("destination", "status"), [("UNKNOWN", 0xA801), ("NOBODY", 0xA702)])
def test_move_to_where_nothing_can_go(association, stored, destination, status):
    assoc = association(MOVE)
    found = list(assoc.send_c_move(question(StudyInstanceUID=MUELLER.study_uid), destination, MOVE))
    assert found[-1][0].Status == status


def test_what_is_negotiated_beside_contexts(archive, stored):
    """Extended negotiation of queries and storage, and the window: answered as it is done, and then done."""
    ae = AE("PYNETDICOM")
    ae.add_requested_context(FIND)
    ae.add_requested_context(CTImageStorage)
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = window.maximum_number_operations_performed = 5
    asked = [window]
    for sop_class, information in ((FIND, b"\1\1\1\1\1"), (CTImageStorage, b"\2\0\0\0\1\0")):
        asked.append(SOPClassExtendedNegotiation())
        asked[-1].sop_class_uid, asked[-1].service_class_application_information = sop_class, information
    assoc = ae.associate("127.0.0.1", archive.port, ae_title="LEADGLASS", ext_neg=asked)
    settle()
    told = {str(uid): information for uid, information in assoc.acceptor.sop_class_extended.items()}
    assert told == {FIND: b"\1\1\0\1\0", CTImageStorage: b"\2\0\3\0\0\0"}
    assert assoc.acceptor.asynchronous_operations == (1, 1)
    # MUELLER's study began on 2024-01-15 at 10:15
    for times, found in (("110000-100000", []), ("100000-110000", [MUELLER.study_uid])):
        keys = question(StudyDate="20240115-20240115", StudyTime=times, StudyInstanceUID="")
        assert [str(item.StudyInstanceUID) for _, item in assoc.send_c_find(keys, FIND) if item] == found
        settle()
    keys = question(StudyDate="20240114-20240116", StudyTime="110000-100000", StudyInstanceUID="")
    assert [str(item.StudyInstanceUID) for _, item in assoc.send_c_find(keys, FIND) if item] == [MUELLER.study_uid]
    assoc.release()


def test_move_of_more_kinds_than_one_association_has_contexts_for(archive, association, tmp_path):
    """Ninety SOP classes for a receiver with Implicit VR alone: each is converted, over two associations."""
    classes = [str(context.abstract_syntax) for context in AllStoragePresentationContexts[:90]]
    (path,) = studies.write(tmp_path, (replace(MUELLER, study=60, images=1),))
    given = []
    for number, sop_class in enumerate(classes):
        made = pydicom.dcmread(path)
        made.SOPClassUID, made.SOPInstanceUID = sop_class, f"{studies.ROOT}.60.1.{number}"
        made.file_meta.MediaStorageSOPClassUID = sop_class
        made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
        made.save_as(tmp_path / f"{number}.dcm")
        item = specimen(tmp_path / f"{number}.dcm")
        given.append(Given(item.sop_class, item.sop_instance, item.syntax, item.data))
    assert {answer.status for answer in asyncio.run(Asker(archive.port, "LGCLI").store(given))} == {0}

    came, associations = {}, []

    def take(event):
        came[event.request.AffectedSOPInstanceUID] = event.context.transfer_syntax
        return 0

    receiver = AE("PYSCP")
    for sop_class in classes:
        receiver.add_supported_context(sop_class, [ImplicitVRLittleEndian])
    handlers = [(evt.EVT_C_STORE, take), (evt.EVT_ACCEPTED, lambda event: associations.append(event.assoc))]
    server = receiver.start_server(("127.0.0.1", archive.sinks["PYSCP"]), block=False, evt_handlers=handlers)
    try:
        found = list(association(MOVE).send_c_move(question(StudyInstanceUID=f"{studies.ROOT}.60"), "PYSCP", MOVE))
    finally:
        server.shutdown()
    assert (found[-1][0].Status, found[-1][0].NumberOfCompletedSuboperations) == (0, 90)
    assert came == dict.fromkeys((item.sop_instance for item in given), ImplicitVRLittleEndian)
    assert len(associations) == 2
