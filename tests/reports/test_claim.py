"""One writer at a time, and everybody sees who."""

from collections.abc import Callable

import pytest

from apps.accounts.models import User
from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.reports import services
from apps.reports.models import Report
from tests.factories import make_user
from tests.reports.rows import PRELIMINARY, TEXT, by, make_report, sign

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(user_of: Callable[[str], User]) -> User:
    return user_of("radiologist")


@pytest.fixture
def bob(db: None) -> User:
    return make_user("radiologist", username="bob", first_name="Bob")


def test_a_claimed_report_names_its_owner(ada: User) -> None:
    report = services.claim_report(make_report(), origin=by(ada))
    assert report.status == Report.Status.CLAIMED
    assert report.claimed_by == ada
    assert report.claimed_at is not None


def test_claiming_twice_leaves_one_journal_row(ada: User) -> None:
    report = make_report()
    services.claim_report(report, origin=by(ada))
    services.claim_report(report, origin=by(ada))
    assert Event.objects.filter(kind=Kind.REPORT_CLAIMED).count() == 1


def test_a_report_claimed_by_another_is_refused_and_names_who(ada: User, bob: User) -> None:
    report = make_report()
    services.claim_report(report, origin=by(ada))
    with pytest.raises(services.ClaimedByAnother, match=str(ada)) as refusal:
        services.claim_report(report, origin=by(bob))
    assert refusal.value.owner == ada


def test_taking_over_keeps_the_draft_and_tells_from_whom(ada: User, bob: User) -> None:
    report = make_report()
    services.save_draft(report, text=TEXT, revision=0, origin=by(ada))
    taken = services.take_over_report(report, origin=by(bob))
    assert taken.claimed_by == bob
    assert taken.status == Report.Status.DRAFT
    assert taken.findings == TEXT.findings
    row = Event.objects.filter(kind=Kind.REPORT_CLAIMED).latest("id")
    assert row.details == {"taken_from": ada.pk}


def test_a_released_report_can_be_claimed_by_another(ada: User, bob: User) -> None:
    report = services.claim_report(make_report(), origin=by(ada))
    released = services.release_report(report, origin=by(ada))
    assert released.status == Report.Status.UNREAD
    assert released.claimed_by is None
    assert services.claim_report(report, origin=by(bob)).claimed_by == bob


def test_only_the_owner_releases(ada: User, bob: User) -> None:
    report = services.claim_report(make_report(), origin=by(ada))
    with pytest.raises(services.ClaimedByAnother):
        services.release_report(report, origin=by(bob))


def test_a_preliminary_report_stays_preliminary_while_it_is_claimed(ada: User) -> None:
    resident = make_user("resident")
    report = make_report()
    sign(report, resident, status=PRELIMINARY)
    claimed = services.claim_report(report, origin=by(ada))
    assert (claimed.status, claimed.claimed_by) == (Report.Status.PRELIMINARY, ada)
    assert services.release_report(report, origin=by(ada)).status == Report.Status.PRELIMINARY


def test_a_signed_report_is_not_claimed(ada: User) -> None:
    report = make_report()
    sign(report, ada)
    with pytest.raises(services.AlreadyFinal):
        services.claim_report(report, origin=by(ada))
    with pytest.raises(services.AlreadyFinal):
        services.take_over_report(report, origin=by(ada))


@pytest.mark.parametrize(
    "role", ["front-desk", "technologist", "referrer", "pacs-administrator", "auditor", None]
)
def test_only_writers_claim(role: str | None) -> None:
    user = make_user(role)
    with pytest.raises(services.NotAllowed):
        services.claim_report(make_report(), origin=by(user))


def test_nobody_claims_through_a_door_without_a_person(origin: Origin) -> None:
    with pytest.raises(services.NotAllowed):
        services.claim_report(make_report(), origin=origin)
