"""Asking another archive whether it keeps what we sent, and being told."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom import AE, build_role, evt

from apps.audit.models import Event, Kind
from apps.audit.services import SYSTEM
from apps.dimse.listener import Listener
from apps.dimse.models import CommitmentInquiry, CommittedInstance
from apps.dimse.services import CannotCommit, ask_commitment, committed_elsewhere
from apps.dimse.services import inquiry as inquiries
from apps.dimse.tasks import ask_for_commitment, settle_commitments
from apps.studies.models import Instance, Study
from apps.worklist.models import Device
from tests.dimse.conftest import Start, keep
from tests.factories import DeviceFactory
from tests.servers import free_port

COMMITMENT, INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"


class Archive:
    """A scripted archive: what it was asked, what it answers, and how it reports."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[Dataset] = []
        self.answer = 0
        self.missing: set[str] = set()
        self.report_here = False
        self.came = threading.Event()

    def take(self, event: evt.Event) -> tuple[int, None]:
        self.asked.append(event.action_information)
        self.came.set()
        if self.report_here:
            # After the answer, on the same association.
            report = self.report_on(event.action_information)
            send = event.assoc.send_n_event_report
            threading.Timer(0.3, send, [*report, COMMITMENT, INSTANCE]).start()
        return self.answer, None

    def report_on(self, asked: Dataset) -> tuple[Dataset, int]:
        report = Dataset()
        report.TransactionUID = asked.TransactionUID
        items = list(asked.ReferencedSOPSequence)
        bad = [one for one in items if one.ReferencedSOPInstanceUID in self.missing]
        for one in bad:
            one.FailureReason = 0x0112
        report.ReferencedSOPSequence = Sequence([one for one in items if one not in bad])
        report.FailedSOPSequence = Sequence(bad)
        return report, 2 if bad else 1

    def report_to(self, listener: Listener, asked: Dataset) -> int:
        """N-EVENT-REPORT on an association of its own, as the SCP that calls."""
        entity = AE(ae_title=self.name)
        entity.add_requested_context(COMMITMENT)
        role = build_role(COMMITMENT, scu_role=False, scp_role=True)
        association = entity.associate(
            "127.0.0.1", listener.port, ae_title="OPENPACS", ext_neg=[role]
        )
        assert association.is_established
        status, _reply = association.send_n_event_report(
            *self.report_on(asked), COMMITMENT, INSTANCE
        )
        association.release()
        return int(status.Status)


@pytest.fixture
def archive(threads_db: None) -> Iterator[Archive]:
    script = Archive("FAR")
    entity = AE(ae_title="FAR")
    entity.add_supported_context(COMMITMENT)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_ACTION, script.take)]
    )
    assert server is not None
    port = server.server_address[1]
    DeviceFactory.create(ae_title="FAR", host="127.0.0.1", port=port, may_commit=True)
    yield script
    server.shutdown()


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inquiries, "REPORT_SECONDS", 0.1)


@pytest.fixture
def study(archive: Archive) -> Study:
    keep("2.25.1", "2.25.2")
    return Study.objects.get()


def ask() -> CommitmentInquiry:
    instances = Instance.objects.order_by("pk")
    (row,) = ask_commitment(Device.objects.get(), instances, origin=SYSTEM)
    ask_for_commitment(row.pk)
    row.refresh_from_db()
    return row


def outcomes() -> dict[str, tuple[str, int | None]]:
    rows = CommittedInstance.objects.all()
    return {one.sop_instance_uid: (one.outcome, one.failure_reason) for one in rows}


def test_an_archive_reports_on_an_association_of_its_own(
    archive: Archive, study: Study, start: Start
) -> None:
    listener = start()
    row = ask()
    assert row.status == "asked"
    assert archive.asked[0].TransactionUID == row.transaction_uid
    assert not committed_elsewhere(study)
    assert archive.report_to(listener, archive.asked[0]) == 0
    row.refresh_from_db()
    assert row.status == "confirmed"
    assert committed_elsewhere(study)
    assert Event.objects.filter(kind=Kind.COMMITMENT_ASKED).count() == 1
    assert Event.objects.get(kind=Kind.STORAGE_COMMITTED).details["by"] == "FAR"


def test_an_archive_reports_on_the_association_that_asked(
    archive: Archive, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inquiries, "REPORT_SECONDS", 5)
    archive.report_here = True
    assert ask().status == "confirmed"
    assert committed_elsewhere(study)


