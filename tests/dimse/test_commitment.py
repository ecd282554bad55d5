"""Storage commitment: the truth, on the same or on a new association."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import current_app
from django.conf import settings
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association

from apps.audit.models import Event, Kind
from apps.dimse.listener import Listener
from apps.dimse.tasks import settle_commitment
from apps.orders.course import course_of
from apps.studies.models import Instance, Study
from apps.studies.tasks import ingest
from apps.worklist.models import Device
from tests.dimse.conftest import Dial, ct_image
from tests.factories import RequestedProcedureFactory

CT = "1.2.840.10008.5.1.4.1.1.2"
COMMITMENT = "1.2.840.10008.1.20.1"
INSTANCE = "1.2.840.10008.1.20.1.1"


class Reports:
    """What was reported to a device, wherever it came in."""

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.kind: int | None = None
        self.dataset = Dataset()

    def receive(self, event: evt.Event) -> tuple[int, None]:
        self.kind, self.dataset = event.event_type, event.event_information
        self.arrived.set()
        return 0, None


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


def ask(association: Association, *uids: str) -> int:
    request = Dataset()
    request.TransactionUID = "2.25.55"
    items = []
    for uid in uids:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, uid
        items.append(item)
    request.ReferencedSOPSequence = Sequence(items)
    status, _reply = association.send_n_action(request, 1, COMMITMENT, INSTANCE)
    return int(status.Status)


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
