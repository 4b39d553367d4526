// The checks P1..P7 between a permit and the boot record's commit. Source: docs/spec/protocol.md, "The permit".
#pragma once

#include <optional>

#include "agent/core/boot_facts.h"
#include "trust/verify/verify.h"
#include "wire/messages.h"

namespace pawl::agent {

// The latest `ready` of this boot, until its permit is used or refused.
struct OpenReady {
  Nonce nonce{};
  std::uint64_t sent_ms = 0;
};

struct PermitContext {
  std::string_view device;   // own certificate's CN
  std::uint64_t job = 0;     // own current job
  bool verified = false;     // its phase is verified, and its image was read back since this boot
  Digest manifest_digest{};  // of the staged manifest
  std::optional<OpenReady> ready;
  const BootFacts* boot = nullptr;
};

enum class PermitVerdict : std::uint8_t {
  kHolds,   // all seven
  kWrong,   // P1, P2, P4: told to the platform, with the reason; the job stays verified
  kIgnore,  // P3, P5: used, old or replayed
  kLate,    // P6, P7: the device asks again
};

struct PermitOutcome {
  PermitVerdict verdict = PermitVerdict::kIgnore;
  Reason reason = Reason::kNone;
};

PermitOutcome CheckPermit(const Result<VerifiedPermit>& permit, const PermitContext& context, std::uint64_t now_ms);

}  // namespace pawl::agent
