#!/usr/bin/python3
"""The real `pawl` against a platform made of api/openapi.yaml's examples. Environment: PAWL_PROGRAM, the program's path."""
import hashlib
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
import unittest

from fake_platform import FIRMWARE, JSON, SPEC, TOKEN, FakePlatform

PROGRAM = os.environ.get("PAWL_PROGRAM", "build/release/bin/pawl")
ROOT = pathlib.Path(__file__).resolve().parents[1]
DIGEST = "c7aab7fbafd456789e92840d63c9a8ce503e32947380f9b9c43eb963677d5cda"
FIRMWARE_DIGEST = hashlib.sha256(FIRMWARE).hexdigest()
DEADLINE_S = 30

# Every command: its arguments, and the operations that it must call, in order. {file} is a firmware file, {dir} a new folder.
COMMANDS = [
    ("whoami", ["whoami"]),
    ("token create ci --scope read --scope releases --expires-in 30d --out {dir}/t", ["createToken"]),
    ("token list", ["listTokens"]),
    ("token revoke t7k2m9x4", ["revokeToken"]),
    ("class create virtual-1 --vendor pawl.example --slot-bytes 16777216 --watchdog-s 4 --max-trial-budget-s 60 --patience-s 20 "
     "--min-board-revision 1 --max-board-revision 9", ["createClass"]),
    ("class list", ["listClasses"]),
    ("class show virtual-1", ["getClass"]),
    ("class anchors virtual-1 --out {dir}/anchors", ["getClassAnchors"]),
    ("artifact upload {file} --name fw-2.1.0.bin", ["uploadArtifact"]),
    ("artifact list", ["listArtifacts"]),
    (f"artifact show {DIGEST}", ["getArtifact"]),
    (f"artifact download {FIRMWARE_DIGEST} --out {{dir}}/fw", ["getArtifactContent"]),
    (f"artifact delete {DIGEST}", ["deleteArtifact"]),
    (f"release create --class virtual-1 --version 2.1.0 --artifact {DIGEST} --security-version 3 --min-board-revision 2 "
     "--trial-budget-s 30 --use-before 2030-01-01T00:00:00Z", ["createRelease"]),
    ("release create {file} --class virtual-1 --version 2.1.0-rc.1 --wait", ["uploadArtifact", "createRelease", "getRelease"]),
    ("release list --class virtual-1", ["listReleases"]),
    ("release show r4n6v8s2", ["getRelease"]),
    ("release envelope r4n6v8s2 --out {dir}/e", ["getReleaseEnvelope"]),
    ("device claim dev-0001 --class virtual-1 --board-revision 2 --attribute site=berlin --attribute zone=1 --out {dir}/c", ["createDevice"]),
    ("device claim dev-0001 --again --out {dir}/c", ["reclaimDevice"]),
    ("device list --state active --class virtual-1 --attribute site=berlin --attribute zone=a:b --id dev-* --via gw-7", ["listDevices"]),
    ("device show dev-0001", ["getDevice"]),
    ("device suspend dev-0001 --reason moved", ["suspendDevice"]),
    ("device activate dev-0001", ["activateDevice"]),
    ("device quarantine dev-0001", ["quarantineDevice"]),
    ("device decommission dev-0001 --yes", ["decommissionDevice"]),
    ("why dev-0001", ["whyDevice"]),
    ("campaign create --name spring --release r4n6v8s2 --device dev-0001 --device dev-0002", ["createCampaign"]),
    ("campaign create --name spring --release r4n6v8s2 --all", ["createCampaign"]),
    ("campaign create --name spring --release r4n6v8s2 --filter class=virtual-1,attribute.site=berlin,id=dev-*", ["createCampaign"]),
    ("campaign list", ["listCampaigns"]),
    ("campaign show c5p8w2q1", ["getCampaign", "listCampaignJobs"]),
    ("campaign status c5p8w2q1", ["getCampaign"]),
    ("campaign cancel c5p8w2q1 --reason enough", ["cancelCampaign"]),
    ("campaign pause c5p8w2q1", ["pauseCampaign"]),
    ("campaign resume c5p8w2q1", ["resumeCampaign"]),
    ("campaign retry c5p8w2q1", ["retryCampaign"]),
    ("campaign retry c5p8w2q1 --state lost --state timed_out", ["retryCampaign"]),
    ("job list", ["listJobs"]),
    ("job list --device dev-0001", ["listDeviceJobs"]),
    ("job list --campaign c5p8w2q1 --state timed_out --limit 5", ["listJobs"]),
    ("job show j3x9k7d2", ["getJob"]),
    ("job retry j3x9k7d2", ["retryJob"]),
    ("job cancel j3x9k7d2 --reason wrong", ["cancelJob"]),
    ("job lost j3x9k7d2", ["loseJob"]),
    ("events --device dev-0001 --campaign c5p8w2q1 --kind job.rolled_back --last 5", ["listEvents"]),
    ("events --after 39", ["listEvents"]),
    ("audit list", ["listAudit"]),
    ("audit verify", ["verifyAudit"]),
    ("reasons", ["listReasons"]),
    ("health", ["getReadiness"]),
    ("version", ["getVersion"]),
]
# For devices, supervisors and Prometheus, not for operators; and the stream, which has tests of its own below.
EXEMPT = {"getHealth", "getMetrics"}
ELSEWHERE = {"streamEvents"}


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.top = pathlib.Path(tempfile.mkdtemp(prefix="pawl-cli-"))
        cls.platform = FakePlatform(cls.top)
        cls.file = cls.top / "fw-2.1.0.bin"
        cls.file.write_bytes(FIRMWARE)
        (cls.top / "token").write_text(TOKEN + "\n")

    @classmethod
    def tearDownClass(cls):
        cls.platform.close()
        shutil.rmtree(cls.top)

    def setUp(self):
        self.platform.reset()
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=self.top))
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TERM": "xterm", "PAWL_URL": self.platform.url,
                    "PAWL_CA": str(self.top / "ca.pem"), "PAWL_TOKEN": TOKEN}

    def pawl(self, *argv, env=None, text=None, cwd=None, may_show_token=False):
        done = subprocess.run([PROGRAM, *map(str, argv)], capture_output=True, text=True, env=self.env if env is None else env, input=text or "",
                              timeout=DEADLINE_S, cwd=cwd or self.folder, check=False)
        if not may_show_token:
            self.assertNotIn(TOKEN, done.stdout + done.stderr)
        self.assertNotIn("\x1b", done.stdout + done.stderr)
        return done

    def words(self, line):
        return [word.format(file=self.file, dir=self.folder) for word in line.split()]

    def fails(self, exit_code, *argv, **more):
        done = self.pawl(*argv, **more)
        self.assertEqual(done.returncode, exit_code, done.stderr)
        return done.stderr


