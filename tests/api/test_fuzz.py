"""A short run of `python -m tests.fuzz_http`: nothing strange ends in a 5xx."""

import pytest
from django.core.cache import cache

from apps.audit import feed
from tests.studies.conftest import spool

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]
__all__ = ["spool"]
CASES = {"api": 160, "dicomweb": 140}
SEED = 4711


@pytest.mark.filterwarnings("ignore")  # of a library that warns of its own making
@pytest.mark.parametrize("target", CASES)
def test_strange_requests_are_refused_and_break_nothing(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fuzzing.running import Outcome
    from tests.fuzzing.targets import TARGETS, prepare

    monkeypatch.setattr(feed, "LONGEST_WAIT", 0)  # who asks for nothing need not wait for it
    cache.clear()
    outcome = Outcome()
    print(f"seed {SEED}")  # noqa: T201 - shown where it fails
    TARGETS[target](prepare(), CASES[target], SEED, outcome)
    assert outcome.findings == {}
    assert outcome.cases >= CASES[target]
    assert outcome.statuses[200] > 0, "some of it was asked well"
