#include "boot/port/bare/report.h"

#include "base/text.h"
#include "base/version.h"
#include "boot/port/board.h"

namespace pawl::bare {
namespace {

// One line, up to its end at the semicolon of the full expression.
class Line {
 public:
  Line() { board::Print("boot: "); }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  ~Line() { board::Print("\n"); }

  const Line& operator<<(std::string_view text) const {
    board::Print(text);
    return *this;
  }
  const Line& operator<<(std::uint64_t number) const { return *this << BoundedText<20>().append_number(number).view(); }
  const Line& operator<<(const Error& error) const {
    *this << Name(error.reason).view();
    if (!error.detail.empty()) *this << ": " << error.detail.view();
    return *this;
  }
};

void ReportSlot(const Booted& boot, Slot slot) {
  const SlotFacts& facts = boot.facts.of(slot);
  if (!facts.verified) {
    Line() << "slot " << Text(slot) << " does not verify: " << boot.verdicts[static_cast<std::size_t>(slot)].error();
    return;
  }
  std::array<char, 12> digest{};  // enough to tell two manifests apart
  Line() << "slot " << Text(slot) << " verifies: manifest "
         << HexEncode(ByteView(facts.manifest_digest).first(6), digest) << ", sequence " << facts.sequence
         << ", security version " << facts.security_version;
}

// What the decision changed in the record, besides the boot itself.
void ReportChanges(const Booted& boot) {
  const BootRecord& before = boot.found.record;
  const BootRecord& after = boot.settled.decision.next;
  if (!boot.settled.committed) {
    Line() << "the boot record cannot be written: " << boot.settled.committed.error();
  }
  if (after.owed && !before.owed) {
    Line() << "rollback of trial " << after.trial << ": " << Name(after.reason).view()
           << (after.detail.empty() ? "" : ": ") << after.detail.view();
  }
  if (after.emergency_count != before.emergency_count) Line() << "emergency: " << Name(after.emergency_reason).view();
}

void ReportTrial(const BootDecision& decision, std::string_view version) {
  const bool power = decision.row() == BootRow::kB5;
  const std::uint64_t most = power ? kMaxPower : kMaxAttempts;
  const std::uint64_t left = power ? decision.next.power_attempts_left : decision.next.attempts_left;
  Line() << Text(decision.row()) << " trial of slot " << Text(*decision.slot) << ", version " << version
         << (power ? ", power attempt " : ", attempt ") << most - left << " of " << most;
}

}  // namespace

void ReportStart(ResetCause cause) {
  Line() << "pawl " << kVersion << " on " << board::Name() << ", reset cause " << Text(cause);
}

void ReportRefused(const Error& why) { Line() << "does not start: " << why; }

void Report(const Booted& boot) {
  for (const Slot slot : {Slot::kA, Slot::kB}) ReportSlot(boot, slot);
  ReportChanges(boot);
  const BootDecision& decision = boot.settled.decision;
  if (!boot.image) {
    Line() << Text(decision.row())
           << " recovery: no slot holds an image that verifies; nothing runs. Write a genuine "
              "image with its envelope into a slot";
    return;
  }
  const auto version = ToText(boot.image->manifest().get().version);
  if (decision.mode == BootMode::kTrial) {
    ReportTrial(decision, version.view());
  } else {
    Line() << Text(decision.row()) << " slot " << Text(*decision.slot) << ", version " << version.view() << ", mode "
           << Text(decision.mode);
  }
  Line() << "jumps " << board::Milliseconds() << " ms after the start";
}

}  // namespace pawl::bare
