"""UPS-RS: the worklist over HTTP (PS3.18 chapter 11)."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.audit.models import Event
from apps.dicom.json import JsonDataset
from apps.patients.models import Issuer
from tests.dicomweb.workitems import WORK, client, create, labels, post, put_state
from tests.factories import IssuerFactory, PatientIdentifierFactory
from tests.workitems.samples import (
    KEY,
    OTHER_KEY,
    dataset,
    fresh_uid,
    performed,
    planned,
    state,
    station,
    stopped,
)

__all__ = ["client"]

pytestmark = pytest.mark.django_db


def test_the_life_of_a_workitem(client: Client) -> None:
    uid = fresh_uid()
    made = post(client, f"?workitem={uid}", [planned()])
    assert made.status_code == 201
    assert made["Location"] == made["Content-Location"] == f"{WORK}/{uid}"
    assert made["Warning"] == (
        "299 http://testserver/dicom-web: The Workitem was created with modifications."
    )
    assert made.content == b""
    assert put_state(client, uid, state("IN PROGRESS")).status_code == 200
    assert post(client, f"/{uid}?{KEY}", performed()).status_code == 200
    progress = dataset(ProcedureStepProgressInformationSequence=dataset(ProcedureStepProgress=50))
    assert post(client, f"/{uid}?transaction-uid={KEY}", progress).status_code == 200
    ended = put_state(client, uid, state("COMPLETED"))
    assert (ended.status_code, ended.content) == (200, b"")
    assert "Warning" not in ended
    again = put_state(client, uid, state("COMPLETED"))
    assert again.status_code == 200
    assert again["Warning"].endswith("The UPS is already in the requested state of COMPLETED.")
    (said,) = client.get(f"{WORK}/{uid}").json()
    assert said["00741000"]["Value"] == ["COMPLETED"]
    assert "00081195" not in said


@pytest.mark.parametrize(
    ("body", "status", "warning"),
    [
        (state("IN PROGRESS", None), 400, "The Transaction UID is missing."),
        (state("IN PROGRESS", OTHER_KEY), 400, "The Transaction UID is incorrect."),
        (state("IN PROGRESS"), 409, "inconsistent with the state of the UPS Instance."),
        (state("SCHEDULED"), 409, "inconsistent with the state of the UPS Instance."),
        (state("COMPLETED"), 409, "inconsistent with the state of the UPS Instance."),
        (state("CANCELED"), 409, "inconsistent with the state of the UPS Instance."),
        (state("FINISHED"), 400, ""),
        (dataset(TransactionUID=KEY), 400, ""),
    ],
)
def test_a_change_of_state_is_refused_as_the_tables_say(
    client: Client, body: JsonDataset, status: int, warning: str
) -> None:
    uid = create(client)
    assert put_state(client, uid, state("IN PROGRESS")).status_code == 200
    refused = put_state(client, uid, body)
    assert refused.status_code == status
    assert refused.json()["error"]
    assert refused.get("Warning", "").endswith(warning)


def test_changes_are_refused_as_the_tables_say(client: Client) -> None:
    uid = create(client)
    label = dataset(ProcedureStepLabel="Other")

    def refused(address: str, body: JsonDataset = label) -> tuple[int, str]:
        answer = post(client, f"/{uid}{address}", body)
        return answer.status_code, answer.get("Warning", "").rpartition(": ")[2]

    assert refused(f"?{KEY}") == (409, "The target URI did not reference a claimed Workitem.")
    put_state(client, uid, state("IN PROGRESS"))
    assert refused("") == (400, "The Transaction UID is missing.")
    assert refused(f"?{OTHER_KEY}") == (400, "The Transaction UID is incorrect.")
    assert refused(f"?{KEY}", dataset(PatientID="X")) == (400, "")
    assert refused(f"?{KEY}", dataset(TransactionUID=OTHER_KEY)) == (400, "")
    assert post(client, f"/{uid}", label | dataset(TransactionUID=KEY)).status_code == 200
    post(client, f"/{uid}?{KEY}", stopped())
    put_state(client, uid, state("CANCELED"))
    assert refused(f"?{KEY}") == (
        400,
        "The submitted request is inconsistent with the current state of the Workitem.",
    )


def test_a_workitem_is_created_once_and_under_a_uid(client: Client) -> None:
    uid = create(client)
    assert post(client, f"?{uid}", planned()).status_code == 409
    assert post(client, "?workitem=none", planned()).status_code == 400
    minted = post(client, "", planned())
    assert minted.status_code == 201
    assert client.get(minted["Location"]).status_code == 200
    named = post(client, "?AffectedSOPInstanceUID=1.2.3.9", planned(SOPInstanceUID="1.2.3.9"))
    assert named["Location"] == f"{WORK}/1.2.3.9"


def test_cancellation_is_asked_for(client: Client) -> None:
    uid = create(client)
    assert post(client, f"/{uid}/cancelrequest").status_code == 202
    again = post(client, f"/{uid}/cancelrequest", dataset(ReasonForCancellation="Twice"))
    assert again.status_code == 202
    assert again["Warning"].endswith("The UPS is already in the requested state of CANCELED.")
    claimed = create(client)
    put_state(client, claimed, state("IN PROGRESS"))
    assert post(client, f"/{claimed}/cancelrequest").status_code == 409
    post(client, f"/{claimed}/subscribers/AI1")
    assert post(client, f"/{claimed}/cancelrequest?requester=DESK").status_code == 202


@pytest.mark.parametrize(
    ("query", "status", "expected"),
    [
        ("", 200, ["A", "B", "C"]),
        ("limit=2", 206, ["A", "B"]),
        ("limit=2&offset=2", 200, ["C"]),
        ("limit=3", 200, ["A", "B", "C"]),
        ("ProcedureStepLabel=B", 200, ["B"]),
        ("00741204=B", 200, ["B"]),
        ("ScheduledStationNameCodeSequence.CodeValue=AI1", 200, ["A"]),
        ("00404025.00080100=AI1", 200, ["A"]),
        ("ProcedureStepState=SCHEDULED,COMPLETED", 200, ["A", "B", "C"]),
        ("PatientName=ann&fuzzymatching=true", 200, ["B"]),
    ],
)
def test_the_worklist_is_searched(
    client: Client, query: str, status: int, expected: list[str]
) -> None:
    for number, label in enumerate("ABC", start=1):
        create(
            client,
            ProcedureStepLabel=label,
            ScheduledProcedureStepStartDateTime=f"2026060{number}",
            ScheduledStationNameCodeSequence=station(f"AI{number}"),
            PatientName={"Alphabetic": "Doe^Anna" if label == "B" else "Doe^John"},
        )
    response = client.get(f"{WORK}?{query}")
    assert response.status_code == status
    assert labels(response) == expected


def test_nothing_found_is_no_content(client: Client) -> None:
    create(client)
    response = client.get(f"{WORK}?ProcedureStepState=COMPLETED")
    assert (response.status_code, response.content) == (204, b"")
    assert "Content-Type" not in response


def test_what_is_answered_can_be_chosen(client: Client) -> None:
    create(client, CommentsOnTheScheduledProcedureStep="Mind the stent", AdmissionID="V1")
    (brief,) = client.get(WORK).json()
    assert {"00080018", "00741000", "00380010"} <= brief.keys()
    assert not {"00400400", "00741216", "00404010"} & brief.keys()
    (more,) = client.get(f"{WORK}?includefield=CommentsOnTheScheduledProcedureStep").json()
    assert more["00400400"]["Value"] == ["Mind the stent"]
    (whole,) = client.get(f"{WORK}?includefield=all").json()
    assert {"00400400", "00741216", "00404010"} <= whole.keys()


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("Nonsense=1", "Nonsense"),
        ("PatientAge=050Y", "PatientAge"),
        ("includefield=Nonsense", "Nonsense"),
        ("limit=many", "limit"),
        ("offset=-1", "offset"),
        ("ScheduledProcedureStepStartDateTime=soon", "ScheduledProcedureStepStartDateTime"),
        ("PatientName=" + "x" * 2000, "PatientName"),
        (".".join(["ReferencedRequestSequence"] * 20) + "=1", "ReferencedRequestSequence"),
    ],
)
def test_a_search_that_cannot_be_made_names_what_is_wrong(
    client: Client, query: str, named: str
) -> None:
    response = client.get(f"{WORK}?{query}")
    assert response.status_code == 400
    assert named in response.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("delete", "", "GET, POST, HEAD, OPTIONS"),
        ("put", "/1.2.3", "GET, POST, HEAD, OPTIONS"),
        ("get", "/1.2.3/state", "PUT, OPTIONS"),
        ("head", "/1.2.3/cancelrequest", "POST, OPTIONS"),
        ("get", "/1.2.3/subscribers/AI1", "POST, DELETE, OPTIONS"),
    ],
)
def test_other_methods_are_refused(client: Client, method: str, path: str, allowed: str) -> None:
    response = getattr(client, method)(f"{WORK}{path}")
    assert (response.status_code, response["Allow"]) == (405, allowed)


def test_subscribers_come_and_go(client: Client) -> None:
    uid = create(client)
    everything, filtered = "/1.2.840.10008.5.1.4.34.5", "/1.2.840.10008.5.1.4.34.5.1"
    made = post(client, f"/{uid}/subscribers/AI%201?deletionlock=true")
    assert made.status_code == 201
    assert re.fullmatch(
        r"ws://testserver:\d+/dicom-web/ws/subscribers/AI%201", made["Content-Location"]
    )
    secure = client.post(f"{WORK}/{uid}/subscribers/AI1", secure=True)
    assert secure["Content-Location"] == "wss://testserver/dicom-web/ws/subscribers/AI1"
    assert post(client, f"{everything}/subscribers/AI1").status_code == 201
    chosen = "?filter=WorklistLabel%3DAI,StudyInstanceUID%3D1.2,1.3"
    assert post(client, f"{filtered}/subscribers/AI1{chosen}").status_code == 201
    assert post(client, f"{everything}/subscribers/AI1/suspend").status_code == 200
    assert post(client, f"{filtered}/subscribers/AI1/suspend").status_code == 200
    assert client.delete(f"{WORK}/{uid}/subscribers/AI1").status_code == 200
    assert client.delete(f"{WORK}{everything}/subscribers/AI1").status_code == 200
    assert client.delete(f"{WORK}{everything}/subscribers/AI1").status_code == 404
    assert client.delete(f"{WORK}/1.2.3/subscribers/AI1").status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/1.2.3/subscribers/AI1", 404),
        ("/1.2.840.10008.5.1.4.34.5/subscribers/A_TITLE_THAT_IS_TOO_LONG", 400),
        ("/1.2.840.10008.5.1.4.34.5/subscribers/A%5CB", 400),
        ("/1.2.840.10008.5.1.4.34.5/subscribers/%20%20", 400),
        ("/1.2.840.10008.5.1.4.34.5/subscribers/AI1?deletionlock=perhaps", 400),
        ("/1.2.840.10008.5.1.4.34.5/subscribers/AI1/suspend", 404),
        ("/1.2.3/subscribers/AI1/suspend", 400),
        ("/1.2.840.10008.5.1.4.34.5.1/subscribers/AI1", 400),
        ("/1.2.840.10008.5.1.4.34.5.1/subscribers/AI1?filter=WorklistLabel", 400),
        ("/1.2.840.10008.5.1.4.34.5.1/subscribers/AI1?filter=Nonsense=1", 400),
        ("/1.2.840.10008.5.1.4.34.5.1/subscribers/AI1?filter=PatientAge=1", 400),
    ],
)
def test_subscriptions_that_cannot_be_made_are_refused(
    client: Client, path: str, status: int
) -> None:
    response = post(client, path)
    assert response.status_code == status
    assert response.json()["error"]


@pytest.mark.parametrize(
    ("role", "seen", "made"),
    [("technologist", 204, 201), ("auditor", 204, 403), ("referrer", 403, 403)],
)
def test_the_policy_decides(
    as_role: Callable[[str], Client], role: str, seen: int, made: int
) -> None:
    client = as_role(role)
    assert client.get(WORK).status_code == seen
    assert post(client, "", planned()).status_code == made
    assert post(client, "/1.2.840.10008.5.1.4.34.5/subscribers/AI1").status_code == made


def test_looking_at_a_patient_is_journalled_once(client: Client) -> None:
    issuer = IssuerFactory(namespace="HOSPITAL", purpose=Issuer.Purpose.PATIENT)
    PatientIdentifierFactory(issuer=issuer, value="4711")
    uid = create(client, PatientID="4711")
    for _ in range(2):
        client.get(f"{WORK}/{uid}")
    assert Event.objects.filter(kind="patient-viewed").count() == 1


def test_a_search_costs_the_same_however_much_it_finds(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    for _ in range(12):
        create(client, ScheduledStationNameCodeSequence=station("AI1"))
    with django_assert_max_num_queries(5):
        response = client.get(f"{WORK}?ScheduledStationNameCodeSequence.CodeValue=AI1")
    assert len(response.json()) == 12
