"""DCMTK's findscu -W asks for DCMTK's own worklist; answers as another archive gives them.

The ten items are DCMTK's examples (wlistdb), the thirteen queries too (wlistqry); what is
expected was recorded from Orthanc by its authors, at root level and as text.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from apps.audit.services import Origin
from apps.dicom.dates import parse_date, parse_time
from apps.dicom.names import search_form
from apps.dimse.listener import Listener
from apps.orders.services import OrderDetails, Request, place_order
from apps.patients.models import Patient
from apps.worklist.models import Device
from apps.worklist.services.steps import StepDetails, schedule_step
from tests.dimse.conftest import Tool
from tests.factories import (
    DeviceFactory,
    IssuerFactory,
    PatientFactory,
    PatientIdentifierFactory,
    ProcedureFactory,
    ReferrerFactory,
)

pytestmark = [pytest.mark.peer, pytest.mark.samples]
QUERIES = range(13)
ITEMS = range(1, 11)
LINE = re.compile(r"\(([0-9a-f]{4}),([0-9a-f]{4})\) (\w\w) \[(.*)\]")
# The recorded date of birth of HAYDN is the 31st of April: PS3.5 6.2 knows no such DA, our
# date column holds none, and the item of DCMTK says the 31st of March.
NO_SUCH_DAY = {"17320431": "17320331"}

Answer = dict[str, str]


@dataclass
class Bench:
    """DCMTK's tools and data on one side, our listener on the other."""

    tool: Tool
    samples: Path
    folder: Path
    port: int

    def item(self, number: int) -> Dataset:
        return self._dump(f"dcmtk-wlistdb/wklist{number}")

    def ask(self, query: int) -> tuple[Dataset, list[Dataset]]:
        """The query, and the answers that findscu has written down."""
        asked = self._dump(f"dcmtk-wlistqry/wlistqry{query}")
        answers = self.folder / f"answers{query}"
        answers.mkdir()
        done = self.tool(
            "findscu", "-W", "-X", "-od", answers, "-aet", "CT1", "-aec", "OPENPACS",
            "127.0.0.1", self.port, self.folder / f"wlistqry{query}.dcm",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return asked, [dcmread(path) for path in sorted(answers.iterdir())]

    def recorded(self, name: str) -> list[Answer]:
        file = self.samples / f"mwl/orthanc-expected/{name}.json"
        return [dict(_values(answer)) for answer in json.loads(file.read_text())]

    def _dump(self, name: str) -> Dataset:
        target = self.folder / f"{Path(name).name}.dcm"
        done = self.tool("dump2dcm", self.samples / f"mwl/{name}.dump", target)
        assert done.returncode == 0, done.stderr
        return dcmread(target, force=True)


@pytest.fixture
def bench(listener: Listener, device: Device, tool: Tool, samples: Path, tmp_path: Path) -> Bench:
    return Bench(tool, samples, tmp_path, listener.port)


def load(item: Dataset, number: int, origin: Origin) -> None:
    """One item of DCMTK as our patient, order, requested procedure and scheduled step."""
    step = item.ScheduledProcedureStepSequence[0]
    # The items give one patient other alerts each time: a patient of its own per item.
    patient = _patient(item, number)
    code = item.RequestedProcedureDescription
    catalogue = ProcedureFactory.create(code=f"{code}-{number}"[:16], meaning=code)
    order = place_order(
        patient,
        requests=[
            Request(
                procedure=catalogue,
                study_instance_uid=item.StudyInstanceUID,
                identifier=item.RequestedProcedureID,
            )
        ],
        details=OrderDetails(
            priority=item.RequestedProcedurePriority,
            referrer=ReferrerFactory.create(family_name=str(item.RequestingPhysician)),
        ),
        accession_number=item.AccessionNumber,
        origin=origin,
    )
    schedule_step(
        order.procedures.get(),
        devices=_devices(step.ScheduledStationAETitle),
        starts_at=_moment(step),
        origin=origin,
        details=StepDetails(
            identifier=step.ScheduledProcedureStepID,
            modality=step.Modality,
            description=step.ScheduledProcedureStepDescription,
            station_name=step.ScheduledStationName,
            location=step.ScheduledProcedureStepLocation,
            performing_physician=str(step.ScheduledPerformingPhysicianName),
            contrast_agent=step.RequestedContrastAgent or "",
        ),
    )


def _patient(item: Dataset, number: int) -> Patient:
    name = item.PatientName
    patient: Patient = PatientFactory.create(
        family_name=name.family_name,
        given_name=name.given_name,
        middle_name=name.middle_name,
        search_name=search_form(str(name)),
        birth_date=parse_date(item.PatientBirthDate),
        sex=item.PatientSex,
        medical_alerts=item.MedicalAlerts,
        allergies=item.Allergies,
    )
    issuer = IssuerFactory.create(namespace=f"DCMTK{number}")
    PatientIdentifierFactory.create(patient=patient, issuer=issuer, value=item.PatientID)
    return patient


def _devices(titles: str | Sequence[str]) -> list[Device]:
    named = [titles] if isinstance(titles, str) else list(titles)
    return [
        Device.objects.filter(ae_title=title).first() or DeviceFactory.create(ae_title=title)
        for title in named
    ]


def _moment(step: Dataset) -> datetime:
    day = parse_date(step.ScheduledProcedureStepStartDate)
    time = parse_time(step.ScheduledProcedureStepStartTime)
    assert day is not None
    assert time is not None
    return datetime.combine(day, time, UTC)


def as_text(dataset: Dataset) -> Answer:
    """The root attributes that have a text value, as the recording has them."""
    return {
        f"{element.tag:08x}": str(element.value or "") for element in dataset if element.VR != "SQ"
    }


def _values(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        found = LINE.match(line)
        if found:
            value = found[4].strip()
            yield found[1] + found[2], NO_SUCH_DAY.get(value, value)


def in_order(answers: list[Answer]) -> list[list[tuple[str, str]]]:
    return sorted(sorted(answer.items()) for answer in answers)


def check(bench: Bench, name: str, query: int) -> None:
    asked, answers = bench.ask(query)
    expected = bench.recorded(f"{name}-{query}")
    assert in_order([as_text(one) for one in answers]) == in_order(expected)
    for one in answers:
        # PS3.4 C.2.2.2: all keys asked for come back, also sequences that the recording,
        # made from items without them, leaves out.
        assert set(one.keys()) == set(asked.keys())
        if "ScheduledProcedureStepSequence" in asked:
            _check_step(asked, one)


def _check_step(asked: Dataset, one: Dataset) -> None:
    (wanted,), (got,) = asked.ScheduledProcedureStepSequence, one.ScheduledProcedureStepSequence
    # An item without keys asks for the whole sequence (PS3.4 C.2.2.2.6).
    assert set(wanted.keys()) <= set(got.keys())
    if wanted:
        assert set(wanted.keys()) == set(got.keys())


def test_the_whole_worklist_answers_every_query(bench: Bench, origin: Origin) -> None:
    for number in ITEMS:
        load(bench.item(number), number, origin)
    for query in QUERIES:
        check(bench, "all", query)


@pytest.mark.parametrize("number", ITEMS)
def test_a_single_item_answers_every_query(number: int, bench: Bench, origin: Origin) -> None:
    load(bench.item(number), number, origin)
    for query in QUERIES:
        check(bench, f"single-{number}", query)
