"""What is asked: the API, DICOMweb, and STOW-RS with bodies of its own."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import hypothesis
from django.test import Client
from hypothesis import strategies as st

from apps.accounts.models import Role
from apps.api.views.describing import METHODS, schema_document
from apps.audit.services import Origin
from apps.studies.spool import default_spool
from tests.api.conftest import token_of
from tests.api.world import make_world, user_of
from tests.dicom.objects import ct_image, part10
from tests.fuzzing.dicomweb import dicomweb_document
from tests.fuzzing.running import Outcome, fuzz


@dataclass(frozen=True)
class World:
    """What there is, and the token of somebody who may do most."""

    keys: dict[str, Any]
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"}


def prepare() -> World:
    """One of everything, and a user of the roles that together open every route."""
    keys = make_world(default_spool(), Origin(protocol="test"))
    user = user_of(Role.PACS_ADMINISTRATOR)
    user.groups.add(*user_of(Role.FRONT_DESK).groups.all())
    return World(keys, token_of(user, days=2))


def fuzz_api(world: World, cases: int, seed: int, outcome: Outcome) -> None:
    """All operations of the schema; half of the keys in their addresses exist."""
    document = copy.deepcopy(schema_document())
    for item in document["paths"].values():
        for method in METHODS:
            for parameter in item.get(method, {}).get("parameters", []):
                _offer(parameter, world.keys)
    fuzz(document, headers=world.headers, cases=cases, seed=seed, strict=True, outcome=outcome)


def fuzz_dicomweb(world: World, cases: int, seed: int, outcome: Outcome) -> None:
    """All routes under all methods, then bodies for STOW-RS."""
    client = Client(headers=world.headers, raise_request_exception=False)

    def takes(method: str, path: str) -> bool:
        return client.generic(method.upper(), path).status_code != 405

    fuzz(
        dicomweb_document(world.keys, takes),
        headers=world.headers,
        cases=cases * 9 // 10,
        seed=seed,
        strict=False,
        outcome=outcome,
    )
    _store(world, max(cases // 10, 10), seed, outcome)


def _offer(parameter: dict[str, Any], keys: dict[str, Any]) -> None:
    """Let the schema of a place in an address name what exists, beside anything else."""
    known = keys.get(parameter["name"])
    if parameter["in"] == "path" and known is not None:
        parameter["schema"] = {"anyOf": [{"enum": [known]}, parameter["schema"]]}


GOOD = part10(ct_image())
HEADS = st.sampled_from(
    ["Content-Type: application/dicom", "Content-Type: text/plain", "Content-Length: x", "", ":"]
)
BODIES = st.one_of(
    st.binary(max_size=300),
    st.integers(0, len(GOOD)).map(lambda end: GOOD[:end]),
    st.tuples(st.integers(132, len(GOOD) - 1), st.binary(min_size=1, max_size=8)).map(
        lambda cut: GOOD[: cut[0]] + cut[1] + GOOD[cut[0] + len(cut[1]) :]
    ),
)
TYPES = st.sampled_from(
    [
        'multipart/related; type="application/dicom"; boundary=b',
        "multipart/related; boundary=b",
        'multipart/related; type="application/dicom+json"; boundary=b',
        'multipart/related; type="application/dicom+xml"; boundary=b',
        'multipart/related; type="application/dicom"',
        "multipart/related; boundary=\x7f",
        "application/dicom",
        "",
    ]
)


def _store(world: World, cases: int, seed: int, outcome: Outcome) -> None:
    client = Client(headers=world.headers, raise_request_exception=False)

    def send(kind: str, parts: list[tuple[str, bytes]], end: bytes) -> None:
        body = b"".join(b"\r\n--b\r\n%s\r\n\r\n%s" % (head.encode(), data) for head, data in parts)
        answer = client.post("/dicom-web/studies", body + end, content_type=kind)
        outcome.statuses[answer.status_code] += 1
        if answer.status_code >= 500:
            outcome.findings.setdefault(f"STOW {kind}", f"{answer.status_code} {parts!r:.400}")

    strategies: dict[str, Any] = {
        "kind": TYPES,
        "parts": st.lists(st.tuples(HEADS, BODIES), max_size=3),
        "end": st.sampled_from([b"\r\n--b--\r\n", b"", b"\r\n--b"]),
    }
    limits = hypothesis.settings(max_examples=cases, deadline=None, database=None)
    hypothesis.seed(seed)(limits(hypothesis.given(**strategies)(send)))()


TARGETS: dict[str, Callable[[World, int, int, Outcome], None]] = {
    "api": fuzz_api,
    "dicomweb": fuzz_dicomweb,
}
