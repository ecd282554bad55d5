"""What the viewer is told of irregular series, and who may have them made regular."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.studies.models import RegularSeries, Series
from apps.studies.services.regularising import make_due
from tests.dicom.objects import part10
from tests.dicom.volumes import stack
from tests.dimse.receiving import keep
from tests.storage import store_below
from tests.viewer.test_pages import facts

pytestmark = pytest.mark.django_db
AsRole = Callable[[str], Client]
GAPS = (-5.0, -2.5, 0.0, 5.0, 7.5)


@pytest.fixture(autouse=True)
def archive(tmp_path: Path, settings: Any) -> None:
    store_below(tmp_path, settings)


def stored(**how: Any) -> Series:
    images = stack(**{"heights": GAPS, **how})
    keep(*map(part10, images))
    return Series.objects.get(series_instance_uid=images[0].SeriesInstanceUID)


def told(client: Client, series: Series) -> list[dict[str, Any]]:
    uid = series.study.study_instance_uid
    response = client.get(reverse("viewer:irregular", args=[uid]))
    assert "no-store" in response["Cache-Control"]
    found: list[dict[str, Any]] = response.json()["series"]
    return found


def make(client: Client, series: Series) -> Any:
    return client.post(reverse("viewer:make-regular", args=[series.series_instance_uid]))


def progress(client: Client, series: Series) -> Any:
    return client.get(reverse("viewer:regular-progress", args=[series.series_instance_uid]))


def test_irregular_series_are_told_with_what_is_the_matter(as_role: AsRole) -> None:
    client = as_role("radiologist")
    (tilted,) = told(client, stored(tilt=15.0))
    assert (tilted["kind"], tilted["cannot"]) == ("tilted", "")
    assert tilted["words"] == "Scanned with a tilt of 15.0°: MPR and 3D would be distorted."
    (gap,) = told(client, stored())
    assert gap["words"] == "Slices are missing (1): MPR and 3D would be distorted."
    (uneven,) = told(client, stored(heights=(0, 1, 2, 3, 4.6, 6.2, 7.8)))
    assert "unevenly spaced (1.0 to 1.6 mm)" in uneven["words"]
    assert told(client, stored(heights=(0, 1, 2, 3))) == []


def test_a_series_is_made_shown_and_told_of(as_role: AsRole) -> None:
    client, source = as_role("radiologist"), stored()
    response = make(client, source)
    assert (response.status_code, response.json()["state"]) == (202, "waiting")
    assert progress(client, source).json()["regular"] == ""
    make_due()
    row = RegularSeries.objects.get()
    assert (row.user and row.user.username) == "radiologist"
    answer = progress(client, source).json()
    assert (answer["state"], answer["percent"]) == ("done", 100)
    assert answer["regular"] == row.series_instance_uid
    (one,) = told(client, source)
    assert one["regular"] == row.series_instance_uid
    assert make(client, source).status_code == 200


def test_what_cannot_be_made_is_told_with_the_reason(as_role: AsRole) -> None:
    client, source = as_role("resident"), stored(heights=(0, 1, 2, 3, 40, 41, 42))
    (one,) = told(client, source)
    assert one["cannot"] == "A gap between its slices is too wide to be bridged."
    response = make(client, source)
    assert (response.status_code, response.json()["reason"]) == (409, one["cannot"])


@pytest.mark.parametrize(
    ("role", "status"),
    [("technologist", 202), ("resident", 202), ("referrer", 403), ("front-desk", 403)],
)
def test_only_who_may_create_images_has_them_made(as_role: AsRole, role: str, status: int) -> None:
    client = as_role(role)
    assert make(client, stored()).status_code == status
    assert RegularSeries.objects.exists() is (status == 202)


def test_what_one_may_not_see_is_not_there(as_role: AsRole) -> None:
    source = stored()
    make(as_role("radiologist"), source)
    referrer = as_role("referrer")
    study = source.study.study_instance_uid
    assert referrer.get(reverse("viewer:irregular", args=[study])).status_code == 404
    assert progress(referrer, source).status_code == 404
    assert progress(as_role("front-desk"), source).status_code == 403
    assert Client().get(reverse("viewer:irregular", args=[study])).status_code == 302
    assert make(Client(), source).status_code == 302


def test_unknown_series_and_wrong_methods_are_refused(as_role: AsRole) -> None:
    client, source = as_role("radiologist"), stored()
    assert progress(client, source).status_code == 404  # nobody asked yet
    assert client.get(reverse("viewer:irregular", args=["2.25.1"])).status_code == 404
    assert client.post(reverse("viewer:make-regular", args=["2.25.1"])).status_code == 404
    address = reverse("viewer:make-regular", args=[source.series_instance_uid])
    assert client.get(address).status_code == 405
    client.handler.enforce_csrf_checks = True
    assert client.post(address).status_code == 403


def test_the_viewer_is_told_who_may(as_role: AsRole) -> None:
    given = facts(as_role("resident"))["regular"]
    assert given["mayMake"] is True
    assert given["make"] == "/viewer/regular/make/{uid}/"
    assert facts(as_role("referrer"))["regular"]["mayMake"] is False


def test_looking_at_a_large_study_takes_few_queries(
    as_role: AsRole, django_assert_max_num_queries: Any
) -> None:
    client, source = as_role("radiologist"), stored()
    told(client, source)
    with django_assert_max_num_queries(8):  # nothing is read again
        told(client, source)
