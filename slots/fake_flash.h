// NOR flash in memory, with power cuts, marginal bits, a cache that may be lost, and bad cells. For tests and
// simulators.
//
// Fault model
//   - One operation (program, erase) of all flashes on one supply is cut; from then on nothing works until PowerOn.
//   - A cut operation is: not begun; torn (its first units are done, the rest untouched); torn and marginal (the unit
//     after them is under-programmed or half erased); marginal as a whole; done, but nobody was told.
//   - A program's unit is 4 bytes; an erase has 4 parts: a cut erase is partial in the same ways.
//   - What was not flushed may be lost: all of it; or the oldest operation alone, while those after it took.
//   - Marginal bits read by the mood of the power cycle: all strong (1), all weak (0), or drawn anew at each read: all
//     strong, all weak, or each bit at random. A later program to 0 or an erase makes them firm; they are the reason
//     why a cell that was cut proves nothing.
//   - A bad cell: some bytes do not take what is programmed.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "slots/flash.h"

namespace pawl {

enum class CutMode : std::uint8_t {
  kBefore,
  kTorn,
  kTornMarginal,
  kMarginal,
  kAfter,
  kUnflushedLost,  // whatever was not flushed is gone, this operation too
  kOldestLost,     // of what was not flushed, the oldest alone is gone; this operation is done
};
inline constexpr CutMode kAllCutModes[] = {CutMode::kBefore,    CutMode::kTorn,  CutMode::kTornMarginal,
                                           CutMode::kMarginal,  CutMode::kAfter, CutMode::kUnflushedLost,
                                           CutMode::kOldestLost};

enum class Mood : std::uint8_t { kRandom, kStrong, kWeak };
inline constexpr Mood kAllMoods[] = {Mood::kRandom, Mood::kStrong, Mood::kWeak};

struct Cut {
  std::uint64_t operation = 0;  // counted from the call of CutAt
  CutMode mode = CutMode::kBefore;
  std::uint32_t unit = 0;  // torn: how many units are done; beyond the end: all

  friend bool operator==(const Cut&, const Cut&) = default;
};

class FakeFlash;

// The power of one device: it goes for all its flashes at once.
class FakePower {
 public:
  explicit FakePower(std::uint64_t seed = 1) : random_(static_cast<std::minstd_rand::result_type>(seed)) {}
  FakePower(const FakePower&) = delete;
  FakePower& operator=(const FakePower&) = delete;

  void CutAt(const Cut& cut);
  void CountOperations() { units_.clear(); }
  void PowerOn(Mood mood = Mood::kRandom) {
    on_ = true;
    mood_ = mood;
    cut_.reset();
  }
  void Seed(std::uint64_t seed) { random_.seed(static_cast<std::minstd_rand::result_type>(seed)); }

  bool on() const { return on_; }
  Mood mood() const { return mood_; }
  std::uint64_t operations() const { return units_.size(); }          // since CutAt or CountOperations
  const std::vector<std::uint32_t>& units() const { return units_; }  // of each of these operations

 private:
  friend class FakeFlash;
  std::vector<FakeFlash*> flashes_;
  std::optional<Cut> cut_;
  std::vector<std::uint32_t> units_;
  std::minstd_rand random_;
  Mood mood_ = Mood::kRandom;
  bool on_ = true;
};

class FakeFlash final : public Flash {
  friend class FakePower;

 public:
  static constexpr std::uint32_t kUnitBytes = 4;
  static constexpr std::uint32_t kEraseParts = 4;

  // With a supply of its own.
  FakeFlash(std::uint32_t sectors, std::uint32_t sector_bytes, std::uint64_t seed = 1)
      : FakeFlash(sectors, sector_bytes, nullptr, seed) {}
  // Lifetime: keeps `power`.
  FakeFlash(std::uint32_t sectors, std::uint32_t sector_bytes, FakePower& power)
      : FakeFlash(sectors, sector_bytes, &power, 1) {}
  ~FakeFlash() { std::erase(power_.flashes_, this); }

