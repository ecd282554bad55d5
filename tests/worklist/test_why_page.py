"""The page that says why a patient is not on the worklist."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.worklist.models import Device, WorklistQuery
from tests.factories import DeviceFactory, ScheduledStepFactory

pytestmark = pytest.mark.django_db
As = Callable[[str], Client]
MODALITY = {"path": ["ScheduledProcedureStepSequence", "Modality"], "vr": "CS"}


def asked(device: Device, modality: str, **told: Any) -> WorklistQuery:
    return WorklistQuery.objects.create(
        device=device,
        asked_at=timezone.now(),
        milliseconds=4,
        keys=[{**MODALITY, "values": [modality]}],
        **{"answers": 0, **told},
    )


def look(client: Client, **values: str | int) -> str:
    page = client.get(reverse("worklist:why"), values)
    assert page.status_code == 200
    return " ".join(page.text.split())


def test_the_page_names_the_condition_that_does_not_fit(as_role: As) -> None:
    step, device = ScheduledStepFactory.create(), DeviceFactory.create()
    asked(device, "MR")
    order = step.requested_procedure.order
    page = look(as_role("technologist"), device=device.pk, number=order.accession_number)
    assert f"Step {step.identifier} of order {order.accession_number}: is not shown" in page
    assert page.count("does not fit") == 1
    assert order.patient.family_name not in page


def test_a_step_that_is_shown_is_said_to_be(as_role: As) -> None:
    step, device = ScheduledStepFactory.create(), DeviceFactory.create()
    asked(device, "CT", answers=1)
    page = look(as_role("front-desk"), device=device.pk, number=step.identifier)
    assert "is shown" in page
    assert "does not fit" not in page


def test_an_earlier_question_can_be_chosen(as_role: As) -> None:
    step, device = ScheduledStepFactory.create(), DeviceFactory.create()
    earlier = asked(device, "MR")
    asked(device, "CT")
    client = as_role("technologist")
    assert "does not fit" not in look(client, device=device.pk, number=step.identifier)
    page = look(client, device=device.pk, number=step.identifier, query=earlier.pk)
    assert "does not fit" in page


def test_a_device_that_never_asked_is_said_to_have_not(as_role: As) -> None:
    step, device = ScheduledStepFactory.create(), DeviceFactory.create()
    page = look(as_role("technologist"), device=device.pk, number=step.identifier)
    assert "has not asked for the worklist lately" in page
    assert "is shown" in page  # by our own rules


def test_a_number_nobody_has_is_said(as_role: As) -> None:
    device = DeviceFactory.create()
    assert "No exam has this number" in look(as_role("technologist"), device=device.pk, number="X")


def test_without_a_choice_the_page_lists_what_devices_asked(as_role: As) -> None:
    device = DeviceFactory.create(name="Scanner nine")
    miss = {"step": "SPS17", "key": "ScheduledStationAETitle", "value": "CT2"}
    asked(device, "CT", answers=3, times=12, cut=True, misses=[miss])
    page = look(as_role("technologist"))
    for said in (
        "Scanner nine",
        "Modality",
        "12 times",
        "SPS17: Scheduled Station AE Title is CT2",
    ):
        assert said in page


def test_the_list_takes_the_same_number_of_queries_for_any_number_of_rows(
    as_role: As, django_assert_max_num_queries: Any
) -> None:
    for _ in range(12):
        asked(DeviceFactory.create(), "CT")
    client = as_role("technologist")
    with django_assert_max_num_queries(8):
        look(client)


def test_the_back_office_lists_the_questions(as_role: As) -> None:
    query = asked(DeviceFactory.create(), "CT")
    client = as_role("system-administrator")
    page = client.get(reverse("admin:worklist_worklistquery_changelist"))
    assert "Modality: CT" in page.text
    one = client.get(reverse("admin:worklist_worklistquery_change", args=[query.pk]))
    assert one.status_code == 200
    assert 'name="_save"' not in one.text