class EveryCommand(Case):
    def run_all(self, *extra):
        for line, operations in COMMANDS:
            with self.subTest(line):
                self.setUp()
                done = self.pawl(*extra, *self.words(line))
                self.assertEqual(done.returncode, 0, done.stderr)
                asked = [r.operation.id for r in self.platform.requests]
                # `campaign show` asks for the jobs only for people: with --json it prints one document.
                self.assertEqual(asked, operations[:1] if line.startswith("campaign show") and extra else operations)
                self.assertEqual(self.platform.problems, [])
                yield line, operations, done

    def test_each_speaks_to_its_operation_and_prints_something(self):
        for line, _, done in self.run_all():
            self.assertNotEqual(done.stdout + done.stderr, "", line)

    def test_with_json_each_prints_the_answer_as_it_is(self):
        for line, operations, done in self.run_all("--json"):
            operations = operations[:1] if line.startswith("campaign show") else operations
            answer = SPEC.operations[operations[-1]].node["responses"]
            status = next(s for s in answer if s.startswith("2"))
            media = answer[status].get("content", {})
            if "application/json" not in media or line.startswith("artifact upload"):
                continue
            expected = SPEC.example(operations[-1], status)
            self.assertEqual(done.stderr, "")
            self.assertEqual(json.loads(done.stdout), without_token(expected), line)

    def test_every_operation_of_the_api_is_reachable(self):
        reachable = {operation for _, operations in COMMANDS for operation in operations} | EXEMPT | ELSEWHERE
        wanted = {o.id for o in SPEC.operations.values() if o.tag != "device"}
        self.assertEqual(wanted - reachable, set())

    def test_every_command_of_the_program_is_in_this_test(self):
        manual = self.pawl("manual").stdout
        commands = set(re.findall(r"^### pawl (.+)$", manual, re.M))
        tested = {c for c in commands for line, _ in COMMANDS if line == c or line.startswith(c + " ")}
        self.assertEqual(commands - tested, {"login", "logout", "campaign watch", "completion", "manual"} | ({"version"} - tested))

    def test_the_manual_in_the_docs_is_the_programs(self):
        self.assertEqual((ROOT / "docs/ops/cli.md").read_text(encoding="utf-8"), self.pawl("manual").stdout,
                         "write it anew: pawl manual > docs/ops/cli.md")

    def test_help_and_version_go_to_standard_output(self):
        for argv in (["--help"], ["campaign", "create", "--help"], ["--version"]):
            done = self.pawl(*argv)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("Exit status:", self.pawl("--help").stdout)


