#!/usr/bin/python3
"""One update, step by step: every row of the flow table in docs/architecture.md has its assertion here."""
import hashlib
import json
import subprocess
import unittest

from common import LabTest, scenarios, wait_for


class Flow(LabTest):
    def test_every_step_from_upload_to_confirmed(self):
        lab, platform = self.lab, self.lab.platform
        device = self.device("flow")
        firmware = lab.firmware("2.1.0")
        digest = hashlib.sha256(firmware.read_bytes()).hexdigest()

        with self.subTest("1 the operator uploads a firmware binary"):
            artifact = platform.cli_json("artifact", "upload", firmware)
            self.assertEqual(artifact["digest"], digest)
        with self.subTest("2, 3 the HSM signs what covers the binary's hash; 4 artifact and manifest are stored"):
            release = platform.cli_json("release", "create", "--class", "virtual-1", "--version", "2.1.0", "--artifact", digest,
                                        "--trial-budget-s", 30, "--wait")
            self.assertEqual(release["state"], "published")
            envelope = platform.api("GET", f"/releases/{release['id']}/envelope", raw=True)[1]
            self.assertIn(bytes.fromhex(digest), envelope)
            self.assertEqual(lab.artifact_path(digest).read_bytes(), firmware.read_bytes())
            self.envelope_verifies_independently(envelope, platform)
        with self.subTest("5 the platform offers the job; 6 the device checks and acknowledges"):
            campaign = lab.campaign("flow", release, [device])
            job = platform.wait_jobs(campaign, ("succeeded",), 60)[0]
            states = [step["state"] for step in job["steps"]]
            self.assertIn("accepted", states)
        with self.subTest("7 chunks by HTTPS range requests"):
            self.assertIn("downloading", states)
            metrics = platform.api("GET", "/metrics", raw=True, token=False)[1].decode()
            ranged = [line for line in metrics.splitlines() if "artifacts" in line and "206" in line and "_total" in line]
            self.assertTrue(ranged and float(ranged[0].split()[-1]) >= 1, "no answer 206 was counted for an artifact")
        with self.subTest("8 the staging slot holds the image; 9 verified by read-back"):
            self.assertIn("verified", states)
            slot = (device.folder / "flash" / "slot_b.bin").read_bytes()
            self.assertEqual(hashlib.sha256(slot[:len(firmware.read_bytes())]).hexdigest(), digest)
        with self.subTest("10b a permit, then pending, then the reboot"):
            events = [e["kind"] for e in platform.events(device=device.name)]
            self.assertIn("job.permitted", events)
            self.assertLess(events.index("job.permitted"), events.index("job.committed"))
        with self.subTest("11 the bootloader verifies B, counts the attempt, arms the watchdog, starts B"):
            self.assertIn("B6", device.serial)
        with self.subTest("12 self-tests; 13b confirmed; 14b succeeded, running 2.1.0"):
            device.wait_confirmed("2.1.0")
            for test in ("peripheral", "memory", "connectivity"):
                self.assertIn(test, device.serial)
            record = device.record()
            self.assertEqual((record["confirmed"], record["proven"]), ("B", True))
            shown = device.registered()["running"][0]
            self.assertEqual(shown["image_digest"], digest)
            self.assertEqual(shown["manifest_digest"], release["manifest_digest"])

    def envelope_verifies_independently(self, envelope, platform):
        """python3-cbor2 and python3-cryptography, not pawl's own code, with the key from the anchors."""
        import cbor2
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, utils
        anchors = cbor2.loads(platform.api("GET", "/classes/virtual-1/anchors", raw=True)[1])
        keys = {key[0]: key[2] for key in anchors[2]}
        suit = cbor2.loads(envelope).value
        auth = cbor2.loads(suit[2])
        manifest_bstr = cbor2.dumps(suit[3])
        self.assertEqual(cbor2.loads(auth[0])[1], hashlib.sha256(manifest_bstr).digest())
        protected, _, _, signature = cbor2.loads(auth[1]).value
        kid = cbor2.loads(protected)[4]
        to_sign = cbor2.dumps(["Signature1", protected, b"", auth[0]])
        self.assertEqual(len(to_sign), 65)
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), keys[kid])
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        key.verify(utils.encode_dss_signature(r, s), to_sign, ec.ECDSA(hashes.SHA256()))

    def test_10a_a_failed_verification_is_reported_and_nothing_is_pending(self):
        scenarios.foreign_signature(self.lab, self.device("flow-10a"))

    def test_13a_14a_a_failed_self_test_rolls_back_and_is_reported(self):
        scenarios.self_test_fails(self.lab, self.device("flow-13a"))

    def test_the_events_tell_the_story_in_order(self):
        device = self.device("story")
        campaign = scenarios.good_update(self.lab, [device], firmware="3.0.0")
        kinds = [e["kind"] for e in self.lab.platform.events(campaign=campaign) if e["kind"].startswith("job.")]
        told = [k for k in ("job.created", "job.offered", "job.accepted", "job.verified", "job.permitted", "job.committed",
                            "job.succeeded") if k in kinds]
        self.assertEqual(told, sorted(told, key=kinds.index))
        self.assertIn("job.succeeded", kinds)

    def test_events_are_streamed_to_a_follower(self):
        follower = subprocess.Popen([str(self.lab.platform.bin / "pawl"), "--json", "events", "-f"], stdout=subprocess.PIPE,
                                    env={"PAWL_CONFIG": str(self.lab.platform.cli_config), "HOME": str(self.folder)}, text=True)
        self.addCleanup(follower.stdout.close)
        self.addCleanup(follower.wait)
        self.addCleanup(follower.kill)
        self.lab.platform.cli("device", "claim", "followed", "--class", "virtual-1", "--out", self.folder / "followed.claim")

        def seen():
            event = json.loads(follower.stdout.readline())
            return event["kind"] == "device.claimed" and event["device"] == "followed"
        wait_for("the event of the claim", seen, 20)


if __name__ == "__main__":
    unittest.main(verbosity=2)
