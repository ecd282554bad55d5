"""DA, TM, DT, partial dates and ranges."""

from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest

from apps.dicom import dates
from apps.dicom.dates import Range


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20240229", date(2024, 2, 29)),
        ("2024.02.29", date(2024, 2, 29)),
        (" 20240229 ", date(2024, 2, 29)),
        ("20230229", None),
        ("202402", None),
        ("00000000", None),
        ("", None),
        ("garbage!", None),
    ],
)
def test_a_date_is_read_or_left_out(text: str, expected: date | None) -> None:
    assert dates.parse_date(text) == expected


def test_a_partial_date_keeps_its_precision() -> None:
    assert dates.parse_partial_date("1980") == (date(1980, 1, 1), "year")
    assert dates.parse_partial_date("198005") == (date(1980, 5, 1), "month")
    assert dates.parse_partial_date("19800517") == (date(1980, 5, 17), "day")
    assert dates.format_date(date(1980, 1, 1), "year") == "1980"
    assert dates.format_date(date(1980, 5, 1), "month") == "198005"
    assert dates.format_date(date(800, 5, 1)) == "08000501"
    assert dates.format_date(None) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("19500704", "19500704"),
        ("1950-07-04", "19500704"),
        ("1950.07.04", "19500704"),
        ("195007", "195007"),
        ("1950-unknown", ""),
        ("04.07.1950", ""),
    ],
)
def test_a_date_is_written_as_da_or_not_at_all(text: str, expected: str) -> None:
    assert dates.partial_da(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("07", time(7)),
        ("0705", time(7, 5)),
        ("070501.5", time(7, 5, 1, 500_000)),
        ("07:05:01", time(7, 5, 1)),
        ("235960", time(23, 59, 59)),
        ("250000", None),
        ("7", None),
    ],
)
def test_a_time_is_read_at_any_precision(text: str, expected: time | None) -> None:
    assert dates.parse_time(text) == expected


def test_a_time_is_written_as_short_as_it_is_exact() -> None:
    assert dates.format_time(time(7, 5, 1)) == "070501"
    assert dates.format_time(time(7, 5, 1, 250_000)) == "070501.250000"


def test_a_datetime_takes_the_zone_of_the_site_unless_it_has_its_own() -> None:
    east = timezone(timedelta(hours=2))
    assert dates.parse_datetime("20240517080000", zone=east) == datetime(
        2024, 5, 17, 8, tzinfo=east
    )
    assert dates.parse_datetime("20240517080000-0500", zone=east) == datetime(
        2024, 5, 17, 13, tzinfo=UTC
    )
    # An impossible offset counts as none.
    assert dates.parse_datetime("20240517080000+9999", zone=UTC) == datetime(
        2024, 5, 17, 8, tzinfo=UTC
    )
    assert dates.format_datetime(datetime(2024, 5, 17, 8, tzinfo=east)) == "20240517080000+0200"


def test_ranges_of_dates_are_open_or_closed() -> None:
    assert dates.parse_date_range("20240101-20240131") == Range(date(2024, 1, 1), date(2024, 1, 31))
    assert dates.parse_date_range("20240101-") == Range(date(2024, 1, 1), None)
    assert dates.parse_date_range("-20240131") == Range(None, date(2024, 1, 31))
    assert dates.parse_date_range("202402") == Range(date(2024, 2, 1), date(2024, 2, 29))
    assert dates.parse_date_range("-") is None
    assert dates.parse_date_range("20249901-") is None


def test_a_range_of_times_ends_with_the_last_microsecond_named() -> None:
    assert dates.parse_time_range("10-11") == Range(time(10), time(11, 59, 59, 999_999))
    assert dates.parse_time_range("-1030") == Range(None, time(10, 30, 59, 999_999))
    assert dates.parse_time_range("10-x") is None
