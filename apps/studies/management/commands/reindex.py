"""`manage.py reindex`: the index rebuilt from the stored files."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.services import Origin
from apps.studies.management.progress import Counter
from apps.studies.services import rebuild_index


class Command(BaseCommand):
    help = "Indexes every stored DICOM file that the database does not know."

    def handle(self, *args: Any, **options: Any) -> None:
        counter = Counter(self.stdout, "files looked at")
        result = rebuild_index(origin=Origin(protocol="command"), progress=counter)
        counter.finish()
        for name, reason in result.unreadable:
            self.stderr.write(f"{name}: {reason}")
        for name in result.twice:
            self.stderr.write(f"{name}: its object is stored in another file too")
        self.stdout.write(f"{result.added} files added to the index, {result.known} known before.")
        if result.unreadable:
            raise CommandError(f"{len(result.unreadable)} files cannot be read.")
