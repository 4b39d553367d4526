// A board that counts.
#pragma once

#include "agent/io/board.h"

namespace pawl::agent {

class FakeBoard final : public Board {
 public:
  const HandOff& hand_off() const override { return given; }
  Status Feed() override {
    ++feeds;
    return {};
  }
  Status Reset() override {
    ++resets;
    return {};
  }

  HandOff given{Slot::kA, BootMode::kTrial, ResetCause::kSoftware, 1, 0, 1600};
  int feeds = 0;
  int resets = 0;
};

}  // namespace pawl::agent
