"""Drafts, signing, addenda, and versions that never change."""

import hashlib
import importlib
from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection, transaction

from apps.accounts.models import Role, User
from apps.audit.models import Event, Kind
from apps.orders.models import Order
from apps.orders.services import TransitionRefused
from apps.reports import services
from apps.reports.models import Report, ReportVersion
from apps.reports.services import ReportText
from tests.factories import make_user
from tests.reports.rows import FINAL, PRELIMINARY, TEXT, by, make_order, make_report, sign

pytestmark = pytest.mark.django_db

# Who may sign what: final only the radiologist, preliminary the resident too.
MAY = {Role.RADIOLOGIST: {FINAL, PRELIMINARY}, Role.RESIDENT: {PRELIMINARY}}


@pytest.fixture
def ada(user_of: Callable[[str], User]) -> User:
    return user_of("radiologist")


def test_a_draft_is_kept_and_its_revision_counted(ada: User) -> None:
    report = make_report()
    saved = services.save_draft(report, text=TEXT, revision=0, origin=by(ada))
    assert (saved.status, saved.revision) == (Report.Status.DRAFT, 1)
    assert services.text_of(saved) == TEXT
    assert saved.claimed_by == ada


def test_the_same_text_again_changes_nothing(ada: User) -> None:
    report = make_report()
    services.save_draft(report, text=TEXT, revision=0, origin=by(ada))
    again = services.save_draft(report, text=TEXT, revision=1, origin=by(ada))
    assert again.revision == 1
    assert Event.objects.filter(kind=Kind.REPORT_DRAFTED).count() == 1


def test_a_stale_draft_is_refused_and_not_stored(ada: User) -> None:
    report = make_report()
    services.save_draft(report, text=TEXT, revision=0, origin=by(ada))
    with pytest.raises(services.StaleRevision, match="another window"):
        services.save_draft(report, text=ReportText(findings="old"), revision=0, origin=by(ada))
    report.refresh_from_db()
    assert report.findings == TEXT.findings


def test_a_draft_of_another_is_not_overwritten(ada: User) -> None:
    report = make_report()
    services.save_draft(report, text=TEXT, revision=0, origin=by(ada))
    bob = make_user("radiologist", username="bob")
    with pytest.raises(services.ClaimedByAnother):
        services.save_draft(report, text=ReportText(findings="x"), revision=1, origin=by(bob))


def test_a_final_report_has_a_version_with_its_pdf_and_hash(ada: User) -> None:
    report = make_report()
    version = sign(report, ada)
    stored = ReportVersion.objects.get(pk=version.pk)
    assert (stored.number, stored.status, stored.signer) == (1, FINAL, ada)
    assert services.text_of(stored) == TEXT
    assert bytes(stored.pdf).startswith(b"%PDF")
    assert stored.pdf_sha256 == hashlib.sha256(bytes(stored.pdf)).hexdigest()
    assert stored.patient_header["name"] == report.order.patient.display_name


def test_signing_final_makes_the_order_reported(ada: User) -> None:
    report = make_report(make_order(status=Order.Status.PERFORMED))
    sign(report, ada)
    report.refresh_from_db()
    assert report.status == Report.Status.FINAL
    assert report.order.status == Order.Status.REPORTED


def test_signing_is_journalled_with_the_version_as_subject(ada: User) -> None:
    report = make_report()
    version = sign(report, ada)
    row = Event.objects.get(kind=Kind.REPORT_SIGNED)
    assert (row.subject_type, row.subject_id) == ("reports.ReportVersion", str(version.pk))
    assert row.accession_number == report.order.accession_number
    assert row.study_instance_uid == report.order.procedures.get().study_instance_uid
    assert row.user == ada


def test_a_preliminary_report_leaves_the_order_open(ada: User) -> None:
    report = make_report(make_order(status=Order.Status.PERFORMED))
    sign(report, make_user("resident"), status=PRELIMINARY)
    report.refresh_from_db()
    assert report.status == Report.Status.PRELIMINARY
    assert report.order.status == Order.Status.PERFORMED


