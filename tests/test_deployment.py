"""The files of the deployment name programs and settings that exist."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from openpacs.install import ROOT
from openpacs.parts import PARTS

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]


def test_every_part_of_the_department_is_a_service_of_one_image() -> None:
    for part in PARTS:
        service = SERVICES[part.name]
        assert service["command"] == ["python", "-m", "openpacs.supervisor", part.name]
        assert service["image"] == SERVICES["web"]["image"]


def test_parts_start_after_the_migration() -> None:
    for part in PARTS:
        waits_for = SERVICES[part.name]["depends_on"]
        assert waits_for["migrate"]["condition"] == "service_completed_successfully"


def test_every_variable_of_the_compose_file_is_a_setting() -> None:
    text = (ROOT / "openpacs" / "settings.py").read_text()
    given = SERVICES["web"]["environment"]
    assert [name for name in given if f'"{name}"' not in text] == []


def test_django_finds_nothing_to_warn_of_behind_a_tls_front(tmp_path: Path) -> None:
    settings = {"OPENPACS_TLS": "true", "OPENPACS_HOME": str(tmp_path), "DATABASE_URL": ""}
    answer = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={**os.environ, **settings, "DJANGO_SETTINGS_MODULE": "openpacs.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr


def test_secrets_have_no_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for secret in ("SECRET_KEY", "POSTGRES_PASSWORD"):
        assert set(re.findall(rf"\$\{{{secret}[^}}]*\}}", text)) == {
            f"${{{secret}:?set it in .env}}"
        }


def test_only_front_and_listeners_are_reachable_from_outside() -> None:
    published = {name for name, service in SERVICES.items() if service.get("ports")}
    assert published == {"front", "dimse", "hl7"}


def test_the_port_of_dicom_over_tls_is_that_of_the_example() -> None:
    example = (ROOT / "deploy" / "env.example").read_text()
    assert "OPENPACS_DICOM_TLS_PORT=2762" in example
    assert "2762:2762" in SERVICES["dimse"]["ports"]
    folder = re.findall(r"OPENPACS_DICOM_TLS_\w+=(/.+)/", example)
    mounted = [one.split(":")[-2] for one in SERVICES["worker"]["volumes"]]
    assert folder
    assert set(folder) <= set(mounted)


def test_the_image_does_not_run_as_root() -> None:
    last_stage = (ROOT / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    assert "\nUSER openpacs\n" in last_stage
    assert "HEALTHCHECK" in last_stage


def test_a_new_home_is_for_its_account_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = [sys.executable, "-c", "import openpacs.settings"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "OPENPACS_HOME": str(home)}, check=True)
    assert home.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("given", "called"),
    [
        ({}, "127.0.0.1"),
        ({"OPENPACS_BIND": "0.0.0.0"}, "127.0.0.1"),
        ({"OPENPACS_BIND": "10.1.2.3"}, "10.1.2.3"),
        ({"OPENPACS_BIND": "0.0.0.0", "OPENPACS_DICOM_HOST": "dimse"}, "dimse"),
    ],
)
def test_our_programs_call_the_listener_where_it_is(
    tmp_path: Path, given: dict[str, str], called: str
) -> None:
    code = "from openpacs import settings; print(settings.OPENPACS_DICOM_HOST)"
    environment = {**os.environ, "OPENPACS_HOME": str(tmp_path), **given}
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, capture_output=True
    )
    assert said.stdout.decode().strip() == called


def test_in_containers_the_listener_is_another_host() -> None:
    assert SERVICES["web"]["environment"]["OPENPACS_DICOM_HOST"] in SERVICES


@pytest.mark.parametrize("target", ["install", "run", "demo", "test", "lint", "lock", "clean"])
def test_make_help_lists_every_target(target: str) -> None:
    assert re.search(rf"^{target}:.*## \S", (ROOT / "Makefile").read_text(), re.MULTILINE)
