"""C-FIND on the archive: levels, their rules, what answers hold, limits, the journal."""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import LazySettings
from pynetdicom.association import Association

from apps.audit.models import Event, Kind
from apps.audit.services import SYSTEM
from apps.dicom.matching import tag_of
from apps.dimse.answers import Template
from apps.dimse.handlers import query
from apps.dimse.listener import Listener
from apps.studies.datasets import Level
from apps.studies.models import Study
from apps.studies.services import Target, reject
from apps.studies.services.finding import Search
from apps.studies.spool import Spool
from apps.worklist.models import Device
from tests.dimse.asking import PATIENT_ROOT, STUDY_ROOT, Answers, ask, identifier, keep
from tests.dimse.conftest import Dial

Ask = Callable[..., Answers]
SERIES = {"SeriesInstanceUID": "2.25.21", "StudyInstanceUID": "2.25.2"}


@pytest.fixture
def archive(device: Device, spool: Spool) -> None:
    """Three patients: one with two studies, one of them with two series."""
    Device.objects.filter(pk=device.pk).update(may_query=True)
    keep(
        spool,
        {"PatientID": "P1", "StudyInstanceUID": "2.25.1", "SeriesInstanceUID": "2.25.11"},
        {
            "PatientID": "P2",
            "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう",
            "AccessionNumber": "A_2",
            "StudyDate": "20260601",
            "StudyTime": "0800",
            **SERIES,
        },
        {"PatientID": "P2", "SOPInstanceUID": "2.25.212", "InstanceNumber": 2, **SERIES},
        {
            "PatientID": "P2",
            "Modality": "MR",
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4",
            "StudyInstanceUID": "2.25.2",
            "SeriesInstanceUID": "2.25.22",
        },
        {"PatientID": "P2", "StudyInstanceUID": "2.25.3", "Modality": "PT", "StudyDate": None},
        {"PatientID": "", "PatientName": "Nobody", "StudyInstanceUID": "2.25.4"},
    )


@pytest.fixture
def asking(archive: None, listener: Listener, dial: Dial) -> Ask:
    """Asks on an association with both information models."""
    association: Association = dial(listener, PATIENT_ROOT, STUDY_ROOT)

    def send(level: str = "STUDY", model: str = STUDY_ROOT, **keys: Any) -> Answers:
        return ask(association, identifier(level, **keys), model)

    return send


def test_studies_are_found_in_the_study_root(asking: Ask) -> None:
    found = asking(StudyInstanceUID="", PatientID="P2")
    assert found.of("StudyInstanceUID") == ["2.25.2", "2.25.3"]
    assert found.statuses == [0xFF00, 0xFF00, 0]


def test_patients_are_found_in_the_patient_root(asking: Ask) -> None:
    found = asking(
        "PATIENT",
        PATIENT_ROOT,
        PatientID="",
        PatientName="",
        NumberOfPatientRelatedStudies="",
        NumberOfPatientRelatedSeries="",
        NumberOfPatientRelatedInstances="",
    )
    assert found.of("PatientID") == ["", "P1", "P2"]
    (two,) = [one for one in found if one.PatientID == "P2"]
    assert two.NumberOfPatientRelatedStudies == 2
    assert two.NumberOfPatientRelatedSeries == 3
    assert two.NumberOfPatientRelatedInstances == 4


def test_a_patient_without_a_number_is_counted_by_name(asking: Ask) -> None:
    keys = {"PatientID": "", "PatientName": "nobody", "NumberOfPatientRelatedStudies": ""}
    (found,) = asking("PATIENT", PATIENT_ROOT, **keys)
    assert (found.PatientName, found.NumberOfPatientRelatedStudies) == ("Nobody", 1)


def test_series_and_images_are_found_below_their_parents(asking: Ask) -> None:
    found = asking("SERIES", StudyInstanceUID="2.25.2", SeriesInstanceUID="", Modality="")
    assert found.of("Modality") == ["CT", "MR"]
    found = asking(
        "IMAGE",
        PATIENT_ROOT,
        PatientID="P2",
        StudyInstanceUID="2.25.2",
        SeriesInstanceUID="2.25.21",
        SOPInstanceUID="",
        InstanceNumber="",
        Rows="",
    )
    assert found.of("InstanceNumber") == ["1", "2"]
    assert [one.Rows for one in found] == [4, 4]


def test_a_list_of_parents_is_taken(asking: Ask) -> None:
    found = asking("SERIES", StudyInstanceUID=["2.25.1", "2.25.2", "2.25.99"], SeriesInstanceUID="")
    assert len(found) == 3


