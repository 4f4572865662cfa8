"""Ships the page: web/ is installed as streamd/web. Everything else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithPage(build_py):
    """Copies web/ into the package that is built. An editable install reads web/ where it is."""

    def run(self):
        super().run()
        if not self.editable_mode:
            page = Path(self.build_lib, "streamd", "web")
            shutil.rmtree(page, ignore_errors=True)
            shutil.copytree(Path(__file__).with_name("web"), page)


setup(cmdclass={"build_py": BuildWithPage})
