"""Pictures of stored instances."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from apps.audit.services import Origin
from apps.studies.models import Instance
from apps.studies.services import rendering, store_instances
from apps.studies.services.rendering import RenderOptions, render
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10

pytestmark = pytest.mark.django_db

Keep = Callable[..., Instance]


@pytest.fixture
def keep(spool: Spool, origin: Origin) -> Keep:
    def store(dataset: Dataset, **how: Any) -> Instance:
        store_instances([spool.write([part10(dataset, **how)])], origin=origin)
        return Instance.objects.get(sop_instance_uid=dataset.SOPInstanceUID)

    return store


def test_an_image_is_rendered_by_another_process(keep: Keep) -> None:
    kind, made = render(keep(ct_image()), options=RenderOptions("image/png"))
    picture = np.asarray(Image.open(io.BytesIO(made)))
    assert kind == "image/png"
    assert picture.shape == (4, 6)
    assert (picture.min(), picture.max()) == (0, 255)


def test_the_processes_have_no_network_and_no_files() -> None:
    held, _ = rendering._pictures.do("confinement", {}, [])
    assert {"limits", "filter"} <= set(held["holds"])
