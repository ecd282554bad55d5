"""An archive with a few images, and somebody who may see them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from pydicom.dataset import Dataset

from apps.audit.services import Origin
from apps.audit.throttle import Throttle
from apps.dicomweb.views import lookup
from apps.studies.models import Instance
from apps.studies.services import store_instances
from apps.studies.spool import Spool
from tests.dicom.objects import part10
from tests.studies.conftest import spool

__all__ = ["spool"]

Keep = Callable[..., Instance]


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    # Keys of rows return in every test, as its transaction is rolled back.
    cache.clear()
    monkeypatch.setattr(lookup, "_looked_at", Throttle(seconds=600, per_hour=1000))


@pytest.fixture
def keep(db: None, spool: Spool, origin: Origin) -> Keep:
    """Store one object; `keep(ct_image(), syntax=...)` -> its row."""

    def store(dataset: Dataset, **how: Any) -> Instance:
        store_instances([spool.write([part10(dataset, **how)])], origin=origin)
        return Instance.objects.select_related("series__study").get(
            sop_instance_uid=dataset.SOPInstanceUID
        )

    return store


@pytest.fixture
def radiologist(as_role: Callable[[str], Client]) -> Client:
    return as_role("radiologist")


def address_of(instance: Instance) -> str:
    series = instance.series
    return (
        f"/dicom-web/studies/{series.study.study_instance_uid}"
        f"/series/{series.series_instance_uid}/instances/{instance.sop_instance_uid}"
    )
