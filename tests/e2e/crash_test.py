#!/usr/bin/python3
"""kill -9 of each part in the middle of an update: when the part is back, the update goes on by itself."""
import os
import pathlib
import signal
import unittest

from common import LabTest, scenarios, wait_for

SLOW = {"download_rate_max": 1 << 19}


def children(pid):
    """Pids of the processes below this one."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child)] + children(int(child))
    return found


def child_named(pid, name):
    for child in children(pid):
        try:
            if name in pathlib.Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0].decode():
                return child
        except OSError:
            continue
    return None


class Crashes(LabTest):
    def start_update(self, device, firmware="2.1.0"):
        return self.lab.campaign(f"crash-{device.name}", self.lab.release(firmware), [device])

    def wait_state(self, campaign, states, deadline_s=60):
        def reached():
            job = self.lab.platform.jobs(campaign)[0]
            return job if job["state"] in states else None
        return wait_for(f"the job to be {states}", reached, deadline_s, 0.02)

    def wait_downloading(self, campaign):
        def under_way():
            job = self.lab.platform.jobs(campaign)[0]
            return (job.get("progress") or {}).get("bytes", 0) > 1 << 20 or job["state"] in ("verified", "committed")
        wait_for("the download to be under way", under_way, 60, 0.02)

    def finish(self, device, campaign):
        scenarios.ended(self.lab, campaign, device, "succeeded", "none")
        device.wait_confirmed("2.1.0")

    def test_platform_killed_while_a_device_downloads(self):
        device = self.device("platform-download", **SLOW)
        campaign = self.start_update(device)
        self.wait_downloading(campaign)
        self.lab.platform.kill()
        self.lab.platform.start()
        self.finish(device, campaign)

    def test_platform_killed_while_a_device_is_in_its_trial(self):
        device = self.device("platform-trial")
        campaign = self.start_update(device)
        device.wait_serial("mode=trial", 60)
        self.lab.platform.kill()
        self.lab.platform.start()
        self.finish(device, campaign)

    def test_platform_killed_right_after_the_campaign_was_acknowledged(self):
        device = self.device("platform-created")
        campaign = self.start_update(device)
        self.lab.platform.kill()
        self.lab.platform.start()
        self.finish(device, campaign)

    def test_broker_killed_while_a_device_downloads(self):
        device = self.device("broker-download", **SLOW)
        campaign = self.start_update(device)
        self.wait_downloading(campaign)
        broker = child_named(self.lab.platform.child.process.pid, "mosquitto")
        self.assertIsNotNone(broker, "pawld has no mosquitto child")
        os.kill(broker, signal.SIGKILL)
        self.finish(device, campaign)
        self.assertNotEqual(child_named(self.lab.platform.child.process.pid, "mosquitto"), broker)

    def test_signer_killed_before_the_permit(self):
        device = self.device("signer", **SLOW)
        campaign = self.start_update(device)
        self.wait_downloading(campaign)
        signer = child_named(self.lab.platform.child.process.pid, "pawl-signer")
        self.assertIsNotNone(signer, "pawld has no pawl-signer child")
        os.kill(signer, signal.SIGKILL)
        self.finish(device, campaign)

    def test_agent_killed_while_it_downloads(self):
        device = self.device("agent-download", **SLOW)
        campaign = self.start_update(device)
        self.wait_downloading(campaign)
        images = children(device.machine.process.pid)
        self.assertTrue(images, "the machine runs no image")
        for pid in images:
            os.kill(pid, signal.SIGKILL)
        self.finish(device, campaign)
        self.assertLessEqual(scenarios.resumed(device)["chunks_again"], 1)

    def test_machine_killed_while_it_downloads(self):
        device = self.device("machine-download", **SLOW)
        campaign = self.start_update(device)
        self.wait_downloading(campaign)
        device.kill()
        staged = self.staged_chunks(device)
        self.assertGreater(staged, 1)
        device.power_on()
        self.finish(device, campaign)
        self.assertGreaterEqual(scenarios.resumed(device)["chunk"], staged - 1)
        self.assertLessEqual(scenarios.resumed(device)["chunks_again"], 1)

    def staged_chunks(self, device):
        """How many of the image's first chunks lie in the slot: what the device really had, whatever it says."""
        image = self.lab.firmware("2.1.0").read_bytes()
        slot = (device.folder / "flash" / "slot_b.bin").read_bytes()
        chunks = 0
        while (at := chunks * 65536) < len(image) and image[at:at + 65536] == slot[at:at + len(image[at:at + 65536])]:
            chunks += 1
        return chunks

    def test_machine_killed_in_the_trial_goes_on_with_the_trial(self):
        device = self.device("machine-trial")
        campaign = self.start_update(device)
        device.wait_serial("mode=trial", 60)
        device.kill()
        device.power_on()
        self.finish(device, campaign)

    def test_device_that_is_off_gets_its_job_when_it_returns(self):
        device = self.device("absent")
        device.power_off()
        campaign = self.start_update(device)
        wait_for("the platform to see it gone", lambda: not device.registered()["connected"], 30)
        self.assertEqual(self.lab.platform.jobs(campaign)[0]["state"], "queued")
        device.power_on()
        self.finish(device, campaign)


if __name__ == "__main__":
    unittest.main(verbosity=2)
