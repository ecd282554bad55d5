"""The papers say what the code says."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from apps.accounts import policy
from apps.accounts.models import Role
from apps.accounts.policy import Noun
from apps.site.configuration.sections import SECTIONS

ROOT = Path(__file__).parents[2]
PAPERS = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def policy_table() -> str:
    """The table of docs/roles.md, from the policy."""
    roles = list(Role)
    lines = ["| | " + " | ".join(str(role.label) for role in roles) + " |"]
    lines.append("|---" * (len(roles) + 1) + "|")
    for noun in Noun:
        cells = [policy._TABLE[role].get(noun, "") or "-" for role in roles]
        lines.append(f"| **{noun.label}** | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def test_the_paper_on_roles_holds_the_policy_table() -> None:
    assert policy_table() in read("docs/roles.md")


def test_the_readme_explains_every_environment_variable_and_no_other() -> None:
    settings = read("openpacs/settings.py")
    named = set(re.findall(r'env(?:\.\w+)?\(\s*"([A-Z0-9_]+)"', settings))
    explained = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", read("README.md"), re.MULTILINE))
    assert explained == named


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_named_in_the_papers_exist(paper: Path) -> None:
    text = paper.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)`", text)) <= targets
    assert set(re.findall(r"^make ([a-z]+)$", text, re.MULTILINE)) <= targets
    assert set(re.findall(r"manage\.py ([a-z_]+)", text)) <= set(get_commands())


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_files_named_in_the_papers_exist(paper: Path) -> None:
    text = re.sub(r"<!--.*?-->", "", paper.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#]+)(?:#[^)]*)?\)", text)
    named = re.findall(r"`((?:apps|openpacs|docs|tests|templates)/[\w./-]+\.\w+)`", text)
    missing = [link for link in links if not (paper.parent / link).exists()]
    missing += [name for name in named if not (ROOT / name).exists()]
    assert missing == []


def test_the_paper_on_the_site_file_explains_every_word() -> None:
    text = read("docs/site-file.md")
    for section in SECTIONS:
        part = text.split(f"## `{section.name}`")[1].split("\n## ")[0]
        explained = set(re.findall(r"^\| `([a-z0-9_]+)` \|", part, re.MULTILINE))
        assert explained == set(section.known_words), section.name


def test_the_changelog_names_the_version() -> None:
    version = re.search(r'^version = "(.+)"', read("pyproject.toml"), re.MULTILINE)
    assert version is not None
    assert re.search(rf"^## \[?{re.escape(version[1])}\b", read("CHANGELOG.md"), re.MULTILINE)


def test_every_room_is_drawn_in_the_architecture() -> None:
    text = read("docs/architecture.md")
    rooms = [path.parent.name for path in (ROOT / "apps").glob("*/__init__.py")]
    assert [room for room in rooms if f"`{room}`" not in text] == []
