"""What the process that servers are forked from does once: it imports everything, and compiles the templates."""

from pathlib import Path

import roompulse.cli.serve
from roompulse.app import _assets_and_templates, create_app
from roompulse.settings import Settings

__all__ = ["roompulse"]

create_app(Settings(data=Path("never-opened")))
_, templates = _assets_and_templates()
for name in templates._environment.list_templates():
    templates._environment.get_template(name)
