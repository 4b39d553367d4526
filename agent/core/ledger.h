// The device's ledger: its one current job and the number of its newest snapshot. It stays on the data partition and is
// written before the message that tells it. What happened at boot is not in it: the boot record alone knows that.
//
// Format  docs/spec/agent.md, "Ledger". Trial firmware never changes it: the old agent must read it after a rollback.
#pragma once

#include <optional>

#include "agent/core/cell.h"
#include "wire/messages.h"

namespace pawl::agent {

inline constexpr CellKind kLedgerKind{{'P', 'W', 'L', '1'}, 1, "ledger"};

struct Ledger {
  wire::Journal journal{};       // random when the ledger is created
  std::uint64_t rev = 0;         // of the newest snapshot
  std::uint64_t time_floor = 0;  // the highest platform time seen, seconds since 1970
  // phase is at most `committed`, or refused or cancelled; the steps show the later ones too, for people.
  std::optional<wire::JobState> job;
};

// What does not fit is cut: the detail at wire::kMaxDetailBytes, the steps at the newest wire::kMaxSteps.
CellPayload EncodeLedger(const Ledger& ledger);
// Errors: corrupt (a value out of range).
Result<Ledger> DecodeLedger(const CellPayload& payload);

// How far the download into the staging slot has come. It is a hint: what lies in the slot is hashed again before it
// counts, so a stale journal costs time, never truth.
inline constexpr CellKind kJournalKind{{'P', 'W', 'J', '1'}, 1, "download journal"};

struct DownloadJournal {
  Digest manifest{};         // SUIT_Digest of what is being staged
  std::uint64_t chunks = 0;  // so many, from the first on, had arrived whole
};

CellPayload EncodeJournal(const DownloadJournal& journal);
DownloadJournal DecodeJournal(const CellPayload& payload);

}  // namespace pawl::agent
