#!/usr/bin/python3
"""Holds a running pawld against api/openapi.yaml: calls every operation with good and bad input, as an operator and as a
device, and judges each answer by the file.

    check_openapi.py --url https://127.0.0.1:8443 --ca ca.pem --token-file admin-token [--device-url https://127.0.0.1:8444]

The token needs the scope admin. Prints one line per operation; exit status 0 only if every operation was called and every
answer fits. It leaves a class, a release, devices and campaigns behind whose names begin with "check-".
"""
import argparse
import hashlib
import http.client
import json
import os
import pathlib
import re
import secrets
import select
import ssl
import sys
import tempfile
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from openapi import Spec

TIMEOUT_S = 30
SIGNING_S = 60
IMAGE = secrets.token_bytes(3 * 65536 + 1000)
DIGEST = hashlib.sha256(IMAGE).hexdigest()
NOTHING = "0" * 64
# What a platform that works cannot be made to answer from outside.
UNFORCED = {"429", "503"}


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class Client:
    """Exchanges over one TLS context: the CA, and a device's certificate or none."""

    def __init__(self, url, ca, certificate=None):
        self.url = urllib.parse.urlsplit(url)
        self.context = ssl.create_default_context(cafile=ca)
        if certificate:
            self.context.load_cert_chain(certificate)

    def connect(self):
        return http.client.HTTPSConnection(self.url.hostname, self.url.port, timeout=TIMEOUT_S, context=self.context)

    def exchange(self, method, path, headers, body):
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers=headers, encode_chunked=hasattr(body, "__next__"))
            return self._answer(connection)
        finally:
            connection.close()

    def announce(self, method, path, headers, length):
        """Says that a body of this length comes, and sends it only if the platform wants to see it."""
        connection = self.connect()
        try:
            connection.putrequest(method, path)
            for name, value in {**headers, "Content-Length": str(length)}.items():
                connection.putheader(name, value)
            connection.endheaders()
            if not select.select([connection.sock], [], [], 2)[0]:
                try:
                    connection.send(bytes(length))
                except OSError:
                    pass  # it has seen enough
            return self._answer(connection)
        finally:
            connection.close()

    @staticmethod
    def _answer(connection):
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())


class Checker:
    def __init__(self, spec, client, token, device_client):
        self.spec, self.client, self.token, self.device_client = spec, client, token, device_client
        self.statuses = {name: [] for name in spec.operations}
        self.problems = {name: [] for name in spec.operations}
        self.stray_problems = []

    def call(self, name, expected, *variables, query="", body=None, token=True, headers=None, client=None, fits=True, announce=0):
        """One exchange of an operation; `expected`: a status or several. `fits`: the request is as the file allows."""
        operation = self.spec.operations[name]
        expected = expected if isinstance(expected, tuple) else (expected,)
        path = operation.path
        for variable, value in zip(operation.variables, variables):
            path = path.replace("{" + variable + "}", urllib.parse.quote(value, safe=""))
        path += "?" + query if query else ""
        sent = {"Authorization": f"Bearer {self.token if token is True else token}"} if token and operation.tag != "device" else {}
        sent.update(headers or {})
        data = body
        if isinstance(body, (dict, list)):
            data = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
            if fits:
                self._note(name, [f"the check itself is wrong: {p}" for p in self.spec.check_request(operation.method, path, body)])
        client = client or (self.device_client if operation.tag == "device" else self.client)
        answer = self._patiently(client, operation.method, path, sent, data, announce, 429 in expected)
        self.statuses[name].append(answer.status)
        problems = self.spec.check_answer(operation.method, path, answer.status, answer.headers, answer.body)
        if answer.status not in expected:
            problems.append(f"{' or '.join(map(str, expected))} was expected: {answer.body[:300]!r}")
        self._note(name, [f"{operation.method} {path} -> {answer.status}: {p}" for p in problems])
        return answer

    def _patiently(self, client, method, path, headers, body, announce, limit_expected):
        for _ in range(30):
            answer = client.announce(method, path, headers, announce) if announce else client.exchange(method, path, headers, body)
            if answer.status != 429 or limit_expected:
                break
            # Attempts without a valid token are limited; how long to wait is part of what is checked.
            time.sleep(min(int(answer.headers.get("Retry-After", "60")), 5))
        return answer

    def stray(self, method, path, headers=None):
        answer = self.client.exchange(method, path, {"Authorization": f"Bearer {self.token}", **(headers or {})}, None)
        problems = self.spec.check_answer(method, path, answer.status, answer.headers, answer.body)
        self.stray_problems += [f"{method} {path} -> {answer.status}: {p}" for p in problems]

    def expect(self, name, holds, what):
        if not holds:
            self._note(name, [what])

    def _note(self, name, problems):
        self.problems[name] += problems

    def report(self, out):
        bad = 0
        for name in self.spec.operations:
            problems = self.problems[name] + ([] if self.statuses[name] else ["was never called"])
            bad += bool(problems)
            seen = sorted(set(self.statuses[name]))
            missing = sorted(set(self.spec.operations[name].node["responses"]) - set(map(str, seen)) - UNFORCED)
            line = f"{'FAIL' if problems else 'ok  '} {name:20} {len(self.statuses[name]):3} calls  {' '.join(map(str, seen))}"
            print(line + (f"  (not seen: {' '.join(missing)})" if missing else ""), file=out)
            for problem in problems:
                print(f"       {problem}", file=out)
        print(f"{'FAIL' if self.stray_problems else 'ok  '} unknown paths and methods", file=out)
        for problem in self.stray_problems:
            print(f"       {problem}", file=out)
        bad += bool(self.stray_problems)
        print(f"check_openapi: {len(self.spec.operations)} operations, {sum(map(len, self.statuses.values()))} calls, {bad} with mismatches", file=out)
        return bad == 0