  // The medium as it is now. SaveTo and Restore copy only the sectors that differ.
  struct Medium {
    std::vector<std::uint8_t> bits;
    std::vector<std::uint8_t> marginal;
    std::vector<std::uint64_t> hashes;  // by sector
  };
  Medium Save() {
    Rehash();
    return {bits_, marginal_, hashes_};
  }
  void SaveTo(Medium& medium) {
    if (medium.hashes.size() != hashes_.size()) {
      medium = Save();
      return;
    }
    Rehash();
    for (std::size_t sector = 0; sector < hashes_.size(); ++sector) {
      if (hashes_[sector] == medium.hashes[sector]) continue;
      const std::size_t at = sector * sector_bytes_;
      std::copy_n(&bits_[at], sector_bytes_, &medium.bits[at]);
      std::copy_n(&marginal_[at], sector_bytes_, &medium.marginal[at]);
      medium.hashes[sector] = hashes_[sector];
    }
  }
  void Restore(const Medium& medium) {
    Rehash();
    for (std::size_t sector = 0; sector < hashes_.size(); ++sector) {
      if (hashes_[sector] == medium.hashes[sector]) continue;
      const std::size_t at = sector * sector_bytes_;
      std::copy_n(&medium.bits[at], sector_bytes_, &bits_[at]);
      std::copy_n(&medium.marginal[at], sector_bytes_, &marginal_[at]);
      hashes_[sector] = medium.hashes[sector];
      CountMarginal(sector);
    }
  }
  // Equal media have equal fingerprints; different ones, for practical purposes, different ones.
  std::uint64_t Fingerprint() {
    Rehash();
    std::uint64_t all = 0;
    for (const std::uint64_t hash : hashes_) all = Mix(all ^ hash);
    return all;
  }
  bool has_marginal() const {
    return std::ranges::any_of(marginal_bytes_, [](std::uint32_t count) { return count != 0; });
  }

  FakePower& power() { return power_; }
  void Seed(std::uint64_t seed) { power_.Seed(seed); }
  void CutAt(const Cut& cut) { power_.CutAt(cut); }
  void PowerOn(Mood mood = Mood::kRandom) { power_.PowerOn(mood); }
  bool powered() const { return power_.on(); }
  std::uint64_t operations() const { return power_.operations(); }
  void CountOperations() { power_.CountOperations(); }

  std::uint64_t erases() const { return erases_; }
  void MakeBad(std::size_t byte) { bad_.insert(byte); }
  void MakeUnwritable() { unwritable_ = true; }
  void MakeUnreadable() { unreadable_ = true; }
  // To look at, and to alter behind everybody's back. Not to be kept over Save, Restore and Fingerprint.
  std::vector<std::uint8_t>& bytes_now() {
    altered_ = true;
    return bits_;
  }
  const std::vector<std::uint8_t>& bytes_now() const { return bits_; }

  std::uint64_t bytes() const override { return bits_.size(); }
  std::uint32_t sector_bytes() const override { return sector_bytes_; }

  Status Read(std::uint64_t offset, MutableBytes to) override {
    PAWL_TRY(Check(offset, to.size()));
    if (unreadable_) return Fail(Reason::kIo, "unreadable");
    if (to.empty()) return {};
    std::memcpy(to.data(), &bits_[offset], to.size());
    if (MarginalIn(offset, to.size())) ReadMarginal(offset, to);
    return {};
  }

  Status Program(std::uint64_t offset, ByteView from) override {
    PAWL_TRY(Check(offset, from.size()));
    if (unwritable_) return Fail(Reason::kIo, "write protected");
    for (std::size_t i = 0; i < from.size(); ++i) {
      const auto firmly_clear = static_cast<std::uint8_t>(~bits_[offset + i] & ~marginal_[offset + i]);
      if ((from[i] & firmly_clear) != 0) return Fail(Reason::kInvalidArgument, "program over bits that are clear");
    }
    Remember({.offset = offset, .program = true}, from);
    const Extent extent = NextOperation((from.size() + kUnitBytes - 1) / kUnitBytes);
    Changing(offset, from.size(), [&] {
      const std::size_t firm = std::min(from.size(), extent.firm * kUnitBytes);
      const std::size_t touched = std::min(from.size(), extent.touched * kUnitBytes);
      for (std::size_t i = 0; i < firm; ++i) ProgramByte(offset + i, from[i]);
      for (std::size_t i = firm; i < touched; ++i) UnderProgramByte(offset + i, from[i]);
    });
    return Answer();
  }

  Status Erase(std::uint64_t sector) override {
    const std::uint64_t offset = sector * sector_bytes_;
    PAWL_TRY(Check(offset, sector_bytes_));
    if (unwritable_) return Fail(Reason::kIo, "write protected");
    ++erases_;
    Remember({.offset = offset, .program = false}, ByteView(bits_).subspan(offset, sector_bytes_));
    const Extent extent = NextOperation(kEraseParts);
    const std::size_t part_bytes = sector_bytes_ / kEraseParts;
    Changing(offset, sector_bytes_, [&] {
      std::fill_n(&bits_[offset], extent.firm * part_bytes, std::uint8_t{0xFF});
      std::fill_n(&marginal_[offset], extent.firm * part_bytes, std::uint8_t{0});
      for (std::size_t i = offset + extent.firm * part_bytes; i < offset + extent.touched * part_bytes; ++i) {
        marginal_[i] = static_cast<std::uint8_t>(marginal_[i] | ~bits_[i]);
      }
    });
    return Answer();
  }

