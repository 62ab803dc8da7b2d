"""The build file of the image agrees with the tree, the locks and the Makefile. No engine runs."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
BUILD_FILE: Final = ROOT / "Containerfile"
LOCK: Final = ROOT / "requirements" / "image.txt"

Step = tuple[str, str]
"""An instruction of the build file and what follows it, on one line."""


def steps() -> list[Step]:
    text = re.sub(r"\\\n\s*", " ", BUILD_FILE.read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def stages() -> list[list[Step]]:
    """The steps of each stage, its FROM the first."""
    found: list[list[Step]] = []
    for step in steps():
        if step[0] == "FROM":
            found.append([])
        if found:
            found[-1].append(step)
    return found


def copied() -> list[str]:
    """What is copied out of the tree."""
    return [
        source
        for word, rest in steps()
        if word == "COPY" and not rest.startswith("--from=")
        for source in rest.split()[:-1]
    ]


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def pinned(lock: Path) -> dict[str, str]:
    """The versions in *lock*, of which each has a hash."""
    blocks = re.split(r"\n(?=\S)", lock.read_text().strip())
    assert all("--hash=sha256:" in block for block in blocks)
    return dict(map(_pin, blocks))


def _pin(block: str) -> tuple[str, str]:
    name, _, version = block.split(maxsplit=1)[0].partition("==")
    return re.sub(r"\[.*\]", "", name), version


@pytest.mark.feature("BRG-17")
def test_brg_17_the_image_is_built_of_packages_that_are_pinned_by_hash() -> None:
    installs = [
        command
        for word, rest in steps()
        if word == "RUN"
        for command in rest.split("&&")
        if re.search(r"pip (install|wheel)", command)
    ]
    assert len(installs) == 4
    assert all("--require-hashes -r" in each or "--no-index" in each for each in installs)
    image, tested = pinned(LOCK), pinned(ROOT / "requirements" / "runtime.txt")
    assert image.items() <= tested.items()
    wanted = {re.split(r"[\[<>=;]", each)[0] for each in project()["project"]["dependencies"]}
    assert wanted <= image.keys()
    assert tested.keys() - image.keys() == {"xllamacpp"}  # a local model is not for an image


@pytest.mark.feature("BRG-17")
def test_brg_17_the_image_runs_the_service_as_nobody_in_particular() -> None:
    build, final = stages()
    assert [rest for word, rest in final if word == "USER"] == ["10001:10001"]
    chowned = [rest for word, rest in final if word == "RUN"]
    assert chowned == ["mkdir /data && chown 10001:10001 /data"]
    (entry,) = (json.loads(rest) for word, rest in final if word == "ENTRYPOINT")
    assert entry[0] in project()["project"]["scripts"]
    assert [rest for word, rest in final if word == "COPY"] == [
        "--from=build /opt/stratal /opt/stratal"
    ]
    for _, base in (build[0], final[0]):
        assert re.fullmatch(r"python:\$\{PYTHON\}-slim( AS build)?", base)  # no host is named
    assert (
        "ARG",
        "PYTHON=" + project()["project"]["requires-python"].removeprefix(">="),
    ) in steps()


def test_what_is_copied_is_there_and_reaches_the_builder() -> None:
    sources = copied()
    assert [source for source in sources if not (ROOT / source).exists()] == []
    ignored = (ROOT / ".containerignore").read_text().splitlines()
    assert sorted(line[1:] for line in ignored if line.startswith("!")) == sorted(sources)


def test_every_lock_of_the_image_is_made_by_make_lock() -> None:
    makefile = (ROOT / "Makefile").read_text()
    lock = makefile[makefile.index("\nlock:") :].partition("\n\n")[0]
    for each in (source for source in copied() if source.startswith("requirements/")):
        assert f"-o {each}" in lock
    assert "--file Containerfile" in makefile


@pytest.mark.feature("BRG-17")
def test_brg_17_what_is_copied_is_enough_to_build_the_package(tmp_path: Path) -> None:
    for source in copied():
        target = tmp_path / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, target)
    code = "from hatchling.build import build_wheel; print(build_wheel('.'))"
    built = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    with zipfile.ZipFile(tmp_path / built.stdout.split()[-1]) as wheel:
        names = wheel.namelist()
        told = next(name for name in names if name.endswith("entry_points.txt"))
        assert "stratal = infrastructure.main.cli:main" in wheel.read(told).decode()
    packages = project()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(packages) <= {name.partition("/")[0] for name in names}