@pytest.mark.parametrize(
    ("model", "level", "keys", "element"),
    [
        (STUDY_ROOT, "", {"PatientID": ""}, 0x00080052),
        (STUDY_ROOT, "PATIENT", {"PatientID": ""}, 0x00080052),
        (STUDY_ROOT, "INSTANCE", {"SOPInstanceUID": ""}, 0x00080052),
        (STUDY_ROOT, "SERIES", {"SeriesInstanceUID": ""}, 0x0020000D),
        (STUDY_ROOT, "IMAGE", {"StudyInstanceUID": "2.25.2", "SOPInstanceUID": ""}, 0x0020000E),
        (PATIENT_ROOT, "STUDY", {"StudyInstanceUID": ""}, 0x00100020),
        (PATIENT_ROOT, "STUDY", {"StudyInstanceUID": "", "PatientID": "P*"}, 0x00100020),
    ],
)
def test_an_identifier_that_breaks_the_hierarchy_is_refused(
    model: str, level: str, keys: dict[str, str], element: int, asking: Ask
) -> None:
    found = asking(level, model, **keys)
    assert (len(found), found.statuses) == (0, [0xA900])
    assert found.last.OffendingElement == element
    assert found.last.ErrorComment


def test_counts_and_collections_are_computed(asking: Ask) -> None:
    (found,) = asking(
        StudyInstanceUID="2.25.2",
        NumberOfPatientRelatedStudies="",
        NumberOfStudyRelatedSeries="",
        NumberOfStudyRelatedInstances="",
        ModalitiesInStudy="",
        SOPClassesInStudy="",
        InstanceAvailability="",
        PatientComments="",
    )
    assert found.NumberOfPatientRelatedStudies == 2
    assert (found.NumberOfStudyRelatedSeries, found.NumberOfStudyRelatedInstances) == (2, 3)
    assert list(found.ModalitiesInStudy) == ["CT", "MR"]
    assert sorted(found.SOPClassesInStudy) == [
        "1.2.840.10008.5.1.4.1.1.2",
        "1.2.840.10008.5.1.4.1.1.4",
    ]
    assert (found.RetrieveAETitle, found.InstanceAvailability) == ("OPENPACS", "ONLINE")
    assert (found.QueryRetrieveLevel, found.PatientComments) == ("STUDY", "")


def test_counts_of_a_series_are_known_at_its_level(asking: Ask) -> None:
    found = asking("SERIES", StudyInstanceUID="2.25.2", NumberOfSeriesRelatedInstances="")
    assert found.of("NumberOfSeriesRelatedInstances") == ["1", "2"]


@pytest.mark.parametrize(
    ("modalities", "expected"),
    [
        ("", ["2.25.1", "2.25.2", "2.25.3", "2.25.4"]),
        ("CT", ["2.25.1", "2.25.2", "2.25.4"]),
        ("UX", []),
        (["UX", "MR"], ["2.25.2"]),
        (["CT", "PT"], ["2.25.1", "2.25.2", "2.25.3", "2.25.4"]),
        (["MR", "PT"], ["2.25.2", "2.25.3"]),
    ],
)
def test_any_of_the_modalities_in_a_study_may_be_asked_for(
    modalities: Any, expected: list[str], asking: Ask
) -> None:
    found = asking(StudyInstanceUID="", ModalitiesInStudy=modalities)
    assert found.of("StudyInstanceUID") == expected


def test_rejected_studies_are_answered_to_nobody(asking: Ask) -> None:
    study = Study.objects.get(study_instance_uid="2.25.2")
    reject(Target(study), code="113001", reason="all blurred", origin=SYSTEM)
    assert asking(StudyInstanceUID="2.25.2").statuses == [0]
    assert asking("SERIES", StudyInstanceUID="2.25.2", SeriesInstanceUID="").statuses == [0]
    keys = {"StudyInstanceUID": "2.25.2", "SeriesInstanceUID": "2.25.21", "SOPInstanceUID": ""}
    assert asking("IMAGE", **keys).statuses == [0]
    (patient,) = asking("PATIENT", PATIENT_ROOT, PatientID="P2", NumberOfPatientRelatedStudies="")
    assert patient.NumberOfPatientRelatedStudies == 1


def test_keys_of_lower_levels_are_said_to_be_unsupported(asking: Ask) -> None:
    found = asking(StudyInstanceUID="2.25.2", SeriesDescription="")
    assert found.statuses == [0xFF01, 0]
    assert found[0].SeriesDescription == ""


