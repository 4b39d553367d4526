#include "broker/view.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

namespace pawl::broker {
namespace {

constexpr std::string_view kMagic = "PAWLVIEW";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeartbeatAt = 32;
constexpr std::size_t kChecksumAt = 40;
constexpr std::size_t kCheckedHeader = 32;  // what the checksum covers of the header
constexpr std::size_t kIdBytes = 64;
constexpr std::size_t kMaxFileBytes = kViewHeaderBytes + kMaxViewEntries * kViewEntryBytes;
// A heartbeat slightly ahead is another processor's clock; more is another boot's.
constexpr std::uint64_t kAheadMs = 1000;

std::uint64_t Mix(std::uint64_t sum, ByteView words) {
  for (; words.size() >= 8; words = words.subspan(8)) {
    std::uint64_t word = 0;
    std::memcpy(&word, words.data(), sizeof(word));
    sum = (sum ^ word) * 0x100000001b3U;
  }
  return sum;
}

std::string_view IdOf(ByteView entry) {
  const std::string_view padded = AsText(entry.first(kIdBytes));
  return padded.substr(0, padded.find('\0'));
}

bool AllZero(ByteView bytes) {
  return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

Status CheckEntry(ByteView entry, std::string_view before) {
  const std::string_view id = IdOf(entry);
  if (id.empty() || id.size() > kMaxViewIdBytes || !AllZero(entry.subspan(id.size(), kIdBytes - id.size()))) {
    return Fail(Reason::kMalformed, "view: an id is not well-formed");
  }
  if (id <= before) return Fail(Reason::kMalformed, "view: the ids are not sorted");
  if (entry[64] > 1 || entry[66] > kMaxPins || !AllZero(entry.subspan(67, 5))) {
    return Fail(Reason::kMalformed, "view: an entry is not well-formed");
  }
  return {};
}

}  // namespace

static_assert(std::endian::native == std::endian::little);  // ViewChecksum loads words as they lie
std::uint64_t ViewChecksum(ByteView file) {
  return Mix(Mix(0xcbf29ce484222325U, file.first(kCheckedHeader)), file.subspan(kViewHeaderBytes));
}

std::uint64_t BootTimeMs() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

Result<ViewBytes> ViewBytes::Parse(ByteView bytes) {
  if (bytes.size() < kViewHeaderBytes || AsText(bytes.first(8)) != kMagic) {
    return Fail(Reason::kMalformed, "view: this is no view of the registry");
  }
  if (LoadLe<std::uint32_t>(bytes.subspan(8, 4)) != kVersion) return Fail(Reason::kUnsupportedVersion, "view");
  const auto count = LoadLe<std::uint64_t>(bytes.subspan(24, 8));
  if (LoadLe<std::uint32_t>(bytes.subspan(12, 4)) != kViewEntryBytes || count > kMaxViewEntries ||
      bytes.size() != kViewHeaderBytes + count * kViewEntryBytes) {
    return Fail(Reason::kMalformed, "view: its length is not what its header says");
  }
  if (LoadLe<std::uint64_t>(bytes.subspan(kChecksumAt, 8)) != ViewChecksum(bytes))
    return Fail(Reason::kCorrupt, "view");
  ViewBytes view;
  view.bytes_ = bytes;
  view.count_ = static_cast<std::size_t>(count);
  std::string_view before;
  for (std::size_t i = 0; i < view.count_; ++i) {
    PAWL_TRY(CheckEntry(view.Entry(i), before));
    before = IdOf(view.Entry(i));
  }
  return view;
}

ByteView ViewBytes::Entry(std::size_t index) const {
  return bytes_.subspan(kViewHeaderBytes + index * kViewEntryBytes, kViewEntryBytes);
}

std::uint64_t ViewBytes::generation() const { return LoadLe<std::uint64_t>(bytes_.subspan(16, 8)); }

std::uint64_t ViewBytes::heartbeat_ms() const {
  // Another process writes these eight bytes while we look: read them anew each time.
  std::array<std::uint8_t, 8> now{};
  const volatile std::uint8_t* from = bytes_.data() + kHeartbeatAt;
  for (std::size_t i = 0; i < now.size(); ++i) now[i] = from[i];
  return LoadLe<std::uint64_t>(now);
}

std::optional<ViewEntry> ViewBytes::Find(std::string_view id) const {
  std::size_t first = 0;
  std::size_t last = count_;
  while (first < last) {
    const std::size_t middle = first + (last - first) / 2;
    if (IdOf(Entry(middle)) < id) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  if (first == count_ || IdOf(Entry(first)) != id) return std::nullopt;
  const ByteView bytes = Entry(first);
  ViewEntry entry{.id = IdOf(bytes), .admitted = bytes[64] == 1, .state = bytes[65], .pin_count = bytes[66]};
  for (std::size_t i = 0; i < entry.pin_count; ++i)
    std::ranges::copy(bytes.subspan(72 + 32 * i, 32), entry.pins[i].begin());
  return entry;
}

Status Admit(const ViewBytes& view, std::string_view id, const Digest& pin, std::uint64_t now_ms) {
  const std::uint64_t heartbeat = view.heartbeat_ms();
  if (heartbeat > now_ms + kAheadMs || now_ms > heartbeat + static_cast<std::uint64_t>(kMaxViewAge.count())) {
    return Fail(Reason::kForbidden, "the registry's view is stale: does pawld run?");
  }
  const auto entry = view.Find(id);
  if (!entry) return Fail(Reason::kForbidden, "not in the registry");
  if (!entry->admitted) return Fail(Reason::kForbidden, "its state in the registry does not admit it");
  for (std::size_t i = 0; i < entry->pin_count; ++i) {
    if (entry->pins[i] == pin) return {};
  }
  return Fail(Reason::kForbidden, "its certificate's key is not the registered one");
}

Result<View> View::Open(const std::string& path) {
  const OwnedFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return FileError("open", path);
  struct stat info{};
  if (fstat(file.get(), &info) != 0) return FileError("look at", path);
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size < kViewHeaderBytes) return Fail(Reason::kTruncated, path);
  if (size > kMaxFileBytes) return Fail(Reason::kTooLarge, path);
  void* const memory = mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (memory == MAP_FAILED) return FileError("map", path);
  View view;
  view.memory_ = memory;
  view.bytes_ = size;
  view.inode_ = info.st_ino;
  PAWL_ASSIGN(view.parsed_, ViewBytes::Parse({static_cast<const std::uint8_t*>(view.memory_), size}));
  return view;
}

View::View(View&& other) noexcept { *this = std::move(other); }
View& View::operator=(View&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(bytes_, other.bytes_);
  std::swap(inode_, other.inode_);
  std::swap(parsed_, other.parsed_);
  return *this;
}
View::~View() {
  if (memory_ != nullptr) munmap(memory_, bytes_);
}

std::uint64_t ViewInode(const std::string& path) {
  struct stat info{};
  return stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

Status ViewBuilder::Add(const ViewEntry& entry) {
  if (entry.id.empty() || entry.id.size() > kMaxViewIdBytes || entry.id.contains('\0') || entry.pin_count > kMaxPins) {
    return Fail(Reason::kInvalidArgument, "view: the entry is not well-formed");
  }
  if (entry.id <= last_id_) return Fail(Reason::kInvalidArgument, "view: the ids must be sorted");
  const std::size_t at = bytes_.size();
  if (at >= kMaxFileBytes) return Fail(Reason::kTooLarge, "view: too many devices");
  bytes_.resize(at + kViewEntryBytes);
  const MutableBytes to = MutableBytes(bytes_).subspan(at);
  std::ranges::copy(AsBytes(entry.id), to.begin());
  to[64] = entry.admitted ? 1 : 0;
  to[65] = entry.state;
  to[66] = static_cast<std::uint8_t>(entry.pin_count);
  for (std::size_t i = 0; i < entry.pin_count; ++i) std::ranges::copy(entry.pins[i], to.subspan(72 + 32 * i).begin());
  last_id_ = entry.id;
  return {};
}

std::vector<std::uint8_t> ViewBuilder::Finish(std::uint64_t generation, std::uint64_t heartbeat_ms) && {
  const MutableBytes header = MutableBytes(bytes_).first(kViewHeaderBytes);
  std::ranges::copy(AsBytes(kMagic), header.begin());
  StoreLe<std::uint32_t>(header.subspan(8, 4), kVersion);
  StoreLe<std::uint32_t>(header.subspan(12, 4), kViewEntryBytes);
  StoreLe<std::uint64_t>(header.subspan(16, 8), generation);
  StoreLe<std::uint64_t>(header.subspan(24, 8), (bytes_.size() - kViewHeaderBytes) / kViewEntryBytes);
  StoreLe<std::uint64_t>(header.subspan(kHeartbeatAt, 8), heartbeat_ms);
  StoreLe<std::uint64_t>(header.subspan(kChecksumAt, 8), ViewChecksum(bytes_));
  return std::move(bytes_);
}

Status ViewFile::Replace(ByteView content, unsigned mode, std::optional<unsigned> group) {
  const std::string fresh = path_ + ".new";
  unlink(fresh.c_str());
  OwnedFd file(open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return FileError("create", fresh);
  // No fsync: after a loss of power the view is written anew before anyone may ask.
  PAWL_TRY(WriteAll(file, content, fresh));
  if (group && fchown(file.get(), static_cast<uid_t>(-1), *group) != 0) return FileError("give", fresh);
  if (fchmod(file.get(), mode) != 0) return FileError("open up", fresh);
  if (rename(fresh.c_str(), path_.c_str()) != 0) return FileError("put in place", path_);
  file_ = std::move(file);
  return {};
}

Status ViewFile::Beat(std::uint64_t heartbeat_ms) {
  std::array<std::uint8_t, 8> bytes{};
  StoreLe<std::uint64_t>(bytes, heartbeat_ms);
  if (!file_ || pwrite(file_.get(), bytes.data(), bytes.size(), kHeartbeatAt) != 8) return FileError("write", path_);
  return {};
}

}  // namespace pawl::broker
