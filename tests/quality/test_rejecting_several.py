"""Several studies taken out of use at once."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.studies.models import Rejection, Study
from tests.reports.rows import make_study
from tests.studies.rows import make_instance, make_series

pytestmark = pytest.mark.django_db
As = Callable[[str], Client]
ADDRESS = "quality:reject-several"


def reject(client: Client, *studies: Study, **fields: str) -> Any:
    given = {"code": Rejection.Code.values[0], "reason": "Sent twice", **fields}
    return client.post(reverse(ADDRESS), {"study": [str(one.pk) for one in studies], **given})


def test_each_is_told_of_and_those_without_images_are_refused(as_role: As) -> None:
    client, full, empty = as_role("pacs-administrator"), make_study(), make_study()
    make_instance(make_series(full))
    asked = client.get(reverse(ADDRESS), {"study": [str(full.pk), str(empty.pk)]})
    assert "Reject 2 studies" in asked.content.decode()
    answer = reject(client, full, empty)
    told = {one.study.pk: one.done for one in answer.context["results"]}
    assert told == {full.pk: True, empty.pk: False}
    assert not Study.objects.filter(pk=full.pk).exists()
    assert Study.everything.filter(pk=full.pk).exists()
    assert Rejection.objects.get().reason == "Sent twice"


def test_without_a_reason_nothing_is_rejected(as_role: As) -> None:
    study = make_study()
    make_instance(make_series(study))
    assert reject(as_role("pacs-administrator"), study, reason=" ").status_code == 422
    assert not Rejection.objects.exists()


@pytest.mark.parametrize("role", ["radiologist", "technologist", "referrer", "front-desk"])
def test_others_may_not(role: str, as_role: As) -> None:
    assert reject(as_role(role), make_study()).status_code == 403


def test_who_is_asked_sees_which_of_two_studies_of_one_name_it_is(as_role: As) -> None:
    one = make_study(patient_identifier="P-1", modalities="CT", instance_count=2)
    other = make_study(patient_identifier="P-2", modalities="MR", instance_count=7)
    keys = [str(one.pk), str(other.pk)]
    asked = as_role("pacs-administrator").get(reverse(ADDRESS), {"study": keys})
    assert {*["P-1", "P-2", "CT", "MR"], "2 images", "7 images"} <= {
        word.strip() for word in re.split("[<>]", asked.text)
    }
