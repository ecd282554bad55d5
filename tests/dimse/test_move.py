"""C-MOVE: what is sent where, how it is counted, and what never moves."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset

from apps.audit.models import Event, Kind
from apps.audit.services import SYSTEM
from apps.dimse import offers
from apps.dimse.listener import Listener
from apps.studies.models import Study
from apps.studies.services import Target, reject
from apps.worklist.models import Device
from tests.dimse.conftest import Dial, Tool, ct_image
from tests.dimse.receiving import Receiver, as_file, keep, keep_images, receiver, slowly
from tests.factories import DeviceFactory
from tests.servers import free_port

Answers = list[tuple[Dataset, Dataset | None]]
Move = Callable[..., Answers]


@pytest.fixture
def device(device: Device) -> Device:
    device.may_retrieve = True
    device.save()
    return device


@pytest.fixture
def peer(device: Device) -> Iterator[Receiver]:
    """A destination called DEST."""
    with receiver() as made:
        made.device()
        yield made


@pytest.fixture
def move(listener: Listener, dial: Dial) -> Move:
    """Runs one C-MOVE; keys are keywords with values, `level` the level."""

    def run(to: str = "DEST", *, level: str = "STUDY", root: str = "", **keys: Any) -> Answers:
        model = root or offers.STUDY_MOVE
        association = dial(listener, model)
        return list(association.send_c_move(identifier(level, **keys), to, model))

    return run


def identifier(level: str, **keys: Any) -> Dataset:
    asked = Dataset()
    asked.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    return asked


def counts(answer: Dataset) -> tuple[int | None, int, int, int]:
    """Remaining, completed, failed, warning."""
    return (
        answer.get("NumberOfRemainingSuboperations"),
        answer.NumberOfCompletedSuboperations,
        answer.NumberOfFailedSuboperations,
        answer.NumberOfWarningSuboperations,
    )


def test_a_study_is_moved_to_the_device_that_was_named(peer: Receiver, move: Move) -> None:
    uids = keep_images(3)
    keep_images_of_another_study()
    final, failed = move(StudyInstanceUID="2.25.7")[-1]
    assert final.Status == 0x0000
    assert counts(final) == (None, 3, 0, 0)
    assert failed is None
    assert peer.uids == uids


def test_each_image_names_the_move_that_it_belongs_to(peer: Receiver, move: Move) -> None:
    keep_images(1)
    move(StudyInstanceUID="2.25.7")
    assert peer.originators == [("CT1", 1)]


@pytest.mark.parametrize(
    ("statuses", "final", "expected"),
    [
        ((0x0000, 0x0000, 0x0000), 0x0000, (None, 3, 0, 0)),
        ((0x0000, 0xA700, 0x0000), 0xB000, (None, 2, 1, 0)),
        ((0xC000, 0xA700, 0x0122), 0xA702, (None, 0, 3, 0)),
        ((0xB000, 0x0000, 0xB007), 0xB000, (None, 1, 0, 2)),
        ((0xB000, 0xB000, 0xB000), 0xB000, (None, 0, 0, 3)),
        ((0xB000, 0xA900, 0xA900), 0xB000, (None, 0, 2, 1)),
    ],
)
def test_the_final_answer_counts_what_the_destination_said(
    peer: Receiver,
    move: Move,
    statuses: tuple[int, ...],
    final: int,
    expected: tuple[int | None, int, int, int],
) -> None:
    uids = keep_images(3)
    by_uid = dict(zip(uids, statuses, strict=True))
    peer.answer = by_uid.__getitem__
    answer, failed = move(StudyInstanceUID="2.25.7")[-1]
    assert (answer.Status, counts(answer)) == (final, expected)
    named = failed.FailedSOPInstanceUIDList if failed else []
    assert ([named] if isinstance(named, str) else list(named)) == [
        uid for uid in uids if by_uid[uid] not in (0x0000, 0xB000, 0xB007)
    ]


def test_pending_answers_count_down(peer: Receiver, move: Move) -> None:
    keep_images(120)
    *pending, (final, _) = move(StudyInstanceUID="2.25.7")
    assert pending
    for answer, _ in pending:
        assert answer.Status == 0xFF00
        remaining, completed, failed, warned = counts(answer)
        assert remaining is not None
        assert remaining + completed + failed + warned == 120
    assert counts(final) == (None, 120, 0, 0)


def test_series_and_images_are_moved_by_lists_of_uids(peer: Receiver, move: Move) -> None:
    keep_images(2, series="2.25.81")
    final, _ = move(
        level="SERIES", StudyInstanceUID="2.25.7", SeriesInstanceUID=["2.25.81", "2.25.999"]
    )[-1]
    assert counts(final) == (None, 2, 0, 0)
    final, _ = move(level="IMAGE", SOPInstanceUID=["2.25.5000", "2.25.5001", "2.25.1"])[-1]
    assert counts(final) == (None, 2, 0, 0)


def test_a_patient_is_moved_in_the_patient_root(peer: Receiver, move: Move) -> None:
    keep_images(2)
    final, _ = move(level="PATIENT", root=offers.PATIENT_MOVE, PatientID="PH1")[-1]
    assert counts(final) == (None, 2, 0, 0)


def test_a_study_can_be_named_by_its_accession_number(peer: Receiver, move: Move) -> None:
    keep_images(1, AccessionNumber="A17")
    keep_images_of_another_study()
    final, _ = move(AccessionNumber="A17", StudyInstanceUID="")[-1]
    assert counts(final) == (None, 1, 0, 0)


@pytest.mark.parametrize(
    "others",
    [
        {"Modality": "MR"},
        {"SeriesInstanceUID": "2.25.8"},
        {"PatientID": "somebody-else"},
        {"StudyDate": "19000101", "PatientName": "NOBODY^AT ALL"},
    ],
)
def test_keys_that_are_not_unique_ones_narrow_nothing_and_are_logged(
    peer: Receiver, move: Move, others: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    keep_images(2)
    keep(as_file(ct_image("2.25.6000", series="2.25.9")))
    final, _ = move(StudyInstanceUID="2.25.7", **others)[-1]
    assert (final.Status, counts(final)) == (0x0000, (None, 3, 0, 0))
    assert f"keys that name nothing: {', '.join(sorted(others))}" in caplog.text
    assert "NOBODY" not in caplog.text


def test_unique_keys_of_higher_levels_hold(peer: Receiver, move: Move) -> None:
    keep_images(2, PatientID="PH1", IssuerOfPatientID="A")
    root = {"root": offers.PATIENT_MOVE, "PatientID": "PH1"}
    for keys, moved in (
        ({"StudyInstanceUID": "2.25.77", "SeriesInstanceUID": "2.25.8", "level": "SERIES"}, 0),
        ({"StudyInstanceUID": "2.25.7", "SeriesInstanceUID": "2.25.8", "level": "SERIES"}, 2),
        ({"StudyInstanceUID": "2.25.7", **root, "PatientID": "PH2"}, 0),
        ({"StudyInstanceUID": "2.25.7", **root}, 2),
        ({"level": "PATIENT", "IssuerOfPatientID": "A", **root}, 2),
        ({"level": "PATIENT", "IssuerOfPatientID": "B", **root}, 0),
    ):
        assert counts(move(**keys)[-1][0]) == (None, moved, 0, 0), keys


@pytest.mark.parametrize(
    ("level", "keys"),
    [
        ("STUDY", {}),
        ("STUDY", {"StudyInstanceUID": "", "PatientID": "", "AccessionNumber": ""}),
        ("STUDY", {"StudyInstanceUID": "*"}),
        ("STUDY", {"PatientID": "*"}),
        ("STUDY", {"PatientID": "P*"}),
        ("STUDY", {"PatientName": "*"}),
        ("SERIES", {"StudyInstanceUID": "2.25.7"}),
        ("IMAGE", {"SeriesInstanceUID": "2.25.8"}),
        ("PATIENT", {"PatientID": "PH1"}),
        ("ARCHIVE", {"StudyInstanceUID": "2.25.7"}),
    ],
)
def test_without_its_unique_key_nothing_moves(
    peer: Receiver, move: Move, level: str, keys: dict[str, str]
) -> None:
    keep_images(2)
    answers = move(level=level, **keys)
    assert [answer.Status for answer, _ in answers] == [0xA900]
    assert answers[0][0].ErrorComment  # says what is missing
    assert peer.associations == 0


def test_what_nothing_matches_succeeds_with_nothing(peer: Receiver, move: Move) -> None:
    keep_images(1)
    final, _ = move(StudyInstanceUID="2.25.404")[-1]
    assert (final.Status, counts(final)) == (0x0000, (None, 0, 0, 0))
    assert peer.associations == 0


@pytest.mark.parametrize("fields", [{"may_receive": False}, {"active": False}])
def test_only_devices_that_may_be_sent_images_are_destinations(
    peer: Receiver, move: Move, fields: dict[str, bool]
) -> None:
    keep_images(1)
    Device.objects.filter(ae_title="DEST").update(**fields)
    assert [answer.Status for answer, _ in move(StudyInstanceUID="2.25.7")] == [0xA801]
    assert [answer.Status for answer, _ in move("NOBODY", StudyInstanceUID="2.25.7")] == [0xA801]
    assert peer.associations == 0


def test_a_destination_that_is_away_fails_all_with_the_reason(device: Device, move: Move) -> None:
    (uid,) = keep_images(1)
    DeviceFactory.create(ae_title="DEST", may_receive=True, port=free_port())
    final, failed = move(StudyInstanceUID="2.25.7")[-1]
    assert (final.Status, counts(final)) == (0xA702, (None, 0, 1, 0))
    assert failed is not None
    assert failed.FailedSOPInstanceUIDList == uid
    assert "Nothing answers" in final.ErrorComment


def test_a_cancelled_move_tells_what_remains(
    listener: Listener, peer: Receiver, dial: Dial
) -> None:
    keep_images(60)
    peer.answer = slowly(0.05)
    association = dial(listener, offers.STUDY_MOVE)
    asked = identifier("STUDY", StudyInstanceUID="2.25.7")
    answers = association.send_c_move(asked, "DEST", offers.STUDY_MOVE, msg_id=7)
    next(answers)
    association.send_c_cancel(7, query_model=offers.STUDY_MOVE)
    final = list(answers)[-1][0]
    assert final.Status == 0xFE00
    remaining, completed, _failed, _warned = counts(final)
    assert remaining is not None
    assert 0 < remaining == 60 - completed
    assert len(peer.got) == completed


def test_a_move_stops_when_its_requester_hangs_up(
    listener: Listener, peer: Receiver, dial: Dial
) -> None:
    keep_images(80)
    peer.answer = slowly(0.05)
    association = dial(listener, offers.STUDY_MOVE)
    answers = association.send_c_move(
        identifier("STUDY", StudyInstanceUID="2.25.7"), "DEST", offers.STUDY_MOVE
    )
    next(answers)
    association.abort()
    time.sleep(2)
    arrived = len(peer.got)
    assert arrived < 80
    time.sleep(0.3)
    assert len(peer.got) == arrived
    assert Event.objects.get(kind=Kind.STUDIES_RETRIEVED).details["completed"] == arrived


def test_a_move_is_journalled_once_for_each_study(peer: Receiver, move: Move) -> None:
    keep_images(2)
    keep_images_of_another_study()
    move(level="PATIENT", root=offers.PATIENT_MOVE, PatientID="PH1")
    rows = Event.objects.filter(kind=Kind.STUDIES_RETRIEVED).order_by("study_instance_uid")
    assert [(row.study_instance_uid, row.peer, row.details) for row in rows] == [
        ("2.25.7", "CT1", {"destination": "DEST", "completed": 2, "failed": []}),
        ("2.25.77", "CT1", {"destination": "DEST", "completed": 1, "failed": []}),
    ]


@pytest.mark.peer
def test_dcmtk_moves_a_study(listener: Listener, peer: Receiver, tool: Tool) -> None:
    uids = keep_images(3)
    done = tool(
        "movescu", "-v", "-S", "-aet", "CT1", "-aec", "OPENPACS", "-aem", "DEST",
        "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=2.25.7",
        "127.0.0.1", listener.port,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert peer.uids == uids


def keep_images_of_another_study() -> None:
    keep(as_file(ct_image("2.25.6000", study="2.25.77", series="2.25.88")))


def test_a_rejected_study_is_not_moved(peer: Receiver, move: Move) -> None:
    keep_images(2)
    reject(Target(Study.objects.get()), code="113001", reason="all blurred", origin=SYSTEM)
    final, _failed = move(StudyInstanceUID="2.25.7")[-1]
    assert counts(final) == (None, 0, 0, 0)
    assert peer.uids == []
