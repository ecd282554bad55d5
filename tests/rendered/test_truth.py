"""The public sample data through `/rendered`: as other programs show them, within two levels."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from apps.studies.spool import Spool
from tests.acceptance.samples import read_samples
from tests.rendered.document import MOST
from tests.rendered.driver import chosen, compare

pytestmark = [
    pytest.mark.alike,
    pytest.mark.django_db,
    pytest.mark.peer("dcmj2pnm", "gdcmconv"),
    pytest.mark.samples,
    # pydicom warns of what is wrong with many of the files.
    pytest.mark.filterwarnings("ignore"),
]
DOCUMENT = Path(__file__).parents[2] / "docs" / "rendered-objects.md"


def test_one_image_of_each_kind_renders_as_elsewhere_or_is_refused_as_documented(
    samples: Path, spool: Spool, as_role: Callable[[str], Client]
) -> None:
    told = DOCUMENT.read_text()
    found = list(compare(chosen(read_samples(samples)), spool, as_role("radiologist")))
    assert len(found) > 60
    assert sum(one.largest is not None for one in found) > 55
    for one in found:
        if one.status != 200:
            assert f"| {one.sample.name} | {one.reason} |" in told
        elif one.largest is None:
            assert f"| {one.sample.name} |" in told
        else:
            assert one.largest <= MOST, one
