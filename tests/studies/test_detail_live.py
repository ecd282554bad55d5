"""The page of a study shows what comes while it is open."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.audit.services import Origin
from apps.studies.models import Study
from apps.studies.services import store_instances
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10
from tests.reports.rows import make_study

pytestmark = pytest.mark.django_db


def address_of(study: Study) -> str:
    return reverse("studies:series", args=[study.pk])


def test_a_new_series_is_shown_and_nothing_where_nothing_came(
    as_role: Callable[[str], Client],
    spool: Spool,
    origin: Origin,
    django_assert_max_num_queries: Any,
) -> None:
    keeper = as_role("pacs-administrator")
    first = ct_image()
    store_instances([spool.write([part10(first)])], origin=origin)
    study = Study.objects.get()
    page = keeper.get(reverse("studies:detail", args=[study.pk])).content.decode()
    address = f"{address_of(study)}?revision={study.revision}"
    assert f'hx-get="{address}"' in page
    with django_assert_max_num_queries(5):
        assert keeper.get(address).status_code == 204
    more = ct_image(StudyInstanceUID=first.StudyInstanceUID, SeriesDescription="Sagittal")
    store_instances([spool.write([part10(more)])], origin=origin)
    answer = keeper.get(address)
    assert "Sagittal" in answer.content.decode()
    study.refresh_from_db()
    assert f"?revision={study.revision}" in answer.content.decode()


@pytest.mark.parametrize(
    ("role", "code"), [("radiologist", 200), ("referrer", 404), ("front-desk", 403)]
)
def test_who_sees_the_series_of_a_study(
    role: str, code: int, as_role: Callable[[str], Client]
) -> None:
    assert as_role(role).get(address_of(make_study())).status_code == code
