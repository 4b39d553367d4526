#include "trust/sign/artifact.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/hosted/files.h"
#include "trust/crypto/crypto.h"
#include "trust/manifest/manifest.h"
#include "trust/verify/chunk_tree.h"

namespace pawl::sign {
namespace {

constexpr std::size_t kMaxPathBytes = 512;

bool IsPlainName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('\0') == std::string_view::npos;
}

// Walks from the root one name at a time, so that no name can lead out of it.
Result<OwnedFd> OpenBeneath(const std::string& root, const std::string& path) {
  if (path.empty() || path.size() > kMaxPathBytes)
    return Fail(Reason::kForbidden, "the artifact's path is empty or too long");
  OwnedFd folder(open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return FileError("open the artifact root", root);
  std::string_view rest = path;
  if (rest.starts_with(root + "/")) rest.remove_prefix(root.size() + 1);
  for (;;) {
    const std::size_t slash = rest.find('/');
    const std::string name(rest.substr(0, slash));
    if (!IsPlainName(name)) return Fail(Reason::kForbidden, "the artifact's path leaves the artifact root");
    const bool last = slash == std::string_view::npos;
    const int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (last ? O_NONBLOCK | O_NOCTTY : O_DIRECTORY);
    OwnedFd next(openat(folder.get(), name.c_str(), flags));
    if (!next && (errno == ELOOP || errno == ENOTDIR)) {
      return Fail(Reason::kForbidden, "the artifact's path holds a symbolic link or a file as a folder: " + path);
    }
    if (!next) return FileError("open the artifact", path);
    if (last) return next;
    folder = std::move(next);
    rest.remove_prefix(slash + 1);
  }
}

// Fills the chunk as far as the file goes. Returns how much was read.
Result<std::size_t> ReadChunk(int fd, MutableBytes chunk, const std::string& path) {
  std::size_t size = 0;
  while (size < chunk.size()) {
    const ssize_t got = read(fd, chunk.data() + size, chunk.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError("read the artifact", path);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  return size;
}

Result<MeasuredArtifact> Measure(int fd, const std::string& path) {
  struct stat facts{};
  if (fstat(fd, &facts) != 0) return FileError("look at the artifact", path);
  if (!S_ISREG(facts.st_mode)) return Fail(Reason::kInvalidArgument, "the artifact is no regular file: " + path);
  crypto::Sha256 hash;
  ChunkTree tree;
  MeasuredArtifact measured;
  std::vector<std::uint8_t> buffer(kChunkBytes);
  for (;;) {
    PAWL_ASSIGN(const std::size_t got, ReadChunk(fd, buffer, path));
    if (got == 0) break;
    const ByteView chunk = ByteView(buffer).first(got);
    hash.Update(chunk);
    tree.Add(ChunkLeaf(chunk));
    measured.bytes += got;
    if (measured.bytes > kMaxArtifactBytes) return Fail(Reason::kTooLarge, "the artifact is over 64 GiB: " + path);
  }
  if (measured.bytes == 0) return Fail(Reason::kInvalidArgument, "the artifact is empty: " + path);
  measured.digest = hash.Finish();
  measured.tree_root = tree.Root();
  return measured;
}

}  // namespace

Result<MeasuredArtifact> MeasureArtifact(const std::string& root, const std::string& path) {
  PAWL_ASSIGN(const OwnedFd file, OpenBeneath(root, path));
  return Measure(file.get(), path);
}

Result<MeasuredArtifact> MeasureFile(const std::string& path) {
  const OwnedFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return FileError("open", path);
  return Measure(file.get(), path);
}

}  // namespace pawl::sign
