"""Pages of the list of studies are read from indexes, on both databases."""

import datetime
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.studies.models import Series, Study
from apps.studies.services import Page, Wanted, list_studies, new_studies
from apps.studies.services.listing import ORDERS

MANY = 6_000
LOOKED_AT = 600  # rows of a query, at most
DAY = datetime.date(2020, 1, 1)


@pytest.fixture
def _many_studies(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough that reading all is dearer than an index; stretches and few are a part of it."""
    monkeypatch.setattr("apps.studies.services.listing.STRETCH", 200)
    monkeypatch.setattr("apps.studies.services.listing.FEW", 100)
    studies = Study.objects.bulk_create(
        Study(
            study_instance_uid=f"2.25.{number}",
            patient_name=f"Name{number:05}^Test",
            patient_search_name=f"NAME{number:05} TEST",
            patient_identifier=f"P{number:05}",
            accession_number=f"A{number:05}",
            referring_physician=f"Referrer{number % 200}^Anna",
            study_date=DAY + datetime.timedelta(days=number // 4) if number % 50 else None,
            modalities="\\CT\\",
            description="Thorax",
            match="conflict" if number % 500 == 0 else "unmatched",
            status="available",
            last_instance_at=timezone.now(),
        )
        for number in range(MANY)
    )
    Series.objects.bulk_create(
        Series(study=study, series_instance_uid=f"2.25.8{at}", station_name=f"CT{at % 300}")
        for at, study in enumerate(studies)
    )
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT gin_clean_pending_list('study_inside_patient_name')")
            # Reading a table of this size whole can be cheapest. It never is in service, so
            # only where no index leads to the rows may it still be read.
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("ANALYZE studies_study")
        cursor.execute("ANALYZE studies_series")


def plans(look: Callable[[], Any]) -> list[tuple[str, str]]:
    """Each query of what is done, and how the database goes about it."""
    with CaptureQueriesContext(connection) as queries:
        look()
    word = "EXPLAIN ANALYZE" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    made = []
    with connection.cursor() as cursor:
        for query in queries.captured_queries:
            cursor.execute(f"{word} {query['sql']}".replace("%", "%%"), [])
            made.append((query["sql"], "\n".join(str(row[-1]) for row in cursor.fetchall())))
    return made


def page(wanted: Wanted, **asked: Any) -> Callable[[], Page]:
    return lambda: list_studies(Study.objects.all(), wanted, **asked)


def reads_everything(sql: str, plan: str) -> bool:
    """Is a whole table looked at? Its beginning or end, in the order of its keys, is not."""
    if connection.vendor == "postgresql":
        # What fits nearly everywhere may be looked for from the front: it is found at once.
        kept = re.findall(r"Seq Scan on.*actual time=\S+ rows=(\d+)", plan)
        removed = re.findall(r"Rows Removed by Filter: (\d+)", plan)
        return sum(map(int, kept)) + sum(map(int, removed)) > LOOKED_AT
    unconditional = re.search(r"FROM \S+ (WHERE NOT \([^)]*'rejected'\) )?ORDER BY.*LIMIT", sql)
    if unconditional and "TEMP B-TREE" not in plan:
        return False
    return bool(re.search(r"SCAN studies_(study|series)$", plan, re.MULTILINE))


SEARCHES = [
    Wanted(),
    Wanted(q="NAME00123"),
    Wanted(q="P00123"),
    Wanted(q="P"),
    Wanted(number="P"),
    Wanted(accession="A00123"),
    Wanted(name="name00123 test"),
    Wanted(referrer="referrer17"),
    Wanted(station="CT17"),
    Wanted(match="conflict"),
    Wanted(status="receiving"),
    Wanted(modality=("ZZ",)),
    Wanted(description="nowhere"),
    Wanted(since=DAY, until=DAY + datetime.timedelta(days=3)),
    Wanted(until=DAY + datetime.timedelta(days=900), modality=("ZZ",)),
]


FEW = [
    (Wanted(number="P00123"), "study_by_patient_number"),
    (Wanted(accession="A00123"), "study_by_accession_number"),
    (Wanted(referrer="Referrer17^"), "study_by_referrer"),
    (Wanted(station="CT17"), "series_by_station"),
    (Wanted(match="conflict"), "study_without_order"),
    (Wanted(status="receiving"), "study_receiving"),
]


@pytest.mark.usefixtures("_many_studies")
def test_no_page_and_no_search_looks_at_the_whole_archive() -> None:
    deep = {"-date": "2022-01-01_3000", "date": "2022-01-01_3000"}
    for wanted in SEARCHES:
        for order in ORDERS:
            for after in ("", deep.get(order, "3000")):
                for sql, plan in plans(page(wanted, order=order, after=after)):
                    assert not reads_everything(sql, plan), (wanted, order, after, sql, plan)
    # A page in the depth enters the index at its row.
    ((_, plan),) = plans(page(Wanted(), after="2022-01-01_3000"))
    assert "study_newest_first" in plan
    assert ("Index Cond" if connection.vendor == "postgresql" else "study_date<?") in plan
    # What names few studies has its index.
    for wanted, index in FEW:
        assert index in plans(page(wanted))[0][1]
    # Asking what is new looks at the newest only.
    newest = Study.objects.order_by("-pk").values_list("pk", flat=True)[1]
    ct = Wanted(modality=("CT",))
    ((sql, plan),) = plans(lambda: new_studies(Study.objects.all(), ct, newest=newest))
    assert not reads_everything(sql, plan)
