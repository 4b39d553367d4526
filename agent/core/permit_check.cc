#include "agent/core/permit_check.h"

#include <algorithm>

namespace pawl::agent {

PermitOutcome CheckPermit(const Result<VerifiedPermit>& permit, const PermitContext& context, std::uint64_t now_ms) {
  if (!permit) return {PermitVerdict::kWrong, Reason::kPermitSignature};  // P1
  const Permit& says = permit->get();
  if (says.device.view() != context.device) return {PermitVerdict::kWrong, Reason::kPermitOtherDevice};     // P2
  if (says.job != context.job || !context.verified) return {PermitVerdict::kIgnore, Reason::kPermitStale};  // P3
  if (says.manifest_digest != context.manifest_digest) {
    return {PermitVerdict::kWrong, Reason::kPermitOtherImage};  // P4
  }
  if (!context.ready || says.nonce != context.ready->nonce) {
    return {PermitVerdict::kIgnore, Reason::kPermitStale};  // P5
  }
  const std::uint64_t life_ms = std::uint64_t{1000} * std::min(says.use_within_s, kMaxPermitLifeS);
  if (now_ms < context.ready->sent_ms || now_ms - context.ready->sent_ms > life_ms) {
    return {PermitVerdict::kLate, Reason::kPermitStale};  // P6
  }
  const BootRecord& record = context.boot->record;
  if (context.boot->mode != BootMode::kNormal || record.pending || record.owed ||
      record.confirmed != context.boot->slot) {
    return {PermitVerdict::kLate, Reason::kPrecondition};  // P7
  }
  return {PermitVerdict::kHolds, Reason::kNone};
}

}  // namespace pawl::agent
