"""What lies in ROM and flash when a boot begins: the states in which somebody skips instructions, each with the slots that may
run at all."""
import dataclasses
import struct

from lab.boot_record import MAX_ATTEMPTS, MAX_POWER, Record
from lab.forging import STRANGER, anchors, envelope, manifest, manifest_digest, rom_identity

CLASS = "virt-1"
NOTHING_BOOTABLE = 42  # base/reasons.def
IMAGE_BYTES = 256
LOOP = 0xEAFFFFFE  # ARM code that branches to itself


def image(tag):
    """Loops where it is entered, and everywhere else; ends in its tag."""
    return struct.pack("<I", LOOP) * (IMAGE_BYTES // 4 - 4) + tag.encode().ljust(16, b"\0")


A_IMAGE, B_IMAGE = image("image A"), image("image B")


@dataclasses.dataclass
class Slot:
    image: bytes
    envelope: bytes


@dataclasses.dataclass
class State:
    """A: confirmed, unless the record says otherwise."""
    name: str
    a: Slot
    b: Slot
    allowed: str  # the slots whose image may run
    record: Record
    anchors: bytes = anchors()
    identity: bytes = rom_identity(CLASS)


def signed(content, sequence=1, keys=("image 1",), **facts):
    return Slot(content, envelope(manifest(content, facts.pop("class_name", CLASS), sequence, **facts), keys))


def with_signature(content, signature):
    return Slot(content, envelope(manifest(content, CLASS, 1), signature=signature))


def tampered(slot):
    """The envelope is genuine, the image is another."""
    return Slot(image("attacker"), slot.envelope)


def other_manifest(content):
    """The signature belongs to another manifest."""
    genuine = envelope(manifest(content, CLASS, 1))
    other = manifest(image("attacker"), CLASS, 1)
    before = manifest(content, CLASS, 1)
    return Slot(image("attacker"), genuine.replace(before, other))


def in_recovery(**facts):
    """The record of a device that reported already that nothing is bootable: a boot writes nothing."""
    return Record(emergency_reason=NOTHING_BOOTABLE, emergency_count=1, **facts)


def pending_b(slot_content, **facts):
    return Record(pending="B", attempts=MAX_ATTEMPTS, power_attempts=MAX_POWER, trial=1, job=1,
                  digest=manifest_digest(slot_content), **facts)


def states():
    good_a, good_b = signed(A_IMAGE), signed(B_IMAGE, 2)
    forged = (1234567).to_bytes(32, "big") + (7654321).to_bytes(32, "big")
    yield State("signatures that do not hold", with_signature(A_IMAGE, forged), with_signature(B_IMAGE, bytes(64)), "", in_recovery())
    yield State("genuine envelopes, other images", tampered(good_a), tampered(good_a), "", in_recovery())
    yield State("unknown key, wrong role", signed(A_IMAGE, keys=[STRANGER]), signed(B_IMAGE, keys=["director"]), "", in_recovery())
    yield State("a signed digest of another manifest", other_manifest(A_IMAGE), other_manifest(B_IMAGE), "", in_recovery())
    yield State("wrong class, wrong vendor", signed(A_IMAGE, class_name="virt-2"), signed(B_IMAGE, vendor=bytes(16)), "", in_recovery())
    yield State("wrong slot, wrong board", signed(A_IMAGE, slot=1), signed(B_IMAGE, board_revision=3), "", in_recovery())
    yield State("below the record's floor", signed(A_IMAGE, security_version=4), signed(B_IMAGE, security_version=3), "",
                in_recovery(floor=5))
    yield State("below the ROM's floor", signed(A_IMAGE, security_version=4), signed(B_IMAGE, security_version=3), "", in_recovery(),
                identity=rom_identity(CLASS, min_security_version=5))
    yield State("one signature of two, one key twice", signed(A_IMAGE), signed(B_IMAGE, keys=["image 1", "image 1"]), "", in_recovery(),
                anchors=anchors(threshold=2))
    yield State("signed by a revoked key", signed(A_IMAGE), signed(B_IMAGE), "", in_recovery(), anchors=anchors(revoked=["image 1"]))
    yield State("B has A's envelope and another image", good_a, tampered(good_a), "A", Record())
    yield State("B has a signature that does not hold", good_a, with_signature(B_IMAGE, forged), "A", Record())
    yield State("the confirmed slot is bad", tampered(good_a), good_b, "B", Record())
    pending = pending_b(manifest(B_IMAGE, CLASS, 2))
    yield State("pending B has another image", good_a, tampered(good_b), "A", pending)
    yield State("pending B has a signature that does not hold", good_a, with_signature(B_IMAGE, forged), "A",
                pending_b(manifest(B_IMAGE, CLASS, 1)))
