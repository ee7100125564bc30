"""Run once by the process from which servers are forked: imports everything, and compiles the templates."""

import gc
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import roompulse.cli
from roompulse.app import create_app
from roompulse.settings import Settings
from roompulse.web.html.templates import assets_and_templates
from tests.signatures import work_out_once

work_out_once()
for command in iter_modules(roompulse.cli.__path__, "roompulse.cli."):
    import_module(command.name)

create_app(Settings(data=Path("never-opened")))
_, templates = assets_and_templates()
for name in templates._environment.list_templates():
    templates._environment.get_template(name)
gc.freeze()  # none of this is garbage in a server