  Status Flush() override {
    if (!power_.on_) return Fail(Reason::kIo, "power is off");
    unflushed_.clear();
    return {};
  }

 private:
  // Of the operation's units: the first `firm` take, those up to `touched` become marginal, the rest stays.
  struct Extent {
    std::size_t firm;
    std::size_t touched;
  };
  // An operation that is not flushed, and what stood there before it.
  struct Unflushed {
    std::uint64_t offset = 0;
    bool program = false;
    std::vector<std::uint8_t> data{};
    std::vector<std::uint8_t> old_bits{};
    std::vector<std::uint8_t> old_marginal{};
  };

  FakeFlash(std::uint32_t sectors, std::uint32_t sector_bytes, FakePower* power, std::uint64_t seed)
      : sector_bytes_(sector_bytes),
        bits_(std::size_t{sectors} * sector_bytes, 0xFF),
        marginal_(bits_.size(), 0),
        hashes_(sectors, 0),
        marginal_bytes_(sectors, 0),
        own_power_(seed),
        power_(power != nullptr ? *power : own_power_) {
    power_.flashes_.push_back(this);
  }

  Status Check(std::uint64_t offset, std::uint64_t size) const {
    if (!power_.on_) return Fail(Reason::kIo, "power is off");
    if (offset > bits_.size() || size > bits_.size() - offset) return Fail(Reason::kInvalidArgument, "outside");
    return {};
  }
  Status Answer() const { return power_.on_ ? Status{} : Fail(Reason::kIo, "power is off"); }

  Extent NextOperation(std::size_t units) {
    const std::uint64_t operation = power_.operations();
    power_.units_.push_back(static_cast<std::uint32_t>(units));
    if (!power_.cut_ || operation != power_.cut_->operation) return {units, units};
    power_.on_ = false;
    const std::size_t unit = std::min<std::size_t>(power_.cut_->unit, units);
    const bool oldest_is_this = unflushed_.size() == 1;
    switch (power_.cut_->mode) {
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
      case CutMode::kUnflushedLost:
        for (FakeFlash* flash : power_.flashes_) flash->LoseUnflushed(flash->unflushed_.size());
        return {0, 0};
      case CutMode::kOldestLost:
        for (FakeFlash* flash : power_.flashes_) flash->LoseUnflushed(1);
        return oldest_is_this ? Extent{0, 0} : Extent{units, units};
    }
    return {units, units};
  }

  // --- The cache: only kept while a cut is planned that can lose it. ---

  void Remember(Unflushed operation, ByteView data) {
    if (!power_.cut_) return;
    if (power_.cut_->mode != CutMode::kUnflushedLost && power_.cut_->mode != CutMode::kOldestLost) return;
    operation.data.assign(data.begin(), data.end());
    const auto first = static_cast<std::ptrdiff_t>(operation.offset);
    const auto last = first + static_cast<std::ptrdiff_t>(data.size());
    operation.old_bits.assign(bits_.begin() + first, bits_.begin() + last);
    operation.old_marginal.assign(marginal_.begin() + first, marginal_.begin() + last);
    unflushed_.push_back(std::move(operation));
  }
  // Takes all of them back, then does those after the first `lost` again.
  void LoseUnflushed(std::size_t lost) {
    for (auto operation = unflushed_.rbegin(); operation != unflushed_.rend(); ++operation) {
      Changing(operation->offset, operation->data.size(), [&] {
        std::ranges::copy(operation->old_bits, &bits_[operation->offset]);
        std::ranges::copy(operation->old_marginal, &marginal_[operation->offset]);
      });
    }
    for (std::size_t i = lost; i < unflushed_.size(); ++i) {
      const Unflushed& operation = unflushed_[i];
      Changing(operation.offset, operation.data.size(), [&] {
        for (std::size_t at = 0; at < operation.data.size(); ++at) {
          if (operation.program) ProgramByte(operation.offset + at, operation.data[at]);
          if (!operation.program) bits_[operation.offset + at] = 0xFF;
          if (!operation.program) marginal_[operation.offset + at] = 0;
        }
      });
    }
    unflushed_.clear();
  }

  // --- Cells ---

  void ProgramByte(std::size_t at, std::uint8_t value) {
    if (!bad_.empty() && bad_.contains(at)) return;
    bits_[at] = static_cast<std::uint8_t>(bits_[at] & value);
    marginal_[at] = static_cast<std::uint8_t>(marginal_[at] & value);  // what is programmed to 0 is firm now
  }
  void UnderProgramByte(std::size_t at, std::uint8_t value) {
    marginal_[at] = static_cast<std::uint8_t>(marginal_[at] | (bits_[at] & ~value));
  }

