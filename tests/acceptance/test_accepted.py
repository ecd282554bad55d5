"""All public sample data through C-STORE: what is expected of each file happens to it."""

import os
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian

from apps.dimse.identifiers import ENCODINGS
from tests.acceptance.document import dcmtk_version, render
from tests.acceptance.driver import Accepted, send_all
from tests.acceptance.expectations import OTHERWISE, is_met, is_refused
from tests.acceptance.samples import read_samples

pytestmark = [
    pytest.mark.alike,
    pytest.mark.peer,
    pytest.mark.samples,
    # pydicom warns of what is wrong with many of the files.
    pytest.mark.filterwarnings("ignore"),
]
DOCUMENT = Path(__file__).parents[2] / "docs" / "accepted-objects.md"
_once: list[Accepted] = []


@pytest.fixture
def found(samples: Path, threads_db: None, tmp_path: Path) -> Accepted:
    """What became of all files, which are sent for the first test that asks."""
    if not _once:
        _once.append(send_all(read_samples(samples), tmp_path))
    return _once[0]


def test_every_file_is_stored_or_refused_as_the_manifest_expects(found: Accepted) -> None:
    assert len(found.plain) > 700
    otherwise = {name for name, one in found.plain.items() if not is_met(one)}
    assert otherwise == set(OTHERWISE)
    assert all(found.plain[name].is_whole or is_refused(found.plain[name]) for name in otherwise)


def test_what_dcmtk_sends_is_stored_in_the_syntax_it_was_sent_in(found: Accepted) -> None:
    stored = [one for one in found.dcmtk.values() if one.is_indexed]
    assert len(stored) > 680
    for one in stored:
        is_plain = one.sample.transfer_syntax_uid in ENCODINGS
        wanted = ExplicitVRLittleEndian if is_plain else one.sample.transfer_syntax_uid
        assert one.kept.transfer_syntax_uid == wanted, one.sample.name


def test_what_dcmtk_sends_is_indexed_or_refused(found: Accepted) -> None:
    for one in found.dcmtk.values():
        assert one.is_indexed or is_refused(one), one


def test_the_document_is_what_happened(found: Accepted) -> None:
    written = DOCUMENT.read_text()
    if f"({dcmtk_version()})" not in written and os.environ.get("CI") != "true":
        pytest.skip("docs/accepted-objects.md was made with another version of DCMTK")
    assert render(found) == written, "python -m tests.acceptance.table > docs/accepted-objects.md"
