"""The addresses of DICOMweb (PS3.18 table 8.2-1), and who may take them."""

from collections.abc import Callable
from typing import Any

from django.urls import path

from apps.accounts.access import allows
from apps.accounts.policy import Action, Noun
from apps.dicomweb.exceptions import answered
from apps.dicomweb.methods import by_method, takes
from apps.dicomweb.views import (
    bulk,
    capabilities,
    describing,
    framing,
    rejecting,
    retrieving,
    searching,
    subscribers,
    workitems,
)
from apps.dicomweb.views.studies import store_here
from apps.dicomweb.workitem_refusals import refusals_told

app_name = "dicomweb"

STUDY = "studies/<str:study>"
SERIES = f"{STUDY}/series/<str:series>"
INSTANCE = f"{SERIES}/instances/<str:instance>"
WORKITEM = "workitems/<str:uid>"
SUBSCRIBER = f"{WORKITEM}/subscribers/<str:ae_title>"


def _seen(view: Callable[..., Any]) -> Callable[..., Any]:
    """For who may see studies; what is refused or goes wrong is told as JSON."""
    methods = getattr(view, "methods", ("GET",))
    return answered(takes(*methods)(allows(Action.VIEW, Noun.STUDY)(view)))


def _work(view: Callable[..., Any], action: Action = Action.VIEW) -> Callable[..., Any]:
    """For who may see (or change) workitems; refusals are told as UPS-RS has them."""
    return answered(allows(action, Noun.WORKITEM)(refusals_told(view)))


urlpatterns = [
    path("capabilities", _seen(capabilities.capabilities), name="capabilities"),
    path(
        "studies",
        _seen(by_method(GET=searching.search_studies, POST=store_here)),
        name="studies",
    ),
    path("series", _seen(searching.search_series), name="all-series"),
    path("instances", _seen(searching.search_instances), name="all-instances"),
    path(f"{STUDY}/series", _seen(searching.search_series), name="study-series"),
    path(f"{STUDY}/instances", _seen(searching.search_instances), name="study-instances"),
    path(f"{SERIES}/instances", _seen(searching.search_instances), name="series-instances"),
    path(f"{STUDY}/metadata", _seen(describing.study_metadata), name="study-metadata"),
    path(f"{SERIES}/metadata", _seen(describing.series_metadata_view), name="series-metadata"),
    path(
        f"{INSTANCE}/metadata",
        _seen(describing.instance_metadata_view),
        name="instance-metadata",
    ),
    path(
        STUDY,
        _seen(
            by_method(GET=retrieving.retrieve_study, POST=store_here, DELETE=rejecting.reject_study)
        ),
        name="study",
    ),
    path(
        SERIES,
        _seen(by_method(GET=retrieving.retrieve_series, DELETE=rejecting.reject_series)),
        name="series",
    ),
    path(
        INSTANCE,
        _seen(by_method(GET=retrieving.retrieve_instance, DELETE=rejecting.reject_instance)),
        name="instance",
    ),
    path(f"{INSTANCE}/frames/<str:frames>", _seen(framing.retrieve_frames), name="frames"),
    path(f"{INSTANCE}/pixeldata", _seen(framing.retrieve_pixel_data), name="pixel-data"),
    path(f"{STUDY}/pixeldata", _seen(framing.retrieve_all_pixel_data), name="study-pixel-data"),
    path(f"{SERIES}/pixeldata", _seen(framing.retrieve_all_pixel_data), name="series-pixel-data"),
    path(f"{INSTANCE}/bulkdata/<path:path>", _seen(bulk.retrieve_bulk_data), name="bulk-data"),
    *(
        path(f"{above}/bulkdata", _seen(bulk.retrieve_all_bulk_data), name=f"{level}-bulk-data")
        for level, above in (("study", STUDY), ("series", SERIES), ("instance", INSTANCE))
    ),
    path("workitems", _work(workitems.worklist), name="workitems"),
    path(WORKITEM, _work(workitems.workitem), name="workitem"),
    path(
        f"{WORKITEM}/state",
        _work(workitems.change_state, Action.CHANGE),
        name="workitem-state",
    ),
    path(
        f"{WORKITEM}/cancelrequest",
        _work(workitems.request_cancellation, Action.CHANGE),
        name="workitem-cancellation",
    ),
    path(SUBSCRIBER, _work(subscribers.subscriber, Action.CHANGE), name="workitem-subscriber"),
    path(
        f"{SUBSCRIBER}/suspend",
        _work(subscribers.suspend, Action.CHANGE),
        name="workitem-suspension",
    ),
]
