"""The whole header of an image as a page, and its file."""

import io
from collections.abc import Callable, Iterable

import pytest
from django.test import Client
from django.urls import reverse
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.dicom.amending import Change
from apps.studies.models import Correction, Instance
from apps.studies.services import correct_study, header_tree, store_instances
from apps.studies.services.tags import Attribute
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10

pytestmark = pytest.mark.django_db
NASTY = "<script>alert(1)</script>"
As = Callable[[str], Client]


@pytest.fixture
def store(spool: Spool, origin: Origin) -> Callable[[Dataset], Instance]:
    def _store(dataset: Dataset) -> Instance:
        store_instances([spool.write([part10(dataset)])], origin=origin)
        return Instance.objects.get(sop_instance_uid=dataset.SOPInstanceUID)

    return _store


def code(value: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", f"Meaning {value}"
    return item


def find(attributes: Iterable[Attribute], keyword: str) -> Attribute:
    return next(one for one in attributes if one.keyword == keyword)


def tags_page(client: Client, instance: Instance, **asked: str) -> str:
    answer = client.get(reverse("studies:tags", args=[instance.pk]), asked)
    assert answer.status_code == 200
    return answer.content.decode()


def test_every_attribute_is_shown_with_tag_name_and_value(
    store: Callable[[Dataset], Instance], as_role: As
) -> None:
    dataset = ct_image(PatientName="Müller^Jörg", SpecificCharacterSet="ISO_IR 100")
    dataset.ProcedureCodeSequence = Sequence([code("1"), code("2")])
    dataset.ImageComments = "long " * 100
    block = dataset.private_block(0x0011, "ACME 1.0", create=True)
    block.add_new(0x01, "LO", "private value")
    instance = store(dataset)
    tree = header_tree(instance)
    codes = find(tree.attributes, "ProcedureCodeSequence")
    assert [find(item, "CodeMeaning").text for item in codes.items] == ["Meaning 1", "Meaning 2"]
    assert find(tree.attributes, "PatientName").text == "Müller^Jörg"
    assert find(tree.meta, "TransferSyntaxUID").text == "1.2.840.10008.1.2.1"
    assert find(tree.attributes, "PixelData").bulk == "7FE00010"
    private = next(one for one in tree.attributes if one.tag == "(0011,1001)")
    assert (private.creator, private.text) == ("ACME 1.0", "private value")
    page = tags_page(as_role("pacs-administrator"), instance)
    for said in ("Müller^Jörg", "(0010,0010)", "ACME 1.0", "Meaning 2", "show all"):
        assert said in page
    assert "/bulkdata/7FE00010" in page


def test_a_corrected_value_stands_beside_the_one_that_was_sent(
    store: Callable[[Dataset], Instance], origin: Origin, as_role: As
) -> None:
    instance = store(ct_image(PatientID="WRONG", StudyDescription="Thorax"))
    correct_study(
        instance.series.study,
        changes=[
            Change("00100020", "LO", ["RIGHT"]),
            Change("00081030", "LO", None),
            Change("00104000", "LT", ["Added"]),
        ],
        reason="typed wrongly",
        source=Correction.Source.PERSON,
        origin=origin,
    )
    instance.refresh_from_db()
    tree = header_tree(instance)
    number = find(tree.attributes, "PatientID")
    assert (number.text, number.former, number.removed) == ("RIGHT", "WRONG", False)
    gone = find(tree.attributes, "StudyDescription")
    assert (gone.removed, gone.former) == (True, "Thorax")
    added = find(tree.attributes, "PatientComments")
    assert (added.text, added.former) == ("Added", "")
    assert find(tree.attributes, "Modality").former is None
    page = tags_page(as_role("pacs-administrator"), instance)
    assert "<ins>RIGHT</ins>" in page
    assert "<del>WRONG</del>" in page


def test_long_sequences_are_cut_until_all_is_asked_for(
    store: Callable[[Dataset], Instance], as_role: As
) -> None:
    dataset = ct_image()
    dataset.ProcedureCodeSequence = Sequence([code(str(number)) for number in range(50)])
    instance = store(dataset)
    cut = find(header_tree(instance).attributes, "ProcedureCodeSequence")
    assert (len(cut.items), cut.left_out, cut.item_count) == (20, 30, 50)
    client = as_role("pacs-administrator")
    assert "Meaning 49" not in tags_page(client, instance)
    assert "Meaning 49" in tags_page(client, instance, whole="1")


def test_a_page_holds_so_many_attributes_and_no_more(
    store: Callable[[Dataset], Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.studies.services.tags.MOST", 30)
    dataset = ct_image()
    dataset.ProcedureCodeSequence = Sequence([code(str(number)) for number in range(25)])
    tree = header_tree(store(dataset), whole=True)
    assert tree.shortened


def test_what_is_in_the_header_is_text(store: Callable[[Dataset], Instance], as_role: As) -> None:
    dataset = ct_image(PatientName=NASTY, StudyDescription=NASTY)
    item = code("1")
    item.CodeMeaning = NASTY
    dataset.ProcedureCodeSequence = Sequence([item])
    dataset.private_block(0x0011, f"{NASTY}"[:60], create=True).add_new(0x01, "LT", NASTY * 20)
    page = tags_page(as_role("pacs-administrator"), store(dataset))
    assert NASTY not in page
    assert "&lt;script&gt;" in page


def test_one_steps_through_the_images_of_a_series(
    store: Callable[[Dataset], Instance], as_role: As
) -> None:
    first = ct_image(InstanceNumber=1)
    second = ct_image(InstanceNumber=2)
    second.StudyInstanceUID, second.SeriesInstanceUID = (
        first.StudyInstanceUID,
        first.SeriesInstanceUID,
    )
    instances = [store(first), store(second)]
    page = tags_page(as_role("pacs-administrator"), instances[0])
    assert f'rel="next" href="{reverse("studies:tags", args=[instances[1].pk])}"' in " ".join(
        page.split()
    )
    assert 'rel="prev"' not in page


def test_the_file_is_downloaded_and_that_is_journalled(
    store: Callable[[Dataset], Instance], as_role: As
) -> None:
    instance = store(ct_image(PatientID="P1"))
    answer = as_role("radiologist").get(reverse("studies:file", args=[instance.pk]))
    assert dcmread(io.BytesIO(answer.getvalue())).PatientID == "P1"
    assert answer.headers["Content-Disposition"].endswith(f'{instance.sop_instance_uid}.dcm"')
    row = Event.objects.get(kind=Kind.INSTANCE_TAKEN)
    assert row.details == {"sop_instance_uid": instance.sop_instance_uid}


@pytest.mark.parametrize(
    ("role", "sees", "takes"),
    [
        ("pacs-administrator", 200, 200),
        ("resident", 200, 403),
        ("technologist", 200, 403),
        ("referrer", 404, 403),
        ("front-desk", 403, 403),
    ],
)
def test_who_sees_tags_and_who_takes_files(
    role: str, sees: int, takes: int, store: Callable[[Dataset], Instance], as_role: As
) -> None:
    instance, client = store(ct_image()), as_role(role)
    assert client.get(reverse("studies:tags", args=[instance.pk])).status_code == sees
    assert client.get(reverse("studies:file", args=[instance.pk])).status_code == takes


def test_a_header_that_is_nested_without_end_has_a_page(
    store: Callable[[Dataset], Instance], as_role: As
) -> None:
    """A template is drawn within a template for every level of items."""
    inner = code("bottom")
    for _ in range(100):
        outer = code("level")
        outer.ContentSequence = Sequence([inner])
        inner = outer
    instance = store(ct_image(ContentSequence=Sequence([inner])))
    assert header_tree(instance).shortened
    assert "1 more item" in tags_page(as_role("radiologist"), instance, whole="1")
