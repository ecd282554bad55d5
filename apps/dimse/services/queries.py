"""What this door writes down about queries for studies; the same one only now and then."""

from collections.abc import Sequence

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.dicom.keys import Key
from apps.studies.datasets import Level
from apps.studies.services.querying import told_query
from apps.worklist.models import Device


def note_studies_query(
    device: Device, *, level: Level, keys: Sequence[Key], count: int, origin: Origin
) -> None:
    """Journal what a device asked for, and how many answers it got."""
    told = told_query(device.pk, level=level, keys=keys, count=count)
    if told is not None:
        record(Kind.STUDIES_QUERIED, device, origin=origin, details=told)
