"""The ingest queue in the back office."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from apps.audit.models import Event
from apps.audit.services import Origin
from apps.studies.models import Study
from apps.studies.services import store_instances
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue() -> str:
    return reverse("admin:studies_spoolfile_changelist")


@pytest.fixture
def failed(spool: Spool) -> str:
    return spool.fail(spool.write([part10(ct_image(), source="CT9")]), "the disk was on fire").name


def test_waiting_and_failed_files_are_listed_with_their_reason(
    as_role: Callable[[str], Client], spool: Spool, queue: str, failed: str
) -> None:
    waiting = spool.write([b"waiting"])
    page = as_role("pacs-administrator").get(queue).content.decode()
    assert failed in page
    assert "the disk was on fire" in page
    assert "CT9" in page
    assert waiting.name in page


def test_a_failed_file_is_tried_again(
    as_role: Callable[[str], Client], spool: Spool, queue: str, failed: str
) -> None:
    answer = as_role("pacs-administrator").post(queue, {"verb": "retry", "name": failed})
    assert answer.status_code == 302
    assert Study.objects.count() == 1
    assert not spool.failed()


def test_a_failed_file_is_discarded_and_the_journal_says_by_whom(
    as_role: Callable[[str], Client], spool: Spool, queue: str, failed: str
) -> None:
    as_role("system-administrator").post(queue, {"verb": "discard", "name": failed})
    assert not spool.failed()
    event = Event.objects.get(kind="file-refused")
    assert event.details["discarded"]
    assert event.peer == "system-administrator"


def test_only_failed_files_can_be_touched(
    as_role: Callable[[str], Client], spool: Spool, queue: str
) -> None:
    waiting = spool.write([b"waiting"])
    administrator = as_role("pacs-administrator")
    for name in (waiting.name, "../../../etc/passwd", ""):
        answer = administrator.post(queue, {"verb": "discard", "name": name}, follow=True)
        assert "not in the list" in answer.content.decode()
    assert waiting.exists()
    assert administrator.post(queue, {"verb": "burn", "name": "x"}).status_code == 403


def test_who_may_not_act_sees_at_most_the_list(
    as_role: Callable[[str], Client], spool: Spool, queue: str, failed: str
) -> None:
    auditor = as_role("auditor")
    assert 'name="verb"' not in auditor.get(queue).content.decode()
    assert auditor.post(queue, {"verb": "retry", "name": failed}).status_code == 403
    assert as_role("radiologist").get(queue).status_code in (302, 403)
    assert len(spool.failed()) == 1


def test_the_index_is_there_to_look_at_only(
    as_role: Callable[[str], Client], spool: Spool, origin: Origin
) -> None:
    store_instances([spool.write([part10(ct_image())])], origin=origin)
    administrator = as_role("pacs-administrator")
    study = Study.objects.get()
    for model in ("study", "series", "instance"):
        assert administrator.get(reverse(f"admin:studies_{model}_changelist")).status_code == 200
        assert administrator.get(reverse(f"admin:studies_{model}_add")).status_code == 403
    change = reverse("admin:studies_study_change", args=[study.pk])
    assert administrator.get(change).status_code == 200
    assert administrator.post(change, {"status": "rejected"}).status_code == 403
    instance = study.series.get().instances.get()
    shown = administrator.get(reverse("admin:studies_instance_change", args=[instance.pk]))
    assert instance.sha256 in shown.content.decode()


@pytest.mark.parametrize("page", ["change", "delete", "history"])
def test_a_file_has_no_page_of_its_own(as_role: Callable[[str], Client], page: str) -> None:
    address = reverse(f"admin:studies_spoolfile_{page}", args=[1])
    answer = as_role("pacs-administrator").get(address)
    assert answer.status_code == 302
    assert answer.headers["Location"] == reverse("admin:index")
