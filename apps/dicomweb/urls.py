"""The addresses of DICOMweb (PS3.18 table 8.2-1), and who may take them."""

from collections.abc import Callable
from typing import Any

from django.urls import path, re_path

from apps.accounts.access import allows, signed_in
from apps.accounts.policy import Action, Noun
from apps.dicomweb.exceptions import answered
from apps.dicomweb.methods import by_method, only_its_methods
from apps.dicomweb.views import (
    archives,
    bulk,
    capabilities,
    describing,
    framing,
    rejecting,
    rendering,
    retrieving,
    searching,
    subscribers,
    thumbnails,
    uri,
    workitems,
)
from apps.dicomweb.views.studies import store_here
from apps.dicomweb.workitem_refusals import refusals_told

app_name = "dicomweb"

STUDY = "studies/<str:study>"
SERIES = f"{STUDY}/series/<str:series>"
INSTANCE = f"{SERIES}/instances/<str:instance>"
FRAMES = f"{INSTANCE}/frames/<str:frames>"
WORKITEM = "workitems/<str:uid>"
SUBSCRIBER = f"{WORKITEM}/subscribers/<str:ae_title>"


def _seen(view: Callable[..., Any]) -> Callable[..., Any]:
    """For who may see studies; what is refused or goes wrong is told as JSON."""
    return answered(only_its_methods(allows(Action.VIEW, Noun.STUDY)(view)))


def _work(view: Callable[..., Any], action: Action = Action.VIEW) -> Callable[..., Any]:
    """For who may see (or change) workitems; refusals are told as UPS-RS has them."""
    return answered(only_its_methods(allows(action, Noun.WORKITEM)(refusals_told(view))))


_studies = by_method(GET=searching.search_studies, POST=store_here)
_study = by_method(GET=retrieving.retrieve_study, POST=store_here, DELETE=rejecting.reject_study)
_series = by_method(GET=retrieving.retrieve_series, DELETE=rejecting.reject_series)
_instance = by_method(GET=retrieving.retrieve_instance, DELETE=rejecting.reject_instance)

searched = [
    path("studies", _seen(_studies), name="studies"),
    path("series", _seen(searching.search_series), name="all-series"),
    path("instances", _seen(searching.search_instances), name="all-instances"),
    path(f"{STUDY}/series", _seen(searching.search_series), name="study-series"),
    path(f"{STUDY}/instances", _seen(searching.search_instances), name="study-instances"),
    path(f"{SERIES}/instances", _seen(searching.search_instances), name="series-instances"),
]
retrieved = [
    path(FRAMES, _seen(framing.retrieve_frames), name="frames"),
    path(f"{STUDY}/metadata", _seen(describing.study_metadata), name="study-metadata"),
    path(f"{SERIES}/metadata", _seen(describing.series_metadata_view), name="series-metadata"),
    path(
        f"{INSTANCE}/metadata",
        _seen(describing.instance_metadata_view),
        name="instance-metadata",
    ),
    path(STUDY, _seen(_study), name="study"),
    path(SERIES, _seen(_series), name="series"),
    path(INSTANCE, _seen(_instance), name="instance"),
    path(f"{STUDY}/archive", _seen(archives.study_archive), name="study-archive"),
    path(f"{SERIES}/archive", _seen(archives.series_archive), name="series-archive"),
    path(f"{INSTANCE}/archive", _seen(archives.instance_archive), name="instance-archive"),
    path(f"{INSTANCE}/pixeldata", _seen(framing.retrieve_pixel_data), name="pixel-data"),
    path(f"{STUDY}/pixeldata", _seen(framing.retrieve_all_pixel_data), name="study-pixel-data"),
    path(f"{SERIES}/pixeldata", _seen(framing.retrieve_all_pixel_data), name="series-pixel-data"),
    path(f"{INSTANCE}/bulkdata/<path:path>", _seen(bulk.retrieve_bulk_data), name="bulk-data"),
    *(
        path(f"{above}/bulkdata", _seen(bulk.retrieve_all_bulk_data), name=f"{level}-bulk-data")
        for level, above in (("study", STUDY), ("series", SERIES), ("instance", INSTANCE))
    ),
]
rendered = [
    path(f"{STUDY}/rendered", _seen(rendering.rendered_study), name="study-rendered"),
    path(f"{SERIES}/rendered", _seen(rendering.rendered_series), name="series-rendered"),
    path(f"{INSTANCE}/rendered", _seen(rendering.rendered_instance), name="rendered"),
    path(f"{FRAMES}/rendered", _seen(rendering.rendered_frames), name="frames-rendered"),
    path(f"{STUDY}/thumbnail", _seen(thumbnails.study_thumbnail), name="study-thumbnail"),
    path(f"{SERIES}/thumbnail", _seen(thumbnails.series_thumbnail), name="series-thumbnail"),
    path(f"{INSTANCE}/thumbnail", _seen(thumbnails.instance_thumbnail), name="thumbnail"),
    path(f"{FRAMES}/thumbnail", _seen(thumbnails.frame_thumbnail), name="frame-thumbnail"),
]
worked_on = [
    path(
        "workitems",
        _work(by_method(GET=workitems.search, POST=workitems.create)),
        name="workitems",
    ),
    path(
        WORKITEM,
        _work(by_method(GET=workitems.retrieve, POST=workitems.update)),
        name="workitem",
    ),
    path(
        f"{WORKITEM}/state",
        _work(by_method(PUT=workitems.change_state), Action.CHANGE),
        name="workitem-state",
    ),
    path(
        f"{WORKITEM}/cancelrequest",
        _work(by_method(POST=workitems.request_cancellation), Action.CHANGE),
        name="workitem-cancellation",
    ),
    path(
        SUBSCRIBER,
        _work(by_method(POST=subscribers.subscribe, DELETE=subscribers.unsubscribe), Action.CHANGE),
        name="workitem-subscriber",
    ),
    path(
        f"{SUBSCRIBER}/suspend",
        _work(by_method(POST=subscribers.suspend), Action.CHANGE),
        name="workitem-suspension",
    ),
]

urlpatterns = [
    *retrieved,  # first: what viewers ask for most
    *searched,
    path("capabilities", _seen(capabilities.capabilities), name="capabilities"),
    *rendered,
    *worked_on,
]
# WADO-URI has one address beside those of DICOMweb (PS3.18 9.1).
wado_uri = path("wado", _seen(uri.retrieve_object), name="wado-uri")
# Whatever else is asked for below the service, with a slash too many for one.
nowhere = [
    re_path(r"^dicom-web(?:/(?P<rest>.*))?$", answered(signed_in(capabilities.nowhere))),
]
