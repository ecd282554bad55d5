"""DELETE takes something out of use, for a reason; nothing is lost."""

from collections.abc import Callable

import pytest
from django.test import Client

from apps.audit.models import Event
from apps.audit.services import Origin
from apps.studies.models import Instance, Rejection, Study
from apps.studies.services import restore
from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import Keep, address_of

pytestmark = pytest.mark.django_db
WHY = {"X-Openpacs-Reason": "the wrong patient"}


@pytest.fixture
def administrator(as_role: Callable[[str], Client]) -> Client:
    return as_role("pacs-administrator")


def levels(row: Instance) -> list[str]:
    """Addresses of a study, its series and its instance."""
    address = address_of(row)
    return [address.partition("/series/")[0], address.partition("/instances/")[0], address]


@pytest.mark.parametrize("level", [0, 1, 2])
def test_what_is_rejected_is_gone_and_comes_back(
    administrator: Client, keep: Keep, level: int, origin: Origin
) -> None:
    row = keep(ct_image())
    address = levels(row)[level]
    assert administrator.delete(address, headers=WHY).status_code == 204
    made = Rejection.objects.get()
    assert (made.code, made.reason) == ("113001", "the wrong patient")
    assert made.user is not None
    assert made.user.username == "pacs-administrator"
    assert administrator.get("/dicom-web/studies").json() == []
    assert administrator.get("/dicom-web/instances").json() == []
    for one in (address, f"{address}/metadata", f"{levels(row)[2]}/frames/1"):
        answer = administrator.get(one)
        assert answer.status_code == 410
        assert "rejected" in answer.json()["error"]
    assert administrator.delete(address, headers=WHY).status_code == 410
    assert Instance.everything.exists()
    restore(made, origin=origin)
    assert administrator.get(f"{address}/metadata").status_code == 200


def test_the_others_of_a_series_stay(administrator: Client, keep: Keep) -> None:
    first = ct_image()
    row = keep(first)
    same = {"StudyInstanceUID": first.StudyInstanceUID}
    other = keep(ct_image(**same, SeriesInstanceUID=first.SeriesInstanceUID))
    _, series, address = levels(row)
    assert len(administrator.get(f"{series}/metadata").json()) == 2
    address += "?reason=blurred&code=113037"
    assert administrator.delete(address).status_code == 204
    (left,) = administrator.get(f"{series}/metadata").json()
    assert left["00080018"]["Value"] == [other.sop_instance_uid]
    (found,) = administrator.get("/dicom-web/studies").json()
    assert found["00201208"]["Value"] == [1]
    content = administrator.get(series).getvalue()
    assert row.sop_instance_uid.encode() not in content


@pytest.mark.parametrize("query", ["", "?reason=", "?reason=x&code=1"])
def test_a_reason_is_needed(administrator: Client, keep: Keep, query: str) -> None:
    address = levels(keep(ct_image()))[0]
    answer = administrator.delete(address + query)
    assert answer.status_code == 400
    assert "113037" in answer.json()["error"]
    assert Study.objects.exists()


@pytest.mark.parametrize("role", ["radiologist", "technologist", "referrer"])
def test_the_right_to_delete_is_needed(
    as_role: Callable[[str], Client], keep: Keep, role: str
) -> None:
    address = levels(keep(ct_image()))[0]
    expected = 404 if role == "referrer" else 403
    assert as_role(role).delete(address, headers=WHY).status_code == expected
    assert Study.objects.exists()
    assert not Event.objects.filter(kind="objects-rejected").exists()


def test_who_could_not_see_it_is_not_told_that_it_was_here(
    administrator: Client, as_role: Callable[[str], Client], keep: Keep
) -> None:
    address = levels(keep(ct_image()))[0]
    administrator.delete(address, headers=WHY)
    assert as_role("radiologist").get(address).status_code == 410
    assert as_role("referrer").get(address).status_code == 404


def test_the_token_of_the_pages_is_needed(user_of: Callable[[str], object], keep: Keep) -> None:
    strict = Client(enforce_csrf_checks=True)
    user = user_of("pacs-administrator")
    strict.force_login(user, backend="django.contrib.auth.backends.ModelBackend")  # type: ignore[arg-type]
    assert strict.delete(levels(keep(ct_image()))[0], headers=WHY).status_code == 403
    assert Study.objects.exists()
