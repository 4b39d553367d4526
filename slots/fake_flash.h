// NOR flash in memory, with power cuts, marginal bits and bad cells. For tests and simulators.
//
// Fault model
//   - One operation (program, erase) is cut, and from then on nothing works until PowerOn.
//   - A cut program is: not begun; torn (the first units are done, the rest untouched); torn and marginal (the unit
//   after
//     them is under-programmed); under-programmed as a whole; done, but nobody was told.
//   - A cut erase leaves the sector: untouched; half of it erased and the rest marginal; marginal as a whole; erased.
//   - Marginal bits read differently on each read: all strong, all weak, or each at random. A later program to 0 or an
//     erase makes them firm; they are the reason why a cell that was cut proves nothing.
//   - A bad cell: some bytes do not take what is programmed.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "slots/flash.h"

namespace pawl {

enum class CutMode : std::uint8_t { kBefore, kTorn, kTornMarginal, kMarginal, kAfter };
inline constexpr CutMode kAllCutModes[] = {CutMode::kBefore, CutMode::kTorn, CutMode::kTornMarginal, CutMode::kMarginal,
                                           CutMode::kAfter};

struct Cut {
  std::uint64_t operation = 0;  // counted from the call of CutAt
  CutMode mode = CutMode::kBefore;
  std::uint32_t unit = 0;  // torn: how many program units are done; beyond the end: all
};

class FakeFlash final : public Flash {
 public:
  static constexpr std::uint32_t kUnitBytes = 4;

  FakeFlash(std::uint32_t sectors, std::uint32_t sector_bytes, std::uint64_t seed = 1)
      : sector_bytes_(sector_bytes),
        bits_(std::size_t{sectors} * sector_bytes, 0xFF),
        marginal_(bits_.size(), 0),
        random_(seed) {}

  // For cuts: a copy of the medium as it is now.
  struct Medium {
    std::vector<std::uint8_t> bits;
    std::vector<std::uint8_t> marginal;
  };
  Medium Save() const { return {bits_, marginal_}; }
  void Restore(const Medium& medium) {
    bits_ = medium.bits;
    marginal_ = medium.marginal;
  }

  void Seed(std::uint64_t seed) { random_.seed(seed); }
  void CutAt(const Cut& cut) {
    cut_ = cut;
    operations_ = 0;
  }
  void PowerOn() {
    powered_ = true;
    cut_.reset();
  }
  bool powered() const { return powered_; }
  std::uint64_t operations() const { return operations_; }  // since CutAt or CountOperations
  void CountOperations() { operations_ = 0; }
  std::uint64_t erases() const { return erases_; }
  void MakeBad(std::size_t byte) { bad_.insert(byte); }
  void MakeUnwritable() { unwritable_ = true; }
  void MakeUnreadable() { unreadable_ = true; }
  std::vector<std::uint8_t>& bytes_now() { return bits_; }

  std::uint64_t bytes() const override { return bits_.size(); }
  std::uint32_t sector_bytes() const override { return sector_bytes_; }

  Status Read(std::uint64_t offset, MutableBytes to) override {
    PAWL_TRY(Check(offset, to.size()));
    if (unreadable_) return Fail(Reason::kIo, "unreadable");
    const auto mood = random_() % 3;
    for (std::size_t i = 0; i < to.size(); ++i) {
      const std::uint8_t weak = marginal_[offset + i];
      std::uint8_t seen = 0;  // of the marginal bits: which read 1
      if (weak != 0 && mood == 1) seen = 0xFF;
      if (weak != 0 && mood == 2) seen = static_cast<std::uint8_t>(random_());
      to[i] = static_cast<std::uint8_t>((bits_[offset + i] & ~weak) | (weak & seen));
    }
    return {};
  }

