"""Routes of the scripting door, and of the page on which people make tokens for it."""

from django.urls import path, register_converter

from apps.accounts.access import View, allows, signed_in
from apps.accounts.policy import Action, Noun
from apps.api.converters import RowKey, Word
from apps.api.problems import answered
from apps.api.views import (
    changes,
    describing,
    patients,
    rejecting,
    reports,
    sending,
    studies,
    tokens,
    worklist,
)
from apps.api.views.door import Door

app_name = "api"
register_converter(Word, "word")
register_converter(RowKey, "key")

V1 = "api/v1"
STUDY = f"{V1}/studies/<word:study>"


def seen(noun: Noun, view: type[Door]) -> View:
    """For who may see these; what changes something asks the policy once more."""
    return answered(allows(Action.VIEW, noun)(view.as_view()))


def anyone(view: type[Door]) -> View:
    return answered(signed_in(view.as_view()))


urlpatterns = [
    path("account/tokens/", signed_in(tokens.own_tokens), name="tokens"),
    path("account/tokens/<key:pk>/revoke/", signed_in(tokens.revoke), name="revoke-token"),
    path("account/api/", signed_in(describing.reference), name="reference"),
    path(f"{V1}/schema", answered(signed_in(describing.Schema.as_view())), name="schema"),
    path(f"{V1}/system", anyone(changes.System), name="system"),
    path(f"{V1}/changes", seen(Noun.JOURNAL, changes.Changes), name="changes"),
    path(f"{V1}/patients", seen(Noun.PATIENT, patients.Patients), name="patients"),
    path(
        f"{V1}/patients/search", seen(Noun.PATIENT, patients.PatientSearching), name="find-patients"
    ),
    path(f"{V1}/patients/<key:pk>", seen(Noun.PATIENT, patients.OnePatient), name="patient"),
    path(f"{V1}/procedures", seen(Noun.CATALOGUE, patients.Procedures), name="procedures"),
    path(f"{V1}/orders", seen(Noun.ORDER, patients.Orders), name="orders"),
    path(f"{V1}/orders/<key:pk>", seen(Noun.ORDER, patients.OneOrder), name="order"),
    path(
        f"{V1}/orders/<key:pk>/cancel",
        seen(Noun.ORDER, patients.OrderCancelling),
        name="cancel-order",
    ),
    path(f"{V1}/appointments", seen(Noun.APPOINTMENT, worklist.Appointments), name="appointments"),
    path(f"{V1}/steps", seen(Noun.STEP, worklist.Steps), name="steps"),
    path(f"{V1}/labels", seen(Noun.CATALOGUE, studies.Labels), name="labels"),
    path(f"{V1}/studies", seen(Noun.STUDY, studies.Studies), name="studies"),
    path(f"{V1}/studies/search", seen(Noun.STUDY, studies.StudySearching), name="find-studies"),
    path(STUDY, seen(Noun.STUDY, studies.OneStudy), name="study"),
    path(f"{STUDY}/series", seen(Noun.STUDY, studies.SeriesOfStudy), name="series"),
    path(
        f"{STUDY}/series/<word:series>/instances",
        seen(Noun.STUDY, studies.InstancesOfSeries),
        name="instances",
    ),
    path(f"{STUDY}/labels/<word:label>", seen(Noun.STUDY, studies.StudyLabels), name="study-label"),
    path(f"{STUDY}/match", seen(Noun.STUDY, studies.StudyMatching), name="match-study"),
    path(f"{STUDY}/reject", seen(Noun.STUDY, rejecting.StudyRejecting), name="reject-study"),
    path(
        f"{STUDY}/series/<word:series>/reject",
        seen(Noun.STUDY, rejecting.SeriesRejecting),
        name="reject-series",
    ),
    path(
        f"{V1}/instances/<word:instance>/reject",
        seen(Noun.STUDY, rejecting.InstanceRejecting),
        name="reject-instance",
    ),
    path(f"{STUDY}/send", seen(Noun.STUDY, sending.StudySending), name="send-study"),
    path(f"{V1}/instances/<word:instance>/file", seen(Noun.STUDY, studies.File), name="file"),
    path(f"{V1}/reports", seen(Noun.REPORT, reports.Reports), name="reports"),
    path(f"{V1}/reports/<key:pk>", seen(Noun.REPORT, reports.OneReport), name="report"),
    path(
        f"{V1}/reports/<key:pk>/versions/<key:number>/pdf",
        seen(Noun.REPORT, reports.ReportPdf),
        name="report-pdf",
    ),
    path(f"{V1}/devices", seen(Noun.DEVICE, sending.Devices), name="devices"),
    path(f"{V1}/devices/<word:device>/echo", seen(Noun.DEVICE, sending.Echo), name="echo"),
    path(f"{V1}/transfers", seen(Noun.TRANSFER, sending.Transfers), name="transfers"),
    path(f"{V1}/transfers/<key:pk>", seen(Noun.TRANSFER, sending.OneTransfer), name="transfer"),
    path(f"{V1}/transfers/<key:pk>/retry", seen(Noun.TRANSFER, sending.Retry), name="retry"),
    path("api/", anyone(describing.Nowhere), name="nowhere"),
    path("api/<path:rest>", anyone(describing.Nowhere), name="nowhere"),
]
