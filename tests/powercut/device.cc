#include "tests/powercut/device.h"

#include "boot/core/recheck.h"

namespace pawl::powercut {
namespace {

constexpr std::uint32_t kWatchdogMs = 3000;
constexpr std::size_t kChunkBytes = 128;  // an image is written in chunks
constexpr std::uint64_t kFirstJob = 1000;

std::uint8_t BitOf(Slot slot) { return static_cast<std::uint8_t>(1U << static_cast<unsigned>(slot)); }

// What runs is, byte for byte, the image of the release that its manifest names.
bool Released(const Booted& boot) {
  if (!boot.image) return false;
  for (std::uint32_t number = 0; number < kReleases; ++number) {
    const Release& release = ReleaseOf(number);
    if (release.manifest_digest == boot.image->manifest().digest()) return Equal(boot.image->image(), release.image);
  }
  return false;
}

// The planted bug: nothing says that the image before it is durable.
Status WriteEnvelopeUnflushed(FakeFlash& flash, ByteView envelope) {
  std::array<std::uint8_t, 8> header{'P', 'W', 'E', '1'};
  StoreLe(MutableBytes(header).subspan(4), static_cast<std::uint32_t>(envelope.size()));
  const std::uint64_t trailer = SlotImageBytesMax(flash.bytes());
  PAWL_TRY(flash.Program(trailer + header.size(), envelope));
  PAWL_TRY(flash.Program(trailer, header));
  return flash.Flush();
}

}  // namespace

void Device::Provision(Board& board) {
  const Release& release = ReleaseOf(0);
  FakeFlash& flash = board.fake(Slot::kA);
  PAWL_ASSERT(flash.Program(0, release.image).has_value() && WriteEnvelope(flash, release.envelope).has_value());
}

void Device::BootOnce(Board& board) {
  const std::optional<HandOff> hand_off = RunBootloader(board);
  if (hand_off) RunFirmware(board, *hand_off);
  if (!board.power.on()) cause_ = ResetCause::kPower;
}

std::optional<HandOff> Device::RunBootloader(Board& board) {
  RecordStore store(board.record);
  board.ForgetVerification();
  const Booted boot = Boot(store, board, TestRom(), cause_, kWatchdogMs);
  if (!board.powered_at_verification()) return std::nullopt;  // it never got as far as to see a record
  witness_.Found(boot.found);
  const BootDecision decision = Decide(boot.found, boot.facts);
  if (decision.commit) witness_.Begins(decision.next);
  if (!board.power.on()) {
    // The planted bug: when the power went in the commit, the image was running already.
    if (plant_ == Plant::kJumpBeforeCommit && decision.mode == BootMode::kTrial) witness_.Attempts(decision.row());
    return std::nullopt;
  }
  if (!boot.settled.committed) witness_.Breaks("a commit was refused with the power on");
  if (decision.commit && boot.settled.committed) witness_.Committed(store.state().record);
  CheckSlots(board, boot);
  witness_.Jumps(boot, Released(boot));
  if (Recheck(store, board, TestRom(), boot) != kMayRun)
    witness_.Breaks("I2: the second look refuses what was verified");
  if (witness_.broken() != nullptr) return std::nullopt;
  return boot.hand_off;
}

// I6
void Device::CheckSlots(Board& board, const Booted& boot) {
  for (const Slot slot : {Slot::kA, Slot::kB}) {
    const auto& verdict = boot.verdicts[static_cast<std::size_t>(slot)];
    if (verdict || (rotten_ & BitOf(slot)) != 0 || board.fake(slot).has_marginal()) continue;
    const Reason why = verdict.error().reason;
    if (why == Reason::kImageDigest || why == Reason::kDigestMismatch || why == Reason::kInvalidSignature) {
      witness_.Breaks("I6: an envelope stands beside an image that is not its own");
    }
  }
}

void Device::RunFirmware(Board& board, const HandOff& hand_off) {
  cause_ = ResetCause::kSoftware;
  if (hand_off.mode == BootMode::kTrial) {
    cause_ = RunTrial(board, hand_off);
  } else {
    RunConfirmed(board, hand_off);
  }
}

ResetCause Device::RunTrial(Board& board, const HandOff& hand_off) {
  RecordStore store(board.record);
  switch (BehaviourOf(hand_off.trial)) {
    case Behaviour::kHangs:
      return ResetCause::kWatchdog;
    case Behaviour::kCrashes:
      return ResetCause::kOther;
    case Behaviour::kBrownsOut:
      return ResetCause::kPower;
    case Behaviour::kFailsItsTest:
      if (!Load(board, store)) break;
      Commit(store, FailTrial(store.state().record, hand_off.slot, Reason::kSelfTestFailed, "memory"));
      break;
    case Behaviour::kGood:
    case Behaviour::kRotsPending:
    case Behaviour::kRotsConfirmed:
      if (!Load(board, store)) break;
      witness_.Confirms();
      Commit(store, Confirm(store.state().record, hand_off.slot));
      break;
  }
  return ResetCause::kSoftware;
}

void Device::RunConfirmed(Board& board, const HandOff& hand_off) {
  RecordStore store(board.record);
  if (!Load(board, store)) return;
  const std::uint32_t sequence = store.state().record.sequence;
  if (!RunErrands(store, hand_off) || store.state().record.sequence != sequence) return;
  const std::uint32_t trial = store.state().record.trial;
  if (trial > rotted_trial_ && BehaviourOf(trial) == Behaviour::kRotsConfirmed) {
    rotted_trial_ = trial;
    return Rot(board, hand_off.slot);
  }
  Update(board, store, hand_off.slot);
}

// What the record asks for. False: the power went.
bool Device::RunErrands(RecordStore& store, const HandOff& hand_off) {
  const BootRecord& record = store.state().record;
  if (!record.proven && !Commit(store, Confirm(record, hand_off.slot))) return false;
  if (record.emergency_reason != Reason::kNone && !Commit(store, SettleEmergency(record, record.emergency_count))) {
    return false;
  }
  if (record.owed) {
    witness_.Settles();
    return Commit(store, SettleRollback(record, record.trial, record.job));
  }
  const bool soaked = record.trial > 0 && BehaviourOf(record.trial) == Behaviour::kGood;
  if (!soaked || record.floor >= hand_off.security_version) return true;
  return Commit(store, RaiseFloor(record, hand_off.slot, hand_off.security_version, hand_off.security_version));
}

void Device::Update(Board& board, RecordStore& store, Slot running) {
  const BootRecord& record = store.state().record;
  const std::uint32_t trial = record.trial + 1;
  const Slot slot = Other(running);
  const Release& release = ReleaseOf(trial);
  if (!MayWriteSlot(record, running, slot)) return witness_.Breaks("the other slot may not be written");
  if (!Stage(board, slot, release)) return;
  const PendingRequest request{.slot = slot, .job = kFirstJob + trial, .manifest_digest = release.manifest_digest};
  if (!Commit(store, SetPending(record, running, request))) return;
  if (BehaviourOf(trial) == Behaviour::kRotsPending) Rot(board, slot);
}

// False: the power went, or what was found is wrong.
bool Device::Load(Board& board, RecordStore& store) {
  const RecordState& found = store.Load();
  if (!board.power.on()) return false;
  witness_.Found(found);
  return witness_.broken() == nullptr;
}

// False: the power went, or the transition is wrong.
bool Device::Commit(RecordStore& store, const Result<BootRecord>& next) {
  if (!next) {
    witness_.Breaks("a transition was refused");
    return false;
  }
  witness_.Begins(*next);
  if (!store.Commit(*next)) return false;
  witness_.Committed(store.state().record);
  return witness_.broken() == nullptr;
}

bool Device::Stage(Board& board, Slot slot, const Release& release) {
  if (plant_ == Plant::kFoundSlotKept && Holds(board, slot, release)) return true;
  const Status written = WriteSlot(board.fake(slot), release);
  if (!board.power.on()) return false;
  rotten_ = static_cast<std::uint8_t>(rotten_ & ~BitOf(slot));
  if (written && Holds(board, slot, release)) return true;
  witness_.Breaks("I2: what was staged does not verify");
  return false;
}

Status Device::WriteSlot(FakeFlash& flash, const Release& release) const {
  if (plant_ != Plant::kEnvelopeNotErased) PAWL_TRY(EraseEnvelope(flash));
  std::array<std::uint8_t, kImageBytes> found{};
  const bool keep = plant_ == Plant::kFoundImageKept && flash.Read(0, found) && Equal(found, release.image);
  if (!keep) PAWL_TRY(WriteImage(flash, release));
  if (plant_ == Plant::kEnvelopeBeforeFlush) return WriteEnvelopeUnflushed(flash, release.envelope);
  if (plant_ == Plant::kEnvelopeNotErased) PAWL_TRY(EraseEnvelope(flash));
  return WriteEnvelope(flash, release.envelope);
}

Status Device::WriteImage(FakeFlash& flash, const Release& release) {
  PAWL_TRY(flash.Erase(0));
  for (std::size_t at = 0; at < release.image.size(); at += kChunkBytes) {
    PAWL_TRY(flash.Program(at, ByteView(release.image).subspan(at, kChunkBytes)));
  }
  return {};
}

bool Device::Holds(Board& board, Slot slot, const Release& release) const {
  const auto verified = VerifySlot(board, slot, TestRom(), witness_.acted().floor);
  return verified && verified->manifest().digest() == release.manifest_digest;
}

// Behind everybody's back, and for good: bits that read now so, now so would let it be confirmed first.
void Device::Rot(Board& board, Slot slot) {
  rotten_ = static_cast<std::uint8_t>(rotten_ | BitOf(slot));
  board.fake(slot).bytes_now()[0] ^= 1;
}

}  // namespace pawl::powercut
