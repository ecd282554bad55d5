"""Images that mean harm cost an answer with a reason, never a process of the web."""

import resource
from collections import Counter
from collections.abc import Iterator

import pytest
from django.test import Client

from apps.audit.services import Origin
from apps.dicom.workshop import Workshop
from apps.studies.models import Instance
from apps.studies.services import rendering, store_instances
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import Keep, address_of
from tests.dicomweb.hostile import hostile_images

pytestmark = [pytest.mark.alike, pytest.mark.django_db, pytest.mark.filterwarnings("ignore")]
MIB = 1 << 20
SECONDS = 1  # enough for all that is honest


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    """Less of everything, so that bombs are given up soon."""
    workshop = Workshop(seconds=SECONDS, memory_bytes=1536 * MIB)
    monkeypatch.setattr(rendering, "_pictures", workshop)
    yield workshop
    workshop.close()


def used(who: int) -> int:
    return resource.getrusage(who).ru_maxrss * 1024


def test_hostile_images_cost_an_answer_and_never_a_worker(
    radiologist: Client, keep: Keep, spool: Spool, origin: Origin, hasty: Workshop
) -> None:
    files = dict(hostile_images())
    assert len(files) >= 50
    store_instances([spool.write([data]) for data in files.values()], origin=origin)
    rows = list(Instance.objects.select_related("series__study"))
    assert len(rows) >= 50
    before = used(resource.RUSAGE_SELF)
    found: Counter[int] = Counter()
    for index, row in enumerate(rows):
        for what in ("rendered?overlays=yes", "thumbnail")[: 1 + (index % 5 == 0)]:
            answer = radiologist.get(f"{address_of(row)}/{what}", headers={"accept": "image/*"})
            found[answer.status_code] += 1
            if answer.status_code != 200:
                assert answer.status_code in (404, 406, 422)
                assert answer.json()["error"]
    assert found[422] > 20
    assert used(resource.RUSAGE_SELF) - before < 256 * MIB
    assert used(resource.RUSAGE_CHILDREN) < 2048 * MIB
    good = radiologist.get(f"{address_of(keep(ct_image()))}/rendered")
    assert good.status_code == 200
