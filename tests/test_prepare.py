"""Programs that tests need and that may not be there."""

import pytest

from tests.conftest import require_programs
from tests.prepare import PROGRAMS, find_program, missing_packages


def test_a_test_is_skipped_by_the_name_of_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-program is not installed"):
        require_programs("no-such-program")


def test_where_everything_was_to_be_prepared_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-program is not installed"):
        require_programs("no-such-program")


def test_daemons_are_found_by_whoever_has_no_path_to_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = find_program("Orthanc")
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_program("Orthanc") == expected


def test_every_program_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.prepare.find_program", lambda _name: None)
    assert missing_packages() == sorted(set(PROGRAMS.values()))
