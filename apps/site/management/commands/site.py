"""`manage.py site export FILE`, `manage.py site import FILE`: the department as one file."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from apps.audit.services import Origin
from apps.site.configuration.problems import SiteFileError
from apps.site.services import export_site, import_site


class Command(BaseCommand):
    help = "Write the department's configuration to a site file, or bring it to what one says."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        export = verbs.add_parser("export", help="write the site file")
        export.add_argument("file", help="where to write; - for standard output")
        importing = verbs.add_parser("import", help="apply a site file")
        importing.add_argument("file", help="the site file; - for standard input")
        importing.add_argument(
            "--check", action="store_true", help="say what would change, change nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["verb"] == "export":
            self._export(options["file"])
        else:
            self._import(options["file"], check=options["check"])

    def _export(self, name: str) -> None:
        text = export_site()
        if name == "-":
            self.stdout.write(text, ending="")
            return
        try:
            Path(name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{name}: {error.strerror}") from error

    def _import(self, name: str, *, check: bool) -> None:
        try:
            changes = import_site(_read(name), origin=Origin(protocol="command"), check=check)
        except SiteFileError as error:
            for problem in error.problems:
                self.stderr.write(problem.at(name))
            count = len(error.problems)
            raise CommandError(
                _("Nothing imported; problems: %(count)d") % {"count": count}
            ) from error
        for change in changes:
            self.stdout.write(str(change))
        self.stdout.write(_summary(len(changes), check=check))


def _read(name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise CommandError(f"{name}:{line}: not UTF-8") from error


def _summary(count: int, *, check: bool) -> str:
    if not count:
        return _("Nothing to change.")
    text = _("Rows that would change: %(count)d") if check else _("Rows changed: %(count)d")
    return text % {"count": count}
