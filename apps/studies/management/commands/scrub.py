"""`manage.py scrub`: every stored file held against its digest."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.services import Origin
from apps.studies.management.progress import Counter
from apps.studies.services import verify_files
from apps.studies.storage import StorageAwayError


class Command(BaseCommand):
    help = "Reads every stored file: is it there, and has it the bytes that were stored?"

    def handle(self, *args: Any, **options: Any) -> None:
        counter = Counter(self.stdout, "files read")
        try:
            result = verify_files(origin=Origin(protocol="command"), progress=counter)
        except StorageAwayError as error:
            raise CommandError(f"The storage cannot be read now: {error}.") from error
        counter.finish()
        for name in result.damaged:
            self.stderr.write(f"{name}: damaged or missing")
        for name in result.unknown:
            self.stderr.write(f"{name}: not in the index (manage.py reindex takes it in)")
        self.stdout.write(f"{result.whole} files are whole.")
        if result.damaged or result.unknown:
            raise CommandError(
                f"{len(result.damaged)} files are damaged or missing, "
                f"{len(result.unknown)} are not in the index."
            )
