"""What device rules and earlier corrections make of objects that have just come."""

import functools
import logging
import secrets
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import zstandard
from django.db import DatabaseError
from django.db.models import Q

from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.dicom.amending import person_name, text_of
from apps.dicom.header import explicit
from apps.dicom.json import to_json
from apps.studies.models import CoercionRule, Correction, Instance, Study
from apps.studies.services.columns import SERIES_COLUMNS, STUDY_COLUMNS, value_at
from apps.studies.services.correcting import correctable, journal, spread, spread_to
from apps.studies.services.incoming import Incoming
from apps.worklist.models import Device

log = logging.getLogger(__name__)
REMEMBERED_SECONDS = 5  # rules: what an administrator changes holds so much later at most
Action = CoercionRule.Action


@dataclass(frozen=True)
class Wanted:
    """What a rule wants of one attribute, and for how much of the study."""

    rule: CoercionRule
    path: str
    old: tuple[Any, ...] | None
    new: tuple[Any, ...] | None
    series: str = ""
    instance: str = ""

    @property
    def target(self) -> tuple[str, str, str]:
        return self.path, self.series, self.instance


def correct_arrivals(study: Study, own: Sequence[Incoming], *, origin: Origin) -> None:
    """Apply device rules to new objects of a locked study, and its corrections to all of them.

    To be called when their rows are written, before the study looks for its order.
    """
    rules = active_rules()
    ruled = [one for one in own if one.instance["source"] in rules] if rules else []
    if not (ruled or study.overlay):
        return
    made = _correct_by_rules(study, ruled, rules) if ruled else []
    if broad := [row.path for row in made if row.instance_id is None]:
        spread(study, broad, only_corrected=True)
    if made or study.overlay:
        spread_to(study, [one.sop_instance_uid for one in own])
    if made:
        journal(Kind.STUDY_CORRECTED, study, made, origin=origin)


