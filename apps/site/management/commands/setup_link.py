"""`manage.py setup_link`: print the one-time address of the set-up page."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.site.services import AlreadySetUp, setup_link


class Command(BaseCommand):
    help = "Print a one-time link to the page that makes the first user."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.stdout.write(setup_link())
        except AlreadySetUp as refusal:
            raise CommandError(str(refusal)) from refusal