def test_an_archive_that_lacks_an_instance_is_believed(
    archive: Archive, study: Study, start: Start
) -> None:
    archive.missing = {"2.25.2"}
    listener, row = start(), ask()
    assert archive.report_to(listener, archive.asked[0]) == 0
    row.refresh_from_db()
    assert (row.status, row.error) == ("failed", "1 instances are not safe there.")
    assert outcomes() == {"2.25.1": ("committed", None), "2.25.2": ("failed", 0x0112)}
    assert not committed_elsewhere(study)


def test_an_instance_that_the_report_leaves_out_is_not_promised(
    archive: Archive, study: Study, start: Start
) -> None:
    listener = start()
    ask()
    asked = archive.asked[0]
    del asked.ReferencedSOPSequence[1]
    archive.report_to(listener, asked)
    assert outcomes() == {"2.25.1": ("committed", None), "2.25.2": ("failed", None)}


def test_the_same_report_again_changes_nothing(
    archive: Archive, study: Study, start: Start
) -> None:
    listener = start()
    ask()
    assert archive.report_to(listener, archive.asked[0]) == 0
    archive.missing = {"2.25.2"}
    assert archive.report_to(listener, archive.asked[0]) == 0
    assert committed_elsewhere(study)


def test_a_promise_about_other_bytes_is_none(archive: Archive, study: Study, start: Start) -> None:
    listener = start()
    ask()
    archive.report_to(listener, archive.asked[0])
    Instance.objects.filter(sop_instance_uid="2.25.1").update(sha256="0" * 64)
    assert not committed_elsewhere(study)


def test_a_study_that_grew_is_not_committed_as_a_whole(
    archive: Archive, study: Study, start: Start
) -> None:
    listener = start()
    ask()
    archive.report_to(listener, archive.asked[0])
    keep("2.25.3")
    assert not committed_elsewhere(study)


def test_an_archive_that_never_reports_is_asked_again_under_another_uid(
    archive: Archive, study: Study
) -> None:
    first = ask()
    settle_commitments()
    assert len(archive.asked) == 1
    CommitmentInquiry.objects.update(next_attempt_at=timezone.now())
    settle_commitments()
    first.refresh_from_db()
    uids = [str(one.TransactionUID) for one in archive.asked]
    assert len(set(uids)) == 2
    assert uids[-1] == first.transaction_uid
    assert not committed_elsewhere(study)


def test_an_archive_that_is_away_is_asked_later_and_given_up_in_the_end(
    archive: Archive, study: Study
) -> None:
    Device.objects.update(port=free_port())
    row = ask()
    assert (row.status, row.attempts) == ("waiting", 1)
    assert row.error.startswith("Nothing answers")
    CommitmentInquiry.objects.update(
        next_attempt_at=timezone.now(), asked_at=timezone.now() - timedelta(days=4)
    )
    settle_commitments()
    row.refresh_from_db()
    assert (row.status, row.attempts, row.next_attempt_at) == ("failed", 2, None)


def test_an_archive_that_refuses_the_question_is_asked_later(
    archive: Archive, study: Study
) -> None:
    archive.answer = 0x0110
    row = ask()
    assert (row.status, row.error) == ("waiting", "The device answered with status 0x0110.")


def test_a_report_about_something_that_was_not_asked_is_refused(
    archive: Archive, study: Study, start: Start
) -> None:
    listener = start()
    ask()
    archive.asked[0].TransactionUID = "2.25.404"
    assert archive.report_to(listener, archive.asked[0]) == 0x0115


def test_only_who_may_confirm_storage_is_asked_and_heard(
    archive: Archive, study: Study, start: Start
) -> None:
    listener = start()
    ask()
    Device.objects.update(may_commit=False)
    with pytest.raises(AssertionError):
        archive.report_to(listener, archive.asked[0])
    with pytest.raises(CannotCommit):
        ask_commitment(Device.objects.get(), Instance.objects.all(), origin=SYSTEM)
    assert not committed_elsewhere(study)


def test_many_instances_are_asked_for_in_several_requests(
    archive: Archive, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inquiries, "AT_ONCE", 1)
    rows = ask_commitment(Device.objects.get(), Instance.objects.all(), origin=SYSTEM)
    assert [row.instances.count() for row in rows] == [1, 1]
    assert len({row.transaction_uid for row in rows}) == 2


def test_a_study_without_instances_is_committed_nowhere(threads_db: None) -> None:
    study = Study.objects.create(study_instance_uid="2.25.7", last_instance_at=timezone.now())
    assert not committed_elsewhere(study)