def csr_of(key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whatever")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return csr.public_bytes(serialization.Encoding.PEM).decode()


class Walk:
    """One way through the whole API, with the wrong turns."""

    def __init__(self, checker, folder, args):
        self.c, self.folder, self.args = checker, folder, args
        self.tag = secrets.token_hex(4)
        self.name = f"check-{self.tag}"
        self.devices = [f"check-{self.tag}-{n}" for n in range(3)]
        self.tokens = {}

    def run(self):
        self.platform()
        self.make_tokens()
        self.classes()
        self.artifacts()
        self.releases()
        self.registry()
        self.device_https()
        self.campaigns()
        self.jobs()
        self.events()
        self.every_operation_refuses()
        self.last_states()
        self.strays()
        self.revoke()

    # --- the platform ---

    def platform(self):
        call = self.c.call
        call("getHealth", 200)
        self.c.expect("getReadiness", call("getReadiness", 200).json().get("ok") is True, "answers 200 and is not ok")
        metrics = call("getMetrics", 200).body.decode()
        self.c.expect("getMetrics", re.search(r"^# TYPE \w+ (counter|gauge|histogram)$", metrics, re.M), "has no metric")
        call("getVersion", 200)
        call("whoami", 200)
        reasons = {row["code"]: row["text"] for row in call("listReasons", 200).json()["items"]}
        text = (pathlib.Path(__file__).resolve().parents[2] / "base/reasons.def").read_text(encoding="utf-8")
        defined = {int(code): name for code, name in re.findall(r'PAWL_REASON\((\d+), \w+, "([^"]+)"', text)}
        self.c.expect("listReasons", reasons == defined, f"is not base/reasons.def: {set(reasons.items()) ^ set(defined.items())}")
        self.c.expect("verifyAudit", call("verifyAudit", 200).json().get("ok") is True, "the audit chain does not hold")
        call("listAudit", 200, query="limit=1")

    def make_tokens(self):
        call = self.c.call
        for scope in ("read", "devices", "releases", "campaigns", "tokens"):
            body = {"name": f"{self.name} {scope}", "scopes": [scope], "expires_in_s": 3600}
            made = call("createToken", 201, body=body).json()
            self.tokens[scope] = made
        call("createToken", 409, body={"name": f"{self.name} read", "scopes": ["read"]})
        call("createToken", 403, token=self.tokens["tokens"]["token"], body={"name": f"{self.name} more", "scopes": ["admin"]})
        for wrong in ({"name": "x"}, {"name": "", "scopes": ["read"]}, {"name": "x", "scopes": []}, {"name": "x", "scopes": ["all"]},
                      {"name": "x", "scopes": ["read", "read"]}, {"name": "x\n", "scopes": ["read"]}, {"name": "x", "scopes": ["read"], "expires_in_s": 1},
                      {"name": "x", "scopes": ["read"], "expires_in_s": "60"}):
            call("createToken", 400, body=wrong, fits=False)
        listed = self.pages("listTokens", limit=2)
        self.c.expect("listTokens", {t["id"] for t in self.tokens.values()} <= {t["id"] for t in listed}, "does not list the new tokens")
        self.c.expect("listTokens", not any("token" in t for t in listed), "shows a secret")

    def pages(self, name, *variables, limit, query=""):
        """All items of a list, by small pages."""
        items, after = [], ""
        for _ in range(1000):
            page = self.c.call(name, 200, *variables, query=f"limit={limit}{query}" + (f"&after={urllib.parse.quote(after)}" if after else "")).json()
            self.c.expect(name, len(page["items"]) <= limit, "a page is longer than its limit")
            items += page["items"]
            after = page["next"]
            if not after:
                break
        self.c.expect(name, len(items) == len({json.dumps(i, sort_keys=True) for i in items}), "pages show an item twice")
        return items

    # --- classes, artifacts, releases ---

    def classes(self):
        call = self.c.call
        good = {"name": self.name, "vendor": "check.example", "slot_bytes": 1 << 20, "watchdog_s": 4, "max_trial_budget_s": 60, "patience_s": 20,
                "min_board_revision": 1, "max_board_revision": 9}
        made = call("createClass", 201, body=good).json()
        self.c.expect("createClass", {k: made.get(k) for k in good} == good, f"made another class than was asked for: {made}")
        call("createClass", 409, body=good)
        for member, value in (("name", "UPPER"), ("vendor", "nodots"), ("slot_bytes", 1), ("slot_bytes", "1"), ("watchdog_s", 0), ("watchdog_s", 1.5),
                              ("max_trial_budget_s", -1), ("patience_s", 10**9), ("min_board_revision", 2**32)):
            call("createClass", 400, body={**good, "name": self.name + "-2", member: value}, fits=False)
        call("createClass", 400, body={k: v for k, v in good.items() if k != "vendor"}, fits=False)
        call("createClass", 201, body={**good, "name": self.name + "-other"})
        self.c.expect("listClasses", self.name in {c["name"] for c in self.pages("listClasses", limit=1)}, "does not list the new class")
        call("getClass", 200, self.name)
        call("getClass", 404, "check-none")
        anchors = call("getClassAnchors", 200, self.name)
        self.c.expect("getClassAnchors", anchors.body[:1] and anchors.body[0] >> 5 == 5, "is no CBOR map")
        call("getClassAnchors", 404, "check-none")

    def artifacts(self):
        call, file = self.c.call, {"Content-Type": "application/octet-stream"}
        call("uploadArtifact", 400, query="name=fw", headers={**file, "Digest": "sha-256=" + NOTHING}, body=IMAGE)
        call("getArtifact", 404, DIGEST)  # nothing was kept
        call("uploadArtifact", 400, query="name=fw", headers={**file, "Digest": "md5=0"}, body=IMAGE)
        call("uploadArtifact", 400, query="name=fw", headers=file, body=b"")
        call("uploadArtifact", 400, headers=file, body=IMAGE)
        for name in ("", "a%2Fb", "a%0Ab", "x" * 101):
            call("uploadArtifact", 400, query="name=" + name, headers=file, body=IMAGE)
        call("uploadArtifact", 415, query="name=fw", headers={"Content-Type": "text/plain"}, body=IMAGE)
        call("uploadArtifact", 413, query="name=fw", headers=file, announce=1 << 50)
        made = call("uploadArtifact", 201, query="name=fw.bin", headers={**file, "Digest": "sha-256=" + DIGEST}, body=IMAGE).json()
        self.c.expect("uploadArtifact", (made["digest"], made["bytes"]) == (DIGEST, len(IMAGE)), f"stored something else: {made}")
        pieces = (IMAGE[at:at + 5000] for at in range(0, len(IMAGE), 5000))
        call("uploadArtifact", 200, query="name=again", headers={**file, "Transfer-Encoding": "chunked"}, body=pieces)
        self.spare = hashlib.sha256(IMAGE[:-1]).hexdigest()
        call("uploadArtifact", 201, query="name=spare", headers=file, body=IMAGE[:-1])
        call("getArtifact", 200, DIGEST)
        call("getArtifact", 404, NOTHING)
        call("getArtifact", (400, 404), "UPPER")
        self.c.expect("getArtifactContent", call("getArtifactContent", 200, DIGEST).body == IMAGE, "is not what was uploaded")
        call("getArtifactContent", 404, NOTHING)
        self.c.expect("listArtifacts", {DIGEST, self.spare} <= {a["digest"] for a in self.pages("listArtifacts", limit=1)}, "does not list the new ones")
        call("deleteArtifact", 204, self.spare)
        call("deleteArtifact", 404, self.spare)

    def releases(self):
        call = self.c.call
        good = {"class": self.name, "artifact": DIGEST, "version": "2.1.0", "security_version": 3, "min_board_revision": 2, "trial_budget_s": 30,
                "use_before": "2035-01-01T00:00:00Z"}
        call("createRelease", 404, body={**good, "class": "check-none"})
        call("createRelease", 404, body={**good, "artifact": NOTHING})
        for member, value in (("version", "2.1"), ("version", "02.1.0"), ("artifact", "short"), ("trial_budget_s", 61), ("trial_budget_s", 0),
                              ("use_before", "tomorrow"), ("use_before", "2001-01-01T00:00:00Z"), ("security_version", -1)):
            call("createRelease", 400, body={**good, member: value}, fits=False)
        made = call("createRelease", 202, body=good).json()
        self.release = made["id"]
        call("createRelease", 409, body=good)
        deadline = time.monotonic() + SIGNING_S
        while (shown := call("getRelease", 200, self.release).json())["state"] == "signing" and time.monotonic() < deadline:
            if call("getReleaseEnvelope", (200, 409), self.release).status == 409:
                time.sleep(0.2)
        self.c.expect("createRelease", shown["state"] == "published", f"the release is {shown['state']}: {shown['waiting'] or shown['reason']}")
        self.c.expect("getRelease", {k: shown[k] for k in good} == good, f"is not what was asked for: {shown}")
        envelope = call("getReleaseEnvelope", 200, self.release).body
        self.c.expect("getReleaseEnvelope", envelope[:3] == b"\xd8\x6b\xa2" and len(envelope) == shown["envelope_bytes"], "is no SUIT envelope of that size")
        call("getReleaseEnvelope", 404, "none")
        call("getRelease", 404, "none")
        call("deleteArtifact", 409, DIGEST)
        self.c.expect("listReleases", [r["id"] for r in self.pages("listReleases", limit=1, query="&class=" + self.name)] == [self.release], "lists others")
        call("listReleases", 400, query="class=UPPER")

    # --- devices ---

    def registry(self):
        call = self.c.call
        good = {"id": self.devices[0], "class": self.name, "board_revision": 2, "attributes": {"site": "check", "tag": self.tag}}
        self.claims = {}
        for device in self.devices:
            self.claims[device] = call("createDevice", 201, body={**good, "id": device}).json()["claim"]["token"]
        call("createDevice", 409, body=good)
        call("createDevice", 404, body={**good, "id": "check-x", "class": "check-none"})
        for member, value in (("id", "UPPER"), ("id", "a/b"), ("id", "x" * 64), ("board_revision", 10), ("board_revision", "2"), ("attributes", {"a b": "c"}),
                              ("attributes", {"a": "x" * 65}), ("attributes", {f"a{n}": "" for n in range(17)}), ("attributes", []), ("class", 7)):
            call("createDevice", 400, body={**good, "id": "check-x", member: value}, fits=False)
        last = self.devices[2]
        before = self.claims[last]
        self.claims[last] = call("reclaimDevice", 201, last).json()["claim"]["token"]
        self.c.expect("reclaimDevice", self.claims[last] != before, "gives the same token")
        call("reclaimDevice", 404, "check-none")
        found = self.pages("listDevices", limit=2, query=f"&class={self.name}&attribute=site:check&attribute=tag:{self.tag}&state=claimed&id=check-*-%3F")
        self.c.expect("listDevices", [d["id"] for d in found] == self.devices, f"found {[d['id'] for d in found]}")
        for query in ("attribute=site:other&class=" + self.name, "id=check-nothing", f"class={self.name}&state=active", "class=check-none", "via=check-none"):
            self.c.expect("listDevices", call("listDevices", 200, query=query).json()["items"] == [], f"finds something by {query}")
        for query in ("state=happy", "class=UPPER", "attribute=site", "id=%2F", "via=", "via=UPPER"):
            call("listDevices", 400, query=query)
        for name in ("getDevice", "whyDevice", "listDeviceJobs"):
            call(name, 200, self.devices[0])
            call(name, 404, "check-none")
            call(name, (400, 404), "UPPER")

    def enrol(self, expected, device, token, csr, **more):
        return self.c.call("enrolDevice", expected, body={"id": device, "token": token, "csr": csr}, **more)

    def device_https(self):
        if self.args.device_url is None:
            return
        call = self.c.call
        one, _, three = self.devices
        keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
        csrs = [csr_of(key) for key in keys]
        self.enrol(403, one, "A" * 22, csrs[0])
        self.enrol(403, "check-none", self.claims[one], csrs[0])
        self.enrol(400, one, self.claims[one], "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n")
        self.enrol(400, one, self.claims[one], csr_of(ec.generate_private_key(ec.SECP384R1())))
        call("enrolDevice", 400, body={"id": one, "token": self.claims[one]}, fits=False)
        call("enrolDevice", 400, headers={"Content-Type": "application/json"}, body=b"{")
        call("enrolDevice", 413, headers={"Content-Type": "application/json"}, announce=5000)
        call("enrolDevice", 415, headers={"Content-Type": "text/plain"}, body=b"x")
        first = self.enrol(200, one, self.claims[one], csrs[0]).json()
        self.c.expect("enrolDevice", self.enrol(200, one, self.claims[one], csrs[0]).json() == first, "gives the same key another certificate")
        self.enrol(200, three, self.claims[three], csrs[1])
        self.enrol(409, three, self.claims[three], csrs[2])
        self.c.expect("enrolDevice", call("getDevice", 200, three).json()["state"] == "quarantined", "a second key does not quarantine")

        me = Client(self.args.device_url, self.args.ca, self.write_identity(keys[0], first["certificate"]))
        nonce = "nonce=" + "ab" * 16
        call("getNonce", 401, query=nonce)
        self.c.expect("getNonce", call("getNonce", 200, query=nonce, client=me).json()["nonce"] == "ab" * 16, "echoes another nonce")
        call("getNonce", 400, query="nonce=ab", client=me)
        self.c.expect("getNonce", call("getDevice", 200, one).json()["state"] == "active", "the first contact does not make the device active")
        call("reclaimDevice", 409, one)
        self.downloads(me)
        call("renewCertificate", 401, body={"csr": csrs[2]})
        call("renewCertificate", 400, body={"csr": "x"}, client=me)
        call("renewCertificate", 400, body={}, client=me, fits=False)
        call("renewCertificate", 413, headers={"Content-Type": "application/json"}, announce=5000, client=me)
        call("renewCertificate", 415, headers={"Content-Type": "text/plain"}, body=b"x", client=me)
        call("renewCertificate", 200, body={"csr": csrs[2]}, client=me)
        self.shut_out(me, one, nonce, csrs[2])

    def write_identity(self, key, certificate):
        path = self.folder / "identity.pem"
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.write_bytes(certificate.encode() + private)
        return path

    def downloads(self, me):
        call, size = self.c.call, len(IMAGE)
        etag = f'"{DIGEST}"'
        for name in ("downloadPayload", "headPayload"):
            call(name, 401, DIGEST)
            call(name, 404, NOTHING, client=me)
            call(name, 404, NOTHING + ".leaves", client=me)
            call(name, (400, 404), "nonsense", client=me)
            whole = call(name, 200, DIGEST, client=me)
            self.c.expect(name, whole.headers.get("ETag") == etag and int(whole.headers["Content-Length"]) == size, f"odd headers: {whole.headers}")
            call(name, 304, DIGEST, client=me, headers={"If-None-Match": etag})
            call(name, 200, DIGEST, client=me, headers={"If-None-Match": '"other"'})
        self.c.expect("downloadPayload", call("downloadPayload", 200, DIGEST, client=me).body == IMAGE, "is not the artifact")
        leaves = call("downloadPayload", 200, DIGEST + ".leaves", client=me).body
        expected = b"".join(hashlib.sha256(b"\0" + IMAGE[at:at + 65536]).digest() for at in range(0, size, 65536))
        self.c.expect("downloadPayload", leaves == expected, "the leaves are not those of the chunks")
        for text, begin, end in (("bytes=0-0", 0, 0), ("bytes=65536-131071", 65536, 131071), ("bytes=100-", 100, size - 1), ("bytes=-7", size - 7, size - 1),
                                 (f"bytes={size - 1}-{size + 10**12}", size - 1, size - 1), (f"bytes=-{size + 5}", 0, size - 1)):
            part = call("downloadPayload", 206, DIGEST, client=me, headers={"Range": text})
            right = part.body == IMAGE[begin:end + 1] and part.headers.get("Content-Range") == f"bytes {begin}-{end}/{size}"
            self.c.expect("downloadPayload", right, f"Range {text}: {len(part.body)} bytes, {part.headers.get('Content-Range')}")
        call("downloadPayload", 206, DIGEST, client=me, headers={"Range": "bytes=5-9", "If-Range": etag})
        for ignored in ({"Range": "bytes=5-9", "If-Range": '"other"'}, {"Range": "bytes=0-1,5-9"}, {"Range": "chunks=1-2"}, {"Range": "bytes=9-5"}):
            self.c.expect("downloadPayload", call("downloadPayload", 200, DIGEST, client=me, headers=ignored).body == IMAGE, f"does not ignore {ignored}")
        for outside in (f"bytes={size}-", "bytes=-0"):
            refused = call("downloadPayload", 416, DIGEST, client=me, headers={"Range": outside})
            self.c.expect("downloadPayload", refused.headers.get("Content-Range") == f"bytes */{size}", f"Range {outside}: {refused.headers.get('Content-Range')}")

    def shut_out(self, me, device, nonce, csr):
        """The registry's say holds from the next request on."""
        call = self.c.call
        call("suspendDevice", 200, device, body={"reason": "check"})
        call("suspendDevice", 200, device, body={})  # is so already
        call("getNonce", 403, query=nonce, client=me)
        call("downloadPayload", 403, DIGEST, client=me)
        call("headPayload", 403, DIGEST, client=me)
        call("renewCertificate", 403, body={"csr": csr}, client=me)
        call("activateDevice", 200, device, body={"reason": "back"})
        call("getNonce", 200, query=nonce, client=me)
        call("quarantineDevice", 200, device, body={})
        call("getNonce", 403, query=nonce, client=me)
        call("activateDevice", 200, device, body={})

    # --- campaigns and jobs ---

    def new_campaign(self, **targets):
        return {"name": self.name, "release": self.release, "targets": targets}

    def campaigns(self):
        call = self.c.call
        one, two, _ = self.devices
        made = call("createCampaign", 201, body=self.new_campaign(devices=[one, two])).json()
        self.campaign = made["id"]
        self.c.expect("createCampaign", sum(v for k, v in made["counts"].items() if k != "timed_out") == 2, f"has not two jobs: {made['counts']}")
        busy = call("createCampaign", 409, body=self.new_campaign(devices=[one, two])).json()["error"]
        self.c.expect("createCampaign", sorted(busy["devices"]) == [one, two], f"names {busy['devices']} as busy")
        unknown = call("createCampaign", 404, body=self.new_campaign(devices=[one, "check-none"])).json()["error"]
        self.c.expect("createCampaign", unknown["devices"] == ["check-none"], f"names {unknown['devices']} as unknown")
        call("createCampaign", 404, body={**self.new_campaign(devices=[one]), "release": "none"})
        call("createCampaign", 409, body=self.new_campaign(filter={"class": self.name + "-other"}))
        call("createCampaign", 409, body=self.new_campaign(filter={"id_glob": "check-nothing-*", "attributes": {"site": "check"}}))
        for targets in ({}, {"devices": []}, {"devices": [one, one]}, {"devices": ["UPPER"]}, {"devices": [one], "filter": {}}, {"filter": {"colour": "red"}},
                        {"filter": []}, {"filter": {"id_glob": "/"}}, {"filter": {"via": "UPPER"}}, {"all": True}):
            call("createCampaign", 400, body=self.new_campaign(**targets), fits=False)
        call("getCampaign", 200, self.campaign)
        call("getCampaign", 404, "none")
        self.c.expect("listCampaigns", self.campaign in {x["id"] for x in self.pages("listCampaigns", limit=2)}, "does not list the new one")
        self.job_ids = {j["device"]: j["id"] for j in self.pages("listCampaignJobs", self.campaign, limit=1)}
        self.c.expect("listCampaignJobs", sorted(self.job_ids) == [one, two], f"lists {self.job_ids}")
        call("listCampaignJobs", 404, "none")
        call("resumeCampaign", 409, self.campaign, body={})
        self.c.expect("pauseCampaign", call("pauseCampaign", 200, self.campaign, body={"reason": "check"}).json()["state"] == "paused", "is not paused")
        call("pauseCampaign", 409, self.campaign, body={})
        self.c.expect("resumeCampaign", call("resumeCampaign", 200, self.campaign, body={}).json()["state"] == "running", "does not run")
        call("retryCampaign", 409, self.campaign, body={})
        for states in ([], ["succeeded"], ["lost", "lost"], "lost"):
            call("retryCampaign", 400, self.campaign, body={"states": states}, fits=False)
        for name in ("pauseCampaign", "resumeCampaign", "cancelCampaign", "retryCampaign"):
            call(name, 404, "none", body={})

    def jobs(self):
        call = self.c.call
        one, two, _ = self.devices
        job, other = self.job_ids[one], self.job_ids[two]
        for query in (f"campaign={self.campaign}", f"campaign={self.campaign}&device={one}", f"device={one}&state=queued"):
            found = self.pages("listJobs", limit=1, query="&" + query)
            self.c.expect("listJobs", job in {j["id"] for j in found}, f"does not find the job by {query}")
        self.c.expect("listJobs", call("listJobs", 200, query=f"campaign={self.campaign}&state=timed_out").json()["items"] == [], "finds a timed-out job")
        for query in ("state=happy", "device=UPPER", "campaign=a/b"):
            call("listJobs", 400, query=query)
        call("getJob", 200, job)
        call("retryJob", 409, job)
        self.c.expect("loseJob", call("loseJob", 200, job, body={"reason": "check"}).json()["state"] == "lost", "is not lost")
        call("loseJob", 409, job, body={})
        call("cancelJob", 409, job, body={})
        again = call("retryJob", 201, job).json()
        self.c.expect("retryJob", again["n"] > call("getJob", 200, job).json()["n"] and again["device"] == one, f"is no new job of the device: {again}")
        self.c.expect("cancelJob", call("cancelJob", 200, other, body={"reason": "check"}).json()["state"] == "cancelled", "a job never sent is not cancelled at once")
        call("loseJob", 200, again["id"], body={})
        retried = call("retryCampaign", 201, self.campaign, body={}).json()
        self.c.expect("retryCampaign", retried["created"] == 1, f"made {retried['created']} jobs of one lost one")
        self.c.expect("retryCampaign", call("retryCampaign", 201, self.campaign, body={"states": ["cancelled"]}).json()["created"] == 1, "does not retry the cancelled one")
        self.c.expect("listDeviceJobs", len(self.pages("listDeviceJobs", one, limit=1)) == 3, "does not list the device's three jobs")
        self.c.expect("cancelCampaign", call("cancelCampaign", 200, self.campaign, body={"reason": "check"}).json()["state"] == "cancelled", "is not cancelled")
        for name in ("cancelCampaign", "pauseCampaign", "resumeCampaign", "retryCampaign"):
            call(name, 409, self.campaign, body={})
        call("retryJob", 409, again["id"])
        for name, body in (("getJob", None), ("retryJob", None), ("cancelJob", {}), ("loseJob", {})):
            call(name, 404, "none", body=body)
        second = call("createCampaign", 201, body=self.new_campaign(filter={"class": self.name, "attributes": {"tag": self.tag}, "id_glob": "check-*-1"})).json()
        self.c.expect("createCampaign", second["counts"]["queued"] + second["counts"]["offered"] == 1, f"the filter selects {second['counts']}")
        call("cancelCampaign", 200, second["id"], body={})

    # --- events ---

    def events(self):
        call = self.c.call
        everything, after = [], "0"
        while page := call("listEvents", 200, query=f"after={after}&limit=500").json():
            everything += page["items"]
            if not page["items"]:
                self.c.expect("listEvents", page["next"] == after, f"next is {page['next']} after {after} with nothing new")
                break
            after = page["next"]
        ids = [e["id"] for e in everything]
        self.c.expect("listEvents", ids == sorted(set(ids)), "are not in order")
        kinds = {e["kind"] for e in everything if e.get("campaign") == self.campaign}
        for kind in ("campaign.created", "campaign.paused", "campaign.resumed", "campaign.cancelled", "job.created", "job.lost", "job.cancelled"):
            self.c.expect("listEvents", kind in kinds, f"there is no {kind}")
        last = call("listEvents", 200, query="last=3").json()
        self.c.expect("listEvents", [e["id"] for e in last["items"]] == ids[-3:], "last=3 is not the newest three")
        for query, fits in ((f"campaign={self.campaign}", lambda e: e.get("campaign") == self.campaign), (f"device={self.devices[0]}", lambda e: e.get("device") == self.devices[0]),
                            ("kind=campaign.paused", lambda e: e["kind"] == "campaign.paused")):
            found = call("listEvents", 200, query=query + "&limit=1000").json()["items"]
            wanted = [e["id"] for e in everything if fits(e)]
            self.c.expect("listEvents", found and [e["id"] for e in found] == wanted[:1000], f"{query} finds {len(found)} of {len(wanted)}")
        begin = time.monotonic()
        call("listEvents", 200, query=f"after={after}&wait_s=1&kind=broker.up")
        self.c.expect("listEvents", time.monotonic() - begin >= 0.9, "wait_s does not wait")
        for query in ("after=x", "after=-1", "last=0", "last=1001", "last=3&after=1", "last=3&wait_s=1", "wait_s=31", "kind=nonsense", "device=UPPER", "limit=0"):
            call("listEvents", 400, query=query)
        self.stream(everything)
        for query in ("after=x", "kind=nonsense", "limit=3"):
            call("streamEvents", 400, query=query)
        call("streamEvents", 400, headers={"Last-Event-ID": "x"})

    def stream(self, everything):
        """The stream never ends by itself, so it is read as far as it is known, and judged event by event."""
        wanted = [e["id"] for e in everything if e.get("campaign") == self.campaign]
        for headers, query in (({"Last-Event-ID": str(wanted[0])}, "after=0"), ({}, f"after={wanted[0]}")):
            connection = self.c.client.connect()
            path = f"/api/v1/events/stream?{query}&campaign={self.campaign}"
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.c.token}", **headers})
            response = connection.getresponse()
            self.c.statuses["streamEvents"].append(response.status)
            problems = self.c.spec.check_answer("GET", path, response.status, dict(response.getheaders()), b"")
            ids = []
            fields = {}
            while response.status == 200 and len(ids) < len(wanted) - 1:
                name, _, value = response.readline().decode().rstrip("\r\n").partition(":")
                if name:
                    fields[name] = value.removeprefix(" ")
                elif "data" in fields:
                    event = json.loads(fields["data"])
                    problems += self.c.spec.errors({"$ref": "#/components/schemas/Event"}, event, strict=True)
                    if (fields.get("id"), fields.get("event")) != (str(event["id"]), event["kind"]):
                        problems.append(f"id and event do not match the data: {fields}")
                    ids.append(event["id"])
                    fields = {}
            connection.close()
            if ids != wanted[1:]:
                problems.append(f"streams {ids}, {wanted[1:]} are needed")
            for problem in problems:
                self.c.expect("streamEvents", False, problem)

    # --- what every operation refuses ---

    def good_requests(self):
        """For each operation of the operator API, a request that is refused for nothing but what is then spoilt."""
        device, job = [self.devices[0]], [self.job_ids[self.devices[0]]]
        variables = {"token": [self.tokens["read"]["id"]], "class": [self.name], "digest": [DIGEST], "release": [self.release], "device": device,
                     "campaign": [self.campaign], "job": job}
        bodies = {"createToken": {"name": "x", "scopes": ["read"]},
                  "createClass": {"name": "check-x", "vendor": "check.example", "slot_bytes": 1 << 20, "watchdog_s": 4, "max_trial_budget_s": 60},
                  "createRelease": {"class": self.name, "artifact": DIGEST, "version": "9.9.9"}, "createDevice": {"id": "check-x", "class": self.name},
                  "createCampaign": self.new_campaign(devices=device)}
        for name, operation in self.c.spec.operations.items():
            if operation.tag == "device" or operation.scope == "none":
                continue
            content = self.c.spec.resolve(operation.node.get("requestBody", {})).get("content", {})
            body = bodies.get(name, {}) if "application/json" in content else None
            yield name, operation, variables.get((operation.variables or [None])[0], []), body, content

    def every_operation_refuses(self):
        call = self.c.call
        file = {"Content-Type": "application/octet-stream"}
        for name, operation, variables, body, content in self.good_requests():
            more = {"query": "name=fw", "headers": file} if name == "uploadArtifact" else {}
            data = IMAGE[:100] if name == "uploadArtifact" else body
            call(name, 401, *variables, body=data, token=None, **more)
            if operation.scope != "any":
                other = "tokens" if operation.scope != "tokens" else "read"
                call(name, 403, *variables, body=data, token=self.tokens[other]["token"], **more)
            call(name, 400, *variables, body=data, **{**more, "query": "nonsense=1&" + more.get("query", "")}, fits=False)
            if any(p["name"] == "limit" for p in operation.parameters):
                for limit in ("0", "1001", "-1", "x", ""):
                    call(name, 400, *variables, query="limit=" + limit)
            if any(p["name"] == "after" and "string" in str(p["schema"].get("type")) for p in operation.parameters):
                call(name, 400, *variables, query="after=%00nonsense")
            if "application/json" in content:
                self.bodies(name, variables, body)
        for wrong in ("", "Bearer", "Bearer x", "Bearer pawl_a_b", f"Basic {self.c.token}", f"Bearer {self.c.token}x", f"Bearer {self.c.token[:-1]}"):
            call("whoami", 401, token=None, headers={"Authorization": wrong})
        for scope, made in self.tokens.items():
            self.c.expect("whoami", call("whoami", 200, token=made["token"]).json()["scopes"] == [scope], "has other scopes than its token")

    def bodies(self, name, variables, body):
        """What no JSON body may be."""
        call, kind = self.c.call, {"Content-Type": "application/json"}
        call(name, 415, *variables, headers={"Content-Type": "text/plain"}, body=json.dumps(body).encode())
        call(name, 413, *variables, headers=kind, announce=(1 << 20) + 1)
        call(name, 400, *variables, body={**body, "nonsense": 1}, fits=False)
        for text in (b"", b"{", b"[]", b"null", b"{}x", b'{"a":1,}', b"\xff", b"[" * 10000):
            call(name, 400, *variables, headers=kind, body=text)

    def last_states(self):
        call = self.c.call
        for name in ("suspendDevice", "activateDevice", "quarantineDevice", "decommissionDevice"):
            call(name, 404, "check-none", body={})
            call(name, 400, self.devices[1], body={"reason": "x" * 201}, fits=False)
            call(name, 400, self.devices[1], body={"reason": 7}, fits=False)
        self.c.expect("decommissionDevice", call("decommissionDevice", 200, self.devices[1], body={"reason": "check"}).json()["state"] == "decommissioned", "is not")
        call("decommissionDevice", 200, self.devices[1], body={})  # is so already
        for name in ("suspendDevice", "activateDevice", "quarantineDevice"):
            call(name, 409, self.devices[1], body={})
        call("reclaimDevice", 409, self.devices[1])
        call("createCampaign", 409, body=self.new_campaign(devices=[self.devices[1]]))
        rows = self.pages("listAudit", limit=1000)
        self.c.expect("listAudit", any(r["target"] == self.devices[1] for r in rows), "does not know the decommissioned device")
        self.c.expect("verifyAudit", call("verifyAudit", 200).json()["ok"], "the audit chain does not hold")

    def strays(self):
        for path in ("/", "/api", "/api/v1", "/api/v1/", "/api/v2/devices", "/api/v1/nothing", "/api/v1/devices/a/b/c", "/api/v1//devices", "/api/v1/devices/..%2F..",
                     "/nonce", "/api/v1/tokens/"):
            self.c.stray("GET", path)
        for operation in self.c.spec.operations.values():
            if operation.tag == "device":
                continue
            path = re.sub(r"\{[^}]+\}", "x", operation.path)
            missing = next(m for m in ("PUT", "PATCH") if m not in self.c.spec.methods(path))
            self.c.stray(missing, path)

    def revoke(self):
        call = self.c.call
        gone = self.tokens["campaigns"]
        call("revokeToken", 204, gone["id"])
        call("revokeToken", 204, gone["id"])  # is so already
        call("revokeToken", 404, "none")
        call("listCampaigns", 401, token=gone["token"])
        own = call("whoami", 200).json()["id"]
        admins = [t for t in self.pages("listTokens", limit=100) if "admin" in t["scopes"]]
        if [t["id"] for t in admins] == [own]:
            call("revokeToken", 409, own)
        for scope, made in self.tokens.items():
            if scope != "campaigns":
                call("revokeToken", 204, made["id"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="operator API")
    parser.add_argument("--ca", required=True, help="the platform's ca.pem")
    parser.add_argument("--token-file", required=True, help="a file with an admin token")
    parser.add_argument("--device-url", help="device HTTPS; without it its operations count as untested")
    args = parser.parse_args()
    token = pathlib.Path(args.token_file).read_text(encoding="utf-8").strip()
    device_client = Client(args.device_url or args.url, args.ca)
    checker = Checker(Spec(), Client(args.url, args.ca), token, device_client)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o700)
        trouble = None
        try:
            Walk(checker, pathlib.Path(folder), args).run()
        except (OSError, http.client.HTTPException, LookupError, TypeError, ValueError) as error:
            # Usually the consequence of a mismatch that the report names.
            trouble = error
    good = checker.report(sys.stdout)
    if trouble is not None:
        print(f"check_openapi: ended early: {type(trouble).__name__}: {trouble}")
    sys.exit(0 if good and trouble is None else 1)


if __name__ == "__main__":
    main()
