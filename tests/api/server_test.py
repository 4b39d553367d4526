#!/usr/bin/python3
"""pawld against api/openapi.yaml: every operation over real TLS, each answer judged by the file."""
import datetime
import hashlib
import http.client
import json
import os
import pathlib
import shutil
import sqlite3
import ssl
import sys
import tempfile
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from openapi import Spec

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from lab.platform import Platform  # noqa: E402
from lab.process import wait_for  # noqa: E402

SPEC = Spec()
API = "/api/v1"
ARTIFACT_LIMIT = 1 << 20
CLASS = {"name": "api-1", "vendor": "pawl.example", "slot_bytes": 1 << 20, "watchdog_s": 4, "max_trial_budget_s": 60, "patience_s": 20}
seen = set()  # (operation id, status) of every judged exchange


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


class Identity:
    """A device's key, its CSR, and later its certificate."""

    def __init__(self, folder, name, key=None):
        self.name = name
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.key_file, self.certificate_file = folder / f"{id(self)}.key", folder / f"{id(self)}.pem"
        self.key_file.write_bytes(self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                         serialization.NoEncryption()))

    def csr(self, common_name="whatever"):
        request = x509.CertificateSigningRequestBuilder().subject_name(
            x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])).sign(self.key, hashes.SHA256())
        return request.public_bytes(serialization.Encoding.PEM).decode()

    def keep(self, pem):
        self.certificate_file.write_text(pem)
        return x509.load_pem_x509_certificate(pem.encode())


class ServerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="pawl-api-"))
        build = os.environ.get("PAWL_BUILD") or ROOT / "build" / "release"
        cls.platform = Platform(cls.folder, build)
        cls.platform.configure(artifact_bytes_max=ARTIFACT_LIMIT)
        try:
            cls.platform.start()
            cls.set_up_things()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        if cls.platform.child and cls.platform.child.running:
            cls.platform.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def set_up_things(cls):
        """One class, artifact and published release, for all tests."""
        judge = cls("run_nothing")
        judge.call("POST", "/classes", CLASS, expect=201)
        cls.content = bytes(range(256)) * 700
        cls.artifact = judge.upload(cls.content, expect=201).json
        cls.release = judge.call("POST", "/releases", {"class": "api-1", "artifact": cls.artifact["digest"], "version": "1.0.0"}, expect=202).json
        wait_for("the release to be published", lambda: judge.call("GET", f"/releases/{cls.release['id']}").json["state"] == "published", 30)

    def run_nothing(self):
        pass

    # --- exchanges ---

    def exchange(self, method, path, body=None, headers=None, port=None, identity=None, judged=True):
        context = ssl.create_default_context(cafile=str(self.platform.ca))
        if identity:
            context.load_cert_chain(identity.certificate_file, identity.key_file)
        connection = http.client.HTTPSConnection("127.0.0.1", port or self.platform.api_port, context=context, timeout=40)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            answer = Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()
        if not judged:
            return answer
        problems = SPEC.check_answer(method, path, answer.status, answer.headers, answer.body)
        self.assertEqual(problems, [], f"{method} {path} -> {answer.status} {answer.body[:300]}")
        operation = SPEC.find(method, path)
        if operation:
            seen.add((operation.id, answer.status))
        return answer

    def call(self, method, path, body=None, expect=200, token=True, headers=None, raw=None):
        """An operation of the operator API, with JSON."""
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {self.platform.token if token is True else token}"
        data = raw
        if body is not None:
            data = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        answer = self.exchange(method, path if path.startswith(("/healthz", "/readyz", "/metrics")) else API + path, data, headers)
        self.assertEqual(answer.status, expect, answer.body[:400])
        return answer

    def upload(self, content, name="fw.bin", expect=201, headers=None):
        return self.call("POST", f"/artifacts?name={name}", raw=content, expect=expect,
                         headers={"Content-Type": "application/octet-stream", **(headers or {})})

    def device_call(self, method, path, body=None, expect=200, identity=None, headers=None):
        headers = dict(headers or {})
        if body is not None:
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        answer = self.exchange(method, path, body, headers, self.platform.device_port, identity)
        self.assertEqual(answer.status, expect, answer.body[:400])
        return answer

    def new_token(self, *scopes, name=None):
        return self.call("POST", "/tokens", {"name": name or f"{self.id()[-60:]} {len(seen)}", "scopes": list(scopes)}, expect=201).json

    def claimed(self, name, **extra):
        return self.call("POST", "/devices", {"id": name, "class": "api-1", **extra}, expect=201).json["claim"]["token"]

    def enrolled(self, name):
        identity = Identity(self.folder, name)
        answer = self.device_call("POST", "/enrol/v1", {"id": name, "token": self.claimed(name), "csr": identity.csr()})
        identity.keep(answer.json["certificate"])
        return identity

    def active(self, name):
        identity = self.enrolled(name)
        self.device_call("GET", "/device/v1/nonce?nonce=" + "ab" * 16, identity=identity)
        return identity