def without_token(value):
    """As pawl prints it: what is secret went into a file."""
    if isinstance(value, dict):
        return {k: without_token(v) for k, v in value.items() if k != "token"}
    return value


class Requests(Case):
    def last(self):
        return self.platform.requests[-1]

    def test_what_is_given_arrives_and_what_is_not_given_is_absent(self):
        self.pawl(*self.words(COMMANDS[4][0]))
        self.assertEqual(self.last().json(), {"name": "virtual-1", "vendor": "pawl.example", "slot_bytes": 16777216, "watchdog_s": 4,
                                              "max_trial_budget_s": 60, "patience_s": 20, "min_board_revision": 1, "max_board_revision": 9})
        self.pawl("release", "create", "--class", "c", "--version", "1.0.0", "--artifact", DIGEST)
        self.assertEqual(self.last().json(), {"class": "c", "artifact": DIGEST, "version": "1.0.0"})
        self.pawl("campaign", "create", "--name", "n", "--release", "r", "--filter", "attribute.site=a,id=dev-?,via=gw-7")
        self.assertEqual(self.last().json()["targets"], {"filter": {"attributes": {"site": "a"}, "id_glob": "dev-?", "via": "gw-7"}})
        self.pawl("campaign", "create", "--name", "n", "--release", "r", "--all")
        self.assertEqual(self.last().json()["targets"], {"filter": {}})
        self.pawl("device", "suspend", "d", "--reason", "why \"not\"")
        self.assertEqual(self.last().json(), {"reason": "why \"not\""})

    def test_ids_cannot_leave_their_place_in_the_path(self):
        self.pawl("token", "revoke", "../classes/x?y#z")
        self.assertEqual(self.last().path, "/api/v1/tokens/..%2Fclasses%2Fx%3Fy%23z")

    def test_an_upload_sends_the_files_bytes_and_their_digest(self):
        big = self.folder / "big.bin"
        big.write_bytes(os.urandom(9 << 20))
        self.assertEqual(self.pawl("artifact", "upload", big).returncode, 0)
        self.assertEqual(hashlib.sha256(self.last().body).hexdigest(), hashlib.sha256(big.read_bytes()).hexdigest())
        self.assertEqual(self.last().headers["digest"], "sha-256=" + hashlib.sha256(big.read_bytes()).hexdigest())
        self.assertIn("name=big.bin", self.last().path)

    def test_a_release_uses_the_digest_of_the_file_uploaded_with_it(self):
        self.pawl("release", "create", self.file, "--class", "c", "--version", "1.0.0")
        self.assertEqual(self.last().json()["artifact"], FIRMWARE_DIGEST)

    def test_lists_are_fetched_page_by_page_and_shown_whole(self):
        device = SPEC.example("getDevice", 200)
        pages = [{"items": [{**device, "id": f"dev-{n}"}], "next": None if n == 2 else f"cursor {n}"} for n in range(3)]
        self.platform.queue("listDevices", *pages)
        merged = json.loads(self.pawl("--json", "device", "list").stdout)
        self.assertEqual([d["id"] for d in merged["items"]], ["dev-0", "dev-1", "dev-2"])
        self.assertIsNone(merged["next"])
        self.assertIn("after=cursor%201", self.last().path)
        self.platform.queue("listDevices", *pages)
        limited = self.pawl("device", "list", "--limit", 2)
        self.assertEqual(limited.stdout.count("dev-"), 2)
        self.assertIn("--limit", limited.stderr)

    def test_a_list_that_never_ends_is_noticed(self):
        page = {"items": [SPEC.example("getDevice", 200)], "next": "again"}
        self.platform.queue("listDevices", page, page, page)
        self.assertIn("twice", self.fails(6, "device", "list"))