def coerces(ae_title: str) -> bool:
    """Is this device to be told that its objects are corrected (status B000)?

    Asked for every object while it is received: a database that is away must not matter.
    """
    return ae_title in _told(int(time.monotonic() // REMEMBERED_SECONDS))


def active_rules() -> dict[str, list[CoercionRule]]:
    """The rules in use by the AE titles that they hold for, as of a few seconds ago."""
    return _rules(int(time.monotonic() // REMEMBERED_SECONDS))


def forget_rules() -> None:
    """Have this process read the rules again."""
    _rules.cache_clear()
    _told.cache_clear()


@functools.lru_cache(maxsize=1)
def _told(_moment: int) -> frozenset[str]:
    try:
        rules = active_rules()
    except DatabaseError as error:
        log.warning("No coercion rules for now (%s)", type(error).__name__)
        return frozenset()
    return frozenset(title for title, rows in rules.items() if any(row.announce for row in rows))


@functools.lru_cache(maxsize=1)
def _rules(_moment: int) -> dict[str, list[CoercionRule]]:
    found: dict[str, list[CoercionRule]] = defaultdict(list)
    rows = list(CoercionRule.objects.filter(active=True))
    if not rows:
        return {}
    concerned = Q(pk__in=[row.device_id for row in rows]) | Q(group__in=_groups(rows))
    devices = list(Device.objects.filter(concerned).values_list("pk", "group", "ae_title"))
    for row in rows:
        for key, group, ae_title in devices:
            if key == row.device_id or (row.group and group == row.group):
                found[ae_title].append(row)
    return dict(found)


def _groups(rows: Iterable[CoercionRule]) -> list[str]:
    return [row.group for row in rows if row.group]


def _correct_by_rules(
    study: Study, ruled: Sequence[Incoming], rules: dict[str, list[CoercionRule]]
) -> list[Correction]:
    """The corrections that are not there yet, written at once."""
    wanted: dict[tuple[str, str, str], Wanted] = {}
    for one in ruled:
        for want in _wants(one, rules[one.instance["source"]]):
            wanted.setdefault(want.target, want)
    rows = _rows(study, list(wanted.values()))
    before = _said_before(study, {row.path for row in rows})
    return Correction.objects.bulk_create(
        [
            row
            for row in rows
            if not before & {(row.path, row.series_id, row.instance_id), (row.path, None, None)}
        ]
    )


def _rows(study: Study, wanted: Sequence[Wanted]) -> list[Correction]:
    series = dict(study.series(manager="everything").values_list("series_instance_uid", "pk"))
    instances = _keys(want.instance for want in wanted if want.instance)
    batch = secrets.token_hex(16)
    return [
        Correction(
            study=study,
            series_id=series.get(want.series),
            instance_id=instances.get(want.instance),
            batch=batch,
            path=want.path,
            vr=want.rule.vr,
            old=None if want.old is None else list(want.old),
            new=None if want.new is None else list(want.new),
            reason=str(want.rule),
            source=Correction.Source.RULE,
        )
        for want in wanted
    ]


def _keys(uids: Iterable[str]) -> dict[str, int]:
    rows = Instance.everything.filter(sop_instance_uid__in=list(uids))
    return dict(rows.values_list("sop_instance_uid", "pk"))


def _said_before(study: Study, paths: set[str]) -> set[tuple[str, int | None, int | None]]:
    """What was corrected before stays so, and what somebody undid is not done again."""
    rows = study.corrections.filter(path__in=paths)
    rows = rows.filter(Q(undone_at=None) | Q(source=Correction.Source.RULE))
    return set(rows.values_list("path", "series_id", "instance_id"))


def _wants(one: Incoming, rules: Sequence[CoercionRule]) -> Iterator[Wanted]:
    """What the rules change in one object, each on top of those before it."""
    fitting = [rule for rule in rules if _fits(rule, one)]
    if not fitting:
        return
    header = to_json(
        zstandard.decompress(one.instance["header"]),
        explicit_vr=explicit(one.instance["transfer_syntax_uid"]),
        bulk_uri=lambda _path: "",
    )
    for path in dict.fromkeys(rule.path for rule in fitting):
        old = new = value_at(header, path)
        concerned = [rule for rule in fitting if rule.path == path]
        for rule in concerned:
            new = _applied(rule, new)
        if new != old:
            yield _wanted(one, concerned, old, new)


def _fits(rule: CoercionRule, one: Incoming) -> bool:
    return (
        bool(rule.path)
        and correctable(rule.path, rule.vr)
        and rule.sop_class_uid in ("", one.instance["sop_class_uid"])
        and rule.modality in ("", one.modality)
    )


def _wanted(
    one: Incoming, rules: Sequence[CoercionRule], old: list[Any] | None, new: list[Any] | None
) -> Wanted:
    path = rules[0].path
    alike = all(rule.action in {Action.SET, Action.REMOVE} for rule in rules)
    whole = path in STUDY_COLUMNS
    return Wanted(
        rule=rules[-1],
        path=path,
        old=None if old is None else tuple(old),
        new=None if new is None else tuple(new),
        series="" if whole else one.series_instance_uid,
        # What may differ from image to image is said of each.
        instance="" if whole or alike or path in SERIES_COLUMNS else one.sop_instance_uid,
    )


def _applied(rule: CoercionRule, values: list[Any] | None) -> list[Any] | None:
    if rule.action == Action.REMOVE:
        return None
    known = text_of(values)
    text = _text(rule, known)
    return values if text == known else _values(rule.vr, text)


def _text(rule: CoercionRule, known: str) -> str:
    match rule.action:
        case Action.DEFAULT:
            made = known or rule.value
        case Action.PREFIX:
            made = known if known.startswith(rule.value) else rule.value + known
            made = made if known else ""
        case Action.MAP:
            made = str(rule.table.get(known, known))
        case Action.TRIM:
            made = "" if set(known) <= {"0", " "} else known.strip()
        case Action.UPPER:
            made = known.upper()
        case _:
            made = rule.value
    return made


def _values(vr: str, text: str) -> list[Any]:
    if not text:
        return []
    parts = text.split("\\")
    return [person_name(part) for part in parts] if vr == "PN" else list(parts)