def test_more_than_the_most_answers_end_in_out_of_resources(
    asking: Ask, settings: LazySettings
) -> None:
    settings.OPENPACS_QUERY_ROWS = 2
    found = asking(StudyInstanceUID="")
    assert found.statuses == [0xFF00, 0xFF00, 0xA700]
    assert found.last.ErrorComment == "more than 2 answers: ask for less"
    assert asking(StudyInstanceUID="", PatientID="P2").statuses == [0xFF00, 0xFF00, 0]


def test_a_question_that_takes_too_long_ends_in_out_of_resources(
    asking: Ask, settings: LazySettings, spool: Spool
) -> None:
    keep(
        spool,
        *(
            {"PatientID": f"Q{number}", "StudyInstanceUID": f"2.25.9{number}"}
            for number in range(60)
        ),
    )
    settings.OPENPACS_QUERY_SECONDS = 0.000001
    found = asking(StudyInstanceUID="", BitsStored=13)
    assert found.statuses == [0xA700]
    settings.OPENPACS_QUERY_SECONDS = 30
    assert asking(StudyInstanceUID="", PatientID="P1").statuses == [0xFF00, 0]


def test_a_query_is_journalled_once_without_names(asking: Ask, device: Device) -> None:
    for _ in range(3):
        asking(StudyInstanceUID="", PatientID="P2", PatientName="yam*")
    (event,) = Event.objects.filter(kind=Kind.STUDIES_QUERIED)
    assert event.subject_id == str(device.pk)
    assert event.details == {
        "level": "STUDY",
        "keys": {"PatientID": "P2", "PatientName": "wildcard"},
        "count": 1,
    }


def test_a_query_that_breaks_is_journalled_and_no_name_is_logged(
    asking: Ask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    family, given = "Doe", "Jane"
    name = f"{family}^{given}"  # not as in this line, which the log shows

    def broken(*_arguments: object) -> bytes:
        raise ValueError(name)

    with monkeypatch.context() as patch:
        patch.setattr(Template, "fill", broken)
        assert asking(StudyInstanceUID="", PatientID="P2").statuses == [0xC001]
    asking(StudyInstanceUID="", PatientID="P1")
    events = Event.objects.filter(kind=Kind.STUDIES_QUERIED)
    assert {"PatientID": "P2"} in [one.details["keys"] for one in events]
    assert "refused: ValueError" in caplog.text
    assert "in _answer" in caplog.text
    assert name not in caplog.text


def test_a_device_that_may_not_query_is_refused(
    listener: Listener, dial: Dial, device: Device
) -> None:
    assert not dial(listener, STUDY_ROOT).is_established


def test_a_query_is_cancelled_between_two_answers(
    archive: None, listener: Listener, dial: Dial, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "BATCH_BYTES", 0)
    keep(spool, *({"StudyInstanceUID": f"2.25.7{number:03}"} for number in range(300)))
    association = dial(listener, STUDY_ROOT)
    asked = identifier(StudyInstanceUID="", PatientComments="")
    seen, last = 0, -1
    for status, line in association.send_c_find(asked, STUDY_ROOT, msg_id=7):
        last, seen = status.Status, seen + (line is not None)
        if seen == 1:
            association.send_c_cancel(7, query_model=STUDY_ROOT)
    assert last == 0xFE00
    assert seen < 300
    assert ask(association, identifier(StudyInstanceUID="2.25.1")).statuses == [0xFF00, 0]


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    ("level", "tags", "queries"),
    [
        (Level.STUDY, ["StudyInstanceUID", "PatientName", "ModalitiesInStudy"], 1),
        (Level.STUDY, ["NumberOfPatientRelatedStudies", "SOPClassesInStudy"], 3),
        (Level.STUDY, ["StudyInstanceUID", "PatientComments"], 3),
        (Level.PATIENT, ["PatientID", "NumberOfPatientRelatedInstances"], 2),
        (Level.SERIES, ["SeriesInstanceUID", "PatientName", "StudyDate"], 1),
        (Level.IMAGE, ["SOPInstanceUID", "PatientName", "Modality"], 1),
    ],
)
def test_answers_take_a_fixed_number_of_queries(
    level: Level, tags: list[str], queries: int, django_assert_num_queries: Any
) -> None:
    wanted = [int(tag_of(name), 16) for name in tags]
    headers = frozenset({0x00104000} & set(wanted))
    search = Search(level=level, keys=[], tags=wanted, headers=headers)
    with django_assert_num_queries(queries):
        assert len(list(search.rows(limit=100, seconds=5))) > 2
