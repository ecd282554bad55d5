"""`manage.py modality`: plays a scanner against our own department or another."""

from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from pydicom.dataset import Dataset

from apps.dicom.dates import parse_date
from apps.dimse.simulated import Exam, phantom_images
from apps.dimse.simulator import (
    Modality,
    SimulationFailed,
    describe,
    images_of,
    perform,
    worklist,
)


class Command(BaseCommand):
    help = "Plays a modality: worklist, performed step, images, storage commitment."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--ae", default="CT1", help="AE title of the modality")
        parser.add_argument("--host", default=settings.OPENPACS_DICOM_HOST)
        parser.add_argument("--port", type=int, default=settings.OPENPACS_DICOM_PORT)
        parser.add_argument("--called", default=settings.OPENPACS_AE_TITLE)
        parser.add_argument("--accession", default="", help="the exam with this number")
        parser.add_argument("--date", default="", help="YYYYMMDD or today")
        parser.add_argument("--first", action="store_true", help="the first exam found")
        parser.add_argument("--images", type=Path, help="send the DICOM files of this folder")
        parser.add_argument("--phantom", choices=("CT", "MR", "US"), help="send a phantom")
        parser.add_argument("--slices", type=int, default=32, help="of the phantom")
        parser.add_argument("--no-mpps", action="store_true", help="report no performed step")
        parser.add_argument("--no-commit", action="store_true", help="ask for no commitment")
        parser.add_argument("--discontinue", action="store_true", help="break the exam off")
        parser.add_argument("--list", action="store_true", help="only show the worklist")

    def handle(self, *args: Any, **options: Any) -> None:
        modality = Modality(
            options["ae"], options["host"], options["port"], options["called"], self._say
        )
        try:
            lines = worklist(modality, accession=options["accession"], day=_day(options))
            if options["list"]:
                self._show(lines)
            else:
                self._perform(modality, _choose(lines, options), options)
        except SimulationFailed as error:
            raise CommandError(f"The exam failed: {error}.") from None

    def _perform(self, modality: Modality, line: Dataset, options: dict[str, Any]) -> None:
        self._say(f"Exam: {describe(line)}")
        perform(
            modality,
            Exam(line, _images(line, options)),
            report=not options["no_mpps"],
            commit=not options["no_commit"],
            discontinue=options["discontinue"],
        )
        self._say(f"Done: study {line.StudyInstanceUID}")

    def _show(self, lines: list[Dataset]) -> None:
        for line in lines:
            self._say(describe(line))
        self._say(f"{len(lines)} exams on the worklist.")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _day(options: dict[str, Any]) -> date | None:
    text = options["date"]
    if text == "today":
        return timezone.localdate()
    day = parse_date(text) if text else None
    if text and day is None:
        raise CommandError(f"--date {text}: neither a date (YYYYMMDD) nor today")
    return day


def _choose(lines: list[Dataset], options: dict[str, Any]) -> Dataset:
    if not lines:
        raise SimulationFailed("the worklist shows no such exam")
    if len(lines) > 1 and not options["first"]:
        raise SimulationFailed(
            f"the worklist shows {len(lines)} exams: choose one with --accession, or --first"
        )
    return lines[0]


def _images(line: Dataset, options: dict[str, Any]) -> list[Dataset]:
    if options["images"]:
        return images_of(options["images"])
    planned = str(line.ScheduledProcedureStepSequence[0].get("Modality", ""))
    kind = options["phantom"] or (planned if planned in {"CT", "MR", "US"} else "CT")
    return phantom_images(kind, slices=options["slices"])