class Failures(Case):
    def test_each_status_has_its_exit_status_message_and_remedy(self):
        for status, code in {400: 2, 401: 5, 403: 5, 404: 3, 409: 4, 413: 2, 415: 2, 429: 6, 503: 6}.items():
            with self.subTest(status):
                self.platform.queue("suspendDevice", status)
                error = SPEC.example("suspendDevice", status)["error"]
                stderr = self.fails(code, "device", "suspend", "dev-0001")
                self.assertTrue(stderr.startswith("pawl: " + error["message"] + "\n  try: " + error["remedy"]), stderr)

    def test_with_json_a_refusal_is_the_platforms_error(self):
        self.platform.queue("getDevice", 404)
        done = self.pawl("--json", "device", "show", "x")
        self.assertEqual((done.returncode, json.loads(done.stdout)), (3, SPEC.example("getDevice", 404)))

    def test_retry_after_is_shown(self):
        self.platform.queue("getDevice", 429)
        self.assertIn("(after 3 s)", self.fails(6, "device", "show", "x"))

    def test_an_answer_that_is_not_pawlds_is_said_to_be(self):
        for answer in [(500, {"Content-Type": "text/html"}, b"<h1>oops"), (200, {"Content-Type": "text/html"}, b"<h1>hi"),
                       (200, JSON, b"{"), (302, {"Location": "https://127.0.0.1:1/"}, b"")]:
            self.platform.queue("getDevice", answer)
            self.assertIn("not as pawld does", self.fails(2 if answer[0] == 302 else 6, "device", "show", "x"))

    def test_wrong_usage_names_the_help(self):
        for line in ("", "nonsense", "device", "device show", "device list --nonsense", "device list --limit 0", "device claim d",
                     "device decommission d", "release create --class c --version 1.0.0", "campaign create --name n --release r",
                     "campaign create --name n --release r --all --device d", "campaign create --name n --release r --filter colour=red",
                     "campaign create --name n --release r --filter id=a,id=b", "device claim d --class c --attribute site",
                     "token create t --scope read --expires-in soon", "token create t", "events --after 1 --last 1",
                     f"release create x --artifact {DIGEST} --class c --version 1.0.0", "artifact upload /nonexistent", "artifact upload /dev/null",
                     "artifact upload /", "--url http://127.0.0.1 whoami", "--url https://u:p@h whoami", "whoami --ca /nonexistent",
                     "whoami --token-file /nonexistent"):
            with self.subTest(line):
                stderr = self.fails(2, *line.split())
                self.assertRegex(stderr, r"\Apawl: [^\n]+\n  try: [^\n]+\n\Z")
        self.assertEqual(self.pawl("device", "show", "").returncode, 2)
        self.assertEqual(self.platform.requests, [])

    def test_a_token_is_no_argument(self):
        self.assertEqual(self.pawl("--token", "x", "whoami").returncode, 2)

    def test_nobody_listening_names_url_ca_and_what_to_do(self):
        stderr = self.fails(6, "whoami", "--url", "https://127.0.0.1:1", "--token-file", self.top / "token")
        self.assertIn("https://127.0.0.1:1", stderr)
        self.assertIn("ca.pem", stderr)
        self.assertIn("start pawld", stderr)

    def test_another_ca_is_refused_and_named(self):
        stderr = self.fails(6, "whoami", "--ca", self.top / "other-ca.pem")
        self.assertIn("other-ca.pem", stderr)
        self.assertIn("--ca", stderr)
        self.assertEqual(self.platform.requests, [])
        without = {k: v for k, v in self.env.items() if k != "PAWL_CA"}
        self.assertIn("the system's CAs", self.fails(6, "whoami", env=without))

    def test_a_ca_file_that_is_none_is_named(self):
        (self.folder / "junk.pem").write_text("junk")
        self.assertIn("junk.pem", self.fails(2, "whoami", "--ca", self.folder / "junk.pem"))

    def test_a_platform_that_does_not_answer_is_given_up(self):
        release = threading.Event()
        self.platform.queue("whoami", lambda handler, request: release.wait(DEADLINE_S))
        stderr = self.fails(6, "whoami", "--timeout", 1)
        release.set()
        self.assertIn("does not answer", stderr)

    def test_without_a_token_nothing_is_sent(self):
        env = {k: v for k, v in self.env.items() if k != "PAWL_TOKEN"}
        self.assertIn("pawl login", self.fails(5, "device", "list", env=env))
        self.assertEqual(self.platform.requests, [])

    def test_an_upload_that_is_refused_early_shows_the_refusal(self):
        big = self.folder / "big.bin"
        big.write_bytes(bytes(8 << 20))
        self.platform.queue("uploadArtifact", 413)
        self.assertIn("over 1048576 bytes", self.fails(2, "artifact", "upload", big))

    def test_a_full_or_closed_standard_output_is_a_failure(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([PROGRAM, "device", "list"], stdout=full, stderr=subprocess.PIPE, env=self.env, timeout=DEADLINE_S, check=False)
        self.assertEqual(done.returncode, 1)

    def test_not_ready_is_shown_and_is_exit_status_6(self):
        self.platform.queue("getReadiness", 503)
        done = self.pawl("health", env={k: v for k, v in self.env.items() if k != "PAWL_TOKEN"})
        self.assertEqual(done.returncode, 6)
        self.assertIn("mosquitto ended", done.stdout)

    def test_a_broken_audit_chain_is_exit_status_1(self):
        self.platform.queue("verifyAudit", {**SPEC.example("verifyAudit", 200), "ok": False, "broken_at": 7})
        self.assertIn("row 7", self.fails(1, "audit", "verify"))


class Secrets(Case):
    def private(self, path):
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        return path.read_text()

    def test_login_keeps_a_private_profile_that_later_commands_use(self):
        env = {k: v for k, v in self.env.items() if not k.startswith("PAWL_")}
        config = self.folder / ".config/pawl/config.toml"
        done = self.pawl("login", "--url", self.platform.url + "/", "--ca", "../ca.pem", "--token-file", self.top / "token", env=env)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(TOKEN, self.private(config))
        self.assertIn(f"'{self.top / 'ca.pem'}'", config.read_text().replace('"', "'"))
        self.assertEqual(self.pawl("device", "list", env=env, cwd="/").returncode, 0)
        self.assertEqual(self.pawl("logout", env=env).returncode, 0)
        self.assertFalse(config.exists())
        self.assertIn("pawl login", self.fails(5, "device", "list", env=env))

    def test_login_takes_the_token_from_standard_input(self):
        env = {**self.env, "PAWL_CONFIG": str(self.folder / "c.toml")}
        del env["PAWL_TOKEN"]
        self.assertEqual(self.pawl("login", env=env, text=TOKEN + "\n").returncode, 0)
        self.assertIn(TOKEN, self.private(self.folder / "c.toml"))

    def test_login_with_a_wrong_token_keeps_nothing(self):
        env = {**self.env, "PAWL_CONFIG": str(self.folder / "c.toml"), "PAWL_TOKEN": "pawl_wrong_aaaaaaaaaaaaaaaaaaaaaaaaaa"}
        self.fails(5, "login", env=env)
        self.assertFalse((self.folder / "c.toml").exists())

    def test_the_stored_token_is_not_sent_to_another_url(self):
        env = {**self.env, "PAWL_CONFIG": str(self.folder / "c.toml")}
        self.pawl("login", env=env)
        del env["PAWL_TOKEN"]
        other = self.platform.url.replace("127.0.0.1", "localhost")
        self.fails(5, "whoami", "--url", other, env=env)

    def test_a_claim_goes_into_a_private_file(self):
        done = self.pawl("device", "claim", "dev-0001", "--class", "virtual-1")
        secret = SPEC.example("createDevice", 201)["claim"]["token"]
        self.assertEqual(self.private(self.folder / "dev-0001.claim"), secret + "\n")
        self.assertNotIn(secret, done.stdout + done.stderr)
        self.assertIn("dev-0001.claim", done.stdout)
        self.assertNotIn(secret, self.pawl("--json", "device", "claim", "dev-0001", "--class", "virtual-1", "--out", "other").stdout)

    def test_a_claim_goes_to_standard_output_only_if_asked(self):
        done = self.pawl("device", "claim", "dev-0001", "--class", "virtual-1", "--out", "-")
        self.assertEqual(done.stdout, SPEC.example("createDevice", 201)["claim"]["token"] + "\n")
        whole = self.pawl("--json", "device", "claim", "dev-0001", "--class", "virtual-1", "--out", "-")
        self.assertEqual(json.loads(whole.stdout), SPEC.example("createDevice", 201))

    def test_an_existing_file_is_not_overwritten_and_no_claim_is_made(self):
        (self.folder / "dev-0001.claim").write_text("mine")
        self.fails(4, "device", "claim", "dev-0001", "--class", "virtual-1")
        self.fails(2, "device", "claim", "dev-0001", "--class", "virtual-1", "--out", "/nonexistent/x")
        self.assertEqual((self.folder / "dev-0001.claim").read_text(), "mine")
        self.assertEqual(self.platform.requests, [])
        self.pawl("device", "claim", "dev-0001", "--again")
        self.assertNotEqual((self.folder / "dev-0001.claim").read_text(), "mine")

    def test_a_refused_claim_leaves_no_file(self):
        self.platform.queue("createDevice", 409)
        self.fails(4, "device", "claim", "dev-0001", "--class", "virtual-1")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_new_token_goes_into_a_private_file(self):
        done = self.pawl("token", "create", "night shift/2", "--scope", "read")
        secret = SPEC.example("createToken", 201)["token"]
        self.assertEqual(self.private(self.folder / "night_shift_2.token"), secret + "\n")
        self.assertNotIn(secret, done.stdout)


class Downloads(Case):
    def test_what_arrives_is_what_was_asked_for(self):
        self.pawl("artifact", "download", FIRMWARE_DIGEST, "--out", "fw")
        self.assertEqual((self.folder / "fw").read_bytes(), FIRMWARE)

    def test_other_bytes_are_refused_and_leave_no_file(self):
        self.assertIn("altered", self.fails(1, "artifact", "download", DIGEST, "--out", "fw"))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_download_that_is_cut_off_leaves_no_file(self):
        def cut(handler, _):
            handler.send_response(200)
            handler.send_header("Content-Length", "100000")
            handler.end_headers()
            handler.wfile.write(b"x" * 5000)
            handler.close_connection = True
        self.platform.queue("getReleaseEnvelope", cut)
        self.fails(6, "release", "envelope", "r", "--out", "e")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_binary_goes_to_a_pipe(self):
        done = subprocess.run([PROGRAM, "class", "anchors", "c", "--out", "-"], capture_output=True, env=self.env, timeout=DEADLINE_S, check=True)
        self.assertEqual(done.stdout, FIRMWARE)


class Gateways(Case):
    def test_a_device_behind_a_gateway_is_shown_with_it(self):
        device = {**SPEC.example("getDevice", 200), "via": "gw-7"}
        self.platform.queue("getDevice", device, {**device, "via": None})
        self.assertRegex(self.pawl("device", "show", "d").stdout, r"(?m)^via +the gateway gw-7$")
        self.assertNotIn("gateway", self.pawl("device", "show", "d").stdout)
        self.platform.queue("listDevices", {"items": [device, {**device, "id": "dev-0002", "via": None}], "next": None})
        head, behind, direct = self.pawl("device", "list").stdout.splitlines()
        self.assertIn("VIA", head)
        self.assertIn("  gw-7  ", behind)
        self.assertNotIn("gw-7", direct)

    def test_a_campaigns_filter_names_the_gateway(self):
        campaign = {**SPEC.example("getCampaign", 200), "targets": {"filter": {"via": "gw-7"}}}
        self.platform.queue("getCampaign", campaign)
        self.assertIn("devices of the class, via gw-7", self.pawl("campaign", "show", "c").stdout)


class HostileText(Case):
    def test_names_from_the_platform_cannot_steer_the_terminal(self):
        bad = "evil\x1b[2J\x9b31m\u202e\r\n"
        device = {**SPEC.example("getDevice", 200), "agent": bad, "attributes": {"site": bad}, "health": {"ok": True, "text": bad}}
        for argv in (["device", "show", "d"], ["--json", "device", "show", "d"]):
            self.platform.queue("getDevice", (200, JSON, json.dumps(device, ensure_ascii=False).encode()))
            out = self.pawl(*argv).stdout
            for c in "\x1b\x9b\u202e\r":
                self.assertNotIn(c, out)
        self.assertEqual(json.loads(out)["agent"], bad)

    def test_errors_cannot_either(self):
        error = {"error": {"code": 105, "reason": "x", "message": "a\x1b]0;b\x07\nfake", "remedy": "\x1b[1m", "devices": []}}
        self.platform.queue("getDevice", (404, JSON, json.dumps(error).encode()))
        self.assertEqual(self.fails(3, "device", "show", "d").count("\n"), 2)


class Waiting(Case):
    def release(self, state, **more):
        return {**SPEC.example("getRelease", 200), "state": state, **more}

    def test_release_wait_ends_when_published(self):
        waiting = self.release("signing", waiting=SPEC.example("createRelease", 202)["waiting"])
        self.platform.queue("getRelease", waiting, waiting, self.release("published"))
        done = self.pawl("release", "create", self.file, "--class", "c", "--version", "1.0.0", "--wait")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stderr.count("HSM does not answer"), 1)
        self.assertIn("published", done.stdout)

    def test_release_wait_fails_when_refused(self):
        self.platform.queue("getRelease", self.release("refused", reason={"code": 12, "text": "image too large", "detail": "by 3 bytes"}))
        self.assertIn("image too large (by 3 bytes)", self.fails(1, "release", "create", self.file, "--class", "c", "--version", "1.0.0", "--wait"))

    def test_release_wait_outlives_a_restart_of_the_platform(self):
        self.platform.queue("getRelease", 503, self.release("published"))
        done = self.pawl("release", "create", self.file, "--class", "c", "--version", "1.0.0", "--wait")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("asking again", done.stderr)

    def test_the_time_limit_has_an_exit_status_of_its_own(self):
        self.platform.queue("getRelease", *[self.release("signing")] * 100)
        stderr = self.fails(7, "release", "create", self.file, "--class", "c", "--version", "1.0.0", "--wait", "--timeout", 1)
        self.assertIn("pawl release show", stderr)

    def campaign(self, state="running", **counts):
        example = SPEC.example("getCampaign", 200)
        return {**example, "state": state, "counts": {**dict.fromkeys(example["counts"], 0), **counts}}

    def test_watch_prints_events_and_ends_well_if_every_device_succeeded(self):
        self.platform.queue("getCampaign", self.campaign(trial=2), self.campaign(trial=1, succeeded=1), self.campaign("complete", succeeded=2))
        events = SPEC.example("listEvents", 200)
        self.platform.queue("listEvents", events, {"items": [], "next": "41"}, {"items": [], "next": "41"})
        done = self.pawl("campaign", "watch", "c5p8w2q1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count("dev-0002 fell back"), 1)
        self.assertIn("after=41", self.platform.requests[-1].path)
        self.assertEqual(self.platform.problems, [])

    def test_watch_fails_if_one_did_not(self):
        self.platform.queue("getCampaign", self.campaign("complete", succeeded=2, rolled_back=1))
        self.assertIn("1 of 3 devices did not succeed", self.fails(1, "campaign", "watch", "c5p8w2q1"))

    def test_create_and_watch_in_one_go_with_json_is_one_document(self):
        self.platform.queue("getCampaign", self.campaign(trial=1), self.campaign("complete", succeeded=1))
        self.platform.queue("listEvents", {"items": [], "next": "0"})
        done = self.pawl("--json", "campaign", "create", "--name", "n", "--release", "r", "--all", "--watch")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(json.loads(done.stdout)["counts"]["succeeded"], 1)

    def test_watch_respects_the_time_limit(self):
        self.assertIn("pawl campaign watch", self.fails(7, "campaign", "watch", "c5p8w2q1", "--timeout", 1))

    def test_watching_what_is_not_there_is_not_found(self):
        self.platform.queue("getCampaign", 404)
        self.fails(3, "campaign", "watch", "nope")


class Running:
    """pawl in the background, with its lines."""

    def __init__(self, case, *argv, terminal=False):
        self.case, self.out = case, b""
        self.deadline = time.monotonic() + DEADLINE_S
        self.master = None
        stdout = subprocess.PIPE
        if terminal:
            self.master, stdout = pty.openpty()
        self.process = subprocess.Popen([PROGRAM, *argv], stdout=stdout, stderr=stdout if terminal else subprocess.PIPE, stdin=stdout if terminal else
                                        subprocess.DEVNULL, env=case.env, cwd=case.folder, start_new_session=True)
        if terminal:
            os.close(stdout)
        self.source = self.master if terminal else self.process.stdout.fileno()

    def wait_for(self, text):
        while text.encode() not in self.out:
            self.case.assertTrue(self.read(), f"ended without {text!r}: {self.out!r}")

    def read(self):
        ready, _, _ = select.select([self.source], [], [], max(0, self.deadline - time.monotonic()))
        if not ready:
            self.process.kill()
            self.case.fail(f"still silent after {DEADLINE_S} s: {self.out!r}")
        try:
            more = os.read(self.source, 65536)
        except OSError:  # a terminal whose program has ended
            more = b""
        self.out += more
        return more

    def end(self, number=None):
        if number:
            self.process.send_signal(number)
        while self.read():
            pass
        code = self.process.wait(DEADLINE_S)
        if self.master is None:
            self.case.assertNotIn(TOKEN.encode(), self.out + self.process.stderr.read())
            self.process.stdout.close()
            self.process.stderr.close()
        else:
            os.close(self.master)
        return code


class Following(Case):
    def event(self, number):
        return {**SPEC.example("listEvents", 200)["items"][0], "id": number, "text": f"event number {number}"}

    def stream(self, *numbers, stay=None):
        """An answer of the stream: these events, then the end, or silence until `stay` is set."""
        def send(handler, _):
            handler.send_response(200)
            handler.send_header("Content-Type", "text/event-stream")
            handler.end_headers()
            for n in numbers:
                handler.wfile.write(f": c\n\nid: {n}\nevent: job.rolled_back\ndata: {json.dumps(self.event(n))}\n\n".encode())
            handler.wfile.flush()
            if stay:
                stay.wait(DEADLINE_S)
            handler.close_connection = True
        return send

    def test_goes_on_after_a_lost_connection_where_it_was_and_ends_with_ctrl_c(self):
        stay = threading.Event()
        self.addCleanup(stay.set)
        self.platform.queue("listEvents", {"items": [self.event(41)], "next": "41"})
        self.platform.queue("streamEvents", self.stream(42, 43), 503, self.stream(44, stay=stay))
        pawl = Running(self, "events", "-f", "--device", "dev-0002")
        for number in (41, 42, 43, 44):
            pawl.wait_for(f"event number {number}")
        self.assertEqual(pawl.end(signal.SIGINT), 130)
        asked = [r.headers["last-event-id"] for r in self.platform.requests if r.operation.id == "streamEvents"]
        self.assertEqual(asked, ["41", "43", "43"])
        self.assertEqual(pawl.out.count(b"event number"), 4)
        self.assertEqual(self.platform.problems, [])

    def test_with_json_each_line_is_an_event(self):
        stay = threading.Event()
        self.addCleanup(stay.set)
        self.platform.queue("streamEvents", self.stream(42, stay=stay))
        pawl = Running(self, "--json", "events", "-f", "--after", "39")
        pawl.wait_for('"event number 42"')
        self.assertEqual(pawl.end(signal.SIGTERM), 130)
        self.assertEqual([json.loads(line)["id"] for line in pawl.out.splitlines()], [40, 41, 42])

    def test_a_revoked_token_ends_it(self):
        self.platform.queue("streamEvents", self.stream(42), 401)
        pawl = Running(self, "events", "-f")
        self.assertEqual(pawl.end(), 5)

    def test_ctrl_c_ends_a_watch_and_says_that_the_campaign_goes_on(self):
        pawl = Running(self, "campaign", "watch", "c5p8w2q1")
        pawl.wait_for("dev-0002 fell back")
        pawl.process.send_signal(signal.SIGINT)
        self.assertEqual(pawl.process.wait(DEADLINE_S), 130)
        self.assertIn(b"the campaign goes on", pawl.process.stderr.read())
        pawl.process.stdout.close()
        pawl.process.stderr.close()


class OnATerminal(Case):
    def show(self, *argv, env=None):
        self.env.update(env or {})
        pawl = Running(self, *argv, terminal=True)
        self.assertEqual(pawl.end(), 0, pawl.out)
        return pawl.out.decode()

    def test_tables_have_colours_and_relative_times(self):
        text = self.show("device", "list")
        self.assertIn("\x1b[32mactive", text)
        self.assertRegex(text, r"\d+ (days|h|min|s) ago|in \d+ ")

    def test_no_color_and_dumb_terminals_are_respected(self):
        self.assertNotIn("\x1b[", self.show("device", "list", env={"NO_COLOR": "1"}))
        self.assertNotIn("\x1b[", self.show("device", "list", env={"NO_COLOR": "", "TERM": "dumb"}))

    def test_an_upload_shows_its_progress(self):
        big = self.folder / "big.bin"
        big.write_bytes(bytes(4 << 20))
        self.assertRegex(self.show("artifact", "upload", str(big)), r"uploading big\.bin \[#*\.*\] +\d+ % of 4\.0 MiB")

    def test_a_watch_draws_bars_and_devices_over_the_ones_before(self):
        example = SPEC.example("getCampaign", 200)
        done = {**example, "state": "complete", "counts": {**dict.fromkeys(example["counts"], 0), "succeeded": 2}}
        self.platform.queue("getCampaign", example, done)
        text = self.show("campaign", "watch", "c5p8w2q1")
        self.assertIn("dev-0001", text)
        self.assertIn("43 % of 146.5 KiB", text)
        self.assertRegex(text, r"\x1b\[\d+A\r\x1b\[J")
        self.assertIn("2 of 2 ended", text)

    def test_binary_is_not_written_to_a_terminal(self):
        pawl = Running(self, "class", "anchors", "c", "--out", "-", terminal=True)
        self.assertEqual(pawl.end(), 2)

    def test_login_asks_for_the_token_without_showing_it(self):
        del self.env["PAWL_TOKEN"]
        self.env["PAWL_CONFIG"] = str(self.folder / "c.toml")
        pawl = Running(self, "login", terminal=True)
        pawl.wait_for("token (")
        pawl.wait_for("): ")
        os.write(pawl.master, (TOKEN + "\n").encode())
        self.assertEqual(pawl.end(), 0, pawl.out)
        self.assertNotIn(TOKEN.encode(), pawl.out)


class Completion(Case):
    def complete(self, *words):
        script = 'source <("$PAWL" completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pawl; echo "${COMPREPLY[@]}"'
        done = subprocess.run(["bash", "-c", script, "bash", "pawl", *words], capture_output=True, text=True, env={**self.env, "PAWL": PROGRAM},
                              timeout=DEADLINE_S, check=True)
        return done.stdout.split()

    def test_bash_completes_commands_and_options(self):
        self.assertEqual(self.complete("dev"), ["device"])
        self.assertIn("decommission", self.complete("device", ""))
        self.assertEqual(self.complete("--json", "campaign", "create", "--rel"), ["--release"])

    def test_other_shells_have_a_script_too(self):
        for shell in ("zsh", "fish"):
            self.assertIn("pawl", self.pawl("completion", shell).stdout)
        self.fails(2, "completion", "tcsh")


if __name__ == "__main__":
    unittest.main()
