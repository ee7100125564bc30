"""Libraries that calls in browsers are made with, as npm has them; only for tests, and by hash.

`python -m e2e.libraries` downloads missing ones.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "build" / "npm"

LIBRARIES = {
    "awaitqueue-3.3.1": "5147517e056e80903594c3be1f61d2b88c24c587e3dc45e057334bfd5aad979f",
    "debug-4.4.3": "89c1ac9c946ee8905a875837114528e97eeae35e03be3190584b2216af43e4a7",
    "events-3.3.0": "2c30dd630b58299bdfaac8688f763c6f312d29779c500b1e3701a1d4fb3b534b",
    "h264-profile-level-id-2.3.3": "f14339d23e22feaafa7330e87173eff4617561183d6ee82c95a39b6a2049aeca",
    "livekit-client-2.23.0": "993eafb83afb4c566bb388108ad6469bf499d76200014c96c35fe3b39fee859d",
    "mediasoup-client-3.24.1": "35df508f9f797f537f122e3e58e30dfbe809b0f913fc483ee1dd923d7f667465",
    "ms-2.1.3": "f6616e15e530ed552f9daa2d3ce71963947c6bc7c98c9b64fd3e673fd02622c6",
    "peerjs-1.5.5": "6fa731967a78df79e6f6a94b5e4339765e2eebadd911b3d981c9606d0a8903d0",
    "sdp-transform-3.0.0": "8e5d60b343e677beba9552f6dbc18680972230bad19c3561da1c54ac1060162c",
    "simple-peer-9.11.1": "d3ae5b44680d44126403d44f1ae85e7ed05604a4fd18dde0f25e70d84f33feef",
}
"""The SHA-256 of each package's tarball."""


def tarball(name: str) -> Path:
    return FOLDER / f"{name}.tgz"


def is_there(name: str) -> bool:
    return tarball(name).exists() and sha256(tarball(name).read_bytes()).hexdigest() == LIBRARIES[name]


def read(name: str, file: str) -> bytes:
    """The content of a file of a package, as in `dist/peerjs.min.js`."""
    assert is_there(name), f"there is no {name}: python -m e2e.libraries"
    with tarfile.open(tarball(name)) as package:
        found = package.extractfile(f"package/{file}")
        assert found
        return found.read()


MODULES = {
    "awaitqueue": ("awaitqueue-3.3.1", "lib/index.js"),
    "debug": ("debug-4.4.3", "src/browser.js"),
    "events-alias": ("events-3.3.0", "events.js"),
    "node:events": ("events-3.3.0", "events.js"),
    "h264-profile-level-id": ("h264-profile-level-id-2.3.3", "lib/index.js"),
    "mediasoup-client": ("mediasoup-client-3.24.1", "lib/Device.js"),
    "ms": ("ms-2.1.3", "index.js"),
    "sdp-transform": ("sdp-transform-3.0.0", "lib/index.js"),
}
"""The packages of mediasoup-client, which are CommonJS: the name in `require`, and the main file of each."""

LOADER = """
const loaded = {};
function load(name) {
  if (!loaded[name]) {
    const module = (loaded[name] = { exports: {} });
    const near = (path) => new URL(path, `file:///${name}`).pathname.slice(1);
    const files = (path) => [near(path), near(`${path}.js`), near(`${path}/index.js`), near(`${path}index.js`)];
    const find = (path) => (path[0] === "." ? files(path).find((file) => sources[file]) : mains[path]);
    sources[name]?.((path) => load(find(path)), module, module.exports);
  }
  return loaded[name].exports;
}
"""


def bundle(module: str) -> str:
    """A CommonJS module with its requirements, as a module that exports its `Device`."""
    sources = []
    for name in {name for name, _ in MODULES.values()}:
        with tarfile.open(tarball(name)) as package:
            for file in package.getnames():
                if file.endswith(".js") and "/test" not in file:
                    path = f"{name}/{file.removeprefix('package/')}"
                    code = read(name, file.removeprefix("package/")).decode().removeprefix("#!/usr/bin/env node")
                    sources.append(f"{json.dumps(path)}: (require, module, exports) => {{\n{code}\n}}")
    mains = json.dumps({required: "/".join(found) for required, found in MODULES.items()})
    return (
        f"const mains = {mains};\nconst sources = {{{','.join(sources)}}};\n{LOADER}"
        f'export const {{ Device }} = load(mains["{module}"]);'
    )


def install() -> None:
    """Have npm put those that are missing into build/npm."""
    missing = [name for name in LIBRARIES if not is_there(name)]
    if missing and not shutil.which("npm"):
        install_npm()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in missing:
        package, _, version = name.rpartition("-")
        subprocess.run(["npm", "pack", "--silent", f"{package}@{version}"], cwd=FOLDER, check=True)
        if not is_there(name):
            sys.exit(f"{name} has changed: its SHA-256 differs")


def install_npm() -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit("there is no npm: install it (Debian: apt-get install npm)")
    apt_get = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
    subprocess.run([*apt_get, "update"], check=True)
    subprocess.run([*apt_get, "install", "--yes", "--no-install-recommends", "npm"], check=True)


if __name__ == "__main__":
    install()
