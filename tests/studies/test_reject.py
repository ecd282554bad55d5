"""What is rejected is out of use everywhere, and may come back."""

from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from apps.audit.models import Event
from apps.audit.services import Origin
from apps.studies.models import Instance, Rejection, Series, Study
from apps.studies.services import (
    Outcome,
    RejectedAlreadyError,
    RestoredAlreadyError,
    Target,
    UnknownReasonError,
    rebuild_index,
    reject,
    restore,
    store_instances,
    write_sidecar,
)
from apps.studies.spool import Spool
from apps.studies.storage import stored_files
from tests.dicom.objects import ct_image, part10

pytestmark = pytest.mark.django_db


def send(spool: Spool, origin: Origin, *images: Dataset) -> list[Outcome]:
    paths = [spool.write([part10(one)]) for one in images]
    return [one.outcome for one in store_instances(paths, origin=origin)]


@pytest.fixture
def images(spool: Spool, origin: Origin) -> list[Dataset]:
    """Two CT images in one series, one MR image in another, of one study."""
    first = ct_image()
    second = ct_image(
        StudyInstanceUID=first.StudyInstanceUID, SeriesInstanceUID=first.SeriesInstanceUID
    )
    other = ct_image(StudyInstanceUID=first.StudyInstanceUID, Modality="MR")
    send(spool, origin, first, second, other)
    return [first, second, other]


def image(one: Dataset) -> Instance:
    return Instance.everything.get(sop_instance_uid=one.SOPInstanceUID)


def why(**more: Any) -> dict[str, Any]:
    return {"code": "113001", "reason": "all of it is blurred", **more}


def test_a_study_is_gone_and_comes_back(images: list[Dataset], origin: Origin) -> None:
    study = Study.objects.get()
    made = reject(Target(study), **why(), origin=origin)
    assert not Study.objects.exists()
    assert not Series.objects.exists()
    assert not Instance.objects.exists()
    assert Study.everything.get().status == "rejected"
    assert Event.objects.get(kind="objects-rejected").details["instances"] == 3
    restore(made, origin=origin)
    assert Study.objects.get().status == study.status
    assert Study.objects.get().instance_count == Instance.objects.count() == 3
    assert Study.objects.get().modalities == r"\CT\MR" + "\\"
    assert Event.objects.get(kind="objects-restored").study_instance_uid


def test_counters_and_revisions_follow_an_image(images: list[Dataset], origin: Origin) -> None:
    study, row = Study.objects.get(), image(images[0])
    before = row.series.revision
    made = reject(Target(study, instance=row), **why(), origin=origin)
    after = Study.objects.get()
    assert (after.series_count, after.instance_count) == (2, 2)
    assert after.size == study.size - row.size
    assert after.revision > study.revision
    series = Series.objects.get(pk=row.series_id)
    assert series.instance_count == 1
    assert series.revision > before
    assert list(series.instances.all()) == [image(images[1])]
    restore(made, origin=origin)
    assert Series.objects.get(pk=row.series_id).instance_count == 2


def test_a_series_without_images_is_gone_with_its_modality(
    images: list[Dataset], origin: Origin
) -> None:
    row = image(images[2])
    reject(Target(row.series.study, instance=row), **why(), origin=origin)
    assert not Series.objects.filter(pk=row.series_id).exists()
    assert Study.objects.get().modalities == r"\CT" + "\\"
    assert Study.objects.get().series_count == 1


def test_a_study_of_which_all_series_are_rejected_is_rejected(
    images: list[Dataset], origin: Origin
) -> None:
    study = Study.objects.get()
    made = [reject(Target(study, one), **why(), origin=origin) for one in study.series.all()]
    assert not Study.objects.exists()
    restore(made[0], origin=origin)
    assert Study.objects.get().status == study.status


def test_the_bytes_stay(images: list[Dataset], origin: Origin) -> None:
    reject(Target(Study.objects.get()), **why(), origin=origin)
    for row in Instance.everything.all():
        assert stored_files().size(row.file_name) == row.size


def test_an_image_that_is_rejected_twice_stays_away_until_both_are_taken_back(
    images: list[Dataset], origin: Origin
) -> None:
    study, row = Study.objects.get(), image(images[0])
    narrow = reject(Target(study, instance=row), **why(), origin=origin)
    broad = reject(Target(study), **why(), origin=origin)
    restore(broad, origin=origin)
    assert not Instance.objects.filter(pk=row.pk).exists()
    assert Instance.objects.count() == 2
    broad = reject(Target(study), **why(), origin=origin)
    restore(narrow, origin=origin)
    assert not Instance.objects.exists()
    restore(broad, origin=origin)
    assert Instance.objects.count() == 3


