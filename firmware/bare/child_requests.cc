// A Child's answers. Source: docs/spec/serial.md, "What the child does with a request".
#include "firmware/bare/child.h"

namespace pawl::firmware {
namespace {

using serial::Answer;

template <class T>
Result<Answer> AnswerOf(const Result<T>& result) {
  if (!result) return std::unexpected(result.error());
  return Answer(*result);
}
Result<Answer> DoneOr(const Status& status) {
  if (!status) return std::unexpected(status.error());
  return Answer(serial::Done{});
}

}  // namespace

void Child::Serve(ByteView payload, std::uint64_t now_ms) {
  const auto request = serial::DecodeRequest(payload);
  if (!request) {
    constexpr std::size_t kNumberAt = 1;
    if (payload.size() > kNumberAt) Send(payload[kNumberAt], std::unexpected(request.error()));
    return;
  }
  std::visit(
      [&]<class T>(const T& message) {
        if constexpr (std::is_same_v<T, serial::Nonce>) {
          connectivity_.Take(message, now_ms);
          not_before_ms_ = std::min(not_before_ms_, now_ms);
        } else {
          Send(request->number, On(message));
        }
      },
      request->request);
}

void Child::Send(std::uint8_t number, const Result<Answer>& answer) {
  const Answer sent = answer ? *answer : serial::Refused{answer.error().reason, answer.error().detail.view()};
  setup_.port.Send(serial::Pack(serial::Encode(serial::NumberedAnswer{number, sent})));
}

void Child::Tell(const serial::Telling& telling) { setup_.port.Send(serial::Pack(serial::Encode(telling))); }

Result<Answer> Child::On(const serial::AskFacts&) {
  PAWL_ASSIGN(const BootableManifest manifest, manifest_);
  const HandOff& hand_off = setup_.hand_off;
  serial::Facts facts;
  std::copy_n(boot_.begin(), facts.boot.size(), facts.boot.begin());
  facts.slot = static_cast<std::uint8_t>(hand_off.slot);
  facts.mode = static_cast<std::uint8_t>(hand_off.mode);
  facts.cause = static_cast<std::uint8_t>(hand_off.cause);
  facts.trial = hand_off.trial;
  facts.security_version = hand_off.security_version;
  facts.watchdog_ms = hand_off.watchdog_ms;
  facts.record.fill(0xFF);
  const RecordState& state = setup_.record.state();
  if (state.kind == RecordKind::kValid) facts.record = EncodeRecord(state.record);
  facts.image_digest = manifest.get().image_digest;
  facts.manifest_digest = manifest.digest();
  facts.image_version = ToText(manifest.get().version);
  facts.sequence = manifest.get().sequence;
  facts.trial_budget_s = manifest.get().trial_budget_s;
  facts.rom_digest = setup_.rom_digest;
  facts.slot_bytes = setup_.slots[static_cast<std::size_t>(staging_slot_)]->bytes();
  facts.sector_bytes = setup_.slots[static_cast<std::size_t>(staging_slot_)]->sector_bytes();
  facts.tests = tests_;
  facts.tests_detail = tests_detail_;
  facts_asked_ = true;
  return Answer(facts);
}

Result<Answer> Child::On(const serial::Begin& request) {
  if (tests_ == serial::Tests::kRunning || tests_ == serial::Tests::kFailed) {
    return Fail(Reason::kNotReady, "the running image has not passed its self-tests");
  }
  return AnswerOf(staging_.Begin(request));
}

Result<Answer> Child::On(const serial::HashStaged& request) { return AnswerOf(staging_.Hash(request)); }
Result<Answer> Child::On(const serial::Write& request) { return AnswerOf(staging_.Write(request)); }
Result<Answer> Child::On(const serial::Envelope& request) { return AnswerOf(staging_.TakeEnvelope(request)); }

Result<Answer> Child::On(const serial::Seal&) {
  PAWL_ASSIGN(const BootableManifest running, manifest_);
  return DoneOr(staging_.Seal(running.get()));
}

Result<Answer> Child::On(const serial::Pending& request) {
  const BootRecord& record = setup_.record.state().record;
  if (staging_.sealed() != request.manifest_digest) {
    return Fail(Reason::kConflict, "Pending: not the manifest that was sealed in this boot");
  }
  const bool done =
      record.pending == staging_slot_ && record.trial_digest == request.manifest_digest && record.job == request.job;
  if (done) return Answer(serial::Done{});
  return Settle(SetPending(record, setup_.hand_off.slot,
                           {.slot = staging_slot_, .job = request.job, .manifest_digest = request.manifest_digest}));
}

Result<Answer> Child::On(const serial::SettleRollback& request) {
  const BootRecord& record = setup_.record.state().record;
  if (!record.owed && record.trial == request.trial && record.job == request.job) return Answer(serial::Done{});
  return Settle(pawl::SettleRollback(record, request.trial, request.job));
}

Result<Answer> Child::On(const serial::SettleEmergency& request) {
  const BootRecord& record = setup_.record.state().record;
  const bool open = record.emergency_reason != Reason::kNone;
  if (!open && record.emergency_count == request.count) return Answer(serial::Done{});
  return Settle(pawl::SettleEmergency(record, request.count));
}

Result<Answer> Child::On(const serial::RaiseFloor& request) {
  const BootRecord& record = setup_.record.state().record;
  if (record.floor == request.value) return Answer(serial::Done{});
  return Settle(pawl::RaiseFloor(record, setup_.hand_off.slot, request.value, setup_.hand_off.security_version));
}

Result<Answer> Child::On(const serial::Reset&) {
  reset_wanted_ = true;
  return Answer(serial::Done{});
}

Status Child::Commit(const Result<BootRecord>& next) {
  if (!next) return std::unexpected(next.error());
  return setup_.record.Commit(*next);
}

Result<Answer> Child::Settle(const Result<BootRecord>& next) { return DoneOr(Commit(next)); }

}  // namespace pawl::firmware
