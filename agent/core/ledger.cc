#include "agent/core/ledger.h"

#include <algorithm>

namespace pawl::agent {
namespace {

std::unexpected<Error> Corrupt(std::string_view what) { return Fail(Reason::kCorrupt, what); }

bool MayStandInLedger(wire::Phase phase) {
  return phase <= wire::Phase::kCommitted || phase == wire::Phase::kRefused || phase == wire::Phase::kCancelled;
}

void WriteJob(PayloadWriter& writer, const wire::JobState& job) {
  writer.Number(job.n);
  writer.Bytes(job.digest);
  writer.Number(static_cast<std::uint8_t>(job.phase));
  writer.Number(static_cast<std::uint16_t>(job.reason));
  const std::size_t detail_bytes = std::min(job.detail.size(), wire::kMaxDetailBytes);
  writer.Number(static_cast<std::uint8_t>(detail_bytes));
  writer.Bytes(AsBytes(job.detail).first(detail_bytes));
  const std::size_t steps = std::min(job.steps.size(), wire::kMaxSteps);
  writer.Number(static_cast<std::uint8_t>(steps));
  for (std::size_t i = job.steps.size() - steps; i < job.steps.size(); ++i) {
    writer.Number(static_cast<std::uint8_t>(job.steps[i].phase));
    writer.Number(job.steps[i].at);
  }
}

Result<wire::JobState> ReadJob(PayloadReader& reader) {
  wire::JobState job;
  job.n = reader.Number<std::uint64_t>();
  reader.Bytes(job.digest);
  job.phase = static_cast<wire::Phase>(reader.Number<std::uint8_t>());
  if (!MayStandInLedger(job.phase)) return Corrupt("ledger: phase");
  job.reason = static_cast<Reason>(reader.Number<std::uint16_t>());
  const auto detail_bytes = reader.Number<std::uint8_t>();
  if (detail_bytes > wire::kMaxDetailBytes) return Corrupt("ledger: detail");
  job.detail.resize(detail_bytes);
  reader.Bytes({reinterpret_cast<std::uint8_t*>(job.detail.data()), job.detail.size()});
  const auto steps = reader.Number<std::uint8_t>();
  if (steps > wire::kMaxSteps) return Corrupt("ledger: steps");
  for (std::size_t i = 0; i < steps; ++i) {
    const auto phase = static_cast<wire::Phase>(reader.Number<std::uint8_t>());
    if (phase > wire::Phase::kCancelled) return Corrupt("ledger: step");
    job.steps.push_back({phase, reader.Number<std::uint64_t>()});
  }
  return job;
}

}  // namespace

CellPayload EncodeLedger(const Ledger& ledger) {
  CellPayload payload{};
  PayloadWriter writer(payload);
  writer.Bytes(ledger.journal);
  writer.Number(ledger.rev);
  writer.Number(ledger.time_floor);
  writer.Number(static_cast<std::uint8_t>(ledger.job ? 1 : 0));
  if (ledger.job) WriteJob(writer, *ledger.job);
  return payload;
}

Result<Ledger> DecodeLedger(const CellPayload& payload) {
  Ledger ledger;
  PayloadReader reader(payload);
  reader.Bytes(ledger.journal);
  ledger.rev = reader.Number<std::uint64_t>();
  ledger.time_floor = reader.Number<std::uint64_t>();
  const auto has_job = reader.Number<std::uint8_t>();
  if (has_job > 1) return Corrupt("ledger: job flag");
  if (has_job == 1) {
    PAWL_ASSIGN(ledger.job, ReadJob(reader));
  }
  if (!reader.whole()) return Corrupt("ledger: too short");
  return ledger;
}

CellPayload EncodeJournal(const DownloadJournal& journal) {
  CellPayload payload{};
  PayloadWriter writer(payload);
  writer.Bytes(journal.manifest);
  writer.Number(journal.chunks);
  return payload;
}

DownloadJournal DecodeJournal(const CellPayload& payload) {
  DownloadJournal journal;
  PayloadReader reader(payload);
  reader.Bytes(journal.manifest);
  journal.chunks = reader.Number<std::uint64_t>();
  return journal;
}

}  // namespace pawl::agent
