"""The examples of docs/how-to/scripting.md do what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from apps.accounts.models import Role
from apps.audit.services import Origin, seal
from apps.orders.models import Order
from apps.studies.models import Label
from apps.studies.spool import Spool
from tests.api.conftest import token_of
from tests.api.world import make_world, user_of
from tests.conftest import require_programs

PAPER = Path(__file__).parents[2] / "docs" / "how-to" / "scripting.md"
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", PAPER.read_text("utf-8"), re.DOTALL | re.M)
PROGRAMS = {"sh": ["bash", "-eu", "-c"], "python": [sys.executable, "-c"]}


@pytest.mark.django_db(transaction=True)
def test_the_examples_of_the_paper_run(
    live_server: Any, spool: Spool, origin: Origin, settings: Any
) -> None:
    require_programs("curl")
    make_world(spool, origin)
    seal()
    user = user_of(Role.PACS_ADMINISTRATOR)
    user.groups.add(*user_of(Role.FRONT_DESK).groups.all())
    environment = {**os.environ, "OPENPACS": live_server.url, "TOKEN": token_of(user)}
    said = [_run(kind, text, environment) for kind, text in BLOCKS]
    assert len(said) >= 8
    together = "".join(said)
    assert '"user":"pacs-administrator"' in together
    assert "3 files" in together
    assert Order.objects.filter(placer_number="WARD-4711").count() == 1
    assert Label.objects.filter(name="teaching").exists()


def _run(kind: str, text: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [*PROGRAMS[kind], text],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}"
    return done.stdout
