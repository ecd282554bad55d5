"""What of node_modules is served to browsers."""

from pathlib import Path

import pytest

from openpacs.kit import FILES, copy_kit

STYLE = (
    'a{src:url("./fonts/x.woff2?v1") format("woff2"),url("./fonts/x.woff?") format("woff"),'
    'url("./fonts/x.ttf?v1") format("truetype")}\n/*# sourceMappingURL=x.css.map */'
)


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    folder = tmp_path / "node_modules"
    for pattern in FILES:
        path = folder / pattern.replace("*", "some")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(STYLE, encoding="utf-8")
    return folder


def test_only_the_named_files_are_copied_to_their_places(modules: Path, tmp_path: Path) -> None:
    (modules / "htmx.org" / "dist" / "htmx.esm.js").write_text("unused", encoding="utf-8")
    kit = tmp_path / "kit"
    assert copy_kit(modules, kit) == len(FILES)
    assert (kit / "htmx" / "htmx.min.js").is_file()
    assert not (kit / "htmx" / "htmx.esm.js").exists()


def test_references_to_what_was_left_behind_are_cut_out(modules: Path, tmp_path: Path) -> None:
    kit = tmp_path / "kit"
    copy_kit(modules, kit)
    style = (kit / "icons" / "tabler-icons-300.min.css").read_text(encoding="utf-8")
    assert style == 'a{src:url("./fonts/x.woff2?v1") format("woff2")}'


def test_an_older_kit_leaves_nothing_behind(modules: Path, tmp_path: Path) -> None:
    kit = tmp_path / "kit"
    (kit / "old").mkdir(parents=True)
    copy_kit(modules, kit)
    assert not (kit / "old").exists()


def test_a_missing_package_is_said_by_name(modules: Path, tmp_path: Path) -> None:
    (modules / "htmx.org" / "dist" / "htmx.min.js").unlink()
    with pytest.raises(FileNotFoundError, match=r"htmx\.org/dist/htmx\.min\.js"):
        copy_kit(modules, tmp_path / "kit")