class Everybody(ServerTest):
    def operations(self):
        for operation in SPEC.operations.values():
            if operation.path.startswith(API):
                path = operation.path.replace("{digest}", "0" * 64)
                for variable in operation.variables:
                    path = path.replace("{" + variable + "}", "nothing")
                yield operation, path[len(API):]

    def test_no_operation_answers_without_a_token_or_with_a_wrong_one(self):
        for operation, path in self.operations():
            with self.subTest(operation.id):
                answer = self.call(operation.method, path, token=False, expect=401)
                self.assertIn("Authorization", answer.error["message"])
                self.assertIn("Bearer", answer.headers["WWW-Authenticate"])
        for wrong in ("x", "pawl_a_b", self.platform.token[:-1], self.platform.token + "x"):
            self.call("GET", "/whoami", token=wrong, expect=401)

    def test_each_operation_needs_its_own_scope(self):
        scopes = ["read", "devices", "releases", "campaigns", "tokens"]
        tokens = {scope: self.new_token(scope, name=f"only {scope}")["token"] for scope in scopes}
        for operation, path in self.operations():
            if operation.scope in ("any", "none"):
                continue
            for scope in scopes:
                if scope != operation.scope:
                    with self.subTest(f"{operation.id} with {scope}"):
                        answer = self.call(operation.method, path, token=tokens[scope], expect=403)
                        self.assertIn(f'"{operation.scope}"', answer.error["message"])

    def test_a_token_that_was_revoked_or_has_expired_is_refused_at_once(self):
        token = self.new_token("read")
        self.call("GET", "/devices", token=token["token"])
        self.call("DELETE", f"/tokens/{token['id']}", expect=204)
        answer = self.call("GET", "/devices", token=token["token"], expect=401)
        self.assertIn("revoked", answer.error["message"])
        self.assertNotIn(token["id"], [t["id"] for t in self.call("GET", "/tokens").json["items"]])
        self.call("DELETE", "/tokens/nothing", expect=404)
        me = self.call("GET", "/whoami").json
        self.assertIn("last token", self.call("DELETE", f"/tokens/{me['id']}", expect=409).error["message"])

    def test_a_token_cannot_give_what_it_has_not(self):
        maker = self.new_token("tokens")["token"]
        self.call("POST", "/tokens", {"name": "more", "scopes": ["admin"]}, token=maker, expect=403)

    def test_what_an_operation_does_not_know_is_refused_by_name(self):
        for path in ("/devices?stat=active", "/jobs?devise=a", "/events?wait=3", "/campaigns?limit=1&limit=2"):
            with self.subTest(path):
                answer = self.call("GET", path, expect=400)
                self.assertEqual(answer.error["code"], 104)
        answer = self.call("POST", "/tokens", {"name": "a", "scopes": ["read"], "expire_s": 60}, expect=400)
        self.assertIn('"expire_s"', answer.error["message"])
        for limit in ("0", "1001", "x", "-1", ""):
            self.call("GET", f"/devices?limit={limit}", expect=400)

    def test_bodies_of_another_form_are_refused(self):
        token = {"name": "a", "scopes": ["read"]}
        self.call("POST", "/tokens", token, headers={"Content-Type": "text/plain"}, expect=415)
        self.call("POST", "/tokens", raw=b"{}", expect=415)
        json_type = {"Content-Type": "application/json"}
        for raw, code in ((b"{", 100), (b"[]", 104), (b"", 100), (b'{"name":"a","scopes":["read"],"x":' + b"[" * 20 + b"]" * 20 + b"}", 100),
                          (b'{"name":"\xff","scopes":["read"]}', 100), (b'{"name":1,"scopes":["read"]}', 104),
                          (b'{"name":"a\\u0000b","scopes":["read"]}', 104), (b'{"name":"a","scopes":[]}', 104),
                          (b'{"name":"a","scopes":["read","read"]}', 104), (b'{"name":"a","scopes":["root"]}', 104),
                          (b'{"name":"a","scopes":["read"],"expires_in_s":59}', 104), (b'{"name":"a","scopes":["read"],"expires_in_s":1e3}', 104)):
            with self.subTest(raw[:40]):
                self.assertEqual(self.call("POST", "/tokens", raw=raw, headers=json_type, expect=400).error["code"], code)
        self.call("POST", "/tokens", raw=b" " * (1 << 20) + b"{}", headers=json_type, expect=413)

    def test_paths_and_methods_that_do_not_exist(self):
        for method, path, status in (("GET", "/nothing", 404), ("GET", "", 404), ("PUT", "/devices", 405), ("HEAD", "/devices", 405)):
            answer = self.exchange(method, API + path, headers={"Authorization": f"Bearer {self.platform.token}"}) if method != "HEAD" else None
            if answer:
                self.assertEqual(answer.status, status)

    def test_those_who_guess_tokens_are_slowed_down_and_others_are_not(self):
        for _ in range(200):
            answer = self.exchange("GET", API + "/whoami", headers={"Authorization": "Bearer pawl_a_b"})
            if answer.status == 429:
                break
        self.assertEqual(answer.status, 429)
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        self.call("GET", "/whoami")


