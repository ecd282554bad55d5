"""A storage and a folder of exports of its own for every test, and studies in it."""

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from apps.accounts.models import User
from apps.audit.services import Origin
from apps.exports.models import Export, Profile
from apps.exports.services import ask_for_export
from apps.exports.services.making import make_due
from apps.studies.models import Study
from apps.studies.room import forget_room
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10
from tests.dimse.receiving import keep
from tests.factories import make_user
from tests.storage import store_below

MakeStudy = Callable[..., Study]
Ask = Callable[..., Export]


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, settings: Any) -> Spool:
    """The site's spool, storage and exports, below a folder of this test alone."""
    settings.EXPORTS_DIR = tmp_path / "exports"
    return store_below(tmp_path, settings)


@pytest.fixture(autouse=True)
def _disk_looked_at_anew() -> Iterator[None]:
    """What a test says of the disk holds for no other one."""
    forget_room()
    yield
    forget_room()


@pytest.fixture
def make_study(db: None) -> MakeStudy:
    """A stored study of so many images in one series."""

    def make(images: int = 1, *, syntax: str = "1.2.840.10008.1.2.1", **values: Any) -> Study:
        first = ct_image(**values)
        same = {name: first[name].value for name in ("StudyInstanceUID", "SeriesInstanceUID")}
        more = [ct_image(**{**values, **same, "InstanceNumber": n + 1}) for n in range(1, images)]
        return store(first, *more, syntax=syntax)

    return make


def store(*objects: Dataset, syntax: str = "1.2.840.10008.1.2.1") -> Study:
    """Objects of one study, stored."""
    keep(*(part10(one, syntax=syntax) for one in objects))
    return Study.objects.get(study_instance_uid=objects[0].StudyInstanceUID)


@pytest.fixture
def radiologist(db: None) -> User:
    return make_user("radiologist", username="rita")


@pytest.fixture
def ask(radiologist: User) -> Ask:
    """An export that somebody asked for; `make_due` makes it."""

    def asked(
        *studies: Study, kind: str = "zip", user: User | None = None, **options: Any
    ) -> Export:
        profile = options.pop("profile", None)
        if kind == "anonymised" and profile is None:
            profile = Profile.objects.get(name="Basic Profile")
        return ask_for_export(
            studies,
            kind=kind,
            options=options,
            profile=profile,
            origin=Origin(protocol="test", user=user or radiologist),
        )

    return asked


def made(export: Export) -> Export:
    """The same export after the worker was at it."""
    make_due()
    export.refresh_from_db()
    return export


def opened(export: Export) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(export.path.read_bytes()))


def objects_of(archive: zipfile.ZipFile) -> list[bytes]:
    """The DICOM files of an archive, without the DICOMDIR."""
    return [archive.read(name) for name in archive.namelist() if name.startswith("DICOM/")]
