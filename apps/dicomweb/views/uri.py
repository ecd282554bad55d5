"""WADO-URI: one object, by the parameters of the query (PS3.18 9.4)."""

from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from apps.dicom.header import EXPLICIT_LITTLE
from apps.dicom.rendering.options import GIF, JPEG, PNG, RenderOptions
from apps.dicomweb.caching import ASK, etag_of, kept
from apps.dicomweb.exceptions import BadRequestError, NotAcceptableError
from apps.dicomweb.methods import Description, described
from apps.dicomweb.multipart import bare_response
from apps.dicomweb.negotiation import DICOM, STORED, Choice, can_become, ranges_of
from apps.dicomweb.parameters import render_options
from apps.dicomweb.parts import held_part
from apps.dicomweb.rendered import PDF, Target, offered, rendered_parts
from apps.dicomweb.views.lookup import find_instance, note
from apps.dicomweb.views.retrieving import ready_file
from apps.studies.models import Instance
from apps.studies.services.forms import Form, form_of
from apps.studies.services.presenting import Named, presented

_UIDS = ("studyUID", "seriesUID", "objectUID")
_STATE_UIDS = ("presentationSeriesUID", "presentationUID")
_RENDERING = (
    *("rows", "columns", "region", "windowCenter", "windowWidth", "imageQuality", "annotation"),
)
_KNOWN = (
    *("requestType", *_UIDS, "contentType", "charset", "transferSyntax", "frameNumber"),
    *_STATE_UIDS,
    *_RENDERING,
)
# What would change the answer, and is not done here: not to be passed over in silence.
_REFUSED = ("anonymize",)
# PS3.18 9.4.1.2.8: the state says these things itself.
_NOT_WITH_STATE = ("region", "windowCenter", "windowWidth")
_PICTURES = (JPEG, PNG, GIF)


@described(Description(_KNOWN, (DICOM, *_PICTURES, PDF)))
@require_safe
def retrieve_object(request: HttpRequest) -> HttpResponseBase:
    """GET /wado?requestType=WADO&studyUID=...&seriesUID=...&objectUID=..."""
    asked = request.GET
    _check(asked)
    row = find_instance(request, *(asked[name] for name in _UIDS))
    frame = _whole_number(asked, "frameNumber", row.frames)
    kind = _choose(asked, request, row)
    note(request, row.series.study)
    if kind == DICOM:
        return _file(request, row, asked.get("transferSyntax") or EXPLICIT_LITTLE)
    options = _options(asked, row, kind)
    if state := _state(request, row):
        return _presented(request, state, row, frame or 1, options)
    target = Target(row, (frame,) if frame else ())
    etag = etag_of(row.sha256, row.overlay, kind, frame, options)

    def answer() -> HttpResponseBase:
        return bare_response(request, rendered_parts(target, options)[0], etag)

    return kept(request, etag, answer, policy=ASK)


def _state(request: HttpRequest, row: Instance) -> Instance | None:
    """The presentation state to apply (PS3.18 9.4.1.2.8); raises BadRequestError, Http404."""
    asked = request.GET
    given = [asked.get(name, "") for name in _STATE_UIDS]
    if not any(given):
        return None
    if not all(given):
        raise BadRequestError("presentationUID, presentationSeriesUID: one needs the other")
    if not_with := [name for name in _RENDERING if name in _NOT_WITH_STATE and name in asked]:
        raise BadRequestError(f"not with a presentation state: {', '.join(not_with)}")
    state = find_instance(request, row.series.study.study_instance_uid, *given)
    if form_of(state) != Form.PRESENTATION:
        raise BadRequestError("presentationUID: not a presentation state")
    return state


def _presented(
    request: HttpRequest, state: Instance, row: Instance, frame: int, options: RenderOptions
) -> HttpResponseBase:
    etag = etag_of(row.sha256, row.overlay, state.sha256, state.overlay, frame, options)
    named = Named(row.sop_instance_uid, frame, row)

    def answer() -> HttpResponseBase:
        made = presented(state, named, options)
        return bare_response(request, held_part(made, options.media_type), etag)

    return kept(request, etag, answer, policy=ASK)


