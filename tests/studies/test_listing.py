"""Pages of the list of studies: complete, disjoint, and of bounded cost."""

import datetime
from typing import Any

import pytest
from django.utils import timezone

from apps.dicom.names import search_form
from apps.studies.models import Study
from apps.studies.services import Page, Wanted, label_study, list_studies, new_studies
from apps.studies.services.listing import ORDERS
from tests.studies.rows import make_series

pytestmark = pytest.mark.django_db
DAY = datetime.date(2026, 1, 1)


def make(name: str = "", **fields: Any) -> Study:
    given = {
        "study_instance_uid": f"2.25.{Study.objects.count() + 1}",
        "patient_name": name,
        "patient_search_name": search_form(name),
        "status": Study.Status.AVAILABLE,
        "last_instance_at": timezone.now(),
        **fields,
    }
    return Study.objects.create(**given)


def pages(wanted: Wanted = Wanted(), **asked: Any) -> list[Page]:  # noqa: B008 - frozen
    """All pages of a search, one after the other."""
    made: list[Page] = []
    after = ""
    while not made or after:
        made.append(list_studies(Study.objects.all(), wanted, after=after, **asked))
        after = made[-1].next
        assert len(made) < 100
    return made


def names(wanted: Wanted, **asked: Any) -> list[str]:
    return [study.patient_name for page in pages(wanted, **asked) for study in page.studies]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of 3, stretches of 5, and 4 are few."""
    monkeypatch.setattr("apps.studies.services.listing.PAGE_SIZE", 3)
    monkeypatch.setattr("apps.studies.services.listing.STRETCH", 5)
    monkeypatch.setattr("apps.studies.services.listing.FEW", 4)


@pytest.fixture
def mixed(db: None) -> list[Study]:
    """23 studies: equal days, equal names, some without either."""
    return [
        make(
            f"Name{number % 4}" if number % 3 else "",
            study_date=DAY + datetime.timedelta(days=number % 5) if number % 4 else None,
            modalities="\\XA\\" if number % 6 == 0 else "\\CT\\",
        )
        for number in range(23)
    ]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.usefixtures("small")
def test_pages_are_complete_and_disjoint_in_every_order(order: str, mixed: list[Study]) -> None:
    shown = [study.pk for page in pages(order=order) for study in page.studies]
    assert sorted(shown) == sorted(one.pk for one in mixed)
    assert len(set(shown)) == len(shown)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.usefixtures("small")
def test_a_walk_in_stretches_finds_the_same_as_a_look_at_everything(
    order: str, mixed: list[Study]
) -> None:
    walked = pages(Wanted(modality=("XA",)), order=order)
    shown = [study.pk for page in walked for study in page.studies]
    assert sorted(shown) == sorted(one.pk for one in mixed if one.modalities == "\\XA\\")
    assert any(len(page.studies) < 3 and page.next for page in walked)


@pytest.mark.usefixtures("small")
def test_a_page_cut_short_says_how_far_it_came() -> None:
    for number in range(12):
        make(study_date=DAY + datetime.timedelta(days=number), description="CT")
    first = list_studies(Study.objects.all(), Wanted(description="rare"))
    assert (first.studies, first.total) == ([], None)
    assert first.reached == DAY + datetime.timedelta(days=7)


def test_the_newest_come_first_and_those_without_a_date_last() -> None:
    make("undated")
    make("old", study_date=DAY)
    make("new", study_date=DAY + datetime.timedelta(days=1))
    make("old, came later", study_date=DAY)
    assert names(Wanted()) == ["new", "old, came later", "old", "undated"]
    assert names(Wanted(), order="date") == ["old", "old, came later", "new", "undated"]
    assert names(Wanted(), order="-received")[0] == "old, came later"


@pytest.mark.usefixtures("small")
def test_few_are_counted_and_many_are_not() -> None:
    for number in range(6):
        make("Many", patient_identifier="M1", accession_number=f"A{number // 4}")
    page = list_studies(Study.objects.all(), Wanted(accession="A0"))
    assert (len(page.studies), page.total) == (3, 4)
    assert list_studies(Study.objects.all(), Wanted(number="M1")).total is None


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(q="mul"), {"Müller^Jörg"}),
        (Wanted(q="jörg mül"), {"Müller^Jörg"}),
        (Wanted(q="jorg"), {"Müller^Jörg"}),
        (Wanted(q="p2"), {"Tanaka^Yuki"}),
        (Wanted(q="P"), {"Müller^Jörg", "Tanaka^Yuki", "Petrov^Oleg"}),
        (Wanted(q="A?1"), {"Müller^Jörg"}),
        (Wanted(name="tanaka"), {"Tanaka^Yuki"}),
        (Wanted(name="*?"), set()),
        (Wanted(number="P*"), {"Müller^Jörg", "Tanaka^Yuki"}),
        (Wanted(accession="ax1"), {"Müller^Jörg"}),
        (Wanted(description="knie mr"), {"Tanaka^Yuki"}),
        (Wanted(referrer="house, g"), {"Müller^Jörg"}),
        (Wanted(referrer="gregory"), {"Müller^Jörg"}),
        (Wanted(station="ct1"), {"Müller^Jörg"}),
        (Wanted(modality=("mr", "us")), {"Tanaka^Yuki"}),
        (Wanted(status="receiving"), {"Petrov^Oleg"}),
        (Wanted(match="open"), {"Müller^Jörg", "Tanaka^Yuki", "Petrov^Oleg"}),
        (Wanted(match="conflict"), {"Tanaka^Yuki"}),
        (Wanted(match="matched"), set()),
        (Wanted(label=("Teaching",)), {"Petrov^Oleg"}),
        (Wanted(since=DAY), {"Müller^Jörg"}),
        (Wanted(until=DAY - datetime.timedelta(days=1)), {"Tanaka^Yuki"}),
        (Wanted(q="nobody"), set()),
        (Wanted(q="%"), set()),
        (Wanted(number="_"), set()),
        (Wanted(number="[P]"), set()),
    ],
)
def test_every_filter_finds_what_it_says(wanted: Wanted, expected: set[str], origin: Any) -> None:
    first = make(
        "Müller^Jörg",
        patient_identifier="P1",
        accession_number="AX1",
        referring_physician="House^Gregory",
        modalities="\\CT\\",
        study_date=DAY,
    )
    make_series(first, station_name="CT1")
    make(
        "Tanaka^Yuki",
        patient_identifier="P2",
        description="MR Knie links",
        modalities="\\MR\\",
        match="conflict",
        study_date=DAY - datetime.timedelta(days=30),
    )
    label_study(make("Petrov^Oleg", status="receiving"), name="Teaching", origin=origin)
    for order in ("-date", "name"):
        assert set(names(wanted, order=order)) == expected


def test_a_word_in_the_middle_of_names_is_looked_for_where_nothing_begins_so() -> None:
    make("Schmidt^Anna")
    assert names(Wanted(name="anna")) == ["Schmidt^Anna"]
    make("Annan^Kofi")
    found = list_studies(Study.objects.all(), Wanted(name="anna"))
    everywhere = list_studies(Study.objects.all(), Wanted(name="anna"), inside=True)
    assert len(everywhere.studies) == 2
    # Where the database has no index inside names, the page says that it did not look there.
    assert found.partly == (len(found.studies) == 1)


def test_a_key_that_is_none_begins_anew() -> None:
    make("One", study_date=DAY)
    for order in ORDERS:
        for key in ("x", "_", "²_²", "' OR 1=1", "9" * 30, f"_{'9' * 18}x"):
            page = list_studies(Study.objects.all(), Wanted(), order=order, after=key)
            assert len(page.studies) == 1, (key, order)
    assert list_studies(Study.objects.all(), Wanted(), after="2026-13-01_5").studies


def test_new_studies_are_those_that_fit_and_came_later() -> None:
    newest = make("Old", modalities="\\CT\\").pk
    fitting = make("New", modalities="\\CT\\")
    make("Other", modalities="\\MR\\")
    rows = Study.objects.all()
    assert new_studies(rows, Wanted(modality=("CT",)), newest=newest) == [fitting.pk]
    assert new_studies(rows, Wanted(modality=("CT",)), newest=fitting.pk) == []
