#!/usr/bin/python3
"""The HSM is away: releases and permits wait and say so; everything else goes on; when it is back, they go on by themselves."""
import unittest

from common import LabTest, scenarios, wait_for


class HsmAway(LabTest):
    def take_away(self):
        tokens = self.lab.platform.data / "hsm" / "tokens"
        away = tokens.with_name("tokens.away")
        tokens.rename(away)
        self.addCleanup(lambda: away.exists() and away.rename(tokens))
        return lambda: away.rename(tokens)

    def test_releases_wait_and_say_so(self):
        give_back = self.take_away()
        platform = self.lab.platform
        artifact = platform.cli_json("artifact", "upload", self.lab.firmware("3.0.0"))
        release = platform.cli_json("release", "create", "--class", "virtual-1", "--version", "3.0.0", "--artifact", artifact["digest"])
        shown = wait_for("the release to say what it waits for",
                         lambda: (lambda r: r if r.get("waiting") else None)(platform.api("GET", f"/releases/{release['id']}")), 30)
        self.assertEqual(shown["state"], "signing")
        self.assertIn("HSM", shown["waiting"])
        self.assertEqual(platform.api("GET", "/healthz", raw=True)[0], 200)
        give_back()
        wait_for("the release to be published",
                 lambda: platform.api("GET", f"/releases/{release['id']}")["state"] == "published", 60)

    def test_permits_wait_and_nobody_boots(self):
        device = self.device("no-permit")
        release = self.lab.release("2.1.0")
        give_back = self.take_away()
        campaign = self.lab.campaign("no-permit", release, [device])
        job = wait_for("the device to be verified and waiting",
                       lambda: (lambda j: j if j["state"] == "verified" and j.get("waiting") else None)(self.lab.platform.jobs(campaign)[0]), 60)
        self.assertIn("HSM", job["waiting"])
        self.assertIn("HSM", self.lab.platform.cli("why", device.name))
        self.assertEqual(scenarios.running_version(device), "1.0.0")
        give_back()
        scenarios.ended(self.lab, campaign, device, "succeeded", "none", 120)


if __name__ == "__main__":
    unittest.main(verbosity=2)