def test_a_preliminary_report_is_made_final_by_a_radiologist(ada: User) -> None:
    report = make_report()
    sign(report, make_user("resident"), status=PRELIMINARY)
    assert sign(report, ada).number == 2
    assert [one.status for one in report.versions.all()] == [PRELIMINARY, FINAL]


@pytest.mark.parametrize("role", [*Role, None])
@pytest.mark.parametrize("status", [FINAL, PRELIMINARY])
def test_who_may_sign(role: Role | None, status: ReportVersion.Status) -> None:
    report, user = make_report(), make_user(role)
    if role in MAY and status in MAY[role]:
        assert sign(report, user, status=status).signer == user
    else:
        with pytest.raises(services.NotAllowed):
            sign(report, user, status=status)
        assert not ReportVersion.objects.exists()


@pytest.mark.parametrize("text", [ReportText(), ReportText(technique="CT", findings=" \n")])
def test_an_empty_report_is_not_signed(ada: User, text: ReportText) -> None:
    with pytest.raises(services.EmptyReport):
        sign(make_report(), ada, text=text)


def test_a_stale_text_is_not_signed(ada: User) -> None:
    report = make_report()
    services.save_draft(report, text=TEXT, revision=0, origin=by(ada))
    with pytest.raises(services.StaleRevision):
        services.sign_report(report, text=TEXT, revision=0, status=FINAL, origin=by(ada))
    assert not ReportVersion.objects.exists()


def test_a_final_report_is_not_signed_again(ada: User) -> None:
    report = make_report()
    sign(report, ada)
    with pytest.raises(services.AlreadyFinal):
        sign(report, ada)
    with pytest.raises(services.AlreadyFinal):
        services.save_draft(report, text=ReportText(findings="x"), revision=1, origin=by(ada))


def test_nothing_is_signed_where_the_order_cannot_be_reported(ada: User) -> None:
    report = make_report(make_order(status=Order.Status.HELD))
    with pytest.raises(TransitionRefused):
        sign(report, ada)
    assert not ReportVersion.objects.exists()
    assert not Event.objects.filter(kind=Kind.REPORT_SIGNED).exists()


def test_an_addendum_follows_a_final_report(ada: User) -> None:
    report = make_report()
    sign(report, ada)
    version = services.add_addendum(report, text="Small cyst, too.", origin=by(ada))
    report.refresh_from_db()
    assert (version.number, version.status) == (2, ReportVersion.Status.ADDENDUM)
    assert version.findings == "Small cyst, too."
    assert report.status == Report.Status.ADDENDED
    assert report.findings == TEXT.findings


def test_no_addendum_before_the_report_is_final(ada: User) -> None:
    report = make_report()
    with pytest.raises(services.NotFinal):
        services.add_addendum(report, text="More.", origin=by(ada))


def test_an_empty_addendum_is_refused(ada: User) -> None:
    report = make_report()
    sign(report, ada)
    with pytest.raises(services.EmptyReport):
        services.add_addendum(report, text="  ", origin=by(ada))


def test_a_resident_adds_no_addendum(ada: User) -> None:
    report = make_report()
    sign(report, ada)
    with pytest.raises(services.NotAllowed):
        services.add_addendum(report, text="More.", origin=by(make_user("resident")))


def test_the_database_refuses_to_change_a_signed_version(ada: User) -> None:
    version = sign(make_report(), ada)
    rows = ReportVersion.objects.filter(pk=version.pk)
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        rows.update(findings="something else")
    assert rows.get().findings == TEXT.findings


def test_the_database_refuses_to_delete_a_signed_version(ada: User) -> None:
    _lock_again()
    version = sign(make_report(), ada)
    rows = ReportVersion.objects.filter(pk=version.pk)
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        rows.delete()
    assert rows.exists()


def _lock_again() -> None:
    """On SQLite the test database lives without DELETE triggers: it is emptied by DELETE."""
    if connection.vendor == "sqlite":
        migration = importlib.import_module("apps.reports.migrations.0002_versions_never_change")
        with connection.cursor() as cursor:
            cursor.execute(next(one for one in migration.SQLITE if "BEFORE DELETE" in one))
