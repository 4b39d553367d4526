#!/usr/bin/python3
"""The program pawld: first start, crashes in it, locks, ports, configuration, signals."""
import hashlib
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from lab.platform import Platform  # noqa: E402
from lab.process import free_ports, wait_for  # noqa: E402

BUILD = pathlib.Path(os.environ.get("PAWL_BUILD") or ROOT / "build" / "release")
PAWLD = BUILD / "bin" / "pawld"


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def children(pid):
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()] + \
        [int(p) for t in pathlib.Path(f"/proc/{pid}/task").iterdir() if t.name != str(pid) for p in (t / "children").read_text().split()]


class PawldTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pawl-pawld-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.platform = Platform(self.folder, BUILD)
        self.platform.configure()
        self.addCleanup(self.end)

    def end(self):
        if self.platform.child and self.platform.child.running:
            self.platform.kill()

    def run_pawld(self, *arguments, **environment):
        return subprocess.run([str(PAWLD), *map(str, arguments)], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL,
                              env={**os.environ, **environment}, check=False)

    @property
    def log(self):
        return (self.folder / "pawld.log").read_text()


class FirstStart(PawldTest):
    # In the order in which the first start makes them.
    POINTS = ["pawld.lock", "hsm", "run/signer.sock", "pawl.db", "device-ca.pem", "ca.pem", "server.key", "server.pem", "broker", "admin-token"]

    def test_killed_at_any_point_the_next_start_completes_it(self):
        for point in self.POINTS:
            with self.subTest(point):
                shutil.rmtree(self.platform.data)
                self.platform.configure()
                self.platform.token = None
                child = subprocess.Popen([str(PAWLD), "--data", str(self.platform.data)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                while not (self.platform.data / point).exists():
                    self.assertIsNone(child.poll())
                child.kill()
                child.wait()
                self.platform.start()
                self.assertEqual(self.platform.api("GET", "/whoami")["name"], "admin")
                self.assertTrue(self.platform.api("GET", "/audit/verify")["ok"])
                self.platform.stop()

    def test_what_it_makes_is_private_and_it_tells_how_to_log_in(self):
        self.platform.start()
        data = self.platform.data
        for path, mode in ((data, 0o700), (data / "admin-token", 0o600), (data / "server.key", 0o600), (data / "pawl.db", 0o600),
                           (data / "hsm", 0o700), (data / "hsm" / "pin", 0o600), (data / "offline-keys", 0o700), (data / "artifacts", 0o700)):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), mode, path)
        self.assertIn(f"pawl login --url https://127.0.0.1:{self.platform.api_port}", self.log)
        self.assertIn(str(data / "admin-token"), self.log)
        self.assertNotIn(self.platform.token.split("_")[2], self.log)
        self.platform.login()
        self.platform.stop()
        before = len(self.log)
        self.platform.start()
        self.assertNotIn("pawl login", self.log[before:])

    def test_secrets_are_in_no_command_line(self):
        self.platform.start()
        secrets = [self.platform.token, (self.platform.data / "hsm" / "pin").read_text().strip()]
        pid = self.platform.child.process.pid
        for process in [pid, *children(pid)]:
            line = pathlib.Path(f"/proc/{process}/cmdline").read_text()
            for secret in secrets:
                self.assertNotIn(secret, line)


