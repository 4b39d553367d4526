#include "platform/io/store/directory/directory_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "base/hosted/files.h"
#include "base/text.h"
#include "trust/crypto/crypto.h"
#include "trust/verify/chunk_tree.h"

namespace pawl::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLeavesSuffix = ".leaves";
constexpr std::size_t kHexDigits = 64;

std::unexpected<Error> Failed(std::string_view what, const fs::path& path, const std::error_code& error) {
  errno = error.value();
  return FileError(what, path.string());
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
  DirectoryWriter(fs::path root, fs::path incoming, OwnedFd content, OwnedFd leaves, std::uint64_t max_bytes)
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
    PAWL_TRY(WriteAll(content_, bytes, incoming_.content.string()));
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
    if (::fsync(content_.get()) != 0) return FileError("sync", incoming_.content.string());
    if (::fsync(leaves_.get()) != 0) return FileError("sync", incoming_.leaves.string());
    const Paths paths = PathsOf(root_, stored.digest);
    PAWL_TRY(Place(paths, stored));
    return stored;
  }

 private:
  Status EndChunk() {
    PAWL_TRY(WriteAll(leaves_, ChunkLeaf(chunk_), incoming_.leaves.string()));
    chunk_.clear();
    return {};
  }

  // Leaves first: content in its place always has its leaves.
  Status Place(const Paths& paths, Stored& stored) {
    std::error_code error;
    fs::create_directories(paths.content.parent_path(), error);
    if (error) return Failed("create", paths.content.parent_path(), error);
    stored.created = !fs::exists(paths.content, error);
    if (::rename(incoming_.leaves.c_str(), paths.leaves.c_str()) != 0 ||
        ::rename(incoming_.content.c_str(), paths.content.c_str()) != 0) {
      return FileError("put in place", paths.content.string());
    }
    PAWL_TRY(SyncFolder(paths.content.parent_path().string()));
    return SyncFolder((root_ / "sha-256").string());
  }

  fs::path root_;
  Paths incoming_;
  OwnedFd content_;
  OwnedFd leaves_;
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
    OwnedFd content(::open(incoming.c_str(), kFlags, 0600));
    if (!content) return FileError("create", incoming.string());
    const fs::path leaves_path = fs::path(incoming) += kLeavesSuffix;
    OwnedFd leaves(::open(leaves_path.c_str(), kFlags, 0600));
    if (!leaves) return FileError("create", leaves_path.string());
    return std::make_unique<DirectoryWriter>(root_, incoming, std::move(content), std::move(leaves), max_bytes_);
  }

  Result<OpenFile> Open(const Digest& digest, Part part) const override {
    const Paths paths = PathsOf(root_, digest);
    const fs::path& path = part == Part::kContent ? paths.content : paths.leaves;
    OwnedFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file) return FileError("open artifact", path.string());
    struct stat about{};
    if (::fstat(file.get(), &about) != 0) return FileError("look at", path.string());
    return OpenFile(std::move(file), static_cast<std::uint64_t>(about.st_size));
  }

  Result<std::string> LocalPath(const Digest& digest) const override {
    const fs::path path = PathsOf(root_, digest).content;
    if (::access(path.c_str(), R_OK) != 0) return FileError("open artifact", path.string());
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
    if (error) return Failed("list", root_ / "sha-256", error);
    return digests;
  }

  Status Remove(const Digest& digest) override {
    const Paths paths = PathsOf(root_, digest);
    for (const fs::path& path : {paths.content, paths.leaves}) {
      if (::unlink(path.c_str()) != 0 && errno != ENOENT) return FileError("remove", path.string());
    }
    return {};
  }

  Status Check() const override {
    if (::access((root_ / "incoming").c_str(), W_OK | X_OK) != 0) return FileError("write to", root_.string());
    std::error_code error;
    const fs::space_info space = fs::space(root_, error);
    if (error) return Failed("look at", root_, error);
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

Result<std::unique_ptr<ArtifactStore>> OpenDirectoryStore(const std::string& root, std::uint64_t max_bytes) {
  const fs::path path(root);
  std::error_code error;
  fs::remove_all(path / "incoming", error);  // what uploads left that were cut off
  for (const fs::path& folder : {path / "sha-256", path / "incoming"}) {
    fs::create_directories(folder, error);
    if (error) return Failed("create", folder, error);
  }
  if (::chmod(root.c_str(), 0700) != 0) return FileError("protect", path.string());
  return std::make_unique<DirectoryStore>(path, max_bytes);
}

}  // namespace pawl::store
