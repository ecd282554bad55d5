"""The 3D workstation (VolView): its page, what it opens, and the way into it.

VolView opens addresses that stand in the address of its page. Ours names a manifest of one
series, a JSON list of its images, which VolView then asks for one by one at WADO-URI: it
shows the first while the others come, and needs the right to see the study only, not that
to export it. No other address is taken by the page.
"""

from pathlib import Path
from urllib.parse import urlencode

from csp.decorators import csp
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.templatetags.static import static
from django.urls import Resolver404, resolve, reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.accounts.policy import Action, Noun, can
from apps.audit.services import origin_of
from apps.studies.models import Instance, Series
from apps.studies.services import note_viewing
from apps.viewer.headers import WORKSTATION_POLICY
from apps.viewer.lookup import seen_study
from apps.viewer.volview import MAY_EXPORT, STYLES

STYLE_SHEETS = ("kit/mdi/css/materialdesignicons.min.css", "css/volview.css")
AT_ONCE = 10  # series that are opened together
# What its decoder reads; anything else is asked for uncompressed. PS3.5 A.4.
READ_AS_STORED = frozenset(
    {
        "1.2.840.10008.1.2",
        "1.2.840.10008.1.2.1",
        "1.2.840.10008.1.2.4.50",  # JPEG, lossy and lossless
        "1.2.840.10008.1.2.4.51",
        "1.2.840.10008.1.2.4.57",
        "1.2.840.10008.1.2.4.70",
        "1.2.840.10008.1.2.4.80",  # JPEG-LS
        "1.2.840.10008.1.2.4.81",
        "1.2.840.10008.1.2.4.90",  # JPEG 2000
        "1.2.840.10008.1.2.4.91",
        "1.2.840.10008.1.2.5",  # RLE
    }
)


@require_safe
@never_cache
@csp(WORKSTATION_POLICY)
def page(request: HttpRequest) -> HttpResponseBase:
    """VolView with the series of `urls` open; without it, for files of one's own disk.

    Each must be a manifest of a series whose study the user may see; that it was looked at
    goes into the journal here.
    """
    for study in [series.study for series in wanted_series(request)]:
        note_viewing(study, origin=origin_of(request))
    file = settings.BUILD_DIR / "volview" / "index.html"
    if not file.is_file():
        return HttpResponse(
            _("The 3D workstation is not installed: run make install."),
            status=503,
            content_type="text/plain; charset=utf-8",
        )
    may_export = can(request.user, Action.EXPORT, Noun.STUDY)
    text = completed(file, may_export=may_export)
    return HttpResponse(text, content_type="text/html; charset=utf-8")


def completed(file: Path, *, may_export: bool) -> str:
    """The page with our style sheets, whose names change with their content.

    Sessions, which hold the images, are saved by who may export.
    """
    head = "".join(f'<link rel="stylesheet" href="{static(name)}">' for name in STYLE_SHEETS)
    if may_export:
        head += MAY_EXPORT
    return file.read_text(encoding="utf-8").replace(STYLES, head)


def wanted_series(request: HttpRequest) -> list[Series]:
    """The series named in the address, all visible to the user; raises Http404."""
    given = ",".join(request.GET.getlist("urls")).removeprefix("[").removesuffix("]")
    addresses = [address for address in given.split(",") if address]
    if len(addresses) > AT_ONCE:
        raise Http404
    return [series_of(request, **named_in(address)) for address in addresses]


def named_in(address: str) -> dict[str, str]:
    """Study and series of the address of a manifest; raises Http404 for any other address."""
    try:
        match = resolve(address)
    except Resolver404:
        raise Http404 from None
    if match.view_name != "volview:manifest":
        raise Http404
    return match.kwargs


def series_of(request: HttpRequest, *, study: str, series: str) -> Series:
    """One series of a study that the user may see; raises Http404."""
    found = seen_study(request, study)
    return get_object_or_404(found.series.all(), series_instance_uid=series)


@require_safe
@never_cache
def manifest(request: HttpRequest, study: str, series: str) -> HttpResponse:
    """The images of a series in their order, as VolView's remote manifest."""
    rows = Instance.objects.filter(series=series_of(request, study=study, series=series))
    rows = rows.exclude(pixel_vr="").order_by("number", "pk")
    images = rows.values_list("sop_instance_uid", "transfer_syntax_uid")
    resources = [
        {"url": image_address(study, series, uid, syntax), "name": f"{number}.dcm"}
        for number, (uid, syntax) in enumerate(images, start=1)
    ]
    return JsonResponse({"resources": resources})


def image_address(study: str, series: str, uid: str, syntax: str) -> str:
    """Where one image is had as a DICOM file that VolView can read (PS3.18 9.1)."""
    keys = {
        "requestType": "WADO",
        "studyUID": study,
        "seriesUID": series,
        "objectUID": uid,
        "contentType": "application/dicom",
    }
    if syntax in READ_AS_STORED:
        keys["transferSyntax"] = "*"
    return f"{reverse('wado-uri')}?{urlencode(keys)}"


@require_safe
def open_study(request: HttpRequest, study: str) -> HttpResponseBase:
    """Send the user to the workstation with one series open: `series`, or the largest."""
    found = seen_study(request, study)
    rows = found.series.all()
    if wanted := request.GET.get("series"):
        rows = rows.filter(series_instance_uid=wanted)
    chosen = rows.order_by("-instance_count", "pk").first()
    if chosen is None:
        raise Http404
    address = reverse("volview:manifest", args=[study, chosen.series_instance_uid])
    return redirect(f"{reverse('volview:page')}?{urlencode({'urls': f'[{address}]'})}")
