#!/usr/bin/python3
"""The nine scenarios of the demo, each on a device of its own."""
import unittest

from common import LabTest, scenarios


class Scenarios(LabTest):
    def test_1_a_good_update_ends_confirmed_on_every_device(self):
        devices = [self.device(f"good-{n}") for n in range(3)]
        scenarios.good_update(self.lab, devices)

    def test_2_an_artifact_altered_in_the_store_is_refused_at_the_first_bad_chunk(self):
        scenarios.altered_artifact(self.lab, self.device("altered"))

    def test_3_a_manifest_signed_by_another_key_is_refused_with_nothing_downloaded(self):
        scenarios.foreign_signature(self.lab, self.device("foreign"))

    def test_4_firmware_for_another_class_is_refused_by_platform_and_device(self):
        scenarios.wrong_class(self.lab, self.device("other-class"))

    def test_5_a_failing_self_test_rolls_back_and_is_named(self):
        scenarios.self_test_fails(self.lab, self.device("self-test"))

    def test_6_a_hang_ends_by_the_watchdog_and_is_reported(self):
        scenarios.firmware_hangs(self.lab, self.device("hang"))

    def test_7_firmware_without_network_rolls_back_and_the_old_one_reports_it(self):
        scenarios.network_broken(self.lab, self.device("network"))

    def test_8_a_power_cut_in_the_download_costs_at_most_one_chunk(self):
        scenarios.power_cut_in_download(self.lab, self.device("power", download_rate_max=1 << 19))

    def test_9_a_suspended_device_is_thrown_off_and_its_job_waits(self):
        scenarios.suspended_device(self.lab, self.device("suspended"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
