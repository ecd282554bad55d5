"""Storage commitment: the truth, on the same or on a new association."""

import threading
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
from apps.dimse.handlers import commitment
from apps.dimse.listener import Listener
from apps.dimse.models import CommitmentRequest
from apps.dimse.tasks import settle_commitment, settle_commitments
from apps.orders.course import course_of
from apps.studies.models import Instance, Study
from apps.studies.tasks import ingest
from apps.worklist.models import Device
from tests.dimse.conftest import Dial, Start, ct_image
from tests.dimse.modality import (
    COMMITMENT,
    CT,
    INSTANCE,
    Reports,
    failures_of,
    file_of,
    flip_a_byte,
)
from tests.factories import RequestedProcedureFactory
from tests.waiting import wait_for


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
    wait_for(lambda: CommitmentRequest.objects.get().status == "told")


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