class Refusals(PawldTest):
    def test_two_on_one_data_directory(self):
        self.platform.start()
        second = self.run_pawld("--data", self.platform.data)
        self.assertEqual(second.returncode, 1)
        self.assertIn(f"process {self.platform.child.process.pid} uses the data directory {self.platform.data}", second.stderr)
        self.assertTrue(self.platform.child.running)

    def test_a_taken_port_is_named_with_its_setting(self):
        for setting, port in (("api_listen", self.platform.api_port), ("device_listen", self.platform.device_port), ("mqtt_listen", self.platform.mqtt_port)):
            with socket.socket() as other:
                other.bind(("127.0.0.1", port))
                other.listen()
                ended = self.run_pawld("--data", self.platform.data)
            self.assertEqual(ended.returncode, 1)
            self.assertIn(f"127.0.0.1:{port}", ended.stderr)
            self.assertIn(setting, ended.stderr)

    def test_a_database_of_a_newer_pawl(self):
        self.platform.start()
        self.platform.stop()
        with sqlite3.connect(self.platform.data / "pawl.db") as database:
            database.execute("UPDATE schema_version SET version = 999")
        ended = self.run_pawld("--data", self.platform.data)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("unsupported version", ended.stderr)

    def test_a_data_directory_that_cannot_be_made(self):
        file = self.folder / "file"
        file.write_text("")
        ended = self.run_pawld("--data", file / "below")
        self.assertEqual(ended.returncode, 1)
        self.assertIn(str(file / "below"), ended.stderr)
        self.assertIn("--data", self.run_pawld().stderr)


class Configuration(PawldTest):
    def check(self, *arguments, **environment):
        return self.run_pawld("check-config", "--data", self.platform.data, *arguments, **environment)

    def test_good_ones_and_where_they_come_from(self):
        self.assertEqual(self.check().returncode, 0)
        self.assertEqual(self.check("--api-listen", "[::1]:9000", PAWLD_SERVER_NAMES="a.example,b.example").returncode, 0)
        self.assertFalse((self.platform.data / "pawl.db").exists())

    def test_wrong_ones_are_named(self):
        file = self.platform.data / "pawld.toml"
        for text, words in (('api_lisen = "x"', ["line 1", "api_lisen"]), ("\napi_listen = 5", ["line 2", "api_listen"]), ('api_listen = "127.0.0.1:0"', ["127.0.0.1:0"]),
                            ('api_listen = "name:80"', ["name:80"]), ("workers = 1", ["workers", "2 to 256"]), ('workers = "x"', ["workers"]), ("server_names = 'x'", ["server_names", "list"]),
                            ("api_listen = ", ["line 1"]), ('broker = "mqtt://x"', ["broker", "mqtts://"]), ('broker = "mqtts://x:1"', ["broker_ca"]), ('log_level = "loud"', ["loud"]),
                            ('device_urls = ["http://x"]', ["https://"])):
            with self.subTest(text):
                file.write_text(text + "\n")
                ended = self.check()
                self.assertEqual(ended.returncode, 1, ended.stdout)
                for word in words:
                    self.assertIn(word, ended.stderr)
        file.write_text("")
        self.assertIn("PAWLD_API_LISEN", self.check(PAWLD_API_LISEN="x").stderr)
        self.assertIn("api_listen", self.check("--api-listen", "x").stderr)
        self.assertIn("no configuration file", self.check("--config", self.folder / "none.toml").stderr)

    def test_help_and_version(self):
        text = self.run_pawld("--help").stdout
        for word in ("--api-listen", "127.0.0.1:8443", "check-config", "PAWLD_"):
            self.assertIn(word, text)
        self.assertRegex(self.run_pawld("--version").stdout, r"^pawld [0-9]+\.[0-9]+\.[0-9]+\n$")

    def test_the_documentation_has_every_setting_with_its_default(self):
        page = (ROOT / "docs" / "ops" / "platform.md").read_text()
        documented = {line.split("|")[1].strip(" `"): line.split("|")[2].strip(" `") for line in page.splitlines() if line.startswith("| `") and line.count("|") == 4}
        shown = {}
        for line in self.run_pawld("--help").stdout.replace("\n                              ", " ").splitlines():
            words = line.split()
            if words and words[0].startswith("--") and words[0] not in ("--help", "--version", "--data", "--config"):
                shown[words[0][2:].replace("-", "_")] = line[line.rindex("[") + 1:line.rindex("]")] if line.endswith("]") else ""
        self.assertGreater(len(shown), 20)
        self.assertEqual({name: documented.get(name) for name in shown}, shown)


