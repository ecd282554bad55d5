"""Rows written straight into a department's database: `python -m benchmarks.filling WHAT ...`.

Run with that department's environment: OPENPACS_HOME, DATABASE_URL.
"""

import json
import os
import sys
from collections.abc import Callable

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "openpacs.settings")
django.setup()

from apps.studies.models import Instance  # noqa: E402 - Django is set up first
from apps.worklist.models import Device  # noqa: E402


def add_devices(text: str) -> None:
    """Let devices in, each with all rights; JSON of their fields."""
    for values in json.loads(text):
        device = Device(
            name=values["ae_title"],
            host="127.0.0.1",
            may_query=True,
            may_retrieve=True,
            may_receive=True,
            **values,
        )
        device.full_clean()
        device.save()


def count_instances() -> None:
    sys.stdout.write(f"{Instance.objects.count()}\n")


WHAT: dict[str, Callable[..., None]] = {"count": count_instances, "devices": add_devices}


def main() -> None:
    what, *words = sys.argv[1:]
    WHAT[what](*words)


if __name__ == "__main__":
    main()
