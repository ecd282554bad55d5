"""`manage.py dicom echo|find|retrieve AE ...`: other archives from a shell or a script."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.services import Origin
from apps.dimse.models import Retrieval
from apps.dimse.services import (
    CalledDeviceFailed,
    Wanted,
    echo,
    find_remote_studies,
    request_retrieval,
    run_retrieval,
)
from apps.worklist.models import Device

COMMAND = Origin(protocol="command")


class Command(BaseCommand):
    help = "Test, query or retrieve from another archive, by its AE title."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        for verb in ("echo", "find", "retrieve"):
            one = verbs.add_parser(verb)
            one.add_argument("ae_title", help="AE title of the device")
            if verb == "find":
                one.add_argument("--name", default="", help="patient name; * and ? are wildcards")
                one.add_argument("--id", default="", help="patient ID")
                one.add_argument("--accession", default="", help="accession number")
            if verb == "retrieve":
                one.add_argument("study", help="Study Instance UID")
                one.add_argument("series", nargs="?", default="", help="Series Instance UID")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        device = Device.objects.filter(ae_title=options["ae_title"]).first()
        if device is None:
            raise CommandError(f"No device has the AE title {options['ae_title']}.")
        try:
            getattr(self, f"_{options['verb']}")(device, options)
        except CalledDeviceFailed as error:
            raise CommandError(str(error)) from None

    def _echo(self, device: Device, _options: dict[str, Any]) -> None:
        result = echo(device, origin=COMMAND)
        if not result.success:
            raise CommandError(result.message)
        self.stdout.write(f"{result.message} ({result.milliseconds} ms)")

    def _find(self, device: Device, options: dict[str, Any]) -> None:
        wanted = Wanted(
            patient_name=options["name"],
            patient_identifier=options["id"],
            accession_number=options["accession"],
        )
        found = find_remote_studies(device, wanted, origin=COMMAND)
        for one in found.rows:
            day = one.study_date.isoformat() if one.study_date else "-"
            said = (one.study_instance_uid, day, "+".join(one.modalities), one.patient_name)
            self.stdout.write("\t".join(said))

    def _retrieve(self, device: Device, options: dict[str, Any]) -> None:
        row = request_retrieval(device, options["study"], options["series"], origin=COMMAND)
        while row.status in (Retrieval.Status.WAITING, Retrieval.Status.RUNNING):
            run_retrieval(row)
            row.refresh_from_db()
            if row.attempts and row.status == Retrieval.Status.WAITING:
                raise CommandError(f"{row.error} It is tried again in the background.")
            time.sleep(0.2)
        if row.status == Retrieval.Status.FAILED:
            raise CommandError(row.error)
        self.stdout.write(f"{row.completed} images received, {row.warnings} with warnings")
