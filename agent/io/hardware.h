// What the agent keeps up to date: the machine that it runs on (agent/io/local_hardware.h), or a child behind a serial
// line (agent/io/serial/child_hardware.h).
#pragma once

#include <poll.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "agent/core/actions.h"
#include "agent/core/events.h"
#include "agent/io/boot_control.h"
#include "agent/io/config.h"
#include "agent/io/http.h"

namespace pawl::agent {

class Hardware {
 public:
  Hardware() = default;
  Hardware(const Hardware&) = delete;
  Hardware& operator=(const Hardware&) = delete;
  virtual ~Hardware() = default;

  virtual BootControl& boot() = 0;
  virtual std::uint64_t slot_bytes() const = 0;
  virtual std::uint32_t watchdog_ms() const = 0;  // its window; 0: there is none

  // What was fetched becomes what may be booted: envelope, read-back, signature. Replaces a sealing that runs.
  // Outcome, by Work: Sealed or SealFailed. Errors: it did not begin, so no outcome follows.
  virtual Status StartSealing(const action::Seal& seal) = 0;
  virtual void StopSealing() = 0;
  // Outcome, by Work: TestsPassed or TestFailed.
  virtual void StartTests() = 0;
  // Starts the watchdog's window again: outside a trial, that is the loop's to do. Errors: i/o error.
  virtual Status Feed() = 0;
  // Asks for a reset. It comes from outside, soon. Errors: i/o error, unavailable.
  virtual Status Reset() = 0;

  // The loop: what to wait for, when Work is due at the latest (TimePoint::ms), and what has happened.
  virtual void AddTo(std::vector<pollfd>& fds) const = 0;
  virtual std::uint64_t NextMs() const = 0;
  virtual std::vector<Happening> Work(std::uint64_t now_ms) = 0;
  // It was started anew, or does not answer: what the agent knows of it no longer holds. Why.
  virtual std::optional<Error> gone() const { return std::nullopt; }
};

// Made by the agent, out of what is the agent's. Lifetime: the hardware keeps all three.
using MakeHardware =
    std::move_only_function<Result<std::unique_ptr<Hardware>>(const Config&, const KeyTable& anchors, HttpClient&)>;

}  // namespace pawl::agent
