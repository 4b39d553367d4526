// The registry's view: the snapshot file by which the broker's plugin decides who may connect.
//
// The platform writes a new file beside the old one and renames it, so a reader sees one snapshot or the other, never
// half of one. The reader maps it and never blocks on the platform. The heartbeat alone is written in place: it says up
// to when the platform held the snapshot against its database. Without a snapshot younger than kMaxViewAge nobody is
// admitted.
//
// Format  little endian; header of 48 bytes, then the entries, sorted by id, no two alike:
//          0 magic "PAWLVIEW"   8 version u32 (1)   12 bytes of an entry u32 (136)   16 generation u64
//         24 entries u64   32 heartbeat u64: ms of CLOCK_BOOTTIME   40 checksum u64 of bytes 0..31 and the entries
//          an entry: 0 id, zero-padded to 64   64 flags: 1 admitted   65 state (the platform's number, for people)
//         66 number of pins 0..2   67 zeros to 72   72 pins: SHA-256 of SubjectPublicKeyInfo, 32 bytes each
// Trust   the file is writable by the platform alone. Its reader is bounded all the same: a file that breaks the format
//         is refused as a whole.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/hosted/files.h"
#include "base/result.h"

namespace pawl::broker {

inline constexpr std::chrono::milliseconds kMaxViewAge{10'000};
inline constexpr std::size_t kViewHeaderBytes = 48;
inline constexpr std::size_t kViewEntryBytes = 136;
inline constexpr std::size_t kMaxViewEntries = 4'000'000;
inline constexpr std::size_t kMaxViewIdBytes = 63;
inline constexpr std::size_t kMaxPins = 2;

struct ViewEntry {
  std::string_view id;  // 1..63 bytes without NUL
  bool admitted = false;
  std::uint8_t state = 0;
  std::array<Digest, kMaxPins> pins{};
  std::size_t pin_count = 0;
};

// CLOCK_BOOTTIME, in milliseconds. It counts on in suspend and cannot be set; a heartbeat of an earlier boot is
// refused.
std::uint64_t BootTimeMs();

// --- Reading ---

// FNV-1a over 64 bit words: against accidents, not against attackers. Every change within one word changes it.
// Precondition: at least a header.
std::uint64_t ViewChecksum(ByteView file);

// A validated snapshot over bytes that it does not own.
class ViewBytes {
 public:
  // Errors: malformed, unsupported version, corrupt; the detail says what.
  static Result<ViewBytes> Parse(ByteView bytes);

  std::uint64_t generation() const;
  std::uint64_t heartbeat_ms() const;  // as it is now: it changes in place
  std::size_t size() const { return count_; }
  // Lifetime of the entry's id: that of the bytes.
  std::optional<ViewEntry> Find(std::string_view id) const;

 private:
  ByteView Entry(std::size_t index) const;
  ByteView bytes_;
  std::size_t count_ = 0;
};

// May a client with this certificate act as this device? Errors: forbidden, with why.
Status Admit(const ViewBytes& view, std::string_view id, const Digest& pin, std::uint64_t now_ms);

// A snapshot file, mapped.
class View {
 public:
  // Errors: not found, i/o error, too large, and those of Parse.
  static Result<View> Open(const std::string& path);
  View(View&& other) noexcept;
  View& operator=(View&& other) noexcept;
  ~View();

  const ViewBytes& get() const { return *parsed_; }
  std::uint64_t inode() const { return inode_; }

 private:
  View() = default;
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
  std::uint64_t inode_ = 0;
  std::optional<ViewBytes> parsed_;
};
// The number of the file that stands at this path now; 0: none. Differs from View::inode() once there is a newer one.
std::uint64_t ViewInode(const std::string& path);

// --- Writing ---

// Collects the entries of one snapshot.
class ViewBuilder {
 public:
  // In ascending order of ids (as bytes). Errors: invalid argument (id, order), too large (too many).
  Status Add(const ViewEntry& entry);
  // The file's content.
  std::vector<std::uint8_t> Finish(std::uint64_t generation, std::uint64_t heartbeat_ms) &&;

 private:
  std::vector<std::uint8_t> bytes_ = std::vector<std::uint8_t>(kViewHeaderBytes);
  std::string last_id_;
};

// The file on disk. Threads: one.
class ViewFile {
 public:
  explicit ViewFile(std::string path) : path_(std::move(path)) {}

  // Puts a snapshot in place; `mode` and `group` (if any) say who may read it. Errors: i/o error.
  Status Replace(ByteView content, unsigned mode = 0600, std::optional<unsigned> group = std::nullopt);
  // The snapshot in place still holds. Errors: i/o error.
  Status Beat(std::uint64_t heartbeat_ms);

 private:
  std::string path_;
  OwnedFd file_;
};

}  // namespace pawl::broker
