"""QIDO-RS: searching for studies, series and instances (PS3.18 10.6)."""

from functools import partial

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from apps.accounts.policy import sees_all, visible
from apps.audit.services import origin_of
from apps.dicom.keys import Matching
from apps.dicom.uids import LONGEST_SENT, valid_uid
from apps.dicomweb.answers import Answers, indexed_tags, instance_address, stored_fields
from apps.dicomweb.formats import MEDIA_TYPES, chosen_format
from apps.dicomweb.methods import Description, described
from apps.dicomweb.queries import PARAMETERS, SEARCHED, Query, parse_query
from apps.dicomweb.telling import warn
from apps.dicomweb.views.lookup import find_series, find_study, note_named, root
from apps.studies.datasets import Level
from apps.studies.models import Instance, Study
from apps.studies.patience import patience
from apps.studies.services.finding import Search, everything
from apps.studies.services.querying import note_query

# How long one search may keep the database, and headers be looked through for it.
SECONDS = 5
# PS3.18 8.3.4.4 gives the words.
MORE = "There are additional results that can be requested"

SEARCH = Description((*PARAMETERS, *sorted(SEARCHED)), MEDIA_TYPES)


@described(SEARCH)
def search_studies(request: HttpRequest) -> HttpResponseBase:
    """GET /studies"""
    return _search(request, Level.STUDY)


@described(SEARCH)
def search_series(request: HttpRequest, study: str = "") -> HttpResponseBase:
    """GET /series and /studies/{study}/series"""
    return _search(request, Level.SERIES, study)


@described(SEARCH)
def search_instances(request: HttpRequest, study: str = "", series: str = "") -> HttpResponseBase:
    """GET /instances, /studies/{study}/instances, .../series/{series}/instances"""
    return _search(request, Level.IMAGE, study, series)


def _search(
    request: HttpRequest, level: Level, study: str = "", series: str = ""
) -> HttpResponseBase:
    write = chosen_format(request)
    path = {"StudyInstanceUID": study, "SeriesInstanceUID": series}
    fixed = {name: uid for name, uid in path.items() if uid}
    if not all(valid_uid(uid, longest=LONGEST_SENT) for uid in fixed.values()):
        raise Http404
    query = parse_query(request.GET, level, **fixed)
    address = root()
    search = _question(request, query, address)
    # One more than asked for tells whether there are more.
    with patience(SECONDS):
        rows = search.page(offset=query.offset, limit=query.limit + 1, seconds=SECONDS)
    if not rows:
        _check_path(request, study, series)
    _note(request, query, min(len(rows), query.limit))
    answers = Answers(query, search.shown, address)
    response = write([answers.make(*one) for one in rows[: query.limit]])
    if len(rows) > query.limit:
        warn(request, response, MORE)
    patch_vary_headers(response, ["Accept"])
    return response


def _question(request: HttpRequest, query: Query, address: str) -> Search:
    user = request.user
    return Search(
        level=query.level,
        keys=query.keys,
        tags=indexed_tags(query),
        terms=query.terms,
        headers=frozenset(one.tag for one in stored_fields(query)),
        whole=query.everything,
        visible=everything if sees_all(user, Study) else partial(visible, user),
        bulk_address=partial(_bulk_address, address),
    )


def _note(request: HttpRequest, query: Query, count: int) -> None:
    """Journal the search; who asks for one study by its UID looks at that study."""
    study = _study_of(query)
    if study and count:
        note_named(request, study)
    else:
        note_query(level=query.level, keys=query.keys, count=count, origin=origin_of(request))


def _study_of(query: Query) -> str:
    """The one study that is named, empty where none or several are."""
    named = [
        key.value
        for key in query.keys
        if key.name == "StudyInstanceUID" and key.matching is Matching.SINGLE
    ]
    return named[0] if named else ""


def _bulk_address(address: str, instance: Instance, path: str) -> str:
    series = instance.series
    study = series.study.study_instance_uid
    uids = (study, series.series_instance_uid, instance.sop_instance_uid)
    return f"{instance_address(address, *uids)}/bulkdata/{path}"


def _check_path(request: HttpRequest, study: str, series: str) -> None:
    """Nothing found: raises Http404 where the user sees no object that the path names."""
    if series:
        find_series(request, study, series)
    elif study:
        find_study(request, study)
