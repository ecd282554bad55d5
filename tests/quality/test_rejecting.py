"""The pages of rejected images."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.audit.services import Origin
from apps.studies.models import Rejection, Study
from apps.studies.services import Target, reject, store_instances
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10

pytestmark = pytest.mark.django_db
WHY = {"code": "113037", "reason": "not this patient"}


@pytest.fixture
def keeper(as_role: Callable[[str], Client]) -> Client:
    return as_role("pacs-administrator")


@pytest.fixture
def study(spool: Spool, origin: Origin) -> Study:
    first = ct_image()
    other = ct_image(StudyInstanceUID=first.StudyInstanceUID, SeriesNumber=7)
    store_instances([spool.write([part10(one)]) for one in (first, other)], origin=origin)
    return Study.objects.get()


def test_a_study_is_rejected_and_restored_on_pages(keeper: Client, study: Study) -> None:
    answer = keeper.post(reverse("quality:reject", args=[study.pk]), WHY, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("quality:rejected")
    page = answer.content.decode()
    assert "not this patient" in page
    assert "The whole study" in page
    assert keeper.get(reverse("studies:detail", args=[study.pk])).status_code == 404
    assert "P0000001" not in keeper.get(reverse("studies:list")).content.decode()
    made = Rejection.objects.get()
    answer = keeper.post(reverse("quality:restore", args=[made.pk]), follow=True)
    assert answer.redirect_chain[-1][0] == reverse("studies:detail", args=[study.pk])
    again = keeper.post(reverse("quality:restore", args=[made.pk]), follow=True)
    assert "restored already" in again.content.decode()


def test_a_series_is_rejected_and_listed_on_the_page_of_its_study(
    keeper: Client, study: Study
) -> None:
    series = study.series.get(number=7)
    address = reverse("quality:reject", args=[study.pk])
    answer = keeper.post(address, {**WHY, "series": series.pk}, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("studies:detail", args=[study.pk])
    panel = keeper.get(reverse("quality:rejections", args=[study.pk])).content.decode()
    assert "Series 7" in panel
    assert "Patient safety" in panel


def test_without_a_reason_nothing_is_rejected(keeper: Client, study: Study) -> None:
    address = reverse("quality:reject", args=[study.pk])
    answer = keeper.post(address, {**WHY, "reason": ""}, follow=True)
    assert "Say why" in answer.content.decode()
    assert Study.objects.exists()


@pytest.mark.parametrize("role", ["technologist", "radiologist"])
def test_only_who_may_delete_is_offered_it(
    as_role: Callable[[str], Client], study: Study, role: str
) -> None:
    client = as_role(role)
    panel = client.get(reverse("quality:rejections", args=[study.pk])).content.decode()
    assert "Take out of use" not in panel
    assert client.post(reverse("quality:reject", args=[study.pk]), WHY).status_code == 403
    assert client.post(reverse("quality:restore", args=[1])).status_code == 403


def test_the_list_takes_few_queries_however_long_it_is(
    keeper: Client, study: Study, origin: Origin, django_assert_max_num_queries: Any
) -> None:
    for one in study.series.all():
        reject(Target(study, one), **WHY, origin=origin)
    with django_assert_max_num_queries(8):
        assert keeper.get(reverse("quality:rejected")).status_code == 200
    assert keeper.get(reverse("quality:rejected") + "?page=2").status_code == 200
