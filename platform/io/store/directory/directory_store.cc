#include "platform/io/store/directory/directory_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/text.h"
#include "trust/crypto/crypto.h"
#include "trust/verify/chunk_tree.h"

namespace pawl::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLeavesSuffix = ".leaves";
constexpr std::size_t kHexDigits = 64;

std::unexpected<Error> SystemError(std::string_view what, const fs::path& path, int error) {
  const Reason reason = error == ENOSPC || error == EDQUOT ? Reason::kNoSpace
                        : error == ENOENT                  ? Reason::kNotFound
                                                           : Reason::kIo;
  return Fail(reason, std::string(what) + " " + path.string() + ": " + std::strerror(error));
}

// An open file that closes itself.
class File {
 public:
  explicit File(int fd = -1) : fd_(fd) {}
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Status WriteAll(const File& file, ByteView bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.fd(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return SystemError("cannot write", path, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Status SyncFolder(const fs::path& folder) {
  const File opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.fd() < 0 || ::fsync(opened.fd()) != 0) return SystemError("cannot sync", folder, errno);
  return {};
}

struct Paths {
  fs::path content;
  fs::path leaves;
};
Paths PathsOf(const fs::path& root, const Digest& digest) {
  std::array<char, kHexDigits> hex{};
  const std::string_view text = HexEncode(digest, hex);
  const fs::path content = root / "sha-256" / text.substr(0, 2) / text.substr(2);
  return {content, fs::path(content) += kLeavesSuffix};
}

class DirectoryWriter : public Writer {
 public:
  DirectoryWriter(fs::path root, fs::path incoming, File content, File leaves, std::uint64_t max_bytes)
      : root_(std::move(root)),
        incoming_{incoming, fs::path(incoming) += kLeavesSuffix},
        content_(std::move(content)),
        leaves_(std::move(leaves)),
        max_bytes_(max_bytes) {
    chunk_.reserve(kChunkBytes);
  }
  ~DirectoryWriter() override {
    ::unlink(incoming_.content.c_str());
    ::unlink(incoming_.leaves.c_str());
  }

  Status Append(ByteView bytes) override {
    if (bytes.size() > max_bytes_ - bytes_) {
      return Fail(Reason::kTooLarge, "the artifact is over the limit of " + std::to_string(max_bytes_) + " bytes");
    }
    PAWL_TRY(WriteAll(content_, bytes, incoming_.content));
    whole_.Update(bytes);
    bytes_ += bytes.size();
    while (!bytes.empty()) {
      const ByteView part = bytes.first(std::min(bytes.size(), kChunkBytes - chunk_.size()));
      chunk_.insert(chunk_.end(), part.begin(), part.end());
      bytes = bytes.subspan(part.size());
      if (chunk_.size() == kChunkBytes) PAWL_TRY(EndChunk());
    }
    return {};
  }

  Result<Stored> Commit(const std::optional<Digest>& expected) override {
    if (bytes_ == 0) return Fail(Reason::kInvalidArgument, "the artifact is empty");
    if (!chunk_.empty()) PAWL_TRY(EndChunk());
    Stored stored{.digest = whole_.Finish(), .bytes = bytes_, .created = true};
    if (expected && *expected != stored.digest) {
      return Fail(Reason::kImageDigest, "the artifact's SHA-256 is not the announced one: it was altered on its way");
    }
    if (::fsync(content_.fd()) != 0) return SystemError("cannot sync", incoming_.content, errno);
    if (::fsync(leaves_.fd()) != 0) return SystemError("cannot sync", incoming_.leaves, errno);
    const Paths paths = PathsOf(root_, stored.digest);
    PAWL_TRY(Place(paths, stored));
    return stored;
  }

 private:
  Status EndChunk() {
    PAWL_TRY(WriteAll(leaves_, ChunkLeaf(chunk_), incoming_.leaves));
    chunk_.clear();
    return {};
  }

  // Leaves first: content in its place always has its leaves.
  Status Place(const Paths& paths, Stored& stored) {
    std::error_code error;
    fs::create_directories(paths.content.parent_path(), error);
    if (error) return SystemError("cannot create", paths.content.parent_path(), error.value());
    stored.created = !fs::exists(paths.content, error);
    if (::rename(incoming_.leaves.c_str(), paths.leaves.c_str()) != 0 ||
        ::rename(incoming_.content.c_str(), paths.content.c_str()) != 0) {
      return SystemError("cannot put in place", paths.content, errno);
    }
    PAWL_TRY(SyncFolder(paths.content.parent_path()));
    return SyncFolder(root_ / "sha-256");
  }

  fs::path root_;
  Paths incoming_;
  File content_;
  File leaves_;
  std::uint64_t max_bytes_;
  std::uint64_t bytes_ = 0;
  crypto::Sha256 whole_;
  std::vector<std::uint8_t> chunk_;
};

class DirectoryStore : public ArtifactStore {
 public:
  DirectoryStore(fs::path root, std::uint64_t max_bytes) : root_(std::move(root)), max_bytes_(max_bytes) {}

  Result<std::unique_ptr<Writer>> Begin() override {
    const fs::path incoming = root_ / "incoming" / std::to_string(next_++);
    constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    File content(::open(incoming.c_str(), kFlags, 0600));
    if (content.fd() < 0) return SystemError("cannot create", incoming, errno);
    const fs::path leaves_path = fs::path(incoming) += kLeavesSuffix;
    File leaves(::open(leaves_path.c_str(), kFlags, 0600));
    if (leaves.fd() < 0) return SystemError("cannot create", leaves_path, errno);
    return std::make_unique<DirectoryWriter>(root_, incoming, std::move(content), std::move(leaves), max_bytes_);
  }

  Result<OpenFile> Open(const Digest& digest, Part part) const override {
    const Paths paths = PathsOf(root_, digest);
    const fs::path& path = part == Part::kContent ? paths.content : paths.leaves;
    File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (file.fd() < 0) return SystemError("cannot open artifact", path, errno);
    struct stat about{};
    if (::fstat(file.fd(), &about) != 0) return SystemError("cannot look at", path, errno);
    return OpenFile(file.Release(), static_cast<std::uint64_t>(about.st_size));
  }

  Result<std::string> LocalPath(const Digest& digest) const override {
    const fs::path path = PathsOf(root_, digest).content;
    if (::access(path.c_str(), R_OK) != 0) return SystemError("cannot open artifact", path, errno);
    return path.string();
  }

  Result<std::vector<Digest>> List() const override {
    std::vector<Digest> digests;
    std::error_code error;
    for (fs::recursive_directory_iterator it(root_ / "sha-256", error), end; !error && it != end; it.increment(error)) {
      const std::string hex = it->path().parent_path().filename().string() + it->path().filename().string();
      Digest digest{};
      if (it->is_regular_file(error) && HexDecode(hex, digest)) digests.push_back(digest);
    }
    if (error) return SystemError("cannot list", root_ / "sha-256", error.value());
    return digests;
  }

  Status Remove(const Digest& digest) override {
    const Paths paths = PathsOf(root_, digest);
    for (const fs::path& path : {paths.content, paths.leaves}) {
      if (::unlink(path.c_str()) != 0 && errno != ENOENT) return SystemError("cannot remove", path, errno);
    }
    return {};
  }

  Status Check() const override {
    if (::access((root_ / "incoming").c_str(), W_OK | X_OK) != 0) return SystemError("cannot write to", root_, errno);
    std::error_code error;
    const fs::space_info space = fs::space(root_, error);
    if (error) return SystemError("cannot look at", root_, error.value());
    if (space.available < kMinFreeBytes)
      return Fail(Reason::kNoSpace, "less than 16 MiB are free at " + root_.string());
    return {};
  }

 private:
  static constexpr std::uintmax_t kMinFreeBytes = 16 << 20;

  fs::path root_;
  std::uint64_t max_bytes_;
  std::atomic<std::uint64_t> next_ = 0;
};

}  // namespace

OpenFile::~OpenFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::unique_ptr<ArtifactStore>> OpenDirectoryStore(const std::string& root, std::uint64_t max_bytes) {
  const fs::path path(root);
  std::error_code error;
  fs::remove_all(path / "incoming", error);  // what uploads left that were cut off
  for (const fs::path& folder : {path / "sha-256", path / "incoming"}) {
    fs::create_directories(folder, error);
    if (error) return SystemError("cannot create", folder, error.value());
  }
  if (::chmod(root.c_str(), 0700) != 0) return SystemError("cannot protect", path, errno);
  return std::make_unique<DirectoryStore>(path, max_bytes);
}

}  // namespace pawl::store
