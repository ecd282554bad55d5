"""`manage.py demo`: fill an empty installation with an invented department."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from apps.audit.services import Origin
from apps.site.demo.department import DemoRefused, Login, fill_department


class Command(BaseCommand):
    help = "Fill an empty installation with an invented department, and print its logins."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--images", type=Path, metavar="FOLDER", help="DICOM files to take as images"
        )
        parser.add_argument("--no-images", action="store_true", help="make no images")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            filled = fill_department(
                origin=Origin(protocol="command"),
                images=options["images"],
                with_images=not options["no_images"],
            )
        except DemoRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(
            _("Patients: %(patients)d. Orders: %(orders)d. Studies with images: %(studies)d.")
            % {"patients": filled.patients, "orders": filled.orders, "studies": filled.studies}
        )
        for remark in filled.remarks:
            self.stdout.write(remark)
        self.stdout.write("\n" + _("One-time passwords, to be changed at the first login:"))
        for login in filled.logins:
            self.stdout.write(_line(login))


def _line(login: Login) -> str:
    return f"  {login.username:<14} {login.password:<26} {', '.join(login.roles)}"
