"""Several studies chosen in the list, and what became of each: for the pages of all rooms."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from apps.studies.models import Study

MOST = 500  # studies of one action


@dataclass(frozen=True)
class Chosen:
    """The chosen studies that may be seen, and how many others were named."""

    studies: list[Study]
    missing: int = 0
    too_many: bool = False

    @property
    def count(self) -> int:
        return len(self.studies)


@dataclass(frozen=True)
class Result:
    """What became of one study; the text is for a person."""

    study: Study
    done: bool
    text: str


def chosen_studies(rows: QuerySet[Study], keys: Iterable[str]) -> Chosen:
    """The studies of these keys among `rows`; what is no key counts as missing."""
    asked = list(dict.fromkeys(keys))
    wanted = [int(key) for key in asked[:MOST] if key.isdecimal() and len(key) < 19]
    found = list(rows.filter(pk__in=wanted).order_by("-study_date", "-id"))
    return Chosen(found, missing=len(asked[:MOST]) - len(found), too_many=len(asked) > MOST)
