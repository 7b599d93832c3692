"""What the code itself sees in texts: `cargo bench --bench guard_quality -- --findings`."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def folder():
    """The folder of labelled sets."""
    name = os.environ.get("LOCKGATE_EVAL_DATA")
    if not name:
        sys.exit("LOCKGATE_EVAL_DATA is not set: name the folder that holds injection/, moderation/ and traffic/.")
    return Path(name)


def findings(texts):
    """The names of the signs, and for every text its windows, words and vector."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "texts.jsonl"
        file.write_text("".join(json.dumps(text) + "\n" for text in texts))
        command = ["cargo", "bench", "--quiet", "--profile", "dev", "--bench", "guard_quality", "--", "--findings", str(file)]
        lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return json.loads(lines[0])["signs"], [json.loads(line) for line in lines[1:]]


def write(file, text):
    """Writes a source file, and formats it."""
    file.write_text(text)
    subprocess.run(["rustfmt", "--edition", "2024", str(file)], check=True)