  Status Program(std::uint64_t offset, ByteView from) override {
    PAWL_TRY(Check(offset, from.size()));
    if (unwritable_) return Fail(Reason::kIo, "write protected");
    for (std::size_t i = 0; i < from.size(); ++i) {
      const auto firmly_clear = static_cast<std::uint8_t>(~bits_[offset + i] & ~marginal_[offset + i]);
      if ((from[i] & firmly_clear) != 0) return Fail(Reason::kInvalidArgument, "program over bits that are clear");
    }
    const std::size_t units = (from.size() + kUnitBytes - 1) / kUnitBytes;
    const Extent extent = NextOperation(units);
    for (std::size_t i = 0; i < from.size(); ++i) {
      const std::size_t unit = i / kUnitBytes;
      if (unit < extent.firm) ProgramByte(offset + i, from[i]);
      if (unit >= extent.firm && unit < extent.touched) UnderProgramByte(offset + i, from[i]);
    }
    return Answer();
  }

  Status Erase(std::uint64_t sector) override {
    const std::uint64_t offset = sector * sector_bytes_;
    PAWL_TRY(Check(offset, sector_bytes_));
    if (unwritable_) return Fail(Reason::kIo, "write protected");
    ++erases_;
    const Extent extent = NextOperation(2);  // two halves
    for (std::size_t i = 0; i < sector_bytes_; ++i) {
      const std::size_t half = i / (sector_bytes_ / 2);
      if (half < extent.firm) {
        bits_[offset + i] = 0xFF;
        marginal_[offset + i] = 0;
      } else if (half < extent.touched) {
        marginal_[offset + i] = static_cast<std::uint8_t>(marginal_[offset + i] | ~bits_[offset + i]);
      }
    }
    return Answer();
  }

  Status Flush() override { return powered_ ? Status{} : Fail(Reason::kIo, "power is off"); }

 private:
  // Of the operation's units: the first `firm` take, those up to `touched` become marginal, the rest stays.
  struct Extent {
    std::size_t firm;
    std::size_t touched;
  };

  Status Check(std::uint64_t offset, std::uint64_t size) const {
    if (!powered_) return Fail(Reason::kIo, "power is off");
    if (offset > bits_.size() || size > bits_.size() - offset) return Fail(Reason::kInvalidArgument, "outside");
    return {};
  }

  Extent NextOperation(std::size_t units) {
    const std::uint64_t operation = operations_++;
    if (!cut_ || operation != cut_->operation) return {units, units};
    powered_ = false;
    const std::size_t unit = std::min<std::size_t>(cut_->unit, units);
    switch (cut_->mode) {
      case CutMode::kBefore:
        return {0, 0};
      case CutMode::kTorn:
        return {unit, unit};
      case CutMode::kTornMarginal:
        return {unit, std::min(unit + 1, units)};
      case CutMode::kMarginal:
        return {0, units};
      case CutMode::kAfter:
        break;
    }
    return {units, units};
  }

  Status Answer() const { return powered_ ? Status{} : Fail(Reason::kIo, "power is off"); }

  void ProgramByte(std::size_t at, std::uint8_t value) {
    if (bad_.contains(at)) return;
    bits_[at] = static_cast<std::uint8_t>(bits_[at] & value);
    marginal_[at] = static_cast<std::uint8_t>(marginal_[at] & value);  // what is programmed to 0 is firm now
  }
  void UnderProgramByte(std::size_t at, std::uint8_t value) {
    marginal_[at] = static_cast<std::uint8_t>(marginal_[at] | (bits_[at] & ~value));
  }

  std::uint32_t sector_bytes_;
  std::vector<std::uint8_t> bits_;
  std::vector<std::uint8_t> marginal_;
  std::minstd_rand random_;
  std::optional<Cut> cut_;
  std::uint64_t operations_ = 0;
  std::uint64_t erases_ = 0;
  std::set<std::size_t> bad_;
  bool powered_ = true;
  bool unwritable_ = false;
  bool unreadable_ = false;
};

}  // namespace pawl
