"""Storage commitment: the truth, on the same or on a new association."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from celery import current_app
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association

from apps.audit.models import Event, Kind
from apps.audit.services import SYSTEM
from apps.dimse.handlers import commitment
from apps.dimse.listener import Listener
from apps.dimse.models import CommitmentRequest
from apps.dimse.services import (
    ask_for_commitment,
    forget_told,
    note_asker_gone,
    report_again,
    report_data_set,
    verify_request,
)
from apps.dimse.services.attempts import claim, finish
from apps.dimse.tasks import settle_commitment, settle_commitments
from apps.orders.course import course_of
from apps.studies.models import Instance, Study
from apps.studies.tasks import ingest
from apps.worklist.models import Device
from tests.dimse.conftest import Dial, Start, ct_image, keep, wait_for
from tests.factories import RequestedProcedureFactory
from tests.servers import free_port

# pynetdicom leaves sockets that could not connect to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CT = "1.2.840.10008.5.1.4.1.1.2"
COMMITMENT = "1.2.840.10008.1.20.1"
INSTANCE = "1.2.840.10008.1.20.1.1"


class Reports:
    """What was reported to a device, wherever it came in."""

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.kind: int | None = None
        self.dataset = Dataset()
        self.answer = 0
        self.all: list[Dataset] = []

    def receive(self, event: evt.Event) -> tuple[int, None]:
        self.kind, self.dataset = event.event_type, event.event_information
        self.all.append(self.dataset)
        self.arrived.set()
        return self.answer, None


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def modality(reports: Reports, device: Device) -> Iterator[None]:
    """The device itself, waiting for reports at its own address."""
    entity = AE(ae_title="CT1")
    entity.add_supported_context(COMMITMENT, scu_role=False, scp_role=True)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, reports.receive)]
    )
    assert server is not None
    Device.objects.filter(pk=device.pk).update(port=server.server_address[1])
    yield
    server.shutdown()


def request_of(*uids: str, transaction: str = "2.25.55", sop_class: str = CT) -> Dataset:
    request = Dataset()
    request.TransactionUID = transaction
    items = []
    for uid in uids:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
        items.append(item)
    request.ReferencedSOPSequence = Sequence(items)
    return request


def ask(association: Association, *uids: str, **details: str) -> int:
    request = request_of(*uids, **details)
    status, _reply = association.send_n_action(request, 1, COMMITMENT, INSTANCE)
    return int(status.Status)


def store(listener: Listener, dial: Dial, *uids: str) -> None:
    """Indexed when this returns."""
    association = dial(listener, CT)
    for uid in uids:
        assert association.send_c_store(ct_image(uid)).Status == 0
    association.release()


def file_of(uid: str) -> Path:
    folder = Path(settings.STORAGES["dicom"]["OPTIONS"]["location"])
    return folder / Instance.objects.get(sop_instance_uid=uid).file_name


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def failures_of(report: Dataset) -> dict[str, int]:
    failed = report.get("FailedSOPSequence", [])
    return {one.ReferencedSOPInstanceUID: one.FailureReason for one in failed}


def test_a_peer_that_stays_is_told_on_its_own_association(
    listener: Listener, dial: Dial, reports: Reports
) -> None:
    association = dial(listener, CT, COMMITMENT)
    association.bind(evt.EVT_N_EVENT_REPORT, reports.receive)
    association.send_c_store(ct_image("2.25.1"))
    assert ask(association, "2.25.1") == 0
    assert reports.arrived.wait(10)
    assert reports.kind == 1
    assert reports.dataset.TransactionUID == "2.25.55"
    assert Event.objects.filter(kind=Kind.STORAGE_COMMITTED).count() == 1


def test_a_peer_that_hangs_up_is_called_back(
    listener: Listener, dial: Dial, reports: Reports, modality: None
) -> None:
    association = dial(listener, CT, COMMITMENT)
    association.send_c_store(ct_image("2.25.1"))
    assert ask(association, "2.25.1", "2.25.2") == 0
    association.release()
    assert reports.arrived.wait(10)
    assert reports.kind == 2
    (failed,) = reports.dataset.FailedSOPSequence
    assert (failed.ReferencedSOPInstanceUID, failed.FailureReason) == ("2.25.2", 0x0112)
    assert reports.dataset.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "2.25.1"


def test_a_file_that_waits_for_the_index_is_committed(
    listener: Listener, dial: Dial, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "delay", lambda names: None)
    association = dial(listener, CT, COMMITMENT)
    association.bind(evt.EVT_N_EVENT_REPORT, reports.receive)
    association.send_c_store(ct_image("2.25.1"))
    ask(association, "2.25.1")
    assert reports.arrived.wait(10)
    assert reports.kind == 1
    association.abort()


def test_a_lost_or_damaged_file_is_not_committed(
    listener: Listener, dial: Dial, reports: Reports
) -> None:
    association = dial(listener, CT, COMMITMENT)
    association.bind(evt.EVT_N_EVENT_REPORT, reports.receive)
    for uid in ("2.25.1", "2.25.2", "2.25.3"):
        association.send_c_store(ct_image(uid))
    association.release()  # indexed by then
    folder = Path(settings.STORAGES["dicom"]["OPTIONS"]["location"])
    lost, cut = Instance.objects.filter(sop_instance_uid__in=["2.25.2", "2.25.3"])
    (folder / lost.file_name).unlink()
    (folder / cut.file_name).write_bytes(b"DICM")
    association = dial(listener, COMMITMENT)
    association.bind(evt.EVT_N_EVENT_REPORT, reports.receive)
    ask(association, "2.25.1", "2.25.2", "2.25.3")
    assert reports.arrived.wait(10)
    failed = reports.dataset.FailedSOPSequence
    assert {one.ReferencedSOPInstanceUID: one.FailureReason for one in failed} == {
        "2.25.2": 0x0110,
        "2.25.3": 0x0110,
    }
    assert len(reports.dataset.ReferencedSOPSequence) == 1


def test_the_journal_of_the_order_tells_of_the_commitment(
    listener: Listener, dial: Dial, reports: Reports
) -> None:
    asked = RequestedProcedureFactory.create(study_instance_uid="2.25.7")
    association = dial(listener, CT, COMMITMENT)
    association.send_c_store(ct_image("2.25.1"))
    association.send_c_store(ct_image("2.25.2", study="2.25.70", series="2.25.80"))
    association.release()
    Study.objects.update(patient=asked.order.patient)
    Study.objects.get(study_instance_uid="2.25.7").procedures.add(asked)
    association = dial(listener, COMMITMENT)
    association.bind(evt.EVT_N_EVENT_REPORT, reports.receive)
    ask(association, "2.25.1", "2.25.2", "2.25.3")
    assert reports.arrived.wait(10)
    rows = {row.study_instance_uid: row for row in Event.objects.filter(kind="storage-committed")}
    assert set(rows) == {"2.25.7", "2.25.70", ""}
    own = rows["2.25.7"]
    assert own.accession_number == asked.order.accession_number
    assert own.patient_id == asked.order.patient.pk
    assert own.details == {"transaction": "2.25.55", "committed": 1, "failed": []}
    assert rows[""].details["failed"] == ["2.25.3"]
    told = [happening.what for happening in course_of(asked.order)]
    assert told.count("Storage committed") == 1


def test_reports_to_devices_wait_in_the_queue_of_outgoing_work() -> None:
    route = current_app.amqp.router.route({}, settle_commitment.name)
    assert route["queue"].name == "outbound"


def test_an_unknown_action_and_an_empty_request_are_refused(listener: Listener, dial: Dial) -> None:
    association = dial(listener, COMMITMENT)
    status, _reply = association.send_n_action(ct_image("2.25.1"), 9, COMMITMENT, INSTANCE)
    assert status.Status == 0x0123
    assert ask(association) == 0x0120


def test_a_peer_may_ask_for_the_scp_role_only_as_the_standard_has_it(
    listener: Listener, device: Device
) -> None:
    entity = AE(ae_title="CT1")
    entity.add_requested_context(COMMITMENT)
    role = build_role(COMMITMENT, scu_role=True, scp_role=True)
    association = entity.associate("127.0.0.1", listener.port, ae_title="OPENPACS", ext_neg=[role])
    assert association.is_established
    (context,) = association.accepted_contexts
    assert (context.as_scu, context.as_scp) == (True, False)
    association.release()


def test_a_flipped_byte_is_found_and_written_down(
    listener: Listener, dial: Dial, reports: Reports
) -> None:
    store(listener, dial, "2.25.1", "2.25.2")
    flip_a_byte(file_of("2.25.2"))
    association = dial(listener, COMMITMENT)
    association.bind(evt.EVT_N_EVENT_REPORT, reports.receive)
    ask(association, "2.25.1", "2.25.2")
    assert reports.arrived.wait(10)
    assert failures_of(reports.dataset) == {"2.25.2": 0x0110}
    assert Event.objects.get(kind=Kind.FILE_DAMAGED).details["instances"] == ["2.25.2"]


def test_an_instance_of_another_class_is_not_committed(
    listener: Listener, dial: Dial, reports: Reports
) -> None:
    store(listener, dial, "2.25.1")
    association = dial(listener, COMMITMENT)
    association.bind(evt.EVT_N_EVENT_REPORT, reports.receive)
    ask(association, "2.25.1", sop_class="1.2.840.10008.5.1.4.1.1.4")
    assert reports.arrived.wait(10)
    assert failures_of(reports.dataset) == {"2.25.1": 0x0119}


def test_a_transaction_uid_stands_for_one_request(
    listener: Listener, dial: Dial, reports: Reports
) -> None:
    store(listener, dial, "2.25.1", "2.25.2")
    association = dial(listener, COMMITMENT)
    association.bind(evt.EVT_N_EVENT_REPORT, reports.receive)
    assert ask(association, "2.25.1") == 0
    status, _reply = association.send_n_action(request_of("2.25.2"), 1, COMMITMENT, INSTANCE)
    assert (status.Status, status.ErrorID) == (0x0110, 0x0131)
    assert CommitmentRequest.objects.get().references == [[CT, "2.25.1"]]


def test_the_same_request_again_is_verified_and_told_again(
    listener: Listener, dial: Dial, reports: Reports
) -> None:
    store(listener, dial, "2.25.1")
    association = dial(listener, COMMITMENT)
    association.bind(evt.EVT_N_EVENT_REPORT, reports.receive)
    ask(association, "2.25.1")
    assert reports.arrived.wait(10)
    flip_a_byte(file_of("2.25.1"))
    reports.arrived.clear()
    assert ask(association, "2.25.1") == 0
    assert reports.arrived.wait(10)
    assert [bool(failures_of(one)) for one in reports.all] == [False, True]


@pytest.mark.parametrize("transaction", ["", "no uid", "2.25." + "1" * 70])
def test_a_request_without_a_proper_transaction_uid_is_refused(
    listener: Listener, dial: Dial, transaction: str
) -> None:
    association = dial(listener, COMMITMENT)
    with config.disable_value_validation():
        code = ask(association, "2.25.1", transaction=transaction)
    assert code in (0x0106, 0x0120)
    assert not CommitmentRequest.objects.exists()


def test_a_request_is_answered_only_when_it_is_kept(
    listener: Listener, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise OperationalError("disk full")

    monkeypatch.setattr(commitment, "ask_for_commitment", fail)
    assert ask(dial(listener, COMMITMENT), "2.25.1") == 0x0110


def test_a_report_that_is_not_taken_here_is_sent_again_elsewhere(
    listener: Listener, dial: Dial, reports: Reports, modality: None
) -> None:
    refused = Reports()
    refused.answer = 0x0110
    association = dial(listener, COMMITMENT)
    association.bind(evt.EVT_N_EVENT_REPORT, refused.receive)
    ask(association, "2.25.1")
    assert refused.arrived.wait(10)
    assert reports.arrived.wait(10)
    assert wait_for(lambda: CommitmentRequest.objects.get().status == "told")


def test_a_report_that_nobody_answers_is_sent_again_elsewhere(
    listener: Listener,
    dial: Dial,
    reports: Reports,
    modality: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commitment, "PATIENCE_SECONDS", 0.5)
    slow = threading.Event()

    def never_answer(_event: evt.Event) -> tuple[int, None]:
        slow.wait(10)
        return 0, None

    association = dial(listener, COMMITMENT)
    association.bind(evt.EVT_N_EVENT_REPORT, never_answer)
    ask(association, "2.25.1")
    assert reports.arrived.wait(10)
    slow.set()


def test_what_no_process_remembers_is_told_after_a_restart(
    start: Start, dial: Dial, reports: Reports, modality: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle_commitment, "delay", lambda _pk: None)
    listener = start()
    store(listener, dial, "2.25.1")
    association = dial(listener, COMMITMENT)
    assert ask(association, "2.25.1") == 0
    listener.stop()  # and with it everything that was not written down
    association.abort()
    assert CommitmentRequest.objects.get().status == "asked"
    CommitmentRequest.objects.update(next_attempt_at=timezone.now(), asker_connected=True)
    settle_commitments()  # verifies; the association that asked would have its moment now
    CommitmentRequest.objects.update(next_attempt_at=timezone.now())
    settle_commitments()
    assert reports.arrived.wait(10)
    assert CommitmentRequest.objects.get().status == "told"


@pytest.mark.django_db
def test_a_device_that_is_away_is_told_when_it_is_back(
    device: Device, reports: Reports, request: pytest.FixtureRequest
) -> None:
    Device.objects.filter(pk=device.pk).update(port=free_port())
    device.refresh_from_db()
    row = asked_row(device)
    settle_commitments()
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("verified", 1)
    assert row.error.startswith("Nothing answers at 127.0.0.1")
    assert row.next_attempt_at is not None
    assert row.next_attempt_at > timezone.now()
    settle_commitments()  # not due
    request.getfixturevalue("modality")
    CommitmentRequest.objects.update(next_attempt_at=timezone.now())
    settle_commitments()
    assert reports.arrived.wait(10)
    row.refresh_from_db()
    assert (row.status, row.attempts, row.error) == ("told", 2, "")


def test_a_device_that_stays_away_is_given_up_and_can_be_told_by_hand(
    device: Device, reports: Reports, request: pytest.FixtureRequest
) -> None:
    Device.objects.filter(pk=device.pk).update(port=free_port())
    device.refresh_from_db()
    row = asked_row(device)
    CommitmentRequest.objects.update(asked_at=timezone.now() - timedelta(days=4))
    settle_commitments()
    row.refresh_from_db()
    assert (row.status, row.next_attempt_at) == ("failed", None)
    request.getfixturevalue("modality")
    settle_commitment(report_again(row).pk)
    assert reports.arrived.wait(10)


def test_a_dead_worker_gives_its_request_back(device: Device) -> None:
    row = asked_row(device)
    other = CommitmentRequest.objects.get(pk=row.pk)
    assert claim(row)
    assert not claim(other)
    CommitmentRequest.objects.update(next_attempt_at=timezone.now())  # the lease has ended
    other.refresh_from_db()
    assert claim(other)
    assert not finish(row, error="too late")


def test_what_was_told_long_ago_is_forgotten(device: Device) -> None:
    row = asked_row(device)
    old = timezone.now() - timedelta(days=31)
    CommitmentRequest.objects.update(status="told", asked_at=old)
    assert forget_told() == 1
    assert not CommitmentRequest.objects.filter(pk=row.pk).exists()


def test_of_many_requests_no_verdict_is_wrong(device: Device) -> None:
    """200 requests of six instances; in every tenth one is missing or has a flipped byte."""
    uids = [f"2.25.{100 + number}" for number in range(50)]
    keep(*uids)
    flipped = uids[::10]
    for uid in flipped:
        flip_a_byte(file_of(uid))
    sound = [uid for uid in uids if uid not in flipped]
    expected: dict[str, dict[str, int]] = {}
    for number in range(200):
        asked = [sound[(number + step) % len(sound)] for step in range(5)]
        bad: dict[str, int] = {}
        if number % 20 == 0:
            bad = {flipped[number // 20 % 5]: 0x0110}
        elif number % 20 == 10:
            bad = {f"2.25.9{number}": 0x0112}
        transaction = f"2.25.7{number:03d}"
        references = [(CT, uid) for uid in (*asked, *bad)]
        ask_for_commitment(device, transaction, references, origin=SYSTEM)
        expected[transaction] = bad
    told = [report_data_set(verify_request(row)) for row in CommitmentRequest.objects.due()]
    assert {str(one.TransactionUID): failures_of(one) for one in told} == expected


def asked_row(device: Device) -> CommitmentRequest:
    """A request whose association has ended."""
    row = ask_for_commitment(device, "2.25.55", [(CT, "2.25.1")], origin=SYSTEM)
    note_asker_gone([row.pk])
    row.refresh_from_db()
    return row