class Running(PawldTest):
    def test_sigterm_and_sigint_end_it_with_its_children(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            self.platform.start()
            process = self.platform.child.process
            family = children(process.pid)
            self.assertEqual(len(family), 2, "mosquitto and pawl-signer")
            process.send_signal(number)
            self.assertEqual(process.wait(timeout=20), 0)
            self.assertFalse([pid for pid in family if alive(pid)])

    def test_killed_hard_it_takes_its_children_along(self):
        self.platform.start()
        family = children(self.platform.child.process.pid)
        self.platform.kill()
        wait_for("the children to end", lambda: not [pid for pid in family if alive(pid)], 10)

    def test_sighup_reloads_and_says_what_is_wrong(self):
        self.platform.start()
        self.platform.child.signal(signal.SIGHUP)
        wait_for("the reload", lambda: "reloaded log level" in self.log, 10)
        (self.platform.data / "pawld.toml").write_text("nonsense = 1\n")
        self.platform.child.signal(signal.SIGHUP)
        wait_for("the refusal", lambda: "not reloaded" in self.log and "nonsense" in self.log, 10)
        self.assertEqual(self.platform.api("GET", "/whoami")["name"], "admin")

    def test_the_service_manager_is_told(self):
        path = self.folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(path))
            manager.settimeout(30)
            child = subprocess.Popen([str(PAWLD), "--data", str(self.platform.data)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                     env={**os.environ, "NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "400000"})
            self.addCleanup(child.kill)
            told = [manager.recv(100).decode() for _ in range(3)]
            self.assertEqual(told, ["READY=1", "WATCHDOG=1", "WATCHDOG=1"])
            child.send_signal(signal.SIGTERM)
            while told[-1] != "STOPPING=1":
                told.append(manager.recv(100).decode())
            self.assertEqual(child.wait(timeout=20), 0)

    def test_bytes_that_no_row_names_are_swept_at_the_start(self):
        self.platform.start()
        stored = self.platform.api("POST", "/artifacts?name=kept", b"kept", content_type="application/octet-stream")["digest"]
        self.platform.stop()
        digest = hashlib.sha256(b"orphan").hexdigest()
        folder = self.platform.data / "artifacts" / "sha-256" / digest[:2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / digest[2:]).write_bytes(b"orphan")
        (folder / (digest[2:] + ".leaves")).write_bytes(hashlib.sha256(b"\0orphan").digest())
        self.platform.start()
        self.assertFalse((folder / digest[2:]).exists())
        self.assertFalse((folder / (digest[2:] + ".leaves")).exists())
        self.assertTrue((self.platform.data / "artifacts" / "sha-256" / stored[:2] / stored[2:]).exists())

    def test_it_starts_and_serves_without_its_hsm_and_says_so(self):
        self.platform.start()
        self.platform.stop()
        tokens = self.platform.data / "hsm" / "tokens"
        tokens.rename(tokens.with_name("away"))
        self.platform.start()

        def signer():
            return self.platform.api("GET", "/readyz")["parts"]["signer"]
        wait_for("the signer to be told as missing", lambda: "HSM" in signer()["text"], 20)
        self.assertFalse(signer()["ok"])
        wait_for("hsm.down", lambda: self.platform.events(kind="hsm.down"), 20)
        tokens.with_name("away").rename(tokens)
        wait_for("the signer to be back", lambda: signer()["ok"], 30)
        wait_for("hsm.up", lambda: self.platform.events(kind="hsm.up"), 20)

    def test_a_further_name_gives_a_new_certificate(self):
        self.platform.start()
        self.platform.stop()
        before = (self.platform.data / "server.pem").read_text()
        self.platform.start()
        self.platform.stop()
        self.assertEqual(before, (self.platform.data / "server.pem").read_text())
        (self.platform.data / "server.pem").write_text("broken")
        self.platform.start()
        self.assertIn("new server certificate", self.log)
        self.assertEqual(self.platform.api("GET", "/whoami")["name"], "admin")


if __name__ == "__main__":
    unittest.main()
