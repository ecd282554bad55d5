"""Whether series are regular, by the headers of their images."""

import hashlib

import zstandard
from django.core.cache import cache
from django.utils.translation import gettext as _

from apps.dicom.derived_images import VERSION
from apps.dicom.grey_values import SOP_CLASSES
from apps.dicom.header import explicit
from apps.dicom.regularising import Reason, UnfitError, grid_for
from apps.dicom.stacks import Geometry, Kind, Slice, geometry_of, read_slice
from apps.studies.models import Instance, Series

MODALITIES = ("CT", "MR", "PT")
MOST_IMAGES = 4000  # of one series that are looked at
_KEPT_SECONDS = 24 * 3600

Finding = dict[str, str | float | int]


def slices_of(series: Series) -> tuple[list[int], list[Slice]]:
    """The keys of a series' images, and the place of each."""
    rows = Instance.objects.filter(series=series).order_by("id")[:MOST_IMAGES]
    keys, slices = [], []
    for key, header, syntax in rows.values_list("pk", "header", "transfer_syntax_uid"):
        keys.append(key)
        slices.append(read_slice(zstandard.decompress(header), explicit_vr=explicit(syntax)))
    return keys, slices


def finding_of(series: Series) -> Finding:
    """What a series is: `kind`, `reason` (empty where it can be made regular), and by how much.

    Kept until the series changes.
    """
    said = f"{VERSION} {series.pk} {series.series_instance_uid} {series.revision}"
    name = f"regularity-{hashlib.sha256(said.encode()).hexdigest()}"
    found: Finding | None = cache.get(name)
    if found is None:
        found = _look(series)
        cache.set(name, found, _KEPT_SECONDS)
    return found


def version_of(series: Series) -> str:
    """Another one for other images, and for other pixels made of them."""
    rows = Instance.objects.filter(series=series).order_by("sop_instance_uid")
    said = hashlib.sha256(f"{VERSION} {series.series_instance_uid}".encode())
    for uid, digest in rows.values_list("sop_instance_uid", "sha256"):
        said.update(f" {uid} {digest}".encode())
    return said.hexdigest()


def words_of(finding: Finding) -> str:
    """What is the matter with a series, in a sentence; empty where nothing is."""
    if finding["kind"] == Kind.TILTED:
        return _("Scanned with a tilt of %(angle).1f°: MPR and 3D would be distorted.") % finding
    if finding["kind"] != Kind.UNEVEN:
        return ""
    if finding["missing"]:
        return _("Slices are missing (%(missing)d): MPR and 3D would be distorted.") % finding
    return (
        _("Slices are unevenly spaced (%(least).1f to %(most).1f mm): no MPR and 3D of them.")
        % finding
    )


def reason_words(reason: str) -> str:
    """Why a series cannot be made regular, in a sentence."""
    return {
        Reason.REGULAR: _("This series is regular already."),
        Reason.MIXED: _("Its images differ in direction, size or lie at the same place."),
        Reason.NO_VOLUME: _("Its images are no stack of slices."),
        Reason.TOO_LARGE: _("It would become too large."),
        Reason.WIDE_GAP: _("A gap between its slices is too wide to be bridged."),
        Reason.SOP_CLASS: _("Only CT, MR and PET images can be made regular."),
        Reason.PIXELS: _("The values of its pixels cannot be interpolated."),
    }[Reason(reason)]


def _look(series: Series) -> Finding:
    _keys, slices = slices_of(series)
    geometry = geometry_of(slices)
    gaps = geometry.gaps
    return {
        "kind": geometry.kind.value,
        "reason": _unfit(series, slices, geometry),
        "angle": round(geometry.tilt_degrees, 2),
        "missing": geometry.missing,
        "least": float(gaps.min()) if len(gaps) else 0.0,
        "most": float(gaps.max()) if len(gaps) else 0.0,
    }


def _unfit(series: Series, slices: list[Slice], geometry: Geometry) -> str:
    rows = Instance.objects.filter(series=series).order_by()
    if rows.exclude(sop_class_uid__in=SOP_CLASSES).exists():
        return Reason.SOP_CLASS.value
    if len(slices) >= MOST_IMAGES:
        return Reason.TOO_LARGE.value
    if not slices:
        return Reason.NO_VOLUME.value
    try:
        grid_for(slices[0], geometry)
    except UnfitError as error:
        return error.reason.value
    return ""
