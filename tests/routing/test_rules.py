"""Which studies are sent where by themselves, and how often."""

import datetime
from typing import Any

import pytest
from django.utils import timezone

from apps.audit.models import Event, Kind
from apps.audit.services import Origin, deliver
from apps.routing.models import Priority, Rule, Transfer
from apps.routing.services import route_study, routes, verdicts
from apps.routing.services.fitting import described
from apps.studies.models import Study
from apps.studies.services import match_study, settle_study
from apps.worklist.models import Device
from tests.factories import (
    DeviceFactory,
    OrderFactory,
    ReferrerFactory,
    RequestedProcedureFactory,
)
from tests.routing.conftest import Complete, MakeStudy

pytestmark = pytest.mark.django_db


def rule(*destinations: Device, **fields: Any) -> Rule:
    made = Rule.objects.create(name=fields.pop("name", f"Rule {Rule.objects.count()}"), **fields)
    made.destinations.set(destinations)
    return made


def sent_to(study: Study) -> list[str]:
    return [device.ae_title for device in routes(study)]


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({}, True),
        ({"modalities": "CT"}, True),
        ({"modalities": "mr, ct"}, True),
        ({"modalities": "MR"}, False),
        ({"modalities": "C"}, False),
        ({"description": "*chest*"}, True),
        ({"description": "CHEST"}, False),
        ({"description": "ct of the ch?st"}, True),
        ({"source_group": "scanners"}, True),
        ({"source_group": "ultrasound"}, False),
        ({"matched_only": True}, False),
        ({"active": False}, False),
    ],
)
def test_a_rule_fits_what_it_names(
    make_study: MakeStudy, workstation: Device, wanted: dict[str, Any], fits: bool
) -> None:
    DeviceFactory.create(ae_title="CT1", group="scanners")
    rule(workstation, **wanted)
    assert sent_to(make_study()) == (["WS1"] if fits else [])


def test_a_rule_fits_studies_of_one_device(make_study: MakeStudy, workstation: Device) -> None:
    rule(workstation, source=DeviceFactory.create(ae_title="CT1"))
    assert sent_to(make_study(source="CT1")) == ["WS1"]
    assert sent_to(make_study(source="CT2")) == []


def test_a_rule_fits_studies_of_one_referrer(make_study: MakeStudy, workstation: Device) -> None:
    study, referrer = make_study(), ReferrerFactory.create()
    rule(workstation, referrer=referrer)
    assert sent_to(study) == []
    asked = RequestedProcedureFactory.create(order=OrderFactory.create(referrer=referrer))
    study.procedures.add(asked)
    assert sent_to(study) == ["WS1"]


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("", "anything", True),
        ("*", "", True),
        ("?", "", False),
        ("CT (a+b)*", "CT (a+b) thorax", True),
        ("CT.*", "CTxx", False),
        ("thörax", "THÖRAX", True),
        ("*a*a*a*a*b", "a" * 128, False),
    ],
)
def test_a_pattern_knows_two_wildcards_and_nothing_else(
    pattern: str, text: str, fits: bool
) -> None:
    assert described(pattern, text) == fits


def test_why_a_rule_does_not_fit_is_said(make_study: MakeStudy, workstation: Device) -> None:
    rule(workstation, name="MR only", modalities="MR")
    rule(name="Nowhere")
    said = {one.rule.name: one.why_not for one in verdicts(make_study())}
    assert said["MR only"] == "another modality"
    assert said["Nowhere"] == "none of its destinations may be sent this study"


def test_a_rejected_study_is_sent_nowhere(make_study: MakeStudy, workstation: Device) -> None:
    rule(workstation)
    study = make_study()
    study.status = Study.Status.REJECTED
    assert sent_to(study) == []


def test_a_study_is_not_sent_back_to_where_it_all_came_from(
    make_study: MakeStudy, workstation: Device
) -> None:
    other = DeviceFactory.create(ae_title="ARCHIVE", may_receive=True)
    rule(workstation, other)
    assert sent_to(make_study(source="WS1")) == ["ARCHIVE"]


def test_a_device_that_may_not_be_sent_images_is_left_out(
    make_study: MakeStudy, workstation: Device
) -> None:
    rule(workstation)
    Device.objects.update(may_receive=False)
    assert sent_to(make_study()) == []


def test_a_complete_study_is_queued_once_for_each_destination(
    make_study: MakeStudy, complete: Complete, workstation: Device
) -> None:
    other = DeviceFactory.create(ae_title="ARCHIVE", may_receive=True)
    slow = rule(workstation, delay_minutes=30, priority=Priority.LOW)
    fast = rule(workstation, other, priority=Priority.HIGH)
    event = complete(make_study())
    assert len(route_study(event)) == 2
    assert route_study(event) == []
    rows = Transfer.objects.order_by("destination__ae_title")
    assert [(row.destination.ae_title, row.rule) for row in rows] == [
        ("ARCHIVE", fast),
        ("WS1", fast),
    ]
    assert slow.transfers.count() == 0


def test_a_rule_may_wait_before_sending(
    make_study: MakeStudy, complete: Complete, workstation: Device
) -> None:
    rule(workstation, delay_minutes=30)
    (row,) = route_study(complete(make_study()))
    assert row.next_attempt_at is not None
    wait = row.next_attempt_at - timezone.now()
    assert datetime.timedelta(minutes=29) < wait <= datetime.timedelta(minutes=30)
    assert not Transfer.objects.due().exists()


def test_the_journal_starts_the_rules(
    make_study: MakeStudy, complete: Complete, workstation: Device
) -> None:
    rule(workstation)
    deliver(complete(make_study()).pk)
    assert Transfer.objects.get().destination == workstation


def test_late_images_are_told_of_each_time_they_settle(
    make_study: MakeStudy, workstation: Device, origin: Origin, settings: Any
) -> None:
    settings.OPENPACS_STUDY_QUIET_SECONDS = 0
    rule(workstation)
    study = make_study()
    settle_study(study, origin=origin)
    make_study(StudyInstanceUID=study.study_instance_uid)
    settle_study(study, origin=origin)
    settle_study(study, origin=origin)
    kinds = ["study-complete", "study-extended"]
    events = list(origin_events(study, *kinds))
    assert [event.kind for event in events] == kinds
    for event in events:
        route_study(event)
    assert list(Transfer.objects.order_by("id").values_list("only_new", flat=True)) == [False, True]


def test_a_study_that_finds_its_order_later_is_sent_by_the_rules_that_waited(
    make_study: MakeStudy, complete: Complete, workstation: Device, origin: Origin
) -> None:
    other = DeviceFactory.create(ae_title="ARCHIVE", may_receive=True)
    rule(workstation, matched_only=True)
    rule(other)
    study = make_study()
    assert [row.destination for row in route_study(complete(study))] == [other]
    matched = match_study(
        study, procedure=RequestedProcedureFactory.create(), reason="asked", origin=origin
    )
    (event,) = origin_events(matched, "study-matched")
    assert [row.destination for row in route_study(event)] == [workstation]


def test_a_study_that_finds_its_order_while_it_arrives_is_sent_once(
    make_study: MakeStudy, complete: Complete, workstation: Device
) -> None:
    rule(workstation, matched_only=True)
    study = make_study()
    Study.objects.update(match="unmatched")
    early = complete(study, Kind.STUDY_MATCHED)
    assert route_study(early) == []


def origin_events(study: Study, *kinds: str) -> Any:
    rows = Event.objects.filter(subject_type="studies.Study", subject_id=str(study.pk))
    return rows.filter(kind__in=kinds).order_by("id")
