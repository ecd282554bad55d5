"""Searches for exact values are compiled once, and find what they find when compiled anew."""

from typing import Any

import pytest
from django.utils import timezone

from apps.dicom.keys import make_key
from apps.studies.datasets import Level, attributes
from apps.studies.models import Instance, Series, Study
from apps.studies.services.finding import Search, everything

pytestmark = pytest.mark.django_db
VALUES = ["P1", "p1", "P'1", 'P"1', "P%1", "P\\1", "MARK0000MARK", "Größe", "1.2"]


@pytest.fixture(autouse=True)
def _archive() -> None:
    for number, value in enumerate(VALUES):
        study = Study.objects.create(
            study_instance_uid=f"2.25.{number}",
            patient_identifier=value,
            accession_number=VALUES[-number],
            study_date="2026-01-01" if number % 2 else None,
            study_time="10:11:12.5" if number % 3 else None,
            modalities="\\CT\\",
            last_instance_at=timezone.now(),
        )
        series = Series.objects.create(
            series_instance_uid=f"2.25.{number}.1", study=study, modality="CT"
        )
        Instance.objects.create(
            sop_instance_uid=f"2.25.{number}.1.1",
            series=series,
            sop_class_uid="1.2",
            transfer_syntax_uid="1.2",
            file_name=f"{number}.dcm",
            size=1,
            header=b"",
        )


def everything_anew(model: type[Any]) -> Any:
    """As `everything`, though not known to be: nothing is taken from before."""
    return everything(model)


def found(level: Level, keys: dict[str, str], visible: Any, **window: int) -> list[Any]:
    search = Search(
        level=level,
        keys=[make_key([name], [value]) for name, value in keys.items()],
        tags=list(attributes(level)),
        visible=visible,
    )
    return search.page(**{"offset": 0, "limit": 5, **window}, seconds=5)


@pytest.mark.parametrize("level", [Level.STUDY, Level.SERIES, Level.IMAGE])
def test_they_find_the_same_as_those_compiled_anew(level: Level) -> None:
    questions: list[dict[str, str]] = [{}]
    questions += [{"PatientID": value} for value in VALUES]
    questions += [{"PatientID": one, "AccessionNumber": two} for one in VALUES for two in VALUES]
    questions += [{"StudyInstanceUID": "2.25.3"}, {"SeriesInstanceUID": "2.25.3.1"}]
    questions += [{"SOPInstanceUID": "2.25.3.1.1"}, {"Modality": "CT"}, {"Modality": "MR"}]
    hits = 0
    for keys in questions:
        rows = found(level, keys, everything)
        assert rows == found(level, keys, everything_anew), keys
        hits += len(rows)
    assert hits > len(VALUES)


def test_every_page_is_its_own(django_assert_num_queries: Any) -> None:
    for offset in range(0, 10, 3):
        with django_assert_num_queries(1):
            rows = found(Level.STUDY, {}, everything, offset=offset, limit=3)
        assert rows == found(Level.STUDY, {}, everything_anew, offset=offset, limit=3)


def test_who_sees_less_is_not_answered_from_what_others_see() -> None:
    def nothing(model: type[Any]) -> Any:
        return everything(model).none()

    assert len(found(Level.STUDY, {"PatientID": "P1"}, everything)) == 1
    assert found(Level.STUDY, {"PatientID": "P1"}, nothing) == []
