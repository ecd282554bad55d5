"""The modality worklist in the conformance statement: every key, how it is matched."""

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from pydicom.dataset import Dataset

from apps.dimse.conformance.names import attribute_of, matching_of
from apps.dimse.conformance.structure import Section, Table
from apps.orders.models import Order, RequestedProcedure
from apps.patients.models import Issuer, Patient
from apps.worklist.conditions import STEP_SEQUENCE, WAITING, is_matched
from apps.worklist.datasets import worklist_line
from apps.worklist.models import ScheduledStep


def worklist_section() -> Section:
    """PS3.4 annex K, as SCP."""
    return Section(
        _("Modality Worklist"),
        texts=(
            _(
                "Keys may stand in the Scheduled Procedure Step Sequence, where they belong, or "
                "at the root. Every key that is asked for comes back: filled where the department "
                "knows it, else empty. Keys that are not listed are return keys and come back "
                "empty. A sequence key has one item; without an item it asks for the whole "
                "sequence. A range of dates together with one of times is one period (PS3.4 table "
                "K.6-1)."
            ),
            _(
                "Listed are steps with status %(statuses)s, and started ones for %(minutes)d "
                "minutes; the profile of a device may hide some of them, show its own steps only, "
                "or its own modality unless it asks for another."
            )
            % {
                "statuses": ", ".join(WAITING),
                "minutes": settings.WORKLIST_STARTED_MINUTES,
            },
            _(
                "At most %(count)d items are answered; where more match, the final status is "
                "0xA700 with an Error Comment. Dates and times are in the zone of Timezone Offset "
                "From UTC (0008,0201) where the query gives one, else in that of the department. "
                "Names are cut at a word to the length the device can take. A date of birth known "
                "to month or year only is left empty: DA cannot say it. A step without an "
                "appointment is given the moment of its order as start."
            )
            % {"count": settings.WORKLIST_ANSWERS},
        ),
        tables=(_table(),),
    )


def answered_keys() -> list[str]:
    """Keywords of everything a worklist line may say; those of the step by their path."""
    line = worklist_line(_example())
    step = [f"{STEP_SEQUENCE}.{name}" for name in _keywords(line[STEP_SEQUENCE].value[0])]
    return [*(name for name in _keywords(line) if not name.startswith(STEP_SEQUENCE)), *step]


def _table() -> Table:
    rows = []
    for keyword in answered_keys():
        name, tag, vr = attribute_of(keyword)
        key = keyword.removeprefix(f"{STEP_SEQUENCE}.")
        how = matching_of(key) if is_matched(key) else _("return key")
        rows.append((name, tag, vr, how))
    return Table((_("Attribute"), _("Tag"), _("VR"), _("Matching")), tuple(rows))


def _keywords(dataset: Dataset) -> list[str]:
    """Names in the order of their tags; sequences also by what their items hold."""
    found = []
    for element in dataset:
        found.append(element.keyword)
        if element.VR == "SQ" and element.value and element.keyword != STEP_SEQUENCE:
            found += [f"{element.keyword}.{inner.keyword}" for inner in element.value[0]]
    return found


def _example() -> ScheduledStep:
    """A step that is stored nowhere, to see which attributes a line has."""
    issuer = Issuer(pk=0, namespace="X", universal_id="1.2", universal_id_type="ISO")
    patient = Patient(pk=0, language="en")
    patient._prefetched_objects_cache = {"identifiers": []}  # type: ignore[attr-defined]  # Django's
    order = Order(pk=0, patient=patient, issuer=issuer, requested_at=timezone.now())
    order.placer_namespace = order.filler_number = "X"
    requested = RequestedProcedure(pk=0, order=order, code="X", scheme="X")
    step = ScheduledStep(pk=0, requested_procedure=requested, protocol_code="X")
    step._prefetched_objects_cache = {"devices": []}  # type: ignore[attr-defined]  # Django's
    return step
