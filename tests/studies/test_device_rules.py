"""What is always corrected in the objects of a device."""

from collections.abc import Iterator
from typing import Any

import pytest

from apps.audit.models import Event
from apps.audit.services import Origin
from apps.studies.models import CoercionRule, Correction, Instance, Study
from apps.studies.services import coerces, forget_rules, store_instances, undo_correction
from apps.studies.spool import Spool
from apps.worklist.models import Device
from tests.dicom.objects import ct_image, part10
from tests.factories import DeviceFactory
from tests.studies.test_correct import sent

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_rules() -> Iterator[None]:
    forget_rules()
    yield
    forget_rules()


@pytest.fixture
def device(db: None) -> Device:
    made: Device = DeviceFactory.create(ae_title="CT9", group="scanners")
    return made


def rule(attribute: str, action: str, value: str = "", **fields: Any) -> CoercionRule:
    fields = {"name": f"{action} {attribute}", **fields}
    made: CoercionRule = CoercionRule.objects.create(
        attribute=attribute, action=action, value=value, **fields
    )
    return made


def arrive(spool: Spool, origin: Origin, *, source: str = "CT9", **values: Any) -> Instance:
    image = ct_image(**values)
    store_instances([spool.write([part10(image, source=source)])], origin=origin)
    return Instance.objects.select_related("series__study").get(
        sop_instance_uid=image.SOPInstanceUID
    )


@pytest.mark.parametrize(
    "case",
    [
        ("set", "B12", "X", "B12"),
        ("default", "B12", "X", "X"),
        ("default", "B12", None, "B12"),
        ("prefix", "CT-", "X", "CT-X"),
        ("prefix", "CT-", "CT-X", "CT-X"),
        ("trim", "", "0000", ""),
        ("trim", "", " 0120 ", "0120"),
        ("upper", "", "abc", "ABC"),
        ("map", "", "X", "mapped"),
        ("map", "", "Y", "Y"),
    ],
)
def test_what_a_rule_makes_of_a_value(
    case: tuple[str, str, str | None, str], spool: Spool, origin: Origin, device: Device
) -> None:
    action, value, before, after = case
    rule("AccessionNumber", action, value, device=device, table={"X": "mapped"})
    instance = arrive(spool, origin, AccessionNumber=before)
    assert Study.objects.get().accession_number == after
    assert sent(instance).AccessionNumber == after


def test_a_rule_removes_an_attribute_from_whole_series(
    spool: Spool, origin: Origin, device: Device
) -> None:
    rule("InstitutionName", "remove", device=device)
    instance = arrive(spool, origin, InstitutionName="Elsewhere")
    assert "InstitutionName" not in sent(instance)
    correction = Correction.objects.get()
    assert (correction.series, correction.instance) == (instance.series, None)
    assert correction.source == Correction.Source.RULE
    assert sent(instance).OriginalAttributesSequence[0].ReasonForTheAttributeModification == (
        "COERCE"
    )


def test_rules_follow_one_another_and_write_once(
    spool: Spool, origin: Origin, device: Device
) -> None:
    rule("StationName", "upper", device=device, position=1)
    rule("StationName", "prefix", "R1-", group="scanners", position=2)
    instance = arrive(spool, origin, StationName="ct")
    assert sent(instance).StationName == "R1-CT"
    instance.series.refresh_from_db()
    assert instance.series.station_name == "R1-CT"
    assert Event.objects.filter(kind="study-corrected").count() == 1


def test_a_rule_holds_for_its_device_class_and_modality_only(
    spool: Spool, origin: Origin, device: Device
) -> None:
    rule("StudyID", "set", "9", device=device, modality="MR")
    rule("StudyID", "set", "8", device=device, sop_class_uid="1.2.3")
    rule("StudyID", "set", "7", device=device, active=False)
    arrive(spool, origin)
    rule("StudyID", "set", "6", device=device)
    forget_rules()
    arrive(spool, origin, source="OTHER")
    assert not Correction.objects.exists()


def test_values_that_differ_are_corrected_image_by_image(
    spool: Spool, origin: Origin, device: Device, django_assert_max_num_queries: Any
) -> None:
    rule("ImageComments", "upper", device=device)
    first = ct_image(ImageComments="one")
    same = {key: first[key].value for key in ("StudyInstanceUID", "SeriesInstanceUID")}
    images = [first, *(ct_image(ImageComments=f"no {n}", **same) for n in range(20))]
    paths = [spool.write([part10(image, source="CT9")]) for image in images]
    with django_assert_max_num_queries(45):
        store_instances(paths, origin=origin)
    rows = list(Instance.objects.select_related("series__study"))
    assert {sent(row).ImageComments for row in rows} == {"ONE", *(f"NO {n}" for n in range(20))}
    assert Correction.objects.exclude(instance=None).count() == 21


def test_the_second_image_of_a_study_is_not_written_down_again(
    spool: Spool, origin: Origin, device: Device
) -> None:
    rule("PatientID", "prefix", "H-", device=device)
    first = arrive(spool, origin)
    second = arrive(spool, origin, StudyInstanceUID=first.series.study.study_instance_uid)
    assert Correction.objects.count() == 1
    assert sent(second).PatientID == "H-P0000001"
    undo_correction(Correction.objects.get(), origin=origin)
    third = arrive(spool, origin, StudyInstanceUID=first.series.study.study_instance_uid)
    assert sent(third).PatientID == "P0000001"


def test_ingest_without_rules_and_corrections_asks_nothing(
    spool: Spool, origin: Origin, device: Device, django_assert_num_queries: Any
) -> None:
    from apps.studies.services.arriving import active_rules, correct_arrivals

    study = arrive(spool, origin).series.study
    active_rules()
    with django_assert_num_queries(0):
        correct_arrivals(study, [], origin=origin)


def test_a_device_is_told_of_coercion_where_a_rule_says_so(device: Device) -> None:
    DeviceFactory.create(ae_title="CT8")
    rule("StudyID", "set", "1", group="scanners", announce=True)
    assert coerces("CT9")
    assert not coerces("CT8")
    assert not coerces("NOBODY")


def test_rules_that_touch_what_makes_an_object_itself_are_not_followed(
    spool: Spool, origin: Origin, device: Device
) -> None:
    rule("SOPInstanceUID", "set", "1.2.3", device=device)
    rule("Nonsense", "set", "1.2.3", device=device)
    rule("Rows", "set", "7", device=device)
    arrive(spool, origin)
    assert not Correction.objects.exists()
