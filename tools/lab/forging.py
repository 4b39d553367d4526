"""Keys, ROM blobs and signed manifests for boot tests, written a second time from docs/spec/keys.md and manifest.md, so
that a test can make what the signer refuses to make: two signatures, wrong roles, a lying digest."""
import base64
import hashlib
import struct
import uuid

import cbor2
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

VENDOR = uuid.uuid5(uuid.NAMESPACE_DNS, "pawl.example")
ROLES = {"root": 1, "image": 2, "director": 4, "tls-root": 8}


def sha256(data):
    return hashlib.sha256(data).digest()


def dump(value):
    """Deterministic CBOR (RFC 8949 section 4.2.1)."""
    if isinstance(value, dict):
        pairs = sorted((dump(k), dump(v)) for k, v in value.items())
        return head(5, len(pairs)) + b"".join(k + v for k, v in pairs)
    if isinstance(value, (list, tuple)):
        return head(4, len(value)) + b"".join(dump(v) for v in value)
    if isinstance(value, cbor2.CBORTag):
        return head(6, value.tag) + dump(value.value)
    return cbor2.dumps(value)


def head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    for info, letter in ((24, ">B"), (25, ">H"), (26, ">I"), (27, ">Q")):
        if number < 1 << (8 * struct.calcsize(letter)):
            return bytes([major << 5 | info]) + struct.pack(letter, number)
    raise ValueError(number)


class Key:
    """The private half is SHA-256 of its name: for tests only."""

    def __init__(self, name):
        self.private = ec.derive_private_key(int.from_bytes(sha256(name.encode()), "big"), ec.SECP256R1())
        public = self.private.public_key()
        self.point = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.kid = sha256(spki)[:8]

    def protected(self):
        return dump({1: -9, 4: self.kid})

    def sign(self, payload):
        structure = dump(["Signature1", self.protected(), b"", payload])
        r, s = utils.decode_dss_signature(self.private.sign(structure, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


NAMES = [("root 1", "root"), ("root 2", "root"), ("root 3", "root"), ("image 1", "image"), ("image 2", "image"),
         ("director", "director"), ("tls", "tls-root")]
KEYS = {name: Key(f"pawl boot test {name}") for name, _ in NAMES}
STRANGER = Key("pawl boot test stranger")


def anchors(threshold=1, revoked=()):
    """Anchors with two image keys. threshold: of the role image; revoked: names of keys."""
    return dump({1: 1, 2: [[KEYS[name].kid, -9, KEYS[name].point, ROLES[role]] for name, role in NAMES],
                 3: {1: 2, 2: threshold, 4: 1, 8: 1}, 4: [KEYS[name].kid for name in revoked]})


def class_id(name):
    return uuid.uuid5(VENDOR, name).bytes


def rom_identity(class_name, board_revision=2, min_security_version=0):
    return dump({1: VENDOR.bytes, 2: class_id(class_name), 3: board_revision, 4: min_security_version})


def manifest(image, class_name, sequence, security_version=1, digest=None, board_revision=0, slot=None, vendor=VENDOR.bytes,
             budget_s=30):
    """digest: what it claims of the image; default: the truth."""
    digest = digest or sha256(image)
    shared = {1: vendor, 2: class_id(class_name), 3: dump([-16, digest]), 14: len(image)}
    conditions = [1, 15, 2, 15]
    if slot is not None:
        shared[5] = slot
        conditions += [5, 15]
    name = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    fetch = {1: len(image), 2: 0, 3: [-16, 16, sha256(image)]}  # the tree's root: no bootloader looks at it
    return dump({
        1: 1, 2: sequence,
        3: dump({2: [[b"\0"]], 4: dump([20, shared, *conditions])}),
        6: dump([sequence, 0, 0]),
        7: dump([20, {-257: security_version, -258: board_revision}, -257, 15, -258, 15, 3, 15]),
        9: dump([20, {23: dump({1: budget_s})}, 23, 2]),
        20: dump([20, {21: f"ni:///sha-256;{name}", 25: dump(fetch)}, 21, 2, 3, 15])})


def manifest_digest(content):
    """By which the boot record names a manifest."""
    return sha256(dump(content))


def envelope(content, keys=("image 1",), signature=None):
    """keys: names, or Key objects. signature: these bytes instead of genuine ones."""
    digest = dump([-16, manifest_digest(content)])
    signers = [KEYS[key] if isinstance(key, str) else key for key in keys]
    blocks = [dump(cbor2.CBORTag(18, [key.protected(), {}, None, signature or key.sign(digest)])) for key in signers]
    return dump(cbor2.CBORTag(107, {2: dump([digest, *blocks]), 3: content}))


def trailer(sealed):
    """The last 8 KiB of a slot."""
    return (b"PWE1" + struct.pack("<I", len(sealed)) + sealed).ljust(8192, b"\xff")
