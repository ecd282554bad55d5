"""The pages of quality control."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from apps.audit.services import Origin
from apps.studies.models import CoercionRule, Conflict, Correction, Instance, Study
from apps.studies.services import store_instances
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10
from tests.factories import DeviceFactory
from tests.reports.rows import make_order, make_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def keeper(as_role: Callable[[str], Client]) -> Client:
    return as_role("pacs-administrator")


@pytest.fixture
def study(spool: Spool, origin: Origin) -> Study:
    image = ct_image(BodyPartExamined="HAND", InstanceNumber=1)
    store_instances([spool.write([part10(image)])], origin=origin)
    return Study.objects.get()


@pytest.fixture
def conflict(spool: Spool, origin: Origin) -> Conflict:
    image = ct_image()
    store_instances([spool.write([part10(image)])], origin=origin)
    image.PatientName, image.PixelData = "Other^One", bytes(48)
    store_instances([spool.write([part10(image, source="CT2")])], origin=origin)
    return Conflict.objects.get()


def typed(study: Study, **fields: str) -> dict[str, str]:
    """The form as it is shown, some fields typed over."""
    shown = {
        "patient_name": study.patient_name,
        "patient_identifier": study.patient_identifier,
        "patient_birth_date": "1980-05-17",
        "patient_sex": study.patient_sex,
        "accession_number": study.accession_number,
        "description": study.description,
        "referring_physician": study.referring_physician,
    }
    return {**shown, "reason": "typed wrong", **fields}


@pytest.mark.parametrize(
    ("role", "code"),
    [
        ("pacs-administrator", 200),
        ("technologist", 200),
        ("radiologist", 403),
        ("referrer", 403),
        ("front-desk", 403),
        ("system-administrator", 403),
    ],
)
def test_who_sees_the_inbox(role: str, code: int, as_role: Callable[[str], Client]) -> None:
    assert as_role(role).get(reverse("quality:inbox")).status_code == code


def test_the_inbox_lists_all_that_waits(
    keeper: Client, conflict: Conflict, spool: Spool, django_assert_max_num_queries: Any
) -> None:
    Study.objects.update(match="conflict", match_reason="the sex differs")
    make_study(patient_identifier="P77")
    make_study(make_order(), patient_identifier="P88")
    spool.fail(spool.write([b"no DICOM"]), "DICM mark is missing")
    spool.fail(spool.write([part10(ct_image(), source="CT9")[:900]]), "cut off")
    with django_assert_max_num_queries(12):
        page = keeper.get(reverse("quality:inbox")).text
    for words in (
        conflict.sop_instance_uid,
        "The sex differs",
        "P77",
        "DICM mark is missing",
        "CT9",
    ):
        assert words in page
    assert "P88" not in page
    assert page.count(date_format(timezone.localtime(), "SHORT_DATE_FORMAT")) >= 2


def test_an_empty_inbox_says_so(keeper: Client) -> None:
    assert "Nothing waits for a decision." in keeper.get(reverse("quality:inbox")).text


def test_two_headers_are_compared(keeper: Client, conflict: Conflict) -> None:
    address = reverse("quality:conflict", args=[conflict.pk])
    page = keeper.get(address)
    names = [line.name for line in page.context["lines"]]
    assert names == ["Patient's Name"]
    assert "Other^One" in page.text
    assert "Müller^Jörg" in page.text
    everything = keeper.get(address, {"all": "1"})
    assert "Modality" in {line.name for line in everything.context["lines"]}
    assert everything.text.count("compared-differs") == 1


@pytest.mark.parametrize(
    ("verb", "state", "instances"), [("store", "stored", 2), ("drop", "dropped", 1)]
)
def test_a_conflict_is_decided_with_a_reason(
    verb: str, state: str, instances: int, keeper: Client, conflict: Conflict
) -> None:
    address = reverse("quality:conflict", args=[conflict.pk])
    assert keeper.post(address, {"verb": verb}).status_code == 422
    assert keeper.post(address, {"verb": "burn", "reason": "seen"}).status_code == 400
    answer = keeper.post(address, {"verb": verb, "reason": "seen"}, follow=True)
    assert "The conflict is decided." in answer.text
    conflict.refresh_from_db()
    assert (conflict.state, conflict.settled_by is not None) == (state, True)
    assert Instance.objects.count() == instances
    again = keeper.post(address, {"verb": verb, "reason": "seen"}, follow=True)
    assert "This conflict was decided already." in again.text


def test_a_newcomer_whose_file_is_gone_is_still_shown(keeper: Client, conflict: Conflict) -> None:
    Conflict.objects.update(file_name="conflicts/gone.dcm")
    page = keeper.get(reverse("quality:conflict", args=[conflict.pk]))
    assert page.status_code == 200
    assert "The newcomer cannot be read" in page.text


def test_a_study_is_corrected_by_typing_over(keeper: Client, study: Study) -> None:
    address = reverse("quality:correct", args=[study.pk])
    assert "Müller^Jörg" in keeper.get(address).text
    fields = typed(study, patient_name="Meier^Eva=山田", body_part="KNEE", laterality="L")
    answer = keeper.post(address, fields, follow=True)
    assert "The study is shown and sent as corrected." in answer.text
    study.refresh_from_db()
    assert study.patient_name == "Meier^Eva=山田"
    series = study.series.get()
    assert (series.body_part, series.laterality) == ("KNEE", "L")
    paths = set(Correction.objects.values_list("path", flat=True))
    assert paths == {"00100010", "00180015", "00200060"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reason", ""),
        ("patient_identifier", "A\\B"),
        ("patient_name", "a=b=c=d"),
        ("patient_birth_date", "yesterday"),
        ("body_part", "knee!"),
        ("patient_sex", "X"),
    ],
)
def test_what_no_header_can_hold_is_refused(
    field: str, value: str, keeper: Client, study: Study
) -> None:
    fields = typed(study, **{field: value})
    answer = keeper.post(reverse("quality:correct", args=[study.pk]), fields)
    assert answer.status_code == 422
    assert not Correction.objects.exists()


def test_typing_nothing_corrects_nothing(keeper: Client, study: Study) -> None:
    answer = keeper.post(reverse("quality:correct", args=[study.pk]), typed(study), follow=True)
    assert "Nothing was changed." in answer.text
    assert not Correction.objects.exists()


def test_the_panel_shows_corrections_and_takes_them_back(
    keeper: Client, study: Study, django_assert_max_num_queries: Any
) -> None:
    fields = typed(study, patient_name="<b>Meier^Eva", patient_identifier="P9")
    keeper.post(reverse("quality:correct", args=[study.pk]), fields)
    panel = reverse("quality:corrections", args=[study.pk])
    with django_assert_max_num_queries(8):
        page = keeper.get(panel).text
    assert "&lt;b&gt;Meier^Eva" in page
    assert "typed wrong" in page
    one = Correction.objects.get(path="00100010")
    answer = keeper.post(reverse("quality:undo", args=[one.pk]), follow=True)
    assert "The correction was undone." in answer.text
    assert "Undone" in keeper.get(panel).text
    again = keeper.post(reverse("quality:undo", args=[one.pk]), follow=True)
    assert "This correction was undone already." in again.text


def test_who_only_reads_corrects_nothing(
    as_role: Callable[[str], Client], study: Study, keeper: Client
) -> None:
    reader = as_role("radiologist")
    panel = reader.get(reverse("quality:corrections", args=[study.pk]))
    assert panel.status_code == 200
    assert reverse("quality:correct", args=[study.pk]) not in panel.text
    assert reader.post(reverse("quality:correct", args=[study.pk])).status_code == 403
    assert reader.post(reverse("quality:unmatch", args=[study.pk])).status_code == 403


def test_a_study_is_taken_from_its_order(keeper: Client) -> None:
    matched = make_study(make_order())
    address = reverse("quality:unmatch", args=[matched.pk])
    assert "Say why" in keeper.post(address, {"reason": ""}, follow=True).text
    keeper.post(address, {"reason": "wrong patient"})
    matched.refresh_from_db()
    assert (matched.match, matched.patient) == ("unmatched", None)


def test_rules_are_made_in_the_back_office(keeper: Client) -> None:
    address = reverse("admin:studies_coercionrule_add")
    fields = {
        "name": "Capital station",
        "device": DeviceFactory.create().pk,
        "attribute": "StationName",
        "action": "upper",
        "position": "1",
        "table": "{}",
        "active": "on",
    }
    assert "no attribute" in keeper.post(address, {**fields, "attribute": "Nonsense"}).text
    assert "cannot be corrected" in keeper.post(address, {**fields, "attribute": "Rows"}).text
    assert "Choose a device" in keeper.post(address, {**fields, "device": ""}).text
    assert keeper.post(address, fields).status_code == 302
    assert CoercionRule.objects.get().path == "00081010"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"attribute": "PatientBirthDate", "action": "set", "value": "4 July"}, "no value of this"),
        (
            {"attribute": "BodyPartExamined", "action": "default", "value": "abd"},
            "no value of this",
        ),
        (
            {"attribute": "BodyPartExamined", "action": "map", "table": '{"ABD": "a" }'},
            "no value of this",
        ),
        ({"attribute": "StationName", "action": "upper", "sop_class_uid": "CT"}, "by its UID"),
    ],
)
def test_a_rule_writes_no_value_that_its_attribute_may_not_have(
    keeper: Client, fields: dict[str, str], said: str
) -> None:
    address = reverse("admin:studies_coercionrule_add")
    whole = {"name": "x", "group": "scanners", "position": "1", "table": "{}", "active": "on"}
    assert said in keeper.post(address, {**whole, **fields}).text
    assert not CoercionRule.objects.exists()
