"""Storage commitment in the back office: looked at, and reported again."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from apps.audit.services import SYSTEM
from apps.dimse.models import CommitmentInquiry, CommitmentRequest, CommittedInstance
from apps.dimse.services import ask_for_commitment
from tests.factories import DeviceFactory

pytestmark = pytest.mark.django_db
CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def row() -> CommitmentRequest:
    device = DeviceFactory.create(ae_title="CT1", host="127.0.0.1", port=1)
    return ask_for_commitment(device, "2.25.55", [(CT, "2.25.1")], origin=SYSTEM)


def test_a_request_shows_what_is_not_safe_and_why(
    row: CommitmentRequest, as_role: Callable[[str], Client]
) -> None:
    CommitmentRequest.objects.update(failures=[[CT, "2.25.1", 0x0112]])
    client = as_role("pacs-administrator")
    page = client.get(reverse("admin:dimse_commitmentrequest_change", args=[row.pk]))
    assert "2.25.1: not known (0x0112)" in page.text
    assert 'name="_save"' not in page.text


def test_requests_are_reported_again_from_their_list(
    row: CommitmentRequest, as_role: Callable[[str], Client]
) -> None:
    CommitmentRequest.objects.update(status="failed", next_attempt_at=None)
    listed = reverse("admin:dimse_commitmentrequest_changelist")
    action = {"action": "report_again", "_selected_action": [row.pk]}
    page = as_role("pacs-administrator").post(listed, action, follow=True)
    assert "1 request is verified and reported again." in page.text
    row.refresh_from_db()
    assert (row.status, row.failures) == ("verified", [[CT, "2.25.1", 0x0112]])
    assert row.error.startswith("Nothing answers")


def test_an_auditor_looks_and_reports_nothing(
    row: CommitmentRequest, as_role: Callable[[str], Client]
) -> None:
    listed = reverse("admin:dimse_commitmentrequest_changelist")
    client = as_role("auditor")
    assert "report_again" not in client.get(listed).text
    client.post(listed, {"action": "report_again", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert row.status == "asked"


def test_an_inquiry_shows_what_the_archive_said(
    row: CommitmentRequest, as_role: Callable[[str], Client]
) -> None:
    inquiry = CommitmentInquiry.objects.create(
        device=row.device, transaction_uid="2.25.56", status="failed"
    )
    for uid, outcome, reason in (("2.25.1", "committed", None), ("2.25.2", "failed", 0x0110)):
        CommittedInstance.objects.create(
            inquiry=inquiry,
            sop_class_uid=CT,
            sop_instance_uid=uid,
            outcome=outcome,
            failure_reason=reason,
        )
    client = as_role("pacs-administrator")
    page = client.get(reverse("admin:dimse_commitmentinquiry_change", args=[inquiry.pk]))
    assert "Safe there: 1" in page.text
    assert "2.25.2: damaged, or not to be read (0x0110)" in page.text
    assert client.get(reverse("admin:dimse_commitmentinquiry_changelist")).status_code == 200
