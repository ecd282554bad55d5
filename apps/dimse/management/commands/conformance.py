"""manage.py conformance: the DICOM conformance statement as a document."""

from typing import Any

from django.core.management.base import BaseCommand

from apps.dimse.conformance import as_markdown, conformance_statement


class Command(BaseCommand):
    help = "Write the DICOM conformance statement of this installation, as Markdown."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(as_markdown(conformance_statement()), ending="")
