#!/usr/bin/python3
"""A device that is connected and does not answer: timed out, an alert, a retry by the operator; a late truth still counts."""
import os
import signal
import unittest

from common import LabTest, scenarios, wait_for
from crash_test import children


class Timeouts(LabTest):
    platform_options = {"acknowledge_within_s": 1}

    def freeze(self, device):
        """Stops the image without ending it: the connection stays, nobody answers."""
        for pid in children(device.machine.process.pid):
            os.kill(pid, signal.SIGSTOP)

    def test_a_job_that_nobody_acknowledges_is_marked_and_alerts_and_a_late_answer_overwrites_the_mark(self):
        device = self.device("frozen")
        self.freeze(device)
        campaign = self.lab.campaign("frozen", self.lab.release("2.1.0"), [device])
        wait_for("the job to be marked", lambda: self.lab.platform.jobs(campaign)[0]["timed_out"], 10)
        alert = wait_for("the alert", lambda: self.lab.platform.events(campaign=campaign, kind="job.timed_out"), 10)[0]
        self.assertEqual(alert["severity"], "alert")
        # The watchdog resets what hangs; the agent comes back, takes the job, and the truth overwrites the mark.
        scenarios.ended(self.lab, campaign, device, "succeeded", "none")
        self.assertFalse(self.lab.platform.jobs(campaign)[0]["timed_out"])

    def test_the_operator_retries_a_job_that_timed_out(self):
        device = self.device("retried")
        self.freeze(device)
        campaign = self.lab.campaign("retried", self.lab.release("2.1.0"), [device])
        job = wait_for("the job to be marked",
                       lambda: (lambda j: j if j["timed_out"] else None)(self.lab.platform.jobs(campaign)[0]), 10)
        self.lab.platform.cli("job", "retry", job["id"])
        jobs = self.lab.platform.jobs(campaign)
        self.assertEqual(sorted(j["n"] for j in jobs), [job["n"], job["n"] + 1])
        newest = wait_for("the new job to succeed", lambda: [j for j in self.lab.platform.jobs(campaign)
                                                             if j["n"] == job["n"] + 1 and j["state"] == "succeeded"], 90)
        self.assertTrue(newest)
        device.wait_confirmed("2.1.0")


if __name__ == "__main__":
    unittest.main(verbosity=2)
