// A set of 64-bit fingerprints: open addressing, one word an entry.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace pawl::powercut {

class HashSet {
 public:
  // True: it is new. Zero is kept as one.
  bool insert(std::uint64_t key) {
    if (2 * size_ >= slots_.size()) Grow();
    std::uint64_t& slot = Find(key);
    if (slot != 0) return false;
    slot = key != 0 ? key : 1;
    ++size_;
    return true;
  }
  bool contains(std::uint64_t key) { return size_ != 0 && Find(key) != 0; }
  std::size_t size() const { return size_; }
  void clear() {
    slots_.clear();
    size_ = 0;
  }

 private:
  std::uint64_t& Find(std::uint64_t key) {
    if (key == 0) key = 1;
    std::size_t at = key & (slots_.size() - 1);
    while (slots_[at] != 0 && slots_[at] != key) at = (at + 1) & (slots_.size() - 1);
    return slots_[at];
  }
  void Grow() {
    std::vector<std::uint64_t> old(slots_.empty() ? 1024 : 2 * slots_.size());
    std::swap(old, slots_);
    for (const std::uint64_t key : old) {
      if (key != 0) Find(key) = key;
    }
  }

  std::vector<std::uint64_t> slots_;
  std::size_t size_ = 0;
};

}  // namespace pawl::powercut
