"""Which rules fit a study, and where they send it."""

import functools
import re
from dataclasses import dataclass

from django.utils.translation import gettext as _

from apps.routing.models import Rule
from apps.studies.models import Instance, Study
from apps.worklist.models import Device


@dataclass(frozen=True)
class Verdict:
    """What one rule says about a study; `why_not` is empty where it fits."""

    rule: Rule
    why_not: str
    destinations: tuple[Device, ...]

    @property
    def fits(self) -> bool:
        return not self.why_not


class Facts:
    """What rules look at, read once for all of them."""

    def __init__(self, study: Study) -> None:
        self.study = study

    @functools.cached_property
    def sources(self) -> frozenset[str]:
        """AE titles that sent images of the study."""
        rows = Instance.objects.filter(series__study=self.study).order_by()
        return frozenset(rows.values_list("source", flat=True).distinct())

    @functools.cached_property
    def groups(self) -> frozenset[str]:
        rows = Device.objects.filter(ae_title__in=self.sources).exclude(group="").order_by()
        return frozenset(rows.values_list("group", flat=True))

    @functools.cached_property
    def referrers(self) -> frozenset[int]:
        rows = self.study.procedures.order_by().values_list("order__referrer", flat=True)
        return frozenset(key for key in rows if key is not None)


def verdicts(study: Study) -> list[Verdict]:
    """What every rule in use says about a study, in the order in which they are asked."""
    facts = Facts(study)
    return [_verdict(rule, facts) for rule in Rule.objects.in_order()]


def routes(study: Study, *, matched_only: bool = False) -> dict[Device, Rule]:
    """Where a study is sent, and by which rule: the first that names a destination.

    `matched_only`: only by rules that wait for a study to find its order.
    """
    found: dict[Device, Rule] = {}
    for verdict in verdicts(study):
        if verdict.fits and (verdict.rule.matched_only or not matched_only):
            for device in verdict.destinations:
                found.setdefault(device, verdict.rule)
    return found


def _verdict(rule: Rule, facts: Facts) -> Verdict:
    reason = _why_not(rule, facts)
    willing = [one for one in rule.destinations.all() if one.active and one.may_receive]
    # What came from a device alone is not sent back to it: two archives would never end.
    others = tuple(one for one in willing if facts.sources != {one.ae_title})
    if not reason and not others:
        reason = _("none of its destinations may be sent this study")
    return Verdict(rule, reason, () if reason else others)


def _why_not(rule: Rule, facts: Facts) -> str:
    study = facts.study
    wanted = rule.modality_list
    checks = (
        (study.status == Study.Status.REJECTED, _("the study was rejected")),
        (rule.matched_only and study.match != "matched", _("the study has no order")),
        (wanted and not set(wanted) & set(study.modality_list), _("another modality")),
        (not _came_from(rule, facts), _("sent by another device")),
        (
            rule.source_group and rule.source_group not in facts.groups,
            _("sent by a device of another AE group"),
        ),
        (rule.referrer and rule.referrer.pk not in facts.referrers, _("another referrer")),
        (not described(rule.description, study.description), _("another description")),
    )
    return next((words for failed, words in checks if failed), "")


def _came_from(rule: Rule, facts: Facts) -> bool:
    return rule.source is None or rule.source.ae_title in facts.sources


def described(pattern: str, text: str) -> bool:
    """Does a description fit a pattern with * and ?, whatever the case?"""
    if not pattern:
        return True
    parts = {"*": ".*", "?": "."}
    expression = "".join(parts.get(char, re.escape(char)) for char in pattern)
    return re.fullmatch(expression, text, re.IGNORECASE | re.DOTALL) is not None
