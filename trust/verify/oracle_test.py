#!/usr/bin/python3
"""Holds pawl's codecs against independent ones: python3-cbor2, python3-cryptography, and this file's own reading of
docs/spec/manifest.md and docs/spec/keys.md. Usage: oracle_test.py PATH_OF_TRUST_ORACLE
"""
import base64
import hashlib
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import unittest

import cbor2
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

VECTORS = pathlib.Path(os.environ.get("PAWL_VECTORS", "../shared/vectors"))
SEED = int(os.environ.get("PAWL_SEED", "1"))
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Oracle:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        self.process.stdin.write(" ".join(w.hex() if isinstance(w, bytes) else w for w in words) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().rstrip("\n")
        if not answer:
            raise RuntimeError(f"the program ended on: {words}")
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()


# --- Deterministic CBOR, a second time: RFC 8949 4.2.1 sorts keys by their bytes, cbor2's canonical form by length first.

def dump(value):
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
    for info, size, letter in ((24, 1, "B"), (25, 2, ">H"), (26, 4, ">I"), (27, 8, ">Q")):
        if number < 1 << (8 * size):
            return bytes([major << 5 | info]) + struct.pack(letter, number)
    raise ValueError(number)


class Refused(Exception):
    pass


def read_strict(data):
    """One deterministic item, nothing behind it; raises Refused. Only the form is read, no values are built."""
    end = read_item(data, 0, 1)
    if end != len(data):
        raise Refused("trailing bytes")


def read_item(data, at, depth):
    if depth > 8 or at >= len(data):
        raise Refused("depth or truncation")
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if info > 27 or (major == 7 and info > 24):
        raise Refused("indefinite, reserved or float")
    number = info
    if info > 23:
        size = 1 << (info - 24)
        if at + size > len(data):
            raise Refused("truncation")
        number = int.from_bytes(data[at:at + size], "big")
        at += size
        if number < (32 if major == 7 else [24, 1 << 8, 1 << 16, 1 << 32][info - 24]):
            raise Refused("not the shortest")
    if major in (2, 3):
        if at + number > len(data):
            raise Refused("truncation")
        return at + number
    if major == 6:
        return read_item(data, at, depth + 1)
    previous = None
    for _ in range(number if major in (4, 5) else 0):
        begin = at
        at = read_item(data, at, depth + 1)
        if major == 5:
            if previous is not None and data[begin:at] <= previous:
                raise Refused("keys")
            previous = data[begin:at]
            at = read_item(data, at, depth + 1)
    return at


def is_strict(data):
    try:
        read_strict(data)
        return True
    except Refused:
        return False


# --- The profile, a second time.

def suit_digest(digest):
    return [-16, digest]


def version_parts(text):
    numbers, _, stage = text.partition("-")
    parts = [int(n) for n in numbers.split(".")]
    if stage:
        name, _, number = stage.partition(".")
        parts.append({"rc": -1, "beta": -2, "alpha": -3}[name])
        if number:
            parts.append(int(number))
    return parts


def manifest_tree(f):
    """The manifest with its nested byte strings as ("bstr", content), so that tests can change any of it."""
    digest = lambda name: bytes.fromhex(f[name])
    wrap = lambda value: ("bstr", value)
    shared = {1: digest("vendor"), 2: digest("class"), 3: wrap(suit_digest(digest("image"))), 14: int(f["image_bytes"])}
    conditions = [1, 15, 2, 15]
    if "slot" in f:
        shared[5] = int(f["slot"])
        conditions += [5, 15]
    name = base64.urlsafe_b64encode(digest("payload")).decode().rstrip("=")
    fetch = {1: int(f["payload_bytes"]), 2: int(f["format"]), 3: [-16, 16, digest("tree")]}
    install = {21: "ni:///sha-256;" + name, 25: wrap(fetch)}
    commands = []
    if "use_before" in f:
        install[4] = int(f["use_before"])
        commands += [4, 15]
    if "match" in f:
        comparison, _, version = f["match"].partition(":")
        install[28] = wrap([int(comparison), version_parts(version)])
        commands += [28, 15]
    if "precursor" in f:
        install[-259] = wrap(suit_digest(digest("precursor")))
        commands += [-259, 15]
    validate = {-257: int(f["security_version"]), -258: int(f["board_revision"])}
    tree = {
        1: 1,
        2: int(f["sequence"]),
        3: wrap({2: [[b"\0"]], 4: wrap([20, shared, *conditions])}),
        6: wrap(version_parts(f["version"])),
        7: wrap([20, validate, -257, 15, -258, 15, 3, 15]),
        9: wrap([20, {23: wrap({1: int(f["budget"])})}, 23, 2]),
        20: wrap([20, install, *commands, 21, 2, 3, 15]),
    }
    for key, name in ((14, "coswid"), (23, "text"), (-257, "sbom")):
        if name in f:
            tree[key] = suit_digest(digest(name))
    return tree


def encode_tree(tree):
    def unwrap(value):
        if isinstance(value, tuple):
            return dump(unwrap(value[1]))
        if isinstance(value, dict):
            return {k: unwrap(v) for k, v in value.items()}
        if isinstance(value, list):
            return [unwrap(v) for v in value]
        return value
    return dump(unwrap(tree))


def sha256(data):
    return hashlib.sha256(data).digest()


class TestKey:
    def __init__(self, name):
        self.private = ec.derive_private_key(int.from_bytes(sha256(name.encode()), "big"), ec.SECP256R1())
        public = self.private.public_key()
        self.point = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.kid = sha256(spki)[:8]

    def sign(self, payload, aad=b""):
        structure = dump(["Signature1", self.protected(), aad, payload])
        r, s = utils.decode_dss_signature(self.private.sign(structure, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def protected(self):
        return dump({1: -9, 4: self.kid})


def envelope(manifest, keys):
    digest = dump(suit_digest(sha256(dump(manifest))))
    blocks = [dump(cbor2.CBORTag(18, [k.protected(), {}, None, k.sign(digest)])) for k in keys]
    return dump(cbor2.CBORTag(107, {2: dump([digest, *blocks]), 3: manifest}))


def permit(key, device, job, digest, nonce, seconds):
    payload = dump({1: device, 2: job, 3: digest, 4: nonce, 5: seconds})
    return dump(cbor2.CBORTag(18, [key.protected(), {}, payload, key.sign(payload, b"pawl-permit-1")]))


NAMES = [("root key 1", 1), ("root key 2", 1), ("root key 3", 1), ("image key 1", 2), ("image key 2", 2),
         ("director key 1", 4), ("director key 2", 4), ("tls-root key 1", 8)]
KEYS = {name: TestKey("pawl throw-away " + name) for name, _ in NAMES}
ANCHORS = dump({1: 1, 2: [[KEYS[n].kid, -9, KEYS[n].point, role] for n, role in NAMES],
                3: {1: 2, 2: 1, 4: 1, 8: 1}, 4: []})

GOLDEN = {"sequence": "7", "version": "2.1.0", "vendor": "a872132d81405669ad6e15d5d0eb8c66",
          "class": "5028ba32f82757bc830685ce162ae00f",
          "image": "c7aab7fbafd456789e92840d63c9a8ce503e32947380f9b9c43eb963677d5cda", "image_bytes": "150000",
          "security_version": "3", "board_revision": "2", "budget": "120", "use_before": "1798761600",
          "payload": "c7aab7fbafd456789e92840d63c9a8ce503e32947380f9b9c43eb963677d5cda", "payload_bytes": "150000",
          "format": "0", "tree": "d91407593dfe1242ffaa70221e688602e97ee2a1f1213f483c124b4f933d8f7d"}


def constant(name):
    source = (pathlib.Path(__file__).parent / "golden.h").read_text()
    return bytes.fromhex("".join(re.findall(r'"([0-9a-f]+)"', re.search(rf"{name} =(.*?);", source, re.S).group(1))))


def random_fields(rng):
    number = lambda bits: str(rng.choice([0, 1, 23, 24, 255, 256, rng.getrandbits(rng.randint(1, bits)), 2**bits - 1]))
    positive = lambda bits: str(max(1, int(number(bits))))
    hexed = lambda size: rng.randbytes(size).hex()

    def version():
        text = ".".join(number(32) for _ in range(3))
        stage = rng.choice(["", "", "-rc", "-beta", "-alpha"])
        return text + stage + (f".{number(32)}" if stage and rng.random() < 0.5 else "")

    f = {"sequence": number(53), "version": version(), "vendor": hexed(16), "class": hexed(16), "image": hexed(32),
         "image_bytes": positive(53), "security_version": number(32), "board_revision": number(32),
         "budget": positive(32), "payload": hexed(32), "payload_bytes": positive(53), "format": str(rng.randint(0, 2)),
         "tree": hexed(32)}
    if f["format"] == "0":
        f["payload"], f["payload_bytes"] = f["image"], f["image_bytes"]
    if f["format"] == "2":
        f["precursor"] = hexed(32)
    for name, make in (("slot", lambda: number(32)), ("use_before", lambda: number(53)),
                       ("match", lambda: f"{rng.randint(1, 5)}:{version()}"), ("coswid", lambda: hexed(32)),
                       ("text", lambda: hexed(32)), ("sbom", lambda: hexed(32))):
        if rng.random() < 0.5:
            f[name] = make()
    return f


def as_words(fields):
    return [f"{name}={value}" for name, value in fields.items()]


def as_fields(answer):
    assert answer.startswith("ok "), answer
    return dict(word.split("=", 1) for word in answer.split()[1:])


def mutations(value, rng):
    """Copies of a tree with one thing changed: dropped, doubled, replaced, added, swapped."""
    odd = lambda: rng.choice([0, 1, 12, 19, 24, -1, -260, b"", b"\0", "x", [], {}, None, True, 2**64 - 1])
    if isinstance(value, tuple):
        for changed in mutations(value[1], rng):
            yield ("bstr", changed)
        yield value[1]
        yield ("bstr", value)
    elif isinstance(value, dict):
        for key in value:
            rest = {k: v for k, v in value.items() if k != key}
            yield rest
            yield {**rest, rng.choice([5, 12, 19, 24, -1, -300, "x", b"x"]): value[key]}
            for changed in mutations(value[key], rng):
                yield {**rest, key: changed}
        for key in (0, 5, 11, 12, 19, 24, 32, -1, -260, "x"):
            if key not in value:
                yield {**value, key: odd()}
    elif isinstance(value, list):
        for i in range(len(value)):
            yield value[:i] + value[i + 1:]
            yield value[:i] + [value[i]] + value[i:]
            yield value[:i] + [odd()] + value[i:]
            if i > 0:
                yield value[:i - 1] + [value[i], value[i - 1]] + value[i + 1:]
            for changed in mutations(value[i], rng):
                yield value[:i] + [changed] + value[i + 1:]
        yield value + [odd()]
    else:
        yield odd()
        if isinstance(value, int):
            yield from (value + 1, value - 1, -value)
        if isinstance(value, bytes):
            yield from (value + b"\0", value[:-1], value.hex())
        if isinstance(value, str):
            yield from (value + "=", value[:-1], value.upper(), value.encode())


class OracleTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.oracle = Oracle(PROGRAM)

    @classmethod
    def tearDownClass(cls):
        cls.oracle.close()

    def test_the_golden_envelope_comes_out_of_cbor2_byte_by_byte(self):
        golden = constant("kEnvelope")
        manifest = encode_tree(manifest_tree(GOLDEN))
        tagged = cbor2.loads(golden)
        self.assertEqual((tagged.tag, list(tagged.value)), (107, [2, 3]))
        self.assertEqual(tagged.value[3], manifest)
        digest, block = cbor2.loads(tagged.value[2])
        self.assertEqual(digest, dump(suit_digest(sha256(dump(manifest)))))
        key, cose = KEYS["image key 1"], cbor2.loads(block)
        self.assertEqual((cose.tag, cose.value[:3]), (18, [key.protected(), {}, None]))
        r, s = cose.value[3][:32], cose.value[3][32:]
        der = utils.encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        key.private.public_key().verify(der, dump(["Signature1", key.protected(), b"", digest]), ec.ECDSA(hashes.SHA256()))
        self.assertEqual(dump(cbor2.CBORTag(107, {2: dump([digest, block]), 3: manifest})), golden)
        self.assertEqual(self.oracle.ask("verify", ANCHORS, golden), "ok " + sha256(dump(manifest)).hex())
        self.assertEqual(self.oracle.ask("encode", *as_words(GOLDEN)), "ok " + manifest.hex())

    def test_the_specification_shows_the_bytes_that_the_tests_use(self):
        folder = pathlib.Path(__file__).parents[2] / "docs" / "spec"
        for page, names in (("manifest.md", ("kEnvelope", "kPermit", "kSigStructure", "kImageKey", "kManifestDigest")),
                            ("keys.md", ("kAnchors", "kRomIdentity"))):
            shown = re.sub(r"(?<=[0-9a-f])\n(?=[0-9a-f])", "", (folder / page).read_text())
            for name in names:
                self.assertIn(constant(name).hex(), shown, f"{page} does not show {name}")

    def test_random_manifests_have_one_encoding_in_both_and_it_is_canonical(self):
        rng = random.Random(SEED)
        for _ in range(400):
            fields = random_fields(rng)
            expected = encode_tree(manifest_tree(fields))
            answer = self.oracle.ask("encode", *as_words(fields))
            self.assertEqual(answer, "ok " + expected.hex(), fields)
            self.assertEqual(as_fields(self.oracle.ask("decode", expected)), fields)
            self.assert_canonical(expected)

    def assert_canonical(self, data):
        """cbor2 decodes it, and its own canonical encoder gives the same bytes; nested byte strings too."""
        value = cbor2.loads(data)
        self.assertEqual(cbor2.dumps(value, canonical=True), data)
        nested = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        for item in nested:
            if isinstance(item, bytes) and len(item) not in (1, 8, 16, 32, 64, 65):
                self.assert_canonical(item)
            elif isinstance(item, (dict, list)):
                self.assert_canonical(cbor2.dumps(item, canonical=True))

    def test_a_manifest_with_anything_changed_is_refused_or_another_manifest_of_the_template(self):
        rng = random.Random(SEED)
        refused = 0
        full = random_fields(rng)
        while not {"slot", "use_before", "match", "precursor", "coswid", "text", "sbom"} <= full.keys():
            full = random_fields(rng)
        for fields in (GOLDEN, full):
            for tree in mutations(manifest_tree(fields), rng):
                try:
                    data = encode_tree(tree)
                except (TypeError, cbor2.CBOREncodeError):
                    continue
                answer = self.oracle.ask("decode", data)
                if answer.startswith("ok "):
                    self.assertEqual(encode_tree(manifest_tree(as_fields(answer))), data, "something was ignored")
                else:
                    self.assertTrue(answer.startswith("refused malformed manifest: manifest: "), answer)
                    refused += 1
        self.assertGreater(refused, 900)

    def test_random_envelopes_and_permits_signed_elsewhere_verify_and_their_alterations_do_not(self):
        rng = random.Random(SEED)
        for _ in range(60):
            manifest = encode_tree(manifest_tree(random_fields(rng)))
            digest = sha256(dump(manifest))
            keys = rng.choice([["image key 1"], ["image key 2"], ["image key 1", "image key 2"]])
            signed = envelope(manifest, [KEYS[k] for k in keys])
            self.assertEqual(self.oracle.ask("verify", ANCHORS, signed), "ok " + digest.hex())
            at, nonce, job, seconds = rng.randrange(len(signed)), rng.randbytes(16), rng.getrandbits(53), rng.randint(1, 600)
            altered = signed[:at] + bytes([signed[at] ^ 1 << rng.randrange(8)]) + signed[at + 1:]
            self.assertTrue(self.oracle.ask("verify", ANCHORS, altered).startswith("refused "))
            stranger = envelope(manifest, [KEYS["director key 1"]])
            self.assertIn("refused", self.oracle.ask("verify", ANCHORS, stranger))
            leave = permit(KEYS["director key 2"], "dev-0.1_x", job, digest, nonce, seconds)
            self.assertEqual(self.oracle.ask("permit", ANCHORS, leave),
                             f"ok dev-0.1_x {job} {digest.hex()} {nonce.hex()} {seconds}")
            at = rng.randrange(len(leave))
            altered = leave[:at] + bytes([leave[at] ^ 1 << rng.randrange(8)]) + leave[at + 1:]
            self.assertTrue(self.oracle.ask("permit", ANCHORS, altered).startswith("refused permit: invalid signature"))

    def test_the_golden_permit_comes_out_of_cbor2_byte_by_byte(self):
        golden = constant("kPermit")
        digest = sha256(dump(encode_tree(manifest_tree(GOLDEN))))
        payload = dump({1: "dev-0001", 2: 17, 3: digest, 4: bytes(range(16)), 5: 60})
        self.assertEqual(golden[:-64] + b"", dump(cbor2.CBORTag(18, [KEYS["director key 1"].protected(), {}, payload,
                                                                     bytes(64)]))[:-64])
        self.assertEqual(self.oracle.ask("permit", ANCHORS, golden),
                         f"ok dev-0001 17 {digest.hex()} {bytes(range(16)).hex()} 60")

    def test_anchors_and_rom_identity_of_cbor2_are_read_and_written_back(self):
        self.assertEqual(ANCHORS, constant("kAnchors"))
        self.assertEqual(self.oracle.ask("anchors", ANCHORS), "ok " + ANCHORS.hex())
        later = cbor2.loads(ANCHORS)
        later.update({1: 9, 4: [KEYS["image key 2"].kid, b"12345678"], 5: 1798761600})
        self.assertEqual(self.oracle.ask("anchors", dump(later)), "ok " + dump(later).hex())
        self.assert_canonical(dump(later))
        for tree in mutations(later, random.Random(SEED)):
            try:
                data = dump(tree)
            except (TypeError, cbor2.CBOREncodeError):
                continue
            answer = self.oracle.ask("anchors", data)
            self.assertTrue(answer == "ok " + data.hex() or answer.startswith("refused malformed: anchors: "), answer)
        rom = dump({1: bytes(16), 2: bytes(range(16)), 3: 70000, 4: 2**32 - 1})
        self.assertEqual(self.oracle.ask("rom", rom), "ok " + rom.hex())

    def test_every_string_of_up_to_two_bytes_is_judged_alike(self):
        accepted = 0
        for size in (1, 2):
            for number in range(1 << 8 * size):
                data = number.to_bytes(size, "big")
                strict = is_strict(data)
                accepted += strict
                self.assertEqual(self.oracle.ask("cbor", data) == "ok", strict, data.hex())
        self.assertGreater(accepted, 1000)

    def test_random_cbor_and_its_alterations_are_judged_alike(self):
        rng = random.Random(SEED)

        def make(depth):
            kind = rng.randrange(8 if depth < 6 else 5)
            number = rng.getrandbits(rng.choice([3, 5, 8, 16, 32, 64]))
            if kind < 2:
                return number if kind == 0 else -1 - number
            if kind == 2:
                return rng.randbytes(rng.randrange(30))
            if kind == 3:
                return "".join(rng.choice("abc-é") for _ in range(rng.randrange(30)))
            if kind == 4:
                return rng.choice([None, True, False])
            if kind == 5:
                return [make(depth + 1) for _ in range(rng.randrange(5))]
            if kind == 6:
                return {rng.choice([rng.getrandbits(9), -rng.getrandbits(9) - 1, rng.randbytes(2)]): make(depth + 1)
                        for _ in range(rng.randrange(5))}
            return cbor2.CBORTag(rng.choice([18, 107, 70000]), make(depth + 1))

        both = {True: 0, False: 0}
        for _ in range(4000):
            data = dump(make(1))
            self.assertTrue(is_strict(data), data.hex())
            self.assertEqual(self.oracle.ask("cbor", data), "ok", data.hex())
            altered = bytearray(data)
            altered[rng.randrange(len(data))] = rng.randrange(256)
            if rng.random() < 0.2:
                del altered[rng.randrange(len(data)):]
            strict = is_strict(bytes(altered))
            both[strict] += 1
            self.assertEqual(self.oracle.ask("cbor", bytes(altered)) == "ok", strict, altered.hex())
        self.assertGreater(min(both.values()), 500)

    def test_ecdsa_edge_cases_are_judged_as_they_must(self):
        key, digest = KEYS["image key 1"], sha256(b"message")
        der = key.private.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        r, s = utils.decode_dss_signature(der)
        good = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        self.assertEqual(self.oracle.ask("p256", key.point, digest, good), "ok")
        twin = r.to_bytes(32, "big") + (ORDER - s).to_bytes(32, "big")
        self.assertEqual(self.oracle.ask("p256", key.point, digest, twin), "ok", "s is not normalised: both hold")
        for bad_r, bad_s in ((0, s), (r, 0), (0, 0), (ORDER, s), (r, ORDER), (r, ORDER - 1), (1, 1), (s, r),
                             (2**256 - 1, s), (r, 2**256 - 1), (ORDER - r, s)):
            bad = bad_r.to_bytes(32, "big") + bad_s.to_bytes(32, "big")
            self.assertEqual(self.oracle.ask("p256", key.point, digest, bad), "refused", (bad_r, bad_s))
        self.assertEqual(self.oracle.ask("p256", key.point, digest, der[:64].ljust(64, b"\0")), "refused")

    def test_what_rfc_8949_calls_not_well_formed_is_refused(self):
        page = VECTORS / "cbor" / "rfc8949-appendix-F-not-well-formed.md"
        if not page.exists():
            self.skipTest(f"SKIPPED: no vectors at {page} (set PAWL_VECTORS)")
        bullets = re.sub(r"\n +", " ", page.read_text().split("## Examples", 1)[1])
        lists = re.findall(r"^\* .*: ([0-9a-f ,]+)$", bullets, re.M)
        examples = [bytes.fromhex(item) for line in lists for item in line.split(",")]
        examples = [example for example in examples if example]
        self.assertGreater(len(examples), 90)
        for example in examples:
            self.assertNotEqual(self.oracle.ask("cbor", example), "ok", example.hex())

    def test_the_cbor_working_groups_items_are_judged_as_their_description_says(self):
        folder = VECTORS / "cbor" / "cbor-wg-test-vectors"
        if not folder.exists():
            self.skipTest(f"SKIPPED: no vectors at {folder} (set PAWL_VECTORS)")
        # Well-formed, and wrong only by what a text or tag means: pawl's templates have neither.
        invalid_only = re.compile(r"^(utf8: invalid|date: )")
        bad = good = 0
        for description, item, _ in self.items(folder / "bad.edn"):
            if invalid_only.match(description):
                continue
            bad += 1
            self.assertNotEqual(self.oracle.ask("cbor", item), "ok", description)
        for description, item, round_trip in self.items(folder / "good.edn"):
            good += 1
            answer = self.oracle.ask("cbor", item)
            self.assertEqual(answer == "ok", is_strict(item), description)
            if not round_trip:
                self.assertNotEqual(answer, "ok", description + ": not the preferred form")
        self.assertGreater(bad, 35)
        self.assertGreater(good, 80)

    @staticmethod
    def items(path):
        for block in re.findall(r"\{\s*\"description\".*?\}", path.read_text(), re.S):
            encoded = re.search(r"\"enc.ded\": h'([0-9a-fA-F\s]*)'", block)
            description = re.search(r"\"description\": \"(.*?)\"", block).group(1)
            if encoded:
                yield description, bytes.fromhex(encoded.group(1)), '"roundtrip": false' not in block


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main(verbosity=2)
