"""What the viewer and the page of a report tell one another about a study."""

from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.accounts.policy import Action, Noun, can, visible
from apps.reports.models import Report
from apps.studies.models import Study
from apps.studies.services import Prior, identity_of_study, relevant_priors

Facts = dict[str, Any]


def navigation_facts(request: HttpRequest) -> Facts:
    """Ways out of the viewer; `next` only for those who read."""
    reads = can(request.user, Action.CHANGE, Noun.REPORT)
    return {
        "home": reverse("home"),
        "next": reverse("viewer:next") if reads else "",
        "words": {
            "home": _("Worklist"),
            "homeHint": _("Back to the worklist (Alt+H)"),
            "next": _("Next"),
            "nextHint": _("Next unread exam (Alt+N)"),
            "none": _("No other exam waits to be read."),
            "report": _("Report"),
            "reportHint": _("Report of these images (Alt+R)"),
        },
    }


def reading_facts(_request: HttpRequest) -> Facts:
    return {
        "about": reverse("viewer:about", args=["UID"]),
        "styles": static("css/identity.css"),
        "words": {
            "several": _("Images of several patients are shown"),
            "strip": _("Patient"),
        },
    }


def priors_facts(_request: HttpRequest) -> Facts:
    return {
        "list": reverse("viewer:priors", args=["UID"]),
        "words": {
            "priors": _("Priors"),
            "priorsHint": _("Other studies of the patient (Alt+P)"),
            "title": _("Other studies of the patient"),
            "compare": _("Compare"),
            "open": _("Open"),
            "none": _("There are no other studies of this patient."),
            "failed": _("The list could not be loaded."),
            "close": _("Close"),
        },
    }


def measurement_facts(_request: HttpRequest) -> Facts:
    """Words for lines about measurements; in braces what is put in."""
    return {
        "words": {
            "series": _("series {number}"),
            "image": _("image {number}"),
            "frame": _("frame {number}"),
            "area": _("area {value}"),
            "mean": _("mean {value}"),
            "deviation": _("SD {value}"),
            "max": _("max. {value}"),
            "min": _("min. {value}"),
            "perimeter": _("perimeter {value}"),
            "tools": {
                "Length": _("Length"),
                "Bidirectional": _("Diameters"),
                "EllipticalROI": _("Ellipse"),
                "CircleROI": _("Circle"),
                "RectangleROI": _("Rectangle"),
                "PlanarFreehandROI": _("Region"),
                "SplineROI": _("Region"),
                "LivewireContour": _("Region"),
                "Angle": _("Angle"),
                "CobbAngle": _("Cobb angle"),
                "Probe": _("Point"),
                "ArrowAnnotate": _("Arrow"),
                "UltrasoundDirectionalTool": _("Distance"),
            },
            "other": _("Measurement"),
        },
    }


def unsaved_facts(_request: HttpRequest) -> Facts:
    """What is asked before the viewer leaves what was drawn; in braces how many."""
    return {
        "words": {
            "title": _("Measurements not saved: {count}"),
            "titleDrawn": _("Drawings not saved: {count}"),
            "segmentation": _("Segmentation"),
            "contours": _("Contours: stay here and store them from the menu beside their name"),
            "question": _("They are lost when other images are shown."),
            "insert": _("Put into the report and go on"),
            "store": _("Store with the images and go on"),
            "drop": _("Go on without them"),
            "stay": _("Stay here"),
            "failed": _("They could not be stored."),
            "series": _("Measurements"),
        },
    }


def about_study(request: HttpRequest, study: Study) -> Facts:
    """The identity line of a study as HTML, and the report that the user may write on it."""
    identity = identity_of_study(study)
    return {
        "identity": render_to_string("reports/_identity.html", {"identity": identity}),
        "patient": f"p{study.patient_id}" if study.patient_id else f"s{study.pk}",
        "report": _report_address(request, study),
    }


def priors_of(request: HttpRequest, study: Study) -> list[Facts]:
    """The other studies of the patient that the user may see, relevant ones first."""
    priors = relevant_priors(study, among=visible(request.user, Study))
    rows: Any = visible(request.user, Report)
    reports = rows.of_studies(prior.study.pk for prior in priors)
    return [_prior_facts(one, reports.get(one.study.pk)) for one in priors]


def _prior_facts(prior: Prior, report: Report | None) -> Facts:
    study = prior.study
    return {
        "study": study.study_instance_uid,
        "date": study.study_date.isoformat() if study.study_date else "",
        "description": study.description or _("without description"),
        "modalities": study.modality_list,
        "relevant": prior.is_relevant,
        "reason": prior.reason,
        "report": str(report.get_status_display()) if report else "",
    }


def _report_address(request: HttpRequest, study: Study) -> str:
    if not can(request.user, Action.CHANGE, Noun.REPORT):
        return ""
    rows: Any = visible(request.user, Report)
    report = rows.to_open(study.pk)
    return reverse("reports:edit", args=[report.pk]) if report else ""
