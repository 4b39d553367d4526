"""What the end-to-end tests share: a laboratory for each test file, in a folder of its own."""
import os
import pathlib
import shutil
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from lab import scenarios  # noqa: E402,F401
from lab.lab import Lab  # noqa: E402
from lab.process import LabError, wait_for  # noqa: E402,F401


class LabTest(unittest.TestCase):
    """One platform for the whole class; devices are each test's own."""

    platform_options = {}

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="pawl-e2e-"))
        cls.failed = False
        cls.lab = Lab(cls.folder)
        try:
            cls.lab.start(**cls.platform_options)
            cls.make_classes()
        except BaseException:
            cls.failed = True
            cls.tearDownClass()
            raise

    @classmethod
    def make_classes(cls):
        cls.lab.make_class()

    @classmethod
    def tearDownClass(cls):
        cls.lab.close()
        if cls.failed or os.environ.get("PAWL_KEEP"):
            print(f"kept for a look: {cls.folder}", file=sys.stderr)
        else:
            shutil.rmtree(cls.folder, ignore_errors=True)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            type(self).failed = True
        return result

    def device(self, name, **options):
        """A device of this test's own, running 1.0.0, confirmed."""
        device = self.lab.add_device(name, **options)
        self.addCleanup(device.kill)
        device.wait_confirmed("1.0.0")
        return device
