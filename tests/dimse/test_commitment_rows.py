"""Requests for storage commitment as rows: back-off, leases, verdicts in bulk."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.audit.retrying import claim
from apps.audit.services import SYSTEM
from apps.dimse.models import CommitmentRequest
from apps.dimse.services import (
    ask_for_commitment,
    forget_told,
    note_asker_gone,
    report_again,
    report_data_set,
    verify_request,
)
from apps.dimse.services.attempts import LEASE, finish
from apps.dimse.tasks import settle_commitment, settle_commitments
from apps.studies.services import keeping
from apps.studies.storage import StorageAwayError
from apps.worklist.models import Device
from tests.dimse.conftest import keep
from tests.dimse.modality import CT, Reports, failures_of, file_of, flip_a_byte
from tests.servers import free_port


def test_a_device_that_is_away_is_told_when_it_is_back(
    device: Device, reports: Reports, request: pytest.FixtureRequest
) -> None:
    Device.objects.filter(pk=device.pk).update(port=free_port())
    device.refresh_from_db()
    row = asked_row(device)
    settle_commitments()
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("verified", 2)  # to verify was the first
    assert row.error.startswith("Nothing answers at 127.0.0.1")
    assert row.next_attempt_at is not None
    assert row.next_attempt_at > timezone.now()
    settle_commitments()  # not due
    request.getfixturevalue("modality")
    CommitmentRequest.objects.update(next_attempt_at=timezone.now())
    settle_commitments()
    assert reports.arrived.wait(10)
    row.refresh_from_db()
    assert (row.status, row.attempts, row.error) == ("told", 3, "")


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
    assert claim(row, lease=LEASE)
    assert not claim(other, lease=LEASE)
    CommitmentRequest.objects.update(next_attempt_at=timezone.now())  # the lease has ended
    other.refresh_from_db()
    assert claim(other, lease=LEASE)
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


def test_while_the_storage_is_away_a_request_waits(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep("2.25.1")
    row = asked_row(device)
    with monkeypatch.context() as patched:
        patched.setattr(keeping, "stored_files", storage_that_is_away)
        assert verify_request(row).status == "asked"
    row.refresh_from_db()
    assert (row.failures, row.verified_at) == ([], None)
    assert row.next_attempt_at is not None
    assert row.next_attempt_at > timezone.now()
    CommitmentRequest.objects.update(next_attempt_at=timezone.now())
    row.refresh_from_db()
    assert (verify_request(row).status, row.failures) == ("verified", [])


def storage_that_is_away() -> None:
    raise StorageAwayError("download failed")
