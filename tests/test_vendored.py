"""Vendored libraries match their table: the released files, unchanged."""

from hashlib import sha256
from pathlib import Path

VENDOR = Path(__file__).parents[1] / "static" / "vendor"


def test_the_table_names_every_vendored_file_with_its_hash() -> None:
    rows = [line.split("|")[1:-1] for line in (VENDOR / "README.md").read_text().splitlines() if line.startswith("| ")]
    stated = {file.strip(): digest.strip() for file, _, _, _, digest in rows[1:]}
    files = {path for path in VENDOR.rglob("*") if path.is_file() and path.name != "README.md"}
    assert stated == {path.relative_to(VENDOR).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}