def _check(asked: QueryDict) -> None:
    if asked.get("requestType") != "WADO":
        raise BadRequestError("requestType: WADO is what is answered here")
    if missing := [name for name in _UIDS if not asked.get(name)]:
        raise BadRequestError(f"missing: {', '.join(missing)}")
    if refused := [name for name in _REFUSED if asked.get(name, "no") != "no"]:
        raise BadRequestError(f"not done here: {', '.join(refused)}")


def _choose(asked: QueryDict, request: HttpRequest, row: Instance) -> str:
    """The media type; without a wish that of PS3.18 9.4.1.2.1 for what the object is."""
    pictures = [one for one in offered(Target(row)) if one in (*_PICTURES, PDF)]
    several = row.frames > 1 and not asked.get("frameNumber")
    offers = [DICOM, *pictures] if several else [*pictures, DICOM]
    wanted = ranges_of(asked.get("contentType") or request.headers.get("Accept") or "*/*")
    for one in wanted:
        fitting = [offer for offer in offers if one.covers(offer)]
        if fitting:
            return fitting[0]
    raise NotAcceptableError(f"Available as {', '.join(offers)}.")


def _file(request: HttpRequest, row: Instance, transfer_syntax: str) -> HttpResponseBase:
    if transfer_syntax != STORED and not can_become(row.transfer_syntax_uid, transfer_syntax):
        raise NotAcceptableError(
            f"It is stored as {row.transfer_syntax_uid}; transferSyntax=* gives it so."
        )
    choice = Choice(DICOM, multipart=False, transfer_syntax=transfer_syntax)
    etag = etag_of(row.sha256, row.overlay, choice)

    def answer() -> HttpResponseBase:
        part = ready_file(row, choice)
        return bare_response(request, part, etag)

    return kept(request, etag, answer)


def _options(asked: QueryDict, row: Instance, kind: str) -> RenderOptions:
    """The words of WADO-URI as those of rendered resources."""
    center, width = asked.get("windowCenter", ""), asked.get("windowWidth", "")
    if bool(center) != bool(width):
        raise BadRequestError("windowCenter, windowWidth: one needs the other")
    words = {
        "window": f"{center},{width}" if center else "",
        "viewport": _viewport(asked, row),
        "quality": asked.get("imageQuality", ""),
        "annotation": asked.get("annotation", ""),
    }
    return render_options(words, kind)


def _viewport(asked: QueryDict, row: Instance) -> str:
    """As large as `rows` and `columns` allow; of `region`, in fractions of the image."""
    columns, rows = row.columns or 1, row.rows or 1
    left, top, right, bottom = _region(asked.get("region", ""))
    region_width, region_height = (right - left) * columns, (bottom - top) * rows
    high = _whole_number(asked, "rows", 0)
    wide = _whole_number(asked, "columns", 0)
    if not (high or wide or asked.get("region")):
        return ""
    # Where one side is free it takes what the other one needs, and a little more.
    if wide and not high:
        high = round(wide * region_height / region_width) + 1
    elif high and not wide:
        wide = round(high * region_width / region_height) + 1
    elif not wide:
        wide, high = round(region_width), round(region_height)
    area = f"{left * columns},{top * rows},{region_width},{region_height}"
    return f"{max(wide, 1)},{max(high, 1)},{area}"


def _region(text: str) -> tuple[float, float, float, float]:
    if not text:
        return 0.0, 0.0, 1.0, 1.0
    try:
        left, top, right, bottom = (float(word) for word in text.split(","))
    except ValueError:
        left = top = right = bottom = 0.0
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise BadRequestError("region: four fractions of the image, left,top,right,bottom")
    return left, top, right, bottom


def _whole_number(asked: QueryDict, name: str, most: int) -> int:
    """0 where it is not given; raises BadRequestError. `most` 0: as large as it likes."""
    text = asked.get(name, "")
    if not text:
        return 0
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
    if not number or (most and number > most):
        raise BadRequestError(f"{name}: not a number" + (f" from 1 to {most}" if most else ""))
    return number
