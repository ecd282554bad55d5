"""A session that ends while images are open, in a real browser."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from django.contrib.sessions.models import Session

from apps.audit.services import Origin
from apps.studies.services import store_instances
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10
from tests.factories import PASSWORD
from tests.studies.conftest import spool
from tests.viewing.viewer import Viewer

__all__ = ["spool"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
# The browser tells of each request that is refused, and that is what happens here.
REFUSED = ("401", "Failed to load resource")


def test_a_session_that_ends_leads_to_the_login_and_back_to_the_study(
    viewer: Viewer, spool: Spool, origin: Origin, tmp_path: Path
) -> None:
    noise = np.random.default_rng(1).integers(0, 900, (64, 64), dtype="<u2")
    image = ct_image(Rows=64, Columns=64, PixelData=noise.tobytes())
    store_instances([spool.write([part10(image)])], origin=origin)
    study = str(image.StudyInstanceUID)
    viewer.open(study)
    viewer.wait_for_images()
    assert viewer.complaints == []
    Session.objects.all().delete()
    viewer.command("openpacsPrefetchStudy", study=study)
    viewer.page.get_by_label("Username").fill("radiologist")
    viewer.page.get_by_label("Password").fill(PASSWORD)
    viewer.page.get_by_role("button", name="Sign in").click()
    viewer.wait_for_images()
    place = urlsplit(viewer.page.url)
    assert place.path == "/viewer/viewer"
    assert parse_qs(place.query) == {"StudyInstanceUIDs": [study]}
    assert [one for one in viewer.complaints if not any(text in one for text in REFUSED)] == []
