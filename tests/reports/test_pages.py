"""The reading room's pages: who gets in, what they show, what they refuse."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.audit.models import Event, Kind
from apps.orders.models import Order
from apps.reports import services
from apps.reports.models import Report, ReportVersion
from tests.factories import PASSWORD, ReferrerFactory, make_user, signed_in
from tests.reports.rows import (
    PRELIMINARY,
    TEXT,
    by,
    make_order,
    make_report,
    make_study,
    make_template,
    sign,
)

pytestmark = pytest.mark.django_db
SECTIONS = {"technique": "", "findings": "Clear lungs.", "impression": "Normal."}


def post(client: Client, name: str, report: Report, **data: Any) -> Any:
    return client.post(reverse(f"reports:{name}", args=[report.pk]), data)


def sign_by_page(client: Client, report: Report, **data: Any) -> Any:
    report.refresh_from_db()
    given = {**SECTIONS, "revision": report.revision, "status": "final", "password": PASSWORD}
    return post(client, "sign", report, **{**given, **data})


# --- The list ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "code"),
    [
        ("radiologist", 200),
        ("resident", 200),
        ("front-desk", 403),
        ("technologist", 403),
        ("referrer", 403),
        ("pacs-administrator", 403),
        ("auditor", 403),
    ],
)
def test_who_opens_the_reading_room(role: str, code: int, as_role: Callable[[str], Client]) -> None:
    report = make_report()
    client = as_role(role)
    assert client.get(reverse("reports:reading-list")).status_code == code
    assert client.get(reverse("reports:edit", args=[report.pk])).status_code == code
    for name in ("claim", "take-over", "release", "save", "sign", "addendum"):
        assert (post(client, name, report).status_code == 403) == (code == 403)


def test_the_list_shows_what_a_reader_needs(client: Client) -> None:
    order = make_order(priority=Order.Priority.STAT)
    make_study(order)
    make_report(order)
    page = client.get(reverse("reports:reading-list")).content.decode()
    for said in ("Stat", order.patient.display_name, "CT of the chest", "Unread", ">7<"):
        assert said in page


def test_stat_comes_first_then_what_is_due_first(client: Client) -> None:
    low = make_report(priority=Order.Priority.LOW)
    routine = make_report(priority=Order.Priority.ROUTINE)
    stat = make_report(priority=Order.Priority.STAT)
    high = make_report(priority=Order.Priority.HIGH)
    rows = client.get(reverse("reports:reading-list")).context["reports"]
    assert list(rows) == [stat, high, routine, low]


@pytest.mark.parametrize("tab", ["ready", "drafted", "to-sign", "done"])
def test_each_tab_holds_its_states_and_is_counted(client: Client, reader: User, tab: str) -> None:
    rows = {"ready": make_report(), "drafted": make_report(), "to-sign": make_report()}
    rows["done"] = make_report()
    services.save_draft(rows["drafted"], text=TEXT, revision=0, origin=by(reader))
    sign(rows["to-sign"], reader, status=PRELIMINARY)
    sign(rows["done"], reader)
    response = client.get(reverse("reports:reading-list"), {"tab": tab})
    assert list(response.context["reports"]) == [rows[tab]]
    assert [count for _key, _label, count in response.context["tabs"]] == [1, 1, 1, 1]


def test_the_list_is_narrowed_by_modality(client: Client) -> None:
    make_report(modality="CT")
    magnetic = make_report(modality="MR")
    response = client.get(reverse("reports:reading-list"), {"modality": "MR"})
    assert list(response.context["reports"]) == [magnetic]
    assert response.context["modalities"] == ["CT", "MR"]
    assert response.context["tabs"][0][2] == 1


def test_the_list_reloads_as_a_fragment(client: Client) -> None:
    make_report()
    url = reverse("reports:reading-list")
    page = client.get(url, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in page
    assert "data-row" in page


def test_the_list_takes_the_same_number_of_queries_for_any_length(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    for _count in range(12):
        order = make_order()
        make_study(order)
        make_report(order)
    client.get(reverse("reports:reading-list"))  # the session notes its beginning
    with django_assert_max_num_queries(10):
        client.get(reverse("reports:reading-list"))


# --- The reporting page -------------------------------------------------------------------


def test_the_page_shows_order_text_and_earlier_reports(client: Client, reader: User) -> None:
    before = make_order(reason="Cough")
    sign(make_report(before), reader)
    order = make_order(patient=before.patient, reason="Fever since Monday")
    make_template("chest", modality="CT")
    report = make_report(order)
    page = client.get(reverse("reports:edit", args=[report.pk])).content.decode()
    for said in ("Fever since Monday", "Text of chest.", TEXT.impression, "Choose a template"):
        assert said in page


def test_the_page_takes_few_queries(
    client: Client, reader: User, django_assert_max_num_queries: Any
) -> None:
    order = make_order()
    make_study(order)
    for _count in range(5):
        prior = make_order(patient=order.patient)
        make_study(prior)
        sign(make_report(prior), reader)
    report = make_report(order)
    client.get(reverse("reports:edit", args=[report.pk]))
    with django_assert_max_num_queries(20):
        client.get(reverse("reports:edit", args=[report.pk]))


def test_all_studies_of_an_exam_are_opened_together(client: Client) -> None:
    """One device, two studies: nobody may sign the one without having seen the other."""
    order = make_order()
    both = [make_study(order), make_study(order, study_instance_uid="2.25.77")]
    report = make_report(order)
    assert set(report.study_uids.split(",")) == {study.study_instance_uid for study in both}
    address = reverse("viewer:open", args=[report.study_uids])
    page = client.get(reverse("reports:edit", args=[report.pk])).text
    assert f'data-viewer-frame="{address}"' in page
    assert f'href="{address}"' in client.get(reverse("reports:reading-list")).text
    assert client.get(address)["Location"].endswith(f"StudyInstanceUIDs={quote(report.study_uids)}")


def test_text_of_a_report_is_escaped(client: Client, reader: User) -> None:
    report = make_report()
    text = services.ReportText(findings="<script>alert(1)</script>")
    services.save_draft(report, text=text, revision=0, origin=by(reader))
    page = client.get(reverse("reports:edit", args=[report.pk])).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_claiming_and_giving_back(client: Client, reader: User) -> None:
    report = make_report()
    assert post(client, "claim", report).status_code == 302
    report.refresh_from_db()
    assert report.claimed_by == reader
    assert post(client, "release", report).status_code == 302
    report.refresh_from_db()
    assert report.claimed_by is None


def test_a_report_of_another_is_shown_locked_and_can_be_taken_over(client: Client) -> None:
    bob = make_user("radiologist", username="bob", first_name="Bob")
    report = services.claim_report(make_report(), origin=by(bob))
    page = client.get(reverse("reports:edit", args=[report.pk])).content.decode()
    assert f"{bob} is writing this report." in page
    assert "<fieldset disabled>" in page
    refused = post(client, "claim", report)
    assert refused.status_code == 409
    assert "Take it over" in refused.content.decode()
    assert post(client, "take-over", report).status_code == 302


def test_a_draft_saves_itself_and_counts_on(client: Client) -> None:
    report = make_report()
    url = reverse("reports:save", args=[report.pk])
    response = client.post(url, {**SECTIONS, "revision": 0}, headers={"HX-Request": "true"})
    assert response.status_code == 200
    page = response.content.decode()
    assert "Saved at" in page
    assert 'value="1"' in page
    report.refresh_from_db()
    assert report.findings == "Clear lungs."


def test_a_draft_saved_from_an_old_page_is_refused_with_words(client: Client) -> None:
    report = make_report()
    url = reverse("reports:save", args=[report.pk])
    client.post(url, {**SECTIONS, "revision": 0})
    headers = {"HX-Request": "true"}
    response = client.post(url, {"findings": "old", "revision": 0}, headers=headers)
    assert response.status_code == 409
    assert "changed in another window" in response.content.decode()
    assert "id_revision" not in response.content.decode()


def test_a_refused_draft_keeps_what_was_typed_on_the_page(client: Client) -> None:
    report = make_report()
    post(client, "save", report, **SECTIONS, revision=0)
    response = post(client, "save", report, findings="Typed in vain?", revision=0)
    assert response.status_code == 409
    assert "Typed in vain?" in response.content.decode()


def test_line_ends_of_browsers_are_stored_as_line_feeds(client: Client) -> None:
    report = make_report()
    post(client, "save", report, findings="One.\r\nTwo.", revision=0)
    report.refresh_from_db()
    assert report.findings == "One.\nTwo."


def test_a_radiologist_signs_with_the_password(client: Client, reader: User) -> None:
    report = make_report()
    assert sign_by_page(client, report).status_code == 302
    version = ReportVersion.objects.get(report=report)
    assert (version.status, version.signer) == ("final", reader)


def test_a_wrong_password_signs_nothing_and_keeps_the_text(client: Client) -> None:
    report = make_report()
    response = sign_by_page(client, report, password="wrong", findings="Kept.")
    assert response.status_code == 422
    assert "This is not your password." in response.content.decode()
    assert "Kept." in response.content.decode()
    assert not ReportVersion.objects.exists()


def test_the_password_is_asked_once_in_ten_minutes(client: Client) -> None:
    first, second, third = make_report(), make_report(), make_report()
    sign_by_page(client, first)
    assert sign_by_page(client, second, password="").status_code == 302
    session = client.session
    session["signing_confirmed"] -= 601
    session.save()
    assert sign_by_page(client, third, password="").status_code == 422


def test_a_resident_is_told_to_sign_as_preliminary() -> None:
    client, report = signed_in(make_user("resident")), make_report()
    page = client.get(reverse("reports:edit", args=[report.pk])).content.decode()
    assert 'value="final"' not in page
    refused = sign_by_page(client, report)
    assert refused.status_code == 403
    assert "Only a radiologist signs final reports." in refused.content.decode()
    assert "Clear lungs." in refused.content.decode()
    assert sign_by_page(client, report, status="preliminary").status_code == 302


def test_an_empty_report_is_refused_by_the_page(client: Client) -> None:
    response = sign_by_page(client, make_report(), findings="", impression=" ")
    assert response.status_code == 422
    assert "Write findings or an impression" in response.content.decode()


def test_an_addendum_is_signed_on_the_page(client: Client, reader: User) -> None:
    report = make_report()
    sign(report, reader)
    response = post(client, "addendum", report, text="Small cyst.", password=PASSWORD)
    assert response.status_code == 302
    page = client.get(reverse("reports:edit", args=[report.pk])).content.decode()
    assert "Small cyst." in page
    assert "Addendum of" in page


def test_a_template_fills_the_sections(client: Client) -> None:
    report, template = make_report(), make_template("normal chest")
    url = reverse("reports:template-text", args=[report.pk])
    assert "Text of normal chest." in client.get(url, {"template": template.pk}).content.decode()
    assert client.get(url, {"template": "x"}).status_code == 404


# --- Signed sheets ------------------------------------------------------------------------


def sheet(version: ReportVersion) -> str:
    return reverse("reports:pdf", args=[version.report_id, version.number])


def test_the_sheet_is_shown_inline_and_its_reading_journalled(client: Client, reader: User) -> None:
    version = sign(make_report(), reader)
    response = client.get(sheet(version))
    assert response.content == bytes(version.pdf)
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"].startswith("inline")
    assert response["X-Content-Type-Options"] == "nosniff"
    row = Event.objects.get(kind=Kind.REPORT_VIEWED)
    assert (row.subject_id, row.user) == (str(version.pk), reader)


def test_the_name_of_the_file_tells_no_patient(client: Client, reader: User) -> None:
    version = sign(make_report(), reader)
    header = client.get(sheet(version))["Content-Disposition"]
    assert version.report.order.patient.family_name not in header


@pytest.mark.parametrize(
    ("role", "code"),
    [
        ("pacs-administrator", 200),
        ("resident", 200),
        ("front-desk", 403),
        ("technologist", 403),
        ("auditor", 403),
    ],
)
def test_who_reads_a_sheet(
    reader: User, role: str, code: int, as_role: Callable[[str], Client]
) -> None:
    version = sign(make_report(), reader)
    assert as_role(role).get(sheet(version)).status_code == code


def test_a_referrer_reads_own_final_sheets_only(reader: User) -> None:
    user = make_user("referrer")
    client = signed_in(user)
    own = make_report(make_order(referrer=ReferrerFactory.create(user=user)))
    foreign = sign(make_report(make_order(referrer=ReferrerFactory.create())), reader)
    preliminary = sign(own, reader, status=PRELIMINARY)
    assert client.get(sheet(preliminary)).status_code == 404
    final = sign(own, reader)
    assert client.get(sheet(final)).status_code == 200
    assert client.get(sheet(preliminary)).status_code == 404
    assert client.get(sheet(foreign)).status_code == 404
    assert client.get(reverse("reports:edit", args=[own.pk])).status_code == 403


def test_the_panel_of_an_order_says_how_far_its_report_is(client: Client, reader: User) -> None:
    order = make_order()
    url = reverse("reports:order-report", args=[order.pk])
    assert "No report yet." in client.get(url).content.decode()
    sign(make_report(order), reader)
    page = client.get(url).content.decode()
    assert "Final" in page
    assert "PDF" in page


def test_the_panel_of_an_order_hides_what_a_role_may_not_see(reader: User) -> None:
    order = make_order()
    sign(make_report(order), reader)
    url = reverse("reports:order-report", args=[order.pk])
    page = signed_in(make_user("front-desk")).get(url).content.decode()
    assert "Reports are not shown to your role." in page
    assert signed_in(make_user("referrer")).get(url).status_code == 404


# --- The back office ------------------------------------------------------------------------


def test_the_back_office_looks_at_reports_and_writes_templates(reader: User) -> None:
    version = sign(make_report(), reader)
    make_template("chest")
    keeper = make_user("pacs-administrator", is_staff=True)
    client = signed_in(keeper)
    assert client.get(reverse("admin:reports_report_changelist")).status_code == 200
    url = reverse("admin:reports_report_change", args=[version.report_id])
    assert client.get(url).status_code == 200
    assert client.post(url, {"status": "unread"}).status_code == 403
    assert client.get(reverse("admin:reports_report_add")).status_code == 403
    assert client.get(reverse("admin:reports_reporttemplate_changelist")).status_code == 200
    assert client.get(reverse("admin:reports_reporttemplate_add")).status_code == 200


def test_nobody_without_a_role_sees_a_report() -> None:
    user = make_user()
    Group.objects.get_or_create(name="strangers")[0].user_set.add(user)
    report = make_report()
    assert signed_in(user).get(reverse("reports:edit", args=[report.pk])).status_code == 403
