"""How published viewers are moved below their paths, and how their files are served."""

import dataclasses
import gzip
import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from apps.viewer.dist import Package, Rewrite, Unexpected, integrity_of, make
from apps.viewer.headers import POLICIES, VIEWER_POLICY_LINE, add_viewer_headers
from apps.viewer.packages import PACKAGES
from openpacs.upgrade_viewer import upgrade

PAGE = '<script>x</script><script src="/app.bundle.00.js"></script>'
FILES = {
    "index.html": PAGE,
    "app.bundle.00.js": 'p = "/"; // from https://example.org' + "// fill\n" * 100,
    "app.bundle.00.js.map": "{}",
    "ort/model.wasm": "x",
    "sw.js": "x",
}


class Small(Package):
    """A package whose pin is beside its archive."""

    pin_file: Path = Path()


def packed(path: Path, files: dict[str, str]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return packed(tmp_path / "package.tgz", FILES)


@pytest.fixture
def small(archive: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """A small package with its pin, and rewrites for it."""
    pin = archive.with_name("pin.json")
    release = {"package": "small", "version": "1.0.0", "integrity": integrity_of(archive)}
    pin.write_text(json.dumps(release))
    monkeypatch.setattr(Small, "pin_file", pin)
    return Small(
        name="small",
        folder="viewer",
        left_out=("ort/", "sw.js"),
        rewrites=(
            Rewrite(files="index.html", pattern="<script>x</script>", by="", count=1),
            Rewrite(files="index.html", pattern='src="/', by='src="/viewer/', count=1),
            Rewrite(files="*.js", pattern=re.escape('p = "/"'), by='p = "/viewer/"', count=1),
        ),
        relied_on=("fill",),
        mentioned=frozenset({"example.org"}),
    )


def test_the_viewer_is_unpacked_rewritten_and_compressed(
    small: Package, archive: Path, tmp_path: Path
) -> None:
    make(small, archive, tmp_path)
    viewer = tmp_path / "public" / "viewer"
    assert sorted(path.name for path in viewer.iterdir()) == [
        "app.bundle.00.js",
        "app.bundle.00.js.gz",
    ]
    text = (viewer / "app.bundle.00.js").read_bytes()
    assert b'p = "/viewer/"' in text
    assert gzip.decompress((viewer / "app.bundle.00.js.gz").read_bytes()) == text
    page = (tmp_path / "viewer" / "index.html").read_text()
    assert page == '<script src="/viewer/app.bundle.00.js"></script>'


def test_another_package_than_the_pinned_one_is_refused(
    small: Package, archive: Path, tmp_path: Path
) -> None:
    archive.write_bytes(archive.read_bytes() + b"x")
    with pytest.raises(Unexpected, match="not the pinned package"):
        make(small, archive, tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"rewrites": (Rewrite(files="*.js", pattern="fill", by="", count=7),)},
            "100 places .* not 7",
        ),
        ({"relied_on": ("fill", "gone", "lost")}, "knows 'gone' .* knows 'lost'"),
        ({"mentioned": frozenset()}, "example.org is asked"),
    ],
)
def test_what_is_not_as_in_the_version_we_know_stops_the_install(
    small: Package, archive: Path, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Unexpected, match=reason):
        make(dataclasses.replace(small, **change), archive, tmp_path)
    assert not (tmp_path / "public").exists()


def test_a_release_that_fits_is_pinned(small: Package, tmp_path: Path) -> None:
    newer = packed(tmp_path / "newer.tgz", {**FILES, "sw.js": "y"})
    asked: list[str] = []

    def fetch(release: str, folder: Path) -> Path:
        asked.append(release)
        return newer

    pin = upgrade(small, "1.0.1", fetch=fetch)
    assert asked == ["small@1.0.1"]
    assert pin == small.pin
    assert (pin.version, pin.integrity) == ("1.0.1", integrity_of(newer))


@pytest.mark.parametrize("version", ["", "latest", "1.0", "1.0.0 --registry=x"])
def test_only_exact_versions_are_fetched(small: Package, version: str) -> None:
    with pytest.raises(Unexpected, match="is no version"):
        upgrade(small, version, fetch=lambda release, folder: folder)


def test_a_release_that_does_not_fit_leaves_the_pin_and_says_all_of_it(
    small: Package, tmp_path: Path
) -> None:
    files = {**FILES, "index.html": PAGE * 2, "app.bundle.00.js": "nothing of the kind"}
    other, before = packed(tmp_path / "other.tgz", files), small.pin_file.read_bytes()
    with pytest.raises(Unexpected) as refusal:
        upgrade(small, "2.0.0", fetch=lambda release, folder: other)
    assert str(refusal.value).count("places of") == 3
    assert "no script knows 'fill'" in str(refusal.value)
    assert small.pin_file.read_bytes() == before


@pytest.mark.parametrize("package", PACKAGES.values(), ids=PACKAGES)
def test_every_rewrite_has_a_count_and_every_pin_a_hash(package: Package) -> None:
    assert all(rewrite.count > 0 for rewrite in package.rewrites)
    assert re.fullmatch(r"\d+\.\d+\.\d+", package.pin.version)
    assert package.pin.integrity.startswith("sha512-")


@pytest.mark.parametrize(
    ("url", "immutable"),
    [
        ("/viewer/app.bundle.0f6159c501addfe9.js", True),
        ("/viewer/5130ccb17e3f3f5b.wasm", True),
        ("/volview/assets/index-73874c9b.js", True),
        ("/volview/itk/pipelines/dicom.wasm", False),
        ("/volview/favicon.ico", False),
        ("/static/css/site.0123456789ab.css", True),
        ("/viewer/app.bundle.css", False),
        ("/viewer/1602.css", False),
        ("/static/css/site.css", False),
    ],
)
def test_only_names_with_a_hash_are_kept_for_ever(url: str, immutable: bool) -> None:
    assert bool(re.match(settings.WHITENOISE_IMMUTABLE_FILE_TEST, url)) is immutable


def test_files_of_the_viewer_carry_its_policy_and_others_do_not() -> None:
    headers: dict[str, str] = {}
    add_viewer_headers(headers, "", "/static/site.css")
    assert headers == {}
    add_viewer_headers(headers, "", "/viewer/136.bundle.js")
    assert headers == {"Content-Security-Policy": VIEWER_POLICY_LINE}
    add_viewer_headers(headers, "", "/volview/assets/index-73874c9b.js")
    assert headers == {"Content-Security-Policy": POLICIES["/volview/"]}
