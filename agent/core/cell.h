// A fixed cell on the data partition: what the ledger and the download journal are kept in. Two copies lie side by side
// and are written in turn, so a cut while one is written leaves the other.
//
// Format  512 bytes, little endian: magic[4] | version u32 | generation u64 | payload[492] | CRC-32 u32 of all before
// it.
//         A cell is as large as a disk sector. The payload's unused rest is zero.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/result.h"

namespace pawl::agent {

inline constexpr std::size_t kCellBytes = 512;
inline constexpr std::size_t kCellPayloadBytes = kCellBytes - 20;
using CellBytes = std::array<std::uint8_t, kCellBytes>;
using CellPayload = std::array<std::uint8_t, kCellPayloadBytes>;
using CellMagic = std::array<char, 4>;

struct CellKind {
  CellMagic magic;
  std::uint32_t version;
  const char* name;  // for errors: "ledger"
};

struct Cell {
  std::uint64_t generation = 0;
  CellPayload payload{};
};

CellBytes EncodeCell(const CellKind& kind, const Cell& cell);
// Errors: corrupt (magic, CRC), unsupported version (a whole cell that a newer agent wrote).
Result<Cell> DecodeCell(const CellKind& kind, ByteView bytes);

// The newer of two copies that are whole; nothing if neither is.
// Errors: unsupported version, if either copy is a newer agent's: what it says must not be overwritten.
Result<std::optional<Cell>> NewestCell(const CellKind& kind, ByteView first, ByteView second);

// Reads and writes a payload field by field. Running over the end is an error of the whole, asked for once.
class PayloadWriter {
 public:
  explicit PayloadWriter(MutableBytes to) : to_(to) {}
  template <class T>
  void Number(T value) {
    std::array<std::uint8_t, sizeof(T)> bytes{};
    StoreLe<T>(bytes, value);
    Bytes(bytes);
  }
  void Bytes(ByteView bytes);

 private:
  MutableBytes to_;  // what is still free
};

class PayloadReader {
 public:
  explicit PayloadReader(ByteView from) : from_(from) {}
  template <class T>
  T Number() {
    std::array<std::uint8_t, sizeof(T)> bytes{};
    Bytes(bytes);
    return LoadLe<T>(bytes);
  }
  void Bytes(MutableBytes to);
  bool whole() const { return whole_; }

 private:
  ByteView from_;
  bool whole_ = true;
};

}  // namespace pawl::agent
