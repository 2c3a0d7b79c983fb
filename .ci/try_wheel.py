"""Install the wheel of a folder into an empty environment, and run `skae --version`."""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

wheels = sorted(Path(sys.argv[1]).glob("skae-*.whl"))
if len(wheels) != 1:
    sys.exit(f"skae: expected one wheel in {sys.argv[1]}, found {len(wheels)}")
version = wheels[0].name.split("-")[1]
with tempfile.TemporaryDirectory() as folder:
    venv.create(folder, with_pip=True)
    programs = Path(folder) / ("Scripts" if os.name == "nt" else "bin")
    install = [
        programs / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        wheels[0].resolve(),
    ]
    subprocess.run(install, cwd=folder, check=True)
    said = subprocess.run(
        [programs / "skae", "--version"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
if version not in said.split():
    sys.exit(f"skae: the wheel is {version}, but `skae --version` says {said!r}")
print(f"{wheels[0].name} installs into an empty environment: {said}")
