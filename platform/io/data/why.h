// Why a device has not updated: one sentence, the steps that lead there, a remedy. From rows only.
#pragma once

#include "platform/io/data/devices.h"
#include "platform/io/data/jobs.h"

namespace pawl::data {

struct WhyStep {
  std::string text;
  bool ok = false;
};
struct Why {
  std::string device;
  std::string verdict;  // one sentence
  std::vector<WhyStep> steps;
  std::string remedy;
};
Result<Why> WhyNotUpdated(sql::Tx& tx, std::string_view device);  // errors: not found

struct Health {
  bool ok = false;  // only what the device has told and proven counts: silence is never health
  std::string text;
};
Health HealthOf(const Device& device);

}  // namespace pawl::data
