"""`manage.py password_link USERNAME`: print a one-time address to set a password at."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.audit.services import Origin
from apps.site.services import password_link


class Command(BaseCommand):
    help = "Print a one-time link at which a user sets a password; it works for three days."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        username = options["username"]
        try:
            user = User.objects.get(username=username, is_active=True)
        except User.DoesNotExist as error:
            raise CommandError(
                _("There is no active user “%(name)s”.") % {"name": username}
            ) from error
        self.stdout.write(password_link(user, origin=Origin(protocol="command")))
