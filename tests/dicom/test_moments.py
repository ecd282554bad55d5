"""Spans of time as keys of VR DT ask for them."""

from datetime import UTC, datetime

import pytest

from apps.dicom.moments import parse_moment_range


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", "2026-01-01", "2026-12-31T23:59:59.999999"),
        ("202602", "2026-02-01", "2026-02-28T23:59:59.999999"),
        ("20260217", "2026-02-17", "2026-02-17T23:59:59.999999"),
        ("2026021708", "2026-02-17T08:00", "2026-02-17T08:59:59.999999"),
        ("202602170815", "2026-02-17T08:15", "2026-02-17T08:15:59.999999"),
        ("20260217081530", "2026-02-17T08:15:30", "2026-02-17T08:15:30.999999"),
        ("20260217081530.25", "2026-02-17T08:15:30.25", "2026-02-17T08:15:30.25"),
        ("20260217081530-0500", "2026-02-17T13:15:30", "2026-02-17T13:15:30.999999"),
        ("20260217-20260218", "2026-02-17", "2026-02-18T23:59:59.999999"),
        ("20260217-", "2026-02-17", None),
        ("-2026", None, "2026-12-31T23:59:59.999999"),
        (
            "20260217000000-0500-20260218000000-0500",
            "2026-02-17T05:00",
            "2026-02-18T05:00:00.999999",
        ),
        ("00010101-99991231", "0002-01-01", "9998-12-31"),
    ],
)
def test_a_span_is_as_wide_as_it_is_exact(text: str, start: str | None, end: str | None) -> None:
    expected = (at(start) if start else None, at(end) if end else None)
    assert parse_moment_range(text, zone=UTC) == expected


@pytest.mark.parametrize("text", ["", "-", "soon", "2026021", "20261301", "2026-soon", "20260230"])
def test_what_is_no_date_and_time_is_none(text: str) -> None:
    assert parse_moment_range(text, zone=UTC) is None
