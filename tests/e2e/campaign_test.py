#!/usr/bin/python3
"""What an operator does with a campaign while it runs: cancel, pause and resume, retry, filter, and what is refused."""
import unittest

from common import LabTest, scenarios, wait_for

SLOW = {"download_rate_max": 1 << 19}


class Campaigns(LabTest):
    def under_way(self, campaign):
        wait_for("the download to be under way",
                 lambda: (self.lab.platform.jobs(campaign)[0].get("progress") or {}).get("bytes", 0) > 1 << 19, 60, 0.05)

    def test_cancel_in_the_download_stops_the_device_and_nothing_boots(self):
        device = self.device("cancelled", **SLOW)
        campaign = self.lab.campaign("cancelled", self.lab.release("2.1.0"), [device])
        self.under_way(campaign)
        self.lab.platform.cli("campaign", "cancel", campaign, "--reason", "changed our mind")
        scenarios.ended(self.lab, campaign, device, "cancelled", "cancelled")
        self.assertEqual(scenarios.running_version(device), "1.0.0")
        self.assertIsNone(device.record()["pending"])

    def test_a_paused_campaign_grants_no_permit_until_it_is_resumed(self):
        device = self.device("paused", **SLOW)
        campaign = self.lab.campaign("paused", self.lab.release("2.1.0"), [device])
        self.under_way(campaign)
        self.lab.platform.cli("campaign", "pause", campaign, "--reason", "lunch")
        job = wait_for("the device to be verified and waiting",
                       lambda: (lambda j: j if j["state"] == "verified" and j.get("waiting") else None)(self.lab.platform.jobs(campaign)[0]), 60)
        self.assertIn("paused", job["waiting"])
        self.assertEqual(scenarios.running_version(device), "1.0.0")
        self.lab.platform.cli("campaign", "resume", campaign, "--reason", "lunch is over")
        scenarios.ended(self.lab, campaign, device, "succeeded", "none", 120)

    def test_a_rolled_back_device_is_retried_with_a_new_job(self):
        device = self.device("retried")
        campaign = scenarios.self_test_fails(self.lab, device)
        self.lab.platform.cli("campaign", "retry", campaign)
        jobs = wait_for("the second job to be rolled back too", lambda: (lambda js: js if len(js) == 2 and all(
            j["state"] == "rolled_back" for j in js) else None)(self.lab.platform.jobs(campaign)), 90)
        self.assertEqual({j["n"] for j in jobs}, {1, 2})

    def test_a_device_with_an_open_job_is_refused_by_name(self):
        device = self.device("busy", **SLOW)
        campaign = self.lab.campaign("busy", self.lab.release("2.1.0"), [device])
        refused = self.lab.platform.cli_run("campaign", "create", "--name", "second", "--release", self.lab.release("3.0.0")["id"],
                                            "--device", device.name)
        self.assertEqual(refused.returncode, 4)
        self.assertIn("busy", refused.stderr)
        scenarios.ended(self.lab, campaign, device, "succeeded", "none")

    def test_a_filter_chooses_devices_and_watch_ends_with_the_campaign(self):
        chosen, other = self.device("site-1"), self.device("other-1")
        release = self.lab.release("2.1.0")
        done = self.lab.platform.cli_run("campaign", "create", "--name", "filtered", "--release", release["id"], "--filter", "id=site-*",
                                         "--watch")
        self.assertEqual(done.returncode, 0, done.stderr)
        chosen.wait_confirmed("2.1.0")
        self.assertEqual(scenarios.running_version(other), "1.0.0")


if __name__ == "__main__":
    unittest.main(verbosity=2)
