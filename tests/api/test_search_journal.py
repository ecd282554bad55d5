"""Searches of scripts are in the journal."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from apps.audit.later import write_down
from apps.audit.models import Event, Kind
from apps.audit.throttle import Throttle
from apps.studies.services import querying
from tests.api.conftest import Script

pytestmark = pytest.mark.django_db


def test_a_search_of_a_script_is_journalled_without_names(
    script_of: Script, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.JOURNAL_DIR = tmp_path / "journal"
    monkeypatch.setattr(querying, "_questions", Throttle(seconds=600, per_hour=200))
    asked = {"PatientName": "DOE^*", "StudyDate": "20260101-"}
    radiologist = script_of("radiologist")
    for _ in range(2):
        found = radiologist.post("/api/v1/studies/search", asked, content_type="application/json")
        assert found.status_code == 200
    with time_machine.travel(timezone.now() + timedelta(seconds=10)):
        write_down()
    (row,) = Event.objects.filter(kind=Kind.STUDIES_QUERIED)
    assert (row.peer, row.protocol) == ("radiologist", "rest")
    assert row.details["keys"] == {"PatientName": "wildcard", "StudyDate": "20260101-"}
