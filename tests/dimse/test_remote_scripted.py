"""An archive that follows a script: silent, endless, failing half-way, or over TLS."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from apps.audit.models import Event, Kind
from apps.audit.services import SYSTEM
from apps.dimse.models import Retrieval
from apps.dimse.services import (
    CalledDeviceFailed,
    NotFailed,
    Wanted,
    fetching,
    find_remote_studies,
    remote,
    request_retrieval,
    retry_retrieval,
    run_retrieval,
)
from apps.dimse.services.fetching import get_contexts
from apps.dimse.services.remote import pattern_of
from apps.worklist.models import Device
from tests.factories import DeviceFactory

FIND, MOVE = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.2"
CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
Script = Callable[[evt.Event], Iterator[tuple[int, Dataset | None]]]


@pytest.fixture
def play(threads_db: None) -> Iterator[Callable[..., Device]]:
    """Starts an archive that answers C-FIND or C-MOVE by a script."""
    servers: list[Any] = []

    def begin(*, find: Script | None = None, move: Any = None) -> Device:
        entity = AE(ae_title="FAR")
        handlers: list[Any] = []
        for sop_class, kind, script in (
            (FIND, evt.EVT_C_FIND, find),
            (MOVE, evt.EVT_C_MOVE, move),
        ):
            entity.add_supported_context(sop_class)
            if script:
                handlers.append((kind, script))
        server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        assert server is not None
        servers.append(server)
        made: Device = DeviceFactory.create(
            ae_title="FAR", host="127.0.0.1", port=server.server_address[1]
        )
        return made

    yield begin
    for server in servers:
        server.shutdown()


def a_study(number: int = 1, name: str = "Doe^Jane") -> Dataset:
    answer = Dataset()
    answer.QueryRetrieveLevel = "STUDY"
    answer.StudyInstanceUID, answer.PatientName = f"2.25.{number}", name
    return answer


def endless(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
    for number in range(1, 5000):
        if event.is_cancelled:
            yield 0xFE00, None
            return
        yield 0xFF00, a_study(number)


def test_too_many_answers_are_cut_and_the_archive_is_told(
    play: Callable[..., Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "MOST", 20)
    found = find_remote_studies(play(find=endless), Wanted(modality="CT"), origin=SYSTEM)
    assert (len(found.rows), found.more) == (20, True)


def test_an_archive_that_never_answers_is_left_in_time(
    play: Callable[..., Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "FIND_SECONDS", 0.5)
    over = threading.Event()

    def silent(_event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        over.wait(10)
        yield 0x0000, None

    with pytest.raises(CalledDeviceFailed, match="did not answer in time"):
        find_remote_studies(play(find=silent), Wanted(modality="CT"), origin=SYSTEM)
    over.set()


def test_a_refused_query_says_with_which_status(play: Callable[..., Device]) -> None:
    def refuse(_event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        yield 0xA900, None

    with pytest.raises(CalledDeviceFailed, match="0xA900"):
        find_remote_studies(play(find=refuse), Wanted(modality="CT"), origin=SYSTEM)


def test_a_host_that_does_not_exist_is_named(threads_db: None) -> None:
    device = DeviceFactory.create(ae_title="FAR", host="nowhere.invalid")
    with pytest.raises(CalledDeviceFailed, match=r"There is no host nowhere\.invalid"):
        find_remote_studies(device, Wanted(modality="CT"), origin=SYSTEM)


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("", ""),
        ("müller", "müller*"),
        ("doe jane", "doe*jane*"),
        ("Doe, Jane", "Doe^Jane*"),
        ("Doe^J", "Doe^J"),
        ("D?e*", "D?e*"),
    ],
)
def test_a_name_is_asked_for_as_it_was_meant(typed: str, asked: str) -> None:
    assert pattern_of(typed) == asked


def test_images_that_the_archive_could_not_send_are_asked_for_again(
    play: Callable[..., Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = request_retrieval(play(), "2.25.1", origin=SYSTEM)
    answers = [{"Failed": 1, "Completed": 2}, {"Failed": 0, "Completed": 3}]

    def scripted(_row: Retrieval) -> Iterator[Dataset]:
        said = answers.pop(0)
        response = Dataset()
        response.Status = 0xB000 if said["Failed"] else 0x0000
        response.NumberOfFailedSuboperations = said["Failed"]
        response.NumberOfCompletedSuboperations = said["Completed"]
        yield response

    monkeypatch.setattr(fetching, "_move", scripted)
    run_retrieval(row)
    row.refresh_from_db()
    assert (row.status, row.error) == ("waiting", "1 of 3 images were not sent.")
    Retrieval.objects.update(next_attempt_at=timezone.now())
    row.refresh_from_db()
    run_retrieval(row)
    row.refresh_from_db()
    assert (row.status, row.completed, row.failed) == ("done", 3, 0)


@pytest.fixture
def far(threads_db: None) -> Device:
    made: Device = DeviceFactory.create(ae_title="FAR", host="127.0.0.1", port=1, name="Far")
    return made


def test_what_is_under_way_is_not_queued_twice(far: Device) -> None:
    first = request_retrieval(far, "2.25.1", origin=SYSTEM)
    assert request_retrieval(far, "2.25.1", origin=SYSTEM).pk == first.pk
    assert request_retrieval(far, "2.25.1", "2.25.2", origin=SYSTEM).pk != first.pk


def test_a_third_retrieval_waits_for_its_turn(far: Device) -> None:
    for number in (1, 2):
        request_retrieval(far, f"2.25.{number}", origin=SYSTEM)
    soon = timezone.now() + timedelta(minutes=1)
    Retrieval.objects.update(status="running", next_attempt_at=soon)
    third = request_retrieval(far, "2.25.3", origin=SYSTEM)
    run_retrieval(third)
    third.refresh_from_db()
    assert (third.status, third.attempts) == ("waiting", 0)


def test_a_retrieval_whose_worker_died_is_taken_up(far: Device) -> None:
    row = request_retrieval(far, "2.25.1", origin=SYSTEM)
    Retrieval.objects.update(status="running", attempts=1, next_attempt_at=timezone.now())
    row.refresh_from_db()
    run_retrieval(row)
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("waiting", 2)


def test_an_archive_that_stays_away_is_given_up_and_tried_again_by_hand(far: Device) -> None:
    row = request_retrieval(far, "2.25.1", origin=SYSTEM)
    Retrieval.objects.update(attempts=fetching.ATTEMPTS - 1)
    row.refresh_from_db()
    with pytest.raises(NotFailed):
        retry_retrieval(row, origin=SYSTEM)
    run_retrieval(row)
    row.refresh_from_db()
    assert row.status == "failed"
    assert "error" in Event.objects.get(kind=Kind.REMOTE_RETRIEVED).details
    again = retry_retrieval(row, origin=SYSTEM)
    assert (again.status, again.attempts) == ("waiting", 0)


def test_every_class_is_offered_before_the_rarer_syntaxes() -> None:
    contexts = get_contexts([CT, MR])
    assert contexts[:2] == [(CT, fetching._UNCOMPRESSED), (MR, fetching._UNCOMPRESSED)]
    assert len(contexts) == 2 * (1 + len(fetching._COMPRESSED))
    assert len(get_contexts([])) == fetching.MOST_CONTEXTS


def test_the_page_shows_answers_escaped_and_marks_what_is_here(
    play: Callable[..., Device], as_role: Callable[[str], Client]
) -> None:
    def answer(_event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        yield 0xFF00, a_study(1, "<script>alert(1)</script>")

    device = play(find=answer)
    client = as_role("radiologist")
    page = client.post(reverse("dimse:archive", args=[device.pk]), {"patient_name": "x"})
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "<script>alert" not in page.text
    assert "not here" in page.text


def test_the_page_asks_for_something_and_shows_what_went_wrong(
    far: Device, as_role: Callable[[str], Client]
) -> None:
    client = as_role("technologist")
    address = reverse("dimse:archive", args=[far.pk])
    assert "Say at least one thing" in client.post(address, {"patient_name": ""}).text
    assert "Nothing answers at 127.0.0.1:1." in client.post(address, {"modality": "CT"}).text
    assert "cannot be searched" in client.post(address, {"modality": "CT\\MR"}).text
    tested = client.post(reverse("dimse:echo", args=[far.pk]), follow=True)
    assert "Nothing answers" in tested.text
    series = client.get(reverse("dimse:series", args=[far.pk]), {"study": "2.25.1"})
    assert "Nothing answers" in series.text
    assert (
        "This is no UID"
        in client.get(reverse("dimse:series", args=[far.pk]), {"study": "../x"}).text
    )


def test_a_question_never_stands_in_the_address(
    far: Device, as_role: Callable[[str], Client]
) -> None:
    client = as_role("technologist")
    address = reverse("dimse:archive", args=[far.pk])
    page = client.get(address, {"patient_name": "Doe"})
    assert 'method="post" role="search"' in page.text
    assert "Doe" not in page.text
    assert not Event.objects.filter(kind=Kind.REMOTE_QUERIED).exists()


def test_a_study_is_queued_from_the_page_and_begun_again_after_a_failure(
    far: Device, as_role: Callable[[str], Client]
) -> None:
    client = as_role("radiologist")
    address = reverse("dimse:retrieve", args=[far.pk])
    assert client.post(address, {"study": "no uid"}).status_code == 422
    page = client.post(address, {"study": "2.25.1"}, headers={"HX-Request": "true"})
    row = Retrieval.objects.get()
    assert reverse("dimse:retrieval", args=[row.pk]) in page.text  # asks again until it is over
    assert row.user is not None
    Retrieval.objects.update(status="failed", next_attempt_at=None)
    listed = client.post(reverse("dimse:retrieve-again", args=[row.pk]), follow=True)
    assert "Retrievals" in listed.text
    assert Retrieval.objects.count() == 2


@pytest.mark.django_db
def test_the_list_of_retrievals_asks_the_database_a_few_times_however_long(
    as_role: Callable[[str], Client], django_assert_max_num_queries: Any
) -> None:
    far = DeviceFactory.create(ae_title="FAR", host="127.0.0.1", port=1)
    for number in range(12):
        request_retrieval(far, f"2.25.{number}", origin=SYSTEM)
    client = as_role("radiologist")
    with django_assert_max_num_queries(10):
        client.get(reverse("dimse:archives"))
