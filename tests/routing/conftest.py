"""A storage of its own for every test, studies in it, and devices that may be sent them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from apps.audit.models import Event, Kind
from apps.audit.services import Origin, record
from apps.routing.models import Transfer
from apps.studies.models import Study
from apps.studies.spool import Spool
from apps.worklist.models import Device
from tests.dicom.objects import ct_image, part10
from tests.dimse.receiving import keep
from tests.factories import DeviceFactory
from tests.storage import store_below

MakeStudy = Callable[..., Study]
Complete = Callable[..., Event]


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, settings: Any) -> Spool:
    """The site's spool, below a storage folder of this test alone."""
    return store_below(tmp_path, settings)


@pytest.fixture
def threads_db(transactional_db: None) -> None:
    """A database that other threads see."""


@pytest.fixture
def make_study(db: None) -> MakeStudy:
    """A stored study of so many images in one series, or more images of a study."""

    def make(images: int = 1, *, source: str = "CT1", **values: Any) -> Study:
        first = ct_image(**values)
        same = {name: first[name].value for name in ("StudyInstanceUID", "SeriesInstanceUID")}
        more = [ct_image(**{**values, **same, "InstanceNumber": n}) for n in range(1, images)]
        keep(*(part10(one, source=source) for one in [first, *more]))
        return Study.objects.get(study_instance_uid=first.StudyInstanceUID)

    return make


@pytest.fixture
def complete(db: None, origin: Origin) -> Complete:
    """The journal row of a study that is complete, or that had late images, or found its order."""

    def make(study: Study, kind: Kind = Kind.STUDY_COMPLETE) -> Event:
        Study.objects.filter(pk=study.pk).update(status=Study.Status.AVAILABLE)
        return record(kind, study, origin=origin, study_instance_uid=study.study_instance_uid)

    return make


@pytest.fixture
def workstation(db: None) -> Device:
    made: Device = DeviceFactory.create(
        name="Workstation", ae_title="WS1", may_receive=True, modality=""
    )
    return made


def queued(study: Study, device: Device, **fields: Any) -> Transfer:
    """A transfer as a request would have queued it."""
    return Transfer.objects.create(study=study, destination=device, **fields)


def make_due() -> None:
    Transfer.objects.filter(status="waiting").update(next_attempt_at=timezone.now())


def the_transfer() -> Transfer:
    return Transfer.objects.get()
