"""A platform made of api/openapi.yaml's examples: HTTPS on loopback, for tests of the real `pawl` program.

Each request is held against the file; what does not fit is kept in `problems`. Answers are the file's examples unless a
test queues others.
"""
import datetime
import hashlib
import http.server
import ipaddress
import json
import pathlib
import ssl
import sys
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "api"))
from openapi import Spec  # noqa: E402

SPEC = Spec()
TOKEN = "pawl_t0a1b2c3_ThisIsTheSecretOfTheTests00"
FIRMWARE = bytes(range(256)) * 300
JSON = {"Content-Type": "application/json"}


def certificates(folder):
    """A CA and a server certificate for 127.0.0.1: ca.pem, server.pem (with key), other-ca.pem."""
    now = datetime.datetime.utcnow()

    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def sign(subject, key, issuer, issuer_key, extensions):
        builder = (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer)).public_key(key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
                   .not_valid_after(now + datetime.timedelta(days=2)))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    ca_key, key, other_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    authority = [x509.BasicConstraints(True, 0)]
    (folder / "ca.pem").write_bytes(sign("test CA", ca_key, "test CA", ca_key, authority))
    (folder / "other-ca.pem").write_bytes(sign("other CA", other_key, "other CA", other_key, authority))
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(sign("test server", key, "test CA", ca_key, [address]) + private)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that leaves early, or trusts another CA, is part of the tests; what else goes wrong they notice."""


class Request:
    def __init__(self, operation, handler, body):
        self.operation = operation
        self.method, self.path, self.body = handler.command, handler.path, body
        self.headers = {name.lower(): value for name, value in handler.headers.items()}

    def json(self):
        return json.loads(self.body)


class FakePlatform:
    def __init__(self, folder):
        certificates(folder)
        self.requests = []
        self.problems = []
        self.queued = {}  # operation id -> answers to give first: (status, headers, body) or a function of (handler, request)
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"platform": self}))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem")
        # The handshake happens in the connection's own thread, so that a silent client holds up nobody.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def reset(self):
        with self._lock:
            self.requests, self.problems, self.queued = [], [], {}

    def queue(self, operation, *answers):
        """Answers for the next requests of an operation: a status with the file's example, a JSON value, or as in `queued`."""
        for answer in answers:
            if isinstance(answer, int):
                answer = (answer, {**JSON, "Retry-After": "3"}, json.dumps(SPEC.example(operation, answer)).encode())
            elif isinstance(answer, (dict, list)):
                answer = (200, JSON, json.dumps(answer).encode())
            self.queued.setdefault(operation, []).append(answer)

    def answer(self, handler, request):
        with self._lock:
            self.requests.append(request)
            waiting = self.queued.get(request.operation.id, [])
            answer = waiting.pop(0) if waiting else None
        if callable(answer):
            return answer(handler, request)
        if answer is None:
            answer = self._example(request)
        return handler.send(*answer)

    def _example(self, request):
        operation = request.operation
        if operation.scope != "none" and request.headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, JSON, json.dumps(SPEC.example(operation.id, 401)).encode()
        status = next(code for code in operation.node["responses"] if code.startswith("2"))
        content = operation.node["responses"][status].get("content", {})
        if operation.id == "uploadArtifact":
            artifact = {**SPEC.example(operation.id, 201), "digest": hashlib.sha256(request.body).hexdigest(), "bytes": len(request.body)}
            return 201, JSON, json.dumps(artifact).encode()
        if "application/json" in content:
            return int(status), JSON, json.dumps(SPEC.example(operation.id, status)).encode()
        if not content:
            return int(status), {}, b""
        kind = next(iter(content))
        return int(status), {"Content-Type": kind}, (content[kind].get("example") or "").encode() or FIRMWARE


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def send(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        operation = SPEC.find(self.command, self.path)
        value = None
        if self.headers.get("Content-Type") == "application/json":
            value = json.loads(body)
        problems = SPEC.check_request(self.command, self.path, value)
        self.platform.problems += [f"{self.command} {self.path}: {p}" for p in problems if "takes none" not in p or body]
        if operation is None:
            self.send(404, JSON, b"{}")
            return
        self.platform.answer(self, Request(operation, self, body))

    do_GET = do_POST = do_DELETE = do_PUT = _serve

    def log_message(self, *_):
        pass
