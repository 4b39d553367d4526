// What happens to the update machine, as data. The list: agent/core/events.def.
#pragma once

#include <variant>

#include "agent/core/boot_facts.h"
#include "agent/core/time.h"
#include "wire/messages.h"

namespace pawl::agent::event {

struct Started {};
struct LinkUp {};
struct LinkDown {};
using Welcome = wire::Welcome;
using JobOffer = wire::JobOffer;
using Cancel = wire::Cancel;
using Ack = wire::Ack;
using PermitAnswer = wire::PermitAnswer;
struct Tick {};
struct FetchBegan {};
struct Progress {
  std::uint64_t bytes = 0;
};
struct Fetched {};
struct FetchFailed {
  Error error;
};
struct Sealed {};
struct SealFailed {
  Error error;
};
struct BootChanged {
  BootFacts facts;
};
struct BootRefused {
  Error error;
};
struct TestsPassed {};
struct TestFailed {
  Reason reason = Reason::kSelfTestFailed;
  std::string detail;  // the failing test's name first
};
struct LedgerFailed {
  Error error;
};
struct NoJob {};
using Job = wire::Job;
struct ManifestHolds {
  wire::Job job;
  Manifest manifest;
  Digest digest{};
};
struct ManifestRefused {
  std::uint64_t n = 0;
  Digest digest{};  // as the envelope claims; zeros if it is not even well-formed
  Error error;
};
struct PermitHolds {};
struct PermitWrong {
  Reason reason = Reason::kPermitSignature;
};
struct PermitLate {};
struct PermitWait {
  std::uint32_t wait_s = 0;
};
struct RaiseFloor {
  std::uint32_t value = 0;
};

}  // namespace pawl::agent::event

namespace pawl::agent {

enum class EventKind : std::uint8_t {
#define PAWL_EVENT(name, text) k##name,
#include "agent/core/events.def"
#undef PAWL_EVENT
  kCount,
};

// In the order of events.def: a Happening's index is its EventKind.
using Happening =
    std::variant<event::Started, event::LinkUp, event::LinkDown, event::Welcome, event::JobOffer, event::Cancel,
                 event::Ack, event::PermitAnswer, event::Tick, event::FetchBegan, event::Progress, event::Fetched,
                 event::FetchFailed, event::Sealed, event::SealFailed, event::BootChanged, event::BootRefused,
                 event::TestsPassed, event::TestFailed, event::LedgerFailed, event::NoJob, event::Job,
                 event::ManifestHolds, event::ManifestRefused, event::PermitHolds, event::PermitWrong,
                 event::PermitLate, event::PermitWait, event::RaiseFloor>;
static_assert(std::variant_size_v<Happening> == static_cast<std::size_t>(EventKind::kCount));

struct Event {
  Happening what;
  Draw draw;
};

inline EventKind KindOf(const Happening& what) { return static_cast<EventKind>(what.index()); }

}  // namespace pawl::agent
