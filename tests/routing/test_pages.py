"""The pages of transfers and the panel of a study: by role, escaped, in few queries."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import Role, User
from apps.accounts.policy import Action, Noun, can
from apps.audit.models import Event, Kind
from apps.routing.models import Rule, Transfer, TransferItem
from apps.studies.models import Instance, Study
from apps.worklist.models import Device
from tests.factories import DeviceFactory
from tests.routing.conftest import MakeStudy, queued, the_transfer

pytestmark = pytest.mark.django_db
As = Callable[[str], Client]
LIST_QUERIES = 9  # session, user, roles, devices of the filter, counts, page, rows


@pytest.fixture
def study(make_study: MakeStudy) -> Study:
    return make_study(2)


@pytest.fixture
def failed(study: Study, workstation: Device) -> Transfer:
    return queued(study, workstation, status="failed", attempts=10, last_error="<b>Nothing</b>")


def form(device: Device, **fields: Any) -> dict[str, Any]:
    return {"send-destination": device.pk, "send-key": str(uuid.uuid4()), **fields}


def post(client: Client, name: str, key: int, **fields: Any) -> Any:
    return client.post(reverse(f"routing:{name}", args=[key]), fields)


@pytest.mark.parametrize("role", Role.values)
def test_who_may_do_what(as_role: As, failed: Transfer, role: str) -> None:
    client, user = as_role(role), User.objects.get(username=role)
    other = DeviceFactory.create(may_receive=True)
    study = failed.study
    rights = [
        (client.get(reverse("routing:list")), Action.VIEW, Noun.TRANSFER),
        (client.get(reverse("routing:detail", args=[failed.pk])), Action.VIEW, Noun.TRANSFER),
        (client.get(reverse("routing:given-up")), Action.VIEW, Noun.TRANSFER),
        (post(client, "again", failed.pk), Action.CHANGE, Noun.TRANSFER),
        (
            post(client, "destination", failed.pk, destination=other.pk),
            Action.CHANGE,
            Noun.TRANSFER,
        ),
        (post(client, "drop", failed.pk, reason="Wrong"), Action.DELETE, Noun.TRANSFER),
        (post(client, "send", study.pk, **form(other)), Action.EXPORT, Noun.STUDY),
    ]
    for response, action, noun in rights:
        assert (response.status_code != 403) == can(user, action, noun), (role, response.request)
        assert response.status_code < 500


def test_a_study_is_sent_from_its_page(as_role: As, study: Study, workstation: Device) -> None:
    client = as_role("radiologist")
    panel = client.get(reverse("routing:study", args=[study.pk]))
    assert "Workstation" in panel.text
    wanted = form(workstation)
    for _click in range(2):
        answer = client.post(reverse("routing:send", args=[study.pk]), wanted, follow=True)
    assert "It is being sent to Workstation (WS1)." in answer.text
    row = the_transfer()
    assert (row.destination, row.asked_by) == (workstation, User.objects.get())
    asked = Event.objects.get(kind=Kind.TRANSFER_ASKED)
    assert (asked.user, asked.study_instance_uid) == (row.asked_by, study.study_instance_uid)


def test_some_series_are_sent(
    as_role: As, make_study: MakeStudy, study: Study, workstation: Device
) -> None:
    make_study(1, StudyInstanceUID=study.study_instance_uid)
    chosen = study.series.order_by("id")[0]
    client = as_role("radiologist")
    assert "Only some series" in client.get(reverse("routing:study", args=[study.pk])).text
    post(client, "send", study.pk, **form(workstation, **{"send-series": [chosen.pk]}))
    assert list(the_transfer().series.all()) == [chosen]


def test_series_of_another_study_are_refused(
    as_role: As, make_study: MakeStudy, study: Study, workstation: Device
) -> None:
    foreign = make_study(1).series.get()
    wanted = form(workstation, **{"send-series": [foreign.pk]})
    url = reverse("routing:send", args=[study.pk])
    answer = as_role("radiologist").post(url, wanted, follow=True)
    assert "does not belong to the study" in answer.text
    assert not Transfer.objects.exists()


@pytest.mark.parametrize(
    "wanted", [{}, {"send-destination": "x"}, {"send-destination": "1", "send-key": "x"}]
)
def test_a_form_that_makes_no_sense_sends_nothing(
    as_role: As, study: Study, wanted: dict[str, str]
) -> None:
    answer = post(as_role("radiologist"), "send", study.pk, **wanted)
    assert answer.status_code == 302
    assert not Transfer.objects.exists()


def test_a_device_that_may_not_be_sent_images_is_not_offered(as_role: As, study: Study) -> None:
    scanner = DeviceFactory.create(name="Scanner")
    client = as_role("radiologist")
    assert "Scanner" not in client.get(reverse("routing:study", args=[study.pk])).text
    url = reverse("routing:send", args=[study.pk])
    answer = client.post(url, form(scanner), follow=True)
    assert "This device may not be sent images." in answer.text
    assert not Transfer.objects.exists()


def test_who_may_not_export_sees_what_became_of_it_only(as_role: As, failed: Transfer) -> None:
    page = as_role("technologist").get(reverse("routing:study", args=[failed.study_id]))
    assert "Not sent, given up" in page.text
    assert "<form" not in page.text


def test_who_may_see_no_transfers_gets_an_empty_panel(as_role: As, failed: Transfer) -> None:
    page = as_role("resident").get(reverse("routing:study", args=[failed.study_id]))
    assert (page.status_code, page.text.strip()) == (200, "")


def test_the_panel_asks_again_while_something_is_under_way(as_role: As, failed: Transfer) -> None:
    client, url = as_role("radiologist"), reverse("routing:study-transfers", args=[failed.study_id])
    assert "hx-trigger" not in client.get(url).text
    Transfer.objects.update(status="waiting")
    assert 'hx-trigger="every 3s"' in client.get(url).text


def test_the_page_of_a_study_asks_for_the_panel(as_role: As, study: Study) -> None:
    page = as_role("radiologist").get(reverse("studies:detail", args=[study.pk]))
    assert f'hx-get="{reverse("routing:study", args=[study.pk])}"' in page.text


@pytest.mark.parametrize("name", ["routing:list", "admin:routing_transfer_changelist"])
def test_lists_escape_what_they_show(as_role: As, failed: Transfer, name: str) -> None:
    Device.objects.update(name="<i>WS</i>")
    page = as_role("pacs-administrator").get(reverse(name)).text
    assert "&lt;b&gt;Nothing" in page
    assert "<b>Nothing" not in page
    assert "<i>WS" not in page


def test_the_page_of_a_transfer_says_what_was_refused(as_role: As, failed: Transfer) -> None:
    image = Instance.objects.all()[0]
    TransferItem.objects.create(transfer=failed, instance=image, answer=0xA900, arrived=False)
    Transfer.objects.update(drop_reason="<script>x</script>")
    page = as_role("pacs-administrator").get(reverse("routing:detail", args=[failed.pk])).text
    assert image.sop_instance_uid in page
    assert "not what it is said to be (0xA900)" in page
    assert "<script>x" not in page


def test_what_waits_for_a_device_that_is_switched_off_says_so(
    as_role: As, failed: Transfer
) -> None:
    Transfer.objects.update(status="waiting")
    client, url = as_role("pacs-administrator"), reverse("routing:detail", args=[failed.pk])
    assert "When the device may be sent this again" not in client.get(url).text
    Device.objects.update(may_receive=False)
    assert "When the device may be sent this again" in client.get(url).text


def test_no_page_of_transfers_names_a_patient(as_role: As, failed: Transfer) -> None:
    client = as_role("pacs-administrator")
    for url in (reverse("routing:list"), reverse("routing:detail", args=[failed.pk])):
        assert "Müller" not in client.get(url).text


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("", 3),
        ("?status=given-up", 1),
        ("?status=under-way", 1),
        ("?status=sent", 1),
        ("?age=day", 0),
        ("?status=nonsense&destination=x&page=99", 3),
    ],
)
def test_the_list_is_narrowed(as_role: As, failed: Transfer, asked: str, shown: int) -> None:
    queued(failed.study, failed.destination)
    queued(failed.study, failed.destination, status="sent")
    page = as_role("pacs-administrator").get(reverse("routing:list") + asked)
    assert len(page.context["transfers"]) == shown


def test_lists_ask_the_database_the_same_however_long_they_are(
    as_role: As, failed: Transfer
) -> None:
    client = as_role("pacs-administrator")
    names = ("routing:list", "admin:routing_transfer_changelist", "admin:routing_rule_changelist")
    Rule.objects.create(name="First").destinations.add(failed.destination)
    few = {name: queries(client, reverse(name)) for name in names}
    for number in range(15):
        device = DeviceFactory.create(may_receive=True)
        row = queued(failed.study, device, status="sent")
        row.series.set(failed.study.series.all())
        Rule.objects.create(name=f"R{number}").destinations.add(device)
    many = {name: queries(client, reverse(name)) for name in names}
    assert many["routing:list"] == few["routing:list"] <= LIST_QUERIES
    assert many == few


def queries(client: Client, url: str) -> int:
    client.get(url)
    with CaptureQueriesContext(connection) as asked:
        assert client.get(url).status_code == 200
    return len(asked)


def test_the_navigation_counts_what_was_given_up(as_role: As, failed: Transfer) -> None:
    client = as_role("pacs-administrator")
    assert f'hx-get="{reverse("routing:given-up")}"' in client.get(reverse("routing:list")).text
    assert ">1<" in client.get(reverse("routing:given-up")).text
    Transfer.objects.update(status="sent")
    assert client.get(reverse("routing:given-up")).text.strip() == ""


def test_a_transfer_is_sent_again_redirected_and_dropped(as_role: As, failed: Transfer) -> None:
    client = as_role("pacs-administrator")
    post(client, "again", failed.pk)
    assert the_transfer().status == "waiting"
    archive = DeviceFactory.create(ae_title="ARCHIVE", may_receive=True)
    post(client, "destination", failed.pk, destination=archive.pk)
    assert the_transfer().destination == archive
    assert post(client, "drop", failed.pk, reason="").status_code == 422
    post(client, "drop", failed.pk, reason="Wrong patient")
    assert (the_transfer().status, the_transfer().drop_reason) == ("dropped", "Wrong patient")
    assert set(Event.objects.values_list("kind", flat=True)) >= {
        "transfer-requeued",
        "transfer-dropped",
    }


def test_what_is_refused_is_said(as_role: As, failed: Transfer) -> None:
    Transfer.objects.update(status="sent")
    url = reverse("routing:drop", args=[failed.pk])
    page = as_role("pacs-administrator").post(url, {"reason": "Wrong"}, follow=True)
    assert "Only what has not arrived can be dropped." in page.text


def act(client: Client, action: str, rows: list[int], **fields: Any) -> str:
    wanted = {"action": action, "_selected_action": rows, **fields}
    url = reverse("admin:routing_transfer_changelist")
    return str(client.post(url, wanted, follow=True).text)


def test_the_back_office_acts_on_many_at_once(as_role: As, failed: Transfer) -> None:
    client, archive = as_role("pacs-administrator"), DeviceFactory.create(may_receive=True)
    sent = queued(failed.study, failed.destination, status="sent")
    rows = [failed.pk, sent.pk]
    assert "Choose a destination" in act(client, "change_destination", rows)
    assert "Give the reason" in act(client, "drop", rows, reason=" ")
    told = act(client, "change_destination", rows, destination=archive.pk)
    assert "Done for 1 transfer." in told
    assert "arrived already" in told
    act(client, "drop", [failed.pk], reason="Wrong patient")
    act(client, "send_again", [sent.pk])
    assert dict(Transfer.objects.values_list("pk", "status")) == {
        failed.pk: "dropped",
        sent.pk: "waiting",
    }


def test_who_may_only_look_finds_no_actions(as_role: As, failed: Transfer) -> None:
    client = as_role("system-administrator")
    act(client, "drop", [failed.pk], reason="Mine")
    act(client, "send_again", [failed.pk])
    assert the_transfer().status == "failed"
    assert client.get(reverse("admin:routing_rule_add")).status_code == 403


def test_rules_are_tried_with_a_study(as_role: As, study: Study, workstation: Device) -> None:
    Rule.objects.create(name="<b>CT</b>", modalities="CT").destinations.add(workstation)
    Rule.objects.create(name="MR", modalities="MR").destinations.add(workstation)
    client, url = as_role("pacs-administrator"), reverse("admin:routing_rule_try")
    assert "Would send" not in client.get(url).text
    page = client.get(url, {"study": "A0000001"}).text
    assert "Would send to: Workstation (WS1)" in " ".join(page.split())
    assert "another modality" in page
    assert "&lt;b&gt;CT" in page
    by_uid = client.get(url, {"study": study.study_instance_uid}).text
    assert "another modality" in by_uid
    assert "No study has this number." in client.get(url, {"study": "A9"}).text
    assert not Transfer.objects.exists()


def test_who_may_see_no_studies_cannot_try_rules_with_them(as_role: As, study: Study) -> None:
    url = reverse("admin:routing_rule_try")
    page = as_role("system-administrator").get(url, {"study": "A0000001"})
    assert "No study has this number." in page.text
    assert as_role("front-desk").get(url).status_code in (302, 403)


def send_several(client: Client, device: Device, *keys: object, **fields: Any) -> Any:
    given = {"study": keys, "destination": device.pk, "key": str(uuid.uuid4()), **fields}
    return client.post(reverse("routing:send-several"), given)


def test_several_studies_are_sent_and_each_is_told(
    as_role: As, make_study: MakeStudy, workstation: Device
) -> None:
    client, studies = as_role("radiologist"), [make_study(PatientID=f"P{n}") for n in range(3)]
    Study.objects.filter(pk=studies[2].pk).update(status=Study.Status.REJECTED)
    keys = [one.pk for one in studies]
    asked = client.get(reverse("routing:send-several"), {"study": keys})
    assert "Send 2 studies to another system" in asked.content.decode()
    answer = send_several(client, workstation, *keys, 99_999)
    told = {one.study.pk: one.done for one in answer.context["results"]}
    sent = {one.study_id for one in Transfer.objects.all()}
    assert told == {keys[0]: True, keys[1]: True}
    assert "2 studies are not there any more" in answer.content.decode()
    assert sent == set(keys[:2])
    assert Event.objects.filter(kind=Kind.TRANSFER_ASKED).count() == 2


def test_several_sent_twice_by_one_form_are_sent_once(
    as_role: As, make_study: MakeStudy, workstation: Device
) -> None:
    client, study, key = as_role("radiologist"), make_study(), str(uuid.uuid4())
    send_several(client, workstation, study.pk, key=key)
    again = send_several(client, workstation, study.pk, key=key)
    assert "It was asked for already." in again.content.decode()
    assert Transfer.objects.count() == 1


@pytest.mark.parametrize("role", Role.values)
def test_who_sends_several(as_role: As, study: Study, workstation: Device, role: str) -> None:
    answer = send_several(as_role(role), workstation, study.pk)
    user = User.objects.get(username=role)
    assert (answer.status_code == 200) == can(user, Action.EXPORT, Noun.STUDY)


def test_several_go_to_devices_that_may_be_sent_to_only(
    as_role: As, study: Study, device_that_sends: Device
) -> None:
    answer = send_several(as_role("radiologist"), device_that_sends, study.pk)
    assert answer.status_code == 422
    assert not Transfer.objects.exists()


@pytest.fixture
def device_that_sends(db: None) -> Device:
    made: Device = DeviceFactory.create(may_receive=False)
    return made