class Things(ServerTest):
    def test_tokens(self):
        made = self.new_token("read", "releases", name="ci")
        self.assertEqual(self.call("GET", "/whoami", token=made["token"]).json["name"], "ci")
        self.call("POST", "/tokens", {"name": "ci", "scopes": ["read"]}, expect=409)
        used = wait_for("the use to be noted", lambda: self.call("GET", "/whoami", token=made["token"]).json["last_used"], 10)
        self.assertIsNotNone(used)
        listed = {t["id"]: t for t in self.call("GET", "/tokens").json["items"]}
        self.assertEqual(listed[made["id"]]["scopes"], ["read", "releases"])

    def test_classes(self):
        self.call("POST", "/classes", CLASS, expect=409)
        self.call("POST", "/classes", {**CLASS, "name": "Bad Name"}, expect=400)
        self.call("POST", "/classes", {**CLASS, "name": "x", "vendor": "nodomain"}, expect=400)
        shown = self.call("GET", "/classes/api-1").json
        self.assertEqual(shown, self.call("GET", "/classes").json["items"][0])
        anchors = self.exchange("GET", API + "/classes/api-1/anchors", headers={"Authorization": f"Bearer {self.platform.token}"})
        self.assertEqual(anchors.body, (self.platform.data / "anchors.cbor").read_bytes())
        self.assertIn("pawl class list", self.call("GET", "/classes/none", expect=404).error["remedy"])
        self.call("GET", "/classes/none/anchors", expect=404)

    def test_artifacts(self):
        content = os.urandom(70000)
        digest = hashlib.sha256(content).hexdigest()
        made = self.upload(content, "a.bin").json
        self.assertEqual((made["digest"], made["bytes"], made["name"]), (digest, 70000, "a.bin"))
        self.assertEqual(self.upload(content, "b.bin", expect=200).json["name"], "a.bin")
        self.assertEqual(self.call("GET", f"/artifacts/{digest}").json, made)
        self.assertIn(made, self.call("GET", "/artifacts").json["items"])
        self.assertEqual(self.call("GET", f"/artifacts/{digest}/content").body, content)
        self.call("DELETE", f"/artifacts/{digest}", expect=204)
        self.call("GET", f"/artifacts/{digest}", expect=404)
        self.call("GET", f"/artifacts/{digest}/content", expect=404)
        self.call("DELETE", f"/artifacts/{digest}", expect=404)
        self.call("GET", "/artifacts/nothing", expect=400)
        self.call("DELETE", f"/artifacts/{self.artifact['digest']}", expect=409)
        self.assertEqual(self.stored_files(), self.stored_files(known=True))

    def stored_files(self, known=False):
        root = self.platform.data / "artifacts"
        if known:
            names = [a["digest"] for a in self.call("GET", "/artifacts").json["items"]]
            return sorted(f"sha-256/{d[:2]}/{d[2:]}{end}" for d in names for end in ("", ".leaves"))
        return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())

    def test_uploads_that_are_not_whole_leave_nothing(self):
        before = self.stored_files()
        right = hashlib.sha256(b"other").hexdigest()
        self.upload(b"content", headers={"Digest": f"sha-256={right}"}, expect=400)
        self.upload(b"content", headers={"Digest": "md5=1"}, expect=400)
        self.upload(b"", expect=400)
        self.upload(b"x" * (ARTIFACT_LIMIT + 1), expect=413)
        self.call("POST", "/artifacts?name=a%2Fb", raw=b"x", headers={"Content-Type": "application/octet-stream"}, expect=400)
        self.call("POST", "/artifacts", raw=b"x", headers={"Content-Type": "application/octet-stream"}, expect=400)
        self.call("POST", "/artifacts?name=a", raw=b"x", headers={"Content-Type": "text/plain"}, expect=415)
        for cut in (0, 1, 65535, 65536, 65537, 500000):  # the client dies
            context = ssl.create_default_context(cafile=str(self.platform.ca))
            connection = http.client.HTTPSConnection("127.0.0.1", self.platform.api_port, context=context, timeout=10)
            connection.putrequest("POST", API + "/artifacts?name=cut")
            for name, value in {"Authorization": f"Bearer {self.platform.token}", "Content-Type": "application/octet-stream", "Content-Length": "600000"}.items():
                connection.putheader(name, value)
            connection.endheaders()
            connection.send(b"c" * cut)
            connection.close()
        wait_for("what the cut-off uploads wrote to be gone", lambda: self.stored_files() == before, 10)

    def test_releases(self):
        release = self.call("GET", f"/releases/{self.release['id']}").json
        self.assertEqual((release["state"], release["reason"], release["waiting"]), ("published", None, None))
        envelope = self.call("GET", f"/releases/{release['id']}/envelope").body
        self.assertEqual(len(envelope), release["envelope_bytes"])
        self.assertTrue(envelope.startswith(b"\xd8\x6b\xa2"))
        self.assertEqual([release], self.call("GET", "/releases?class=api-1").json["items"][-1:])
        self.assertEqual([], self.call("GET", "/releases?class=other").json["items"])
        base = {"class": "api-1", "artifact": self.artifact["digest"], "version": "2.0.0"}
        self.assertEqual(self.call("POST", "/releases", {**base, "trial_budget_s": 61}, expect=400).error["code"], 13)
        self.call("POST", "/releases", {**base, "version": "2"}, expect=400)
        self.call("POST", "/releases", {**base, "use_before": "2020-01-01T00:00:00Z"}, expect=400)
        self.call("POST", "/releases", {**base, "use_before": "2020-02-30T00:00:00Z"}, expect=400)
        self.call("POST", "/releases", {**base, "class": "none"}, expect=404)
        self.call("POST", "/releases", {**base, "artifact": "0" * 64}, expect=404)
        self.call("POST", "/releases", {**base, "version": "1.0.0"}, expect=409)
        self.call("GET", "/releases/none", expect=404)
        self.call("GET", "/releases/none/envelope", expect=404)
        big = self.upload(os.urandom(ARTIFACT_LIMIT), "big.bin").json
        self.assertEqual(self.call("POST", "/releases", {**base, "artifact": big["digest"]}, expect=400).error["code"], 12)

    def test_devices(self):
        made = self.call("POST", "/devices", {"id": "d-1", "class": "api-1", "board_revision": 2, "attributes": {"site": "berlin"}}, expect=201).json
        self.assertEqual(made["device"], self.call("GET", "/devices/d-1").json)
        self.call("POST", "/devices", {"id": "d-1", "class": "api-1"}, expect=409)
        self.call("POST", "/devices", {"id": "D 1", "class": "api-1"}, expect=400)
        self.call("POST", "/devices", {"id": "d-2", "class": "none"}, expect=404)
        for query, found in (("id=d-*", True), ("attribute=site:berlin", True), ("attribute=site:rome", False), ("state=active&id=d-1", False),
                             ("class=api-1&state=claimed", True)):
            ids = [d["id"] for d in self.call("GET", f"/devices?{query}").json["items"]]
            self.assertEqual("d-1" in ids, found, query)
        self.call("GET", "/devices?state=gone", expect=400)
        self.call("GET", "/devices?attribute=site", expect=400)
        self.assertIsNone(made["device"]["via"])
        with sqlite3.connect(self.platform.data / "pawl.db", timeout=10) as database:  # as a hello through a gateway would
            database.execute("UPDATE devices SET via = 'gw-7' WHERE id = 'd-1'")
        database.close()
        behind = self.call("GET", "/devices?via=gw-7").json["items"]
        self.assertEqual([(d["id"], d["via"]) for d in behind], [("d-1", "gw-7")])
        self.call("GET", "/devices?via=GW%207", expect=400)
        again = self.call("POST", "/devices/d-1/claim", expect=201).json
        self.assertNotEqual(again["claim"]["token"], made["claim"]["token"])
        self.assertIn("enrol", self.call("GET", "/devices/d-1/why").json["verdict"])
        self.assertEqual(self.call("GET", "/devices/d-1/jobs").json["items"], [])
        for verb, state in (("suspend", "suspended"), ("activate", "claimed"), ("quarantine", "quarantined"), ("decommission", "decommissioned")):
            self.assertEqual(self.call("POST", f"/devices/d-1/{verb}", {"reason": "test"}).json["state"], state)
        for verb in ("suspend", "activate", "quarantine"):
            self.call("POST", f"/devices/d-1/{verb}", {}, expect=409)
        self.call("POST", "/devices/d-1/claim", expect=409)
        for path in ("", "/why", "/jobs"):
            self.call("GET", f"/devices/none{path}", expect=404)
        for verb in ("suspend", "activate", "quarantine", "decommission"):
            self.call("POST", f"/devices/none/{verb}", {}, expect=404)
        self.call("POST", "/devices/none/claim", expect=404)

    def test_campaigns_and_jobs(self):
        for name in ("c-1", "c-2", "c-3"):
            self.claimed(name)
        base = {"name": "spring", "release": self.release["id"]}
        made = self.call("POST", "/campaigns", {**base, "targets": {"devices": ["c-1", "c-2"]}}, expect=201).json
        self.assertEqual((made["state"], made["counts"]["queued"], made["version"]), ("running", 2, "1.0.0"))
        refused = self.call("POST", "/campaigns", {**base, "targets": {"devices": ["c-2", "c-3"]}}, expect=409)
        self.assertEqual(refused.error["devices"], ["c-2"])
        missing = self.call("POST", "/campaigns", {**base, "targets": {"devices": ["c-9", "c-3"]}}, expect=404)
        self.assertEqual(missing.error["devices"], ["c-9"])
        self.call("POST", "/campaigns", {**base, "release": "none", "targets": {"devices": ["c-3"]}}, expect=404)
        for targets in ({}, {"devices": []}, {"devices": ["c-3"], "filter": {}}, {"filter": {"id": "c-3"}}, {"devices": ["c-3", "c-3"]}):
            self.call("POST", "/campaigns", {**base, "targets": targets}, expect=400)
        self.call("POST", "/campaigns", {**base, "targets": {"filter": {"id_glob": "zzz*"}}}, expect=409)
        self.claimed("f-1", attributes={"site": "rome"})
        by_filter = {"filter": {"class": "api-1", "attributes": {"site": "rome"}, "id_glob": "f-*"}}
        filtered = self.call("POST", "/campaigns", {**base, "targets": by_filter}, expect=201).json
        self.assertEqual((filtered["targets"], filtered["counts"]["queued"]), (by_filter, 1))
        self.call("POST", "/campaigns", {**base, "targets": {"filter": {"via": "gw-none"}}}, expect=409)
        self.call("POST", "/campaigns", {**base, "targets": {"filter": {"via": "GW 7"}}}, expect=400)
        path = f"/campaigns/{made['id']}"
        self.assertEqual(self.call("GET", path).json, made)
        self.assertIn(made["id"], [c["id"] for c in self.call("GET", "/campaigns").json["items"]])
        jobs = {j["device"]: j for j in self.call("GET", f"{path}/jobs").json["items"]}
        self.assertEqual(set(jobs), {"c-1", "c-2"})
        job = jobs["c-1"]
        self.assertEqual(self.call("GET", f"/jobs/{job['id']}").json, job)
        self.assertEqual([job], self.call("GET", "/jobs?device=c-1").json["items"])
        self.assertEqual([], self.call("GET", f"/jobs?campaign={made['id']}&state=succeeded").json["items"])
        self.call("GET", "/jobs?state=timed_out")
        self.call("GET", "/jobs?state=odd", expect=400)
        self.assertEqual(self.call("GET", "/devices/c-1").json["job"], job)
        self.assertEqual(self.call("POST", f"/jobs/{job['id']}/cancel", {"reason": "no"}).json["state"], "cancelled")
        self.call("POST", f"/jobs/{job['id']}/cancel", {}, expect=409)
        again = self.call("POST", f"/jobs/{job['id']}/retry", expect=201).json
        self.assertGreater(again["n"], job["n"])
        self.call("POST", f"/jobs/{again['id']}/retry", expect=409)
        self.assertEqual(self.call("POST", f"/jobs/{again['id']}/lost", {"reason": "burnt"}).json["state"], "lost")
        self.call("POST", f"/jobs/{again['id']}/lost", {}, expect=409)
        retried = self.call("POST", f"{path}/retry", {"states": ["lost"]}, expect=201).json
        self.assertEqual(retried["created"], 1)
        self.call("POST", f"{path}/retry", {"states": ["refused"]}, expect=409)
        self.call("POST", f"{path}/retry", {"states": ["queued"]}, expect=400)
        self.call("POST", f"{path}/resume", {}, expect=409)
        self.assertEqual(self.call("POST", f"{path}/pause", {"reason": "lunch"}).json["reason"], "lunch")
        self.assertEqual(self.call("POST", f"{path}/resume", {"reason": "fed"}).json["state"], "running")
        self.assertEqual(self.call("POST", f"{path}/cancel", {"reason": "over"}).json["state"], "cancelled")
        self.call("POST", f"{path}/cancel", {}, expect=409)
        self.call("POST", f"{path}/pause", {}, expect=409)
        self.call("POST", f"{path}/retry", {}, expect=409)
        for verb in ("cancel", "pause", "resume", "retry"):
            self.call("POST", f"/campaigns/none/{verb}", {}, expect=404)
        for verb in ("cancel", "lost"):
            self.call("POST", f"/jobs/none/{verb}", {}, expect=404)
        self.call("POST", "/jobs/none/retry", expect=404)
        for path in ("/campaigns/none", "/campaigns/none/jobs", "/jobs/none"):
            self.call("GET", path, expect=404)

    def test_pages_hold_everything_once(self):
        for n in range(5):
            self.claimed(f"page-{n}")
        found, after = [], ""
        while True:
            page = self.call("GET", f"/devices?id=page-*&limit=2{after}").json
            found += [d["id"] for d in page["items"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        self.assertEqual(found, [f"page-{n}" for n in range(5)])

    def test_platform(self):
        rows = self.call("GET", "/audit?limit=3").json
        self.assertEqual(rows["items"][0]["previous"], "0" * 64)
        self.assertEqual(rows["items"][1]["previous"], rows["items"][0]["hash"])
        more = self.call("GET", f"/audit?limit=3&after={rows['next']}").json["items"]
        self.assertEqual(more[0]["previous"], rows["items"][2]["hash"])
        verdict = self.call("GET", "/audit/verify").json
        self.assertTrue(verdict["ok"])
        self.assertGreater(len(self.call("GET", "/reasons").json["items"]), 50)
        self.assertEqual(self.call("GET", "/version").json["api"], 1)
        for path in ("/healthz", "/readyz"):
            self.assertTrue(self.call("GET", path, token=False).json["ok"])

    def test_metrics(self):
        text = self.call("GET", "/metrics", token=False).body.decode()
        for line in ('pawl_devices{state="active"} ', 'pawl_jobs{state="queued"} ', 'pawl_http_requests_total{', 'pawl_up{part="hsm"} 1',
                     'pawl_up{part="broker"} 1', "pawl_build_info{", "pawl_http_request_seconds_bucket{", "pawl_permits_granted_total "):
            self.assertIn(line, text)
        self.assertNotIn(self.platform.token, text)


class Events(ServerTest):
    def last(self):
        return self.call("GET", "/events?last=1").json["items"][-1]["id"]

    def test_pages_filters_and_the_newest(self):
        self.claimed("ev-1")
        items = self.call("GET", "/events?device=ev-1&kind=device.claimed").json["items"]
        self.assertEqual([e["device"] for e in items], ["ev-1"])
        self.assertEqual(items[0]["actor"], "admin")
        newest = self.call("GET", "/events?last=2").json
        self.assertEqual(newest["next"], str(newest["items"][-1]["id"]))
        self.assertEqual(len(newest["items"]), 2)
        self.assertLess(newest["items"][0]["id"], newest["items"][1]["id"])
        self.assertEqual(self.call("GET", f"/events?after={10**9}").json, {"items": [], "next": str(10**9)})
        for query in ("kind=odd", "after=x", "last=1&after=2", "wait_s=31"):
            self.call("GET", f"/events?{query}", expect=400)

    def test_waiting_for_an_event(self):
        after = self.last()
        self.assertEqual(self.call("GET", f"/events?after={after}&device=nobody&wait_s=1").json["items"], [])
        connection, _ = self.open_stream(f"/events?after={after}&device=ev-2&wait_s=30", wait=False)
        self.claimed("ev-2")
        answer = json.loads(connection.getresponse().read())
        self.assertEqual(answer["items"][0]["device"], "ev-2")
        connection.close()

    def open_stream(self, path, headers=None, token=None, wait=True):
        context = ssl.create_default_context(cafile=str(self.platform.ca))
        connection = http.client.HTTPSConnection("127.0.0.1", self.platform.api_port, context=context, timeout=30)
        connection.request("GET", API + path, headers={"Authorization": f"Bearer {token or self.platform.token}", **(headers or {})})
        return connection, connection.getresponse() if wait else None

    def read_event(self, stream):
        """(id, kind, event) of the next event; None at the end."""
        fields = {}
        while True:
            line = stream.readline().decode()
            if not line:
                return None
            line = line.rstrip("\n")
            if line == "" and fields:
                event = json.loads(fields["data"])
                self.assertEqual(SPEC.errors({"$ref": "#/components/schemas/Event"}, event, strict=True), [])
                return int(fields["id"]), fields["event"], event
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value

    def test_a_stream_begins_now_and_goes_on_where_it_was_cut_off(self):
        connection, stream = self.open_stream("/events/stream")
        self.assertEqual(stream.status, 200)
        self.assertTrue(stream.headers["Content-Type"].startswith("text/event-stream"))
        self.claimed("sse-1")
        first_id, kind, event = self.read_event(stream)
        self.assertEqual((kind, event["device"]), ("device.claimed", "sse-1"))
        connection.close()
        self.claimed("sse-2")
        self.claimed("sse-3")
        connection, stream = self.open_stream("/events/stream?after=0", {"Last-Event-ID": str(first_id)})
        self.assertEqual([self.read_event(stream)[2]["device"] for _ in range(2)], ["sse-2", "sse-3"])
        connection.close()
        connection, stream = self.open_stream(f"/events/stream?after={first_id}&device=sse-3")
        self.assertEqual(self.read_event(stream)[2]["device"], "sse-3")
        connection.close()
        for headers in ({"Last-Event-ID": "x"},):
            connection, stream = self.open_stream("/events/stream", headers)
            self.assertEqual(stream.status, 400)
            connection.close()

    def test_a_stream_ends_when_its_token_is_revoked(self):
        token = self.new_token("read")
        connection, stream = self.open_stream("/events/stream", token=token["token"])
        self.call("DELETE", f"/tokens/{token['id']}", expect=204)
        while self.read_event(stream):
            pass
        connection.close()


class Devices(ServerTest):
    def enrol(self, identity, token, expect=200, **extra):
        return self.device_call("POST", "/enrol/v1", {"id": identity.name, "token": token, "csr": identity.csr(), **extra}, expect=expect)

    def state(self, name):
        return self.call("GET", f"/devices/{name}").json["state"]

    def test_only_the_key_is_taken_from_the_request(self):
        token = self.claimed("en-1")
        identity = Identity(self.folder, "en-1")
        answer = self.device_call("POST", "/enrol/v1", {"id": "en-1", "token": token, "csr": identity.csr("admin")}).json
        certificate = identity.keep(answer["certificate"])
        names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        self.assertEqual([n.value for n in names], ["en-1"])
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        self.assertEqual(list(usage), [x509.ExtendedKeyUsageOID.CLIENT_AUTH])
        self.assertEqual(answer["device_ca"], (self.platform.data / "device-ca.pem").read_text())
        self.assertEqual(self.state("en-1"), "claimed")
        self.device_call("GET", "/device/v1/nonce?nonce=" + "cd" * 16, identity=identity)
        self.assertEqual(self.state("en-1"), "active")

    def test_the_same_key_gets_the_same_certificate_and_another_key_quarantines(self):
        token = self.claimed("en-2")
        identity = Identity(self.folder, "en-2")
        first = self.enrol(identity, token).json
        self.assertEqual(self.enrol(identity, token).json, first)
        refused = self.enrol(Identity(self.folder, "en-2"), token, expect=409)
        self.assertEqual(refused.error["code"], 119)
        self.assertEqual(self.state("en-2"), "quarantined")
        kinds = [e["kind"] for e in self.call("GET", "/events?device=en-2").json["items"]]
        self.assertIn("claim.conflict", kinds)
        identity.keep(first["certificate"])
        self.device_call("GET", "/device/v1/nonce?nonce=" + "cd" * 16, identity=identity, expect=403)

    def test_wrong_claims_are_told_apart_by_nobody(self):
        token = self.claimed("en-3")
        messages = {self.enrol(Identity(self.folder, name), given, expect=403).error["message"]
                    for name, given in (("en-3", "0" * 32), ("nobody", token), ("en-3", "short"))}
        self.assertEqual(len(messages), 1)
        self.assertEqual(self.state("en-3"), "claimed")

    def test_requests_that_are_not_what_they_should_be(self):
        token = self.claimed("en-4")
        good = Identity(self.folder, "en-4")
        body = {"id": "en-4", "token": token, "csr": good.csr()}
        rsa_key = rsa.generate_private_key(65537, 2048)
        p384 = Identity(self.folder, "en-4", ec.generate_private_key(ec.SECP384R1()))
        der = x509.load_pem_x509_csr(good.csr().encode()).public_bytes(serialization.Encoding.DER)
        import base64
        forged = "-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(der[:-1] + bytes([der[-1] ^ 1])).decode() + "-----END CERTIFICATE REQUEST-----\n"
        for change, word in (({"csr": "x"}, "PKCS"), ({"csr": Identity(self.folder, "en-4", rsa_key).csr()}, "P-256"), ({"csr": p384.csr()}, "P-256"),
                             ({"csr": forged}, "signature"), ({"id": "UPPER"}, "id"), ({"extra": 1}, "extra"), ({"token": ""}, "token")):
            answer = self.device_call("POST", "/enrol/v1", {**body, **change}, expect=400)
            self.assertIn(word, answer.error["message"])
        self.device_call("POST", "/enrol/v1", {**body, "csr": "x" * 4096}, expect=413)
        self.exchange("POST", "/enrol/v1", json.dumps(body), {"Content-Type": "text/plain"}, self.platform.device_port)
        self.device_call("POST", "/enrol/v1", body)

    def test_downloads(self):
        identity = self.active("dl-1")
        path = f"/artifacts/v1/{self.artifact['digest']}"
        size = len(self.content)
        self.assertEqual(self.device_call("GET", path, identity=identity).body, self.content)
        leaves = self.device_call("GET", path + ".leaves", identity=identity)
        chunks = [self.content[i:i + 65536] for i in range(0, size, 65536)]
        self.assertEqual(leaves.body, b"".join(hashlib.sha256(b"\0" + c).digest() for c in chunks))
        tag = f'"{self.artifact["digest"]}"'
        for headers, status, start, end in (
                ({"Range": "bytes=0-99"}, 206, 0, 100), ({"Range": "bytes=65536-131071"}, 206, 65536, 131072), ({"Range": "bytes=-10"}, 206, size - 10, size),
                ({"Range": f"bytes={size - 1}-"}, 206, size - 1, size), ({"Range": "bytes=5-1", }, 200, 0, size), ({"Range": "bytes=0-1,4-5"}, 200, 0, size),
                ({"Range": "bytes=0-99", "If-Range": tag}, 206, 0, 100), ({"Range": "bytes=0-99", "If-Range": '"other"'}, 200, 0, size)):
            answer = self.device_call("GET", path, identity=identity, headers=headers, expect=status)
            self.assertEqual(answer.body, self.content[start:end], headers)
            if status == 206:
                self.assertEqual(answer.headers["Content-Range"], f"bytes {start}-{end - 1}/{size}")
        beyond = self.device_call("GET", path, identity=identity, headers={"Range": f"bytes={size}-"}, expect=416)
        self.assertEqual(beyond.headers["Content-Range"], f"bytes */{size}")
        self.device_call("GET", path, identity=identity, headers={"If-None-Match": tag}, expect=304)
        head = self.device_call("HEAD", path, identity=identity, headers={"Range": "bytes=0-9"})
        self.assertEqual(head.headers["Content-Length"], str(size))
        for name, status in (("0" * 64, 404), ("0" * 64 + ".leaves", 404), ("nothing", 400), (self.artifact["digest"].upper(), 400)):
            self.device_call("GET", f"/artifacts/v1/{name}", identity=identity, expect=status)
            self.device_call("HEAD", f"/artifacts/v1/{name}", identity=identity, expect=status)

    def test_a_change_in_the_registry_holds_from_the_next_request_on(self):
        identity = self.active("dl-2")
        path = f"/artifacts/v1/{self.artifact['digest']}"
        context = ssl.create_default_context(cafile=str(self.platform.ca))
        context.load_cert_chain(identity.certificate_file, identity.key_file)
        connection = http.client.HTTPSConnection("127.0.0.1", self.platform.device_port, context=context, timeout=20)

        def ask():
            connection.request("HEAD", path)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        self.assertEqual(ask(), 200)
        for verb, status in (("suspend", 403), ("activate", 200), ("quarantine", 403), ("activate", 200), ("decommission", 403)):
            self.call("POST", f"/devices/dl-2/{verb}", {})
            self.assertEqual(ask(), status, verb)
        connection.close()

    def test_nobody_gets_in_without_a_pinned_certificate(self):
        path = f"/artifacts/v1/{self.artifact['digest']}"
        for method, where in (("GET", path), ("HEAD", path), ("GET", "/device/v1/nonce?nonce=" + "ab" * 16)):
            self.device_call(method, where, expect=401)
        self.device_call("POST", "/device/v1/renew", {"csr": "x"}, expect=401)
        old = self.active("dl-3")
        self.call("POST", "/devices/dl-3/suspend", {})
        token = self.call("POST", "/devices/dl-3/claim", expect=201).json["claim"]["token"]
        fresh = Identity(self.folder, "dl-3")
        fresh.keep(self.enrol(fresh, token).json["certificate"])
        self.device_call("GET", path, identity=old, expect=403)  # a genuine certificate of the same name, its key no longer pinned
        self.device_call("GET", path, identity=fresh)
        self.device_call("GET", "/device/v1/nonce?nonce=xyz", identity=fresh, expect=400)
        operators = self.exchange("GET", API + "/devices", port=self.platform.device_port, judged=False)
        self.assertEqual(operators.status, 404)  # the operator API is not served to devices

    def test_renewal_keeps_the_old_key_until_the_new_one_has_connected(self):
        old = self.active("re-1")
        new = Identity(self.folder, "re-1")
        answer = self.device_call("POST", "/device/v1/renew", {"csr": new.csr()}, identity=old)
        self.assertEqual(self.device_call("POST", "/device/v1/renew", {"csr": new.csr()}, identity=old).json, answer.json)
        new.keep(answer.json["certificate"])
        nonce = "/device/v1/nonce?nonce=" + "ab" * 16
        self.device_call("GET", nonce, identity=old)
        self.device_call("GET", nonce, identity=new)
        self.device_call("GET", nonce, identity=old, expect=403)
        self.device_call("POST", "/device/v1/renew", {"csr": "x"}, identity=new, expect=400)
        self.call("POST", "/devices/re-1/suspend", {})
        self.device_call("POST", "/device/v1/renew", {"csr": old.csr()}, identity=new, expect=403)

    def test_the_nonce_comes_back_with_the_time(self):
        identity = self.active("no-1")
        answer = self.device_call("GET", "/device/v1/nonce?nonce=" + "0f" * 16, identity=identity).json
        self.assertEqual(answer["nonce"], "0f" * 16)
        self.assertLess(abs(answer["time"] - datetime.datetime.now().timestamp()), 60)


class ZCoverage(unittest.TestCase):
    """Runs last, when all classes of this file ran."""

    def test_every_operation_was_seen_to_succeed(self):
        done = {operation for operation, status in seen if status < 300}
        streamed = {"streamEvents"}
        if len(sys.argv) <= 1:
            self.assertEqual(set(SPEC.operations) - done - streamed, set())


if __name__ == "__main__":
    unittest.main()
