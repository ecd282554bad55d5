"""Signing while a viewer shows images: of the patient, or not at all."""

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.audit.models import Event, Kind
from apps.reports import services
from apps.reports.models import Report, ReportVersion
from apps.reports.services import OtherPatientShown
from tests.factories import PASSWORD, make_user, signed_in
from tests.reports.rows import FINAL, TEXT, by, make_order, make_report, make_study, sign

pytestmark = pytest.mark.django_db


def exam() -> tuple[Report, str]:
    order = make_order()
    return make_report(order), make_study(order).study_instance_uid


def sign_by_page(client: Client, report: Report, shown: str) -> int:
    data = {"findings": "Clear.", "revision": 0, "status": "final", "password": PASSWORD}
    url = reverse("reports:sign", args=[report.pk])
    return client.post(url, {**data, "shown": shown}).status_code


def test_nothing_is_signed_while_another_patient_is_shown(client: Client) -> None:
    (report, own), (_, foreign) = exam(), exam()
    url = reverse("reports:sign", args=[report.pk])
    data = {"findings": "Clear.", "revision": 0, "status": "final", "password": PASSWORD}
    response = client.post(url, {**data, "shown": f"{own} {foreign}"})
    assert response.status_code == 409
    page = response.content.decode()
    assert "Not signed: the viewer shows images of another patient." in page
    assert "Clear." in page
    event = Event.objects.get(kind=Kind.REPORT_SIGNING_REFUSED)
    assert (event.details, event.peer) == ({"shown": [foreign]}, "radiologist")
    assert not ReportVersion.objects.exists()


def test_a_study_that_is_not_known_is_not_of_the_patient(client: Client) -> None:
    report, _ = exam()
    assert sign_by_page(client, report, "2.25.404") == 409
    assert sign_by_page(client, report, "<script>") == 409


def test_own_images_a_prior_and_no_viewer_at_all_let_sign(client: Client) -> None:
    report, own = exam()
    prior = make_study(make_order(patient=report.order.patient)).study_instance_uid
    assert sign_by_page(client, report, f"{own} {prior}") == 302
    other, _ = exam()
    assert sign_by_page(client, other, "") == 302


def test_a_list_of_studies_without_end_is_refused(client: Client) -> None:
    report, own = exam()
    assert sign_by_page(client, report, f"{own} " * 5000) == 422


def test_the_service_refuses_signatures_and_addenda(reader: User) -> None:
    (report, _), (_, foreign) = exam(), exam()
    with pytest.raises(OtherPatientShown):
        services.sign_report(
            report, text=TEXT, revision=0, status=FINAL, shown=[foreign], origin=by(reader)
        )
    sign(report, reader)
    with pytest.raises(OtherPatientShown):
        services.add_addendum(report, text="More.", shown=[foreign], origin=by(reader))
    assert Event.objects.filter(kind=Kind.REPORT_SIGNING_REFUSED).count() == 2


def test_the_page_asks_which_studies_are_foreign(client: Client) -> None:
    (report, own), (_, foreign) = exam(), exam()
    url = reverse("reports:shown", args=[report.pk])
    assert client.get(url, {"study": [own, foreign]}).json() == {"foreign": [foreign]}
    assert client.get(url).json() == {"foreign": []}
    assert client.get(url, {"study": "\x00"}).json() == {"foreign": ["\x00"]}
    stranger = signed_in(make_user("referrer"))
    assert stranger.get(url).status_code == 403
