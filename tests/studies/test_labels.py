"""Words hung on studies."""

import pytest
from django.utils import timezone

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.studies.models import Label, Study
from apps.studies.services import (
    UnusableLabelError,
    label_study,
    rebuild_index,
    store_instances,
    unlabel_study,
    write_sidecar,
)
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10

pytestmark = pytest.mark.django_db


def study(number: int = 1) -> Study:
    return Study.objects.create(
        study_instance_uid=f"1.2.3.{number}", last_instance_at=timezone.now()
    )


def rows(kind: Kind) -> list[Event]:
    return list(Event.objects.filter(kind=kind))


def test_a_label_is_made_when_it_is_first_hung_on_a_study(origin: Origin) -> None:
    label = label_study(study(), name="  Teaching   case ", origin=origin)
    assert (label.name, label.colour) == ("Teaching case", Label.usual_colour("Teaching case"))
    [row] = rows(Kind.STUDY_LABELLED)
    assert row.study_instance_uid == "1.2.3.1"
    assert row.details == {"label": label.pk}, "its key: words may hold names of patients"


def test_hanging_a_label_twice_is_hanging_it_once(origin: Origin) -> None:
    one = study()
    label_study(one, name="Teaching", origin=origin)
    label_study(one, name="teaching", origin=origin)
    assert [label.name for label in one.labels.all()] == ["Teaching"]
    assert len(rows(Kind.STUDY_LABELLED)) == 1


def test_a_label_is_taken_off_once(origin: Origin) -> None:
    one = study()
    label_study(one, name="Teaching", origin=origin)
    assert unlabel_study(one, name="TEACHING", origin=origin)
    assert not unlabel_study(one, name="Teaching", origin=origin)
    assert len(rows(Kind.STUDY_UNLABELLED)) == 1
    assert Label.objects.filter(name="Teaching").exists(), "the vocabulary stays"


@pytest.mark.parametrize("name", ["", "   ", "a/b", "a\x07b", "x" * 65])
def test_what_is_no_word_is_no_label(name: str, origin: Origin) -> None:
    with pytest.raises(UnusableLabelError):
        label_study(study(), name=name, origin=origin)
    assert not Label.objects.exists()


def test_studies_are_found_by_all_labels_that_are_asked_for(origin: Origin) -> None:
    one, other = study(1), study(2)
    for name in ("Teaching", "Follow-up"):
        label_study(one, name=name, origin=origin)
    label_study(other, name="Teaching", origin=origin)
    assert set(Study.objects.labelled(["teaching"])) == {one, other}
    assert list(Study.objects.labelled(["Teaching", "follow-up"])) == [one]
    assert not Study.objects.labelled(["none"]).exists()


def test_labels_come_back_with_an_index_that_is_rebuilt(spool: Spool, origin: Origin) -> None:
    store_instances([spool.write([part10(ct_image())])], origin=origin)
    one = Study.objects.get()
    label_study(one, name="Teaching", origin=origin)
    label_study(one, name="Wrong", origin=origin)
    unlabel_study(one, name="Wrong", origin=origin)
    write_sidecar(one.study_instance_uid)
    hung = one.labellings.get().at
    Study.objects.all().delete()
    Label.objects.all().delete()

    assert rebuild_index(origin=origin).restored == 1

    back = Study.objects.get()
    assert [label.name for label in back.labels.all()] == ["Teaching"]
    assert back.labellings.get().at == hung
