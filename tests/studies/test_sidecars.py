"""Corrections outlive the index: they lie beside the files and come back with them."""

from typing import Any

import pytest

from apps.audit.models import Event
from apps.audit.services import Origin
from apps.dicom.amending import Change
from apps.studies.models import Conflict, Correction, Instance, Study
from apps.studies.services import (
    Scope,
    correct_study,
    drop_newcomer,
    read_sidecar,
    rebuild_index,
    restore_corrections,
    store_instances,
    undo_correction,
    write_sidecar,
)
from apps.studies.spool import Spool
from apps.studies.storage import stored_files
from apps.studies.tasks import keep_overlay
from tests.dicom.objects import ct_image, part10
from tests.factories import make_user
from tests.studies.test_correct import sent

pytestmark = pytest.mark.django_db


def corrected(spool: Spool, origin: Origin) -> bytes:
    """A study with an open and an undone correction and a settled conflict; its file."""
    image = ct_image(BodyPartExamined="HAND")
    data = part10(image)
    store_instances([spool.write([data])], origin=origin)
    image.PixelData = bytes(48)
    store_instances([spool.write([part10(image)])], origin=origin)
    drop_newcomer(Conflict.objects.get(), reason="sent twice", origin=origin)
    series = Instance.objects.get().series
    person = Origin(protocol="web", user=make_user())
    how: dict[str, Any] = {"source": Correction.Source.PERSON, "origin": person}
    how["reason"] = "typed wrong"
    number, knee = Change("00100020", "LO", ["H1"]), Change("00180015", "CS", ["KNEE"])
    undone = correct_study(series.study, changes=[Change("00200010", "SH", ["7"])], **how)
    undo_correction(undone[0], origin=person)
    correct_study(series.study, changes=[number], **how)
    correct_study(series.study, changes=[knee], scope=Scope(series=series), **how)
    return data


def test_a_newcomer_of_a_study_that_is_not_here_is_found_again(
    spool: Spool, origin: Origin
) -> None:
    image = ct_image()
    store_instances([spool.write([part10(image)])], origin=origin)
    image.StudyInstanceUID = "2.25.404"  # sent again under another study
    store_instances([spool.write([part10(image)])], origin=origin)
    kept = ("file_name", "study_instance_uid", "sop_instance_uid", "state", "received_at")
    before = Conflict.objects.values_list(*kept).get()
    write_sidecar("2.25.404")
    Conflict.objects.all().delete()
    Study.objects.all().delete()
    assert rebuild_index(origin=origin).restored == 1
    assert Conflict.objects.values_list(*kept).get() == before
    assert Conflict.objects.get().instance == Instance.objects.get()
    assert rebuild_index(origin=origin).restored == 0


def test_a_rebuilt_study_gets_its_corrections_back(spool: Spool, origin: Origin) -> None:
    data = corrected(spool, origin)
    before = Study.objects.get()
    for event in Event.objects.filter(kind__in=["study-corrected", "conflict-settled"]):
        keep_overlay(event.pk)
    rows = list(Correction.objects.values_list("path", "new", "user", "undone_at", "batch", "at"))
    Conflict.objects.all().delete()
    before.delete()
    store_instances([spool.write([data])], origin=origin)
    study = Study.objects.get()
    assert study.patient_identifier == "P0000001"
    assert restore_corrections(study) == 4
    assert restore_corrections(study) == 0
    assert study.patient_identifier == "H1"
    found = sent(Instance.objects.get())
    assert (found.PatientID, found.BodyPartExamined, found.StudyID) == ("H1", "KNEE", "1")
    fields = ("path", "new", "user", "undone_at", "batch", "at")
    assert list(Correction.objects.values_list(*fields)) == rows
    conflict = Conflict.objects.get()
    assert (conflict.state, conflict.decision) == (Conflict.State.DROPPED, "sent twice")
    assert conflict.instance == Instance.objects.get()


def test_the_index_is_rebuilt_with_its_corrections(spool: Spool, origin: Origin) -> None:
    corrected(spool, origin)
    write_sidecar(Study.objects.get().study_instance_uid)
    Conflict.objects.all().delete()
    Study.objects.all().delete()
    result = rebuild_index(origin=origin)
    assert (result.added, result.restored) == (1, 4)
    assert Study.objects.get().patient_identifier == "H1"


def test_an_index_that_knows_less_does_not_wipe_what_is_written(
    spool: Spool, origin: Origin
) -> None:
    data = corrected(spool, origin)
    uid = Study.objects.get().study_instance_uid
    write_sidecar(uid)
    Study.objects.all().delete()
    store_instances([spool.write([data])], origin=origin)
    write_sidecar(uid)
    assert Study.objects.get().patient_identifier == "H1"
    document = read_sidecar(uid)
    assert document is not None
    assert len(document["corrections"]) == 3


def test_only_the_newest_document_is_kept(spool: Spool, origin: Origin) -> None:
    corrected(spool, origin)
    uid = Study.objects.get().study_instance_uid
    first, second = write_sidecar(uid), write_sidecar(uid)
    with pytest.raises(OSError, match="No such file"):
        stored_files().size(first)
    assert stored_files().size(second) > 0
    assert not list(spool.partial.iterdir())


def test_a_study_without_corrections_has_nothing_to_restore(spool: Spool, origin: Origin) -> None:
    store_instances([spool.write([part10(ct_image())])], origin=origin)
    study = Study.objects.get()
    assert read_sidecar(study.study_instance_uid) is None
    assert restore_corrections(study) == 0
