"""Makes the module of the browser SDK of its source, without comments and blanks: `python -m tests.sdk_module`."""

from rjsmin import jsmin  # type: ignore[import-untyped]

from tests.test_docs import ROOT

FOLDER = ROOT / "static" / "sdk"
SOURCE = FOLDER / "roompulse.src.js"
MODULE = FOLDER / "roompulse.js"


def made() -> str:
    return f"{jsmin(SOURCE.read_text(), keep_bang_comments=True).strip()}\n"


if __name__ == "__main__":
    MODULE.write_text(made())
