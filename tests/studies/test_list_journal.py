"""Searches of the studies page are in the journal, as those of QIDO-RS are."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.audit.later import write_down
from apps.audit.models import Event, Kind
from apps.audit.throttle import Throttle
from apps.studies.services import listing, querying
from tests.reports.rows import make_study

pytestmark = pytest.mark.django_db
LIST = reverse("studies:list")
HTMX = {"HX-Request": "true"}


@pytest.fixture
def keeper(
    as_role: Callable[[str], Client],
    tmp_path: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Client:
    settings.JOURNAL_DIR = tmp_path / "journal"
    monkeypatch.setattr(querying, "_questions", Throttle(seconds=600, per_hour=200))
    return as_role("pacs-administrator")


def journal() -> list[Event]:
    with time_machine.travel(timezone.now() + timedelta(seconds=10)):
        write_down()
    return list(Event.objects.filter(kind=Kind.STUDIES_QUERIED).order_by("id"))


def test_a_search_is_journalled_without_names(keeper: Client) -> None:
    make_study(patient_identifier="4711", modalities="\\CT\\")
    asked = "q=Rubbed^Out&name=Miller&number=4711&modality=CT&modality=MR&since=2026-01-01&date=own"
    assert keeper.get(f"{LIST}?{asked}").status_code == 200
    (row,) = journal()
    assert row.protocol == "web"
    assert row.user is not None
    assert row.details["keys"] == {
        "modality": "CT\\MR",
        "name": "words",
        "number": "4711",
        "q": "words",
        "since": "2026-01-01",
    }
    assert row.details["count"] == 0
    assert "iller" not in str(row.details)


def test_every_change_of_a_search_is_one_row_and_scrolling_none(
    keeper: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_SIZE", 2)
    for _ in range(5):
        make_study(modalities="\\CT\\")
    first = keeper.get(LIST, {"modality": "CT"}, headers=HTMX)
    address = first.context["next_address"]
    assert address
    while address:
        address = keeper.get(address, headers=HTMX).context["next_address"]
    keeper.get(LIST, {"modality": "CT"}, headers=HTMX)  # the same again
    keeper.get(LIST, {"modality": "MR"}, headers=HTMX)
    keeper.get(reverse("studies:arrivals"), {"modality": "US", "newest": "0"})
    assert [row.details["keys"] for row in journal()] == [{"modality": "CT"}, {"modality": "MR"}]


def test_the_whole_list_is_a_search_as_well(keeper: Client) -> None:
    make_study()
    keeper.get(LIST)
    (row,) = journal()
    assert (row.details["keys"], row.details["count"]) == ({}, 1)