  bool MarginalIn(std::uint64_t offset, std::size_t size) const {
    for (std::size_t sector = offset / sector_bytes_; sector <= (offset + size - 1) / sector_bytes_; ++sector) {
      if (marginal_bytes_[sector] != 0) return true;
    }
    return false;
  }
  void ReadMarginal(std::uint64_t offset, MutableBytes to) {
    const Mood mood = power_.mood_;
    const auto draw = mood == Mood::kRandom ? power_.random_() % 3 : (mood == Mood::kStrong ? 0 : 1);
    for (std::size_t i = 0; i < to.size(); ++i) {
      const std::uint8_t unsure = marginal_[offset + i];
      if (unsure == 0) continue;
      std::uint8_t seen = draw == 0 ? 0xFF : 0x00;
      if (draw == 2) seen = static_cast<std::uint8_t>(power_.random_() >> 8);
      to[i] = static_cast<std::uint8_t>((bits_[offset + i] & ~unsure) | (unsure & seen));
    }
  }

  // --- Fingerprints: the exclusive or over all words that are not blank, by sector. ---

  static std::uint64_t Mix(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
    return x ^ (x >> 31);
  }
  std::uint64_t HashOfWords(std::size_t first, std::size_t last) const {
    std::uint64_t hash = 0;
    for (std::size_t word = first; word < last; ++word) {
      std::uint64_t bits = 0;
      std::uint64_t marginal = 0;
      std::memcpy(&bits, &bits_[8 * word], 8);
      std::memcpy(&marginal, &marginal_[8 * word], 8);
      if (bits == ~std::uint64_t{0} && marginal == 0) continue;
      hash ^= Mix(Mix(bits + 0x9E3779B97F4A7C15 * (word + 1)) ^ (marginal * 0xD6E8FEB86659FD93));
    }
    return hash;
  }
  std::uint32_t CountMarginalBytes(std::uint64_t offset, std::size_t size) const {
    const auto first = marginal_.begin() + static_cast<std::ptrdiff_t>(offset);
    return static_cast<std::uint32_t>(std::count_if(first, first + static_cast<std::ptrdiff_t>(size),
                                                    [](std::uint8_t unsure) { return unsure != 0; }));
  }
  void CountMarginal(std::size_t sector) {
    marginal_bytes_[sector] = CountMarginalBytes(sector * sector_bytes_, sector_bytes_);
  }
  // Runs `change`, which alters no more than these bytes, and keeps the books.
  template <class Change>
  void Changing(std::uint64_t offset, std::size_t size, Change change) {
    if (size == 0) return;
    const std::size_t first = offset / sector_bytes_;
    const std::size_t last = (offset + size - 1) / sector_bytes_;
    const auto words = [&](std::size_t sector) {
      const std::size_t begin = std::max<std::size_t>(offset, sector * sector_bytes_) / 8;
      const std::size_t end = (std::min<std::size_t>(offset + size, (sector + 1) * sector_bytes_) + 7) / 8;
      return HashOfWords(begin, end);
    };
    const bool any_marginal = MarginalIn(offset, size);
    for (std::size_t sector = first; sector <= last; ++sector) hashes_[sector] ^= words(sector);
    change();
    for (std::size_t sector = first; sector <= last; ++sector) {
      hashes_[sector] ^= words(sector);
      if (any_marginal || !power_.on_) CountMarginal(sector);
    }
  }
  void Rehash() {
    if (!altered_) return;
    altered_ = false;
    const std::size_t words = sector_bytes_ / 8;
    for (std::size_t sector = 0; sector < hashes_.size(); ++sector) {
      hashes_[sector] = HashOfWords(sector * words, (sector + 1) * words);
    }
  }

  std::uint32_t sector_bytes_;
  std::vector<std::uint8_t> bits_;
  std::vector<std::uint8_t> marginal_;
  std::vector<std::uint64_t> hashes_;          // by sector
  std::vector<std::uint32_t> marginal_bytes_;  // by sector: how many
  FakePower own_power_;
  FakePower& power_;
  std::vector<Unflushed> unflushed_;
  std::uint64_t erases_ = 0;
  std::set<std::size_t> bad_;
  bool altered_ = false;
  bool unwritable_ = false;
  bool unreadable_ = false;
};

inline void FakePower::CutAt(const Cut& cut) {
  cut_ = cut;
  units_.clear();
  for (FakeFlash* flash : flashes_) flash->unflushed_.clear();
}

}  // namespace pawl