def test_nothing_is_rejected_or_restored_twice(images: list[Dataset], origin: Origin) -> None:
    study = Study.objects.get()
    made = reject(Target(study), **why(), origin=origin)
    with pytest.raises(RejectedAlreadyError):
        reject(Target(study), **why(), origin=origin)
    restore(made, origin=origin)
    with pytest.raises(RestoredAlreadyError):
        restore(made, origin=origin)


@pytest.mark.parametrize("wrong", [{"code": "113000"}, {"code": ""}, {"reason": "  "}])
def test_a_rejection_says_why(images: list[Dataset], origin: Origin, wrong: dict[str, str]) -> None:
    with pytest.raises(UnknownReasonError):
        reject(Target(Study.objects.get()), **why(**wrong), origin=origin)
    assert Study.objects.exists()


def test_what_comes_again_for_a_rejected_study_stays_rejected(
    images: list[Dataset], origin: Origin, spool: Spool
) -> None:
    reject(Target(Study.objects.get()), **why(), origin=origin)
    new = ct_image(StudyInstanceUID=images[0].StudyInstanceUID)
    assert send(spool, origin, images[0], new) == [Outcome.DUPLICATE, Outcome.STORED]
    assert not Study.objects.exists()
    assert not Instance.objects.exists()
    assert Instance.everything.count() == 4
    told = [one.details["uids"] for one in Event.objects.filter(kind="rejected-again")]
    assert sorted(told) == sorted([[images[0].SOPInstanceUID], [new.SOPInstanceUID]])
    restore(Rejection.objects.get(), origin=origin)
    assert Study.objects.get().instance_count == Instance.objects.count() == 4


def test_new_images_of_a_rejected_series_are_rejected_and_others_are_not(
    images: list[Dataset], origin: Origin, spool: Spool
) -> None:
    series = image(images[0]).series
    reject(Target(series.study, series), **why(), origin=origin)
    same = ct_image(
        StudyInstanceUID=images[0].StudyInstanceUID, SeriesInstanceUID=images[0].SeriesInstanceUID
    )
    other = ct_image(StudyInstanceUID=images[0].StudyInstanceUID)
    send(spool, origin, same, other)
    assert image(same).rejection is not None
    assert image(other).rejection is None
    assert Study.objects.get().instance_count == Instance.objects.count() == 2


def test_a_series_all_of_whose_images_were_rejected_comes_back_with_a_new_one(
    images: list[Dataset], origin: Origin, spool: Spool
) -> None:
    row = image(images[2])
    reject(Target(row.series.study, instance=row), **why(), origin=origin)
    new = ct_image(
        StudyInstanceUID=images[2].StudyInstanceUID, SeriesInstanceUID=images[2].SeriesInstanceUID
    )
    send(spool, origin, new)
    assert Series.objects.get(pk=row.series_id).instance_count == 1


def test_an_index_made_anew_knows_what_was_rejected(images: list[Dataset], origin: Origin) -> None:
    study = Study.objects.get()
    reject(Target(study, instance=image(images[0])), **why(), origin=origin)
    restore(reject(Target(study), **why(), origin=origin), origin=origin)
    kept = reject(Target(study, image(images[2]).series), **why(reason="not his"), origin=origin)
    write_sidecar(study.study_instance_uid)
    Series.everything.update(rejection=None)
    Instance.everything.update(rejection=None)
    Study.everything.all().delete()
    rebuild_index(origin=origin)
    assert Rejection.objects.count() == 3
    assert Rejection.objects.in_force().count() == 2
    assert Rejection.objects.get(number=kept.number).reason == "not his"
    assert [one.sop_instance_uid for one in Instance.objects.all()] == [images[1].SOPInstanceUID]
    assert Study.objects.get().instance_count == 1


def test_a_rejected_study_stays_so_in_an_index_made_anew(
    images: list[Dataset], origin: Origin, tmp_path: Path
) -> None:
    study = Study.objects.get()
    reject(Target(study), **why(), origin=origin)
    write_sidecar(study.study_instance_uid)
    Series.everything.update(rejection=None)
    Instance.everything.update(rejection=None)
    Study.everything.all().delete()
    rebuild_index(origin=origin)
    assert not Study.objects.exists()
    restore(Rejection.objects.get(), origin=origin)
    assert Study.objects.get().instance_count == 3
