#!/usr/bin/python3
"""A running pawld answers as api/openapi.yaml says: every operation, good and bad input. Environment: PAWL_BUILD."""
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from common import LabTest  # noqa: E402


class Server(LabTest):
    def test_every_operation_answers_as_the_file_says(self):
        platform = self.lab.platform
        done = subprocess.run(["/usr/bin/python3", ROOT / "tests/api/check_openapi.py", "--url", platform.url, "--ca", platform.ca, "--token-file",
                               platform.data / "admin-token", "--device-url", platform.device_url], capture_output=True, text=True, timeout=600, check=False)
        self.assertEqual(done.returncode, 0, "\n" + done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
