// The port for the artifact store: content by its SHA-256, with the chunk digests ("leaves") beside it.
// Implementations: directory/ (files); S3 later, behind the same port.
//
// Threads   every function may be called from any thread; a Writer belongs to one.
// Errors    not found; too large (over the limit); no space; i/o error, with the file and the error.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/hosted/files.h"
#include "base/result.h"

namespace pawl::store {

struct Stored {
  Digest digest{};
  std::uint64_t bytes = 0;
  bool created = false;  // false: the same content was there already
};

// One upload. Nothing of it is visible before Commit; dropped without Commit, or cut off by a crash, it leaves nothing.
class Writer {
 public:
  virtual ~Writer() = default;
  virtual Status Append(ByteView bytes) = 0;
  // Durable when it returns: content, leaves and their names. `expected`: refuse other content (errors: digest
  // mismatch). Errors: invalid argument (empty). May be called once.
  virtual Result<Stored> Commit(const std::optional<Digest>& expected = std::nullopt) = 0;
};

// An open file descriptor, for pread or sendfile.
class OpenFile {
 public:
  OpenFile(OwnedFd file, std::uint64_t bytes) : file_(std::move(file)), bytes_(bytes) {}
  int fd() const { return file_.get(); }
  std::uint64_t bytes() const { return bytes_; }

 private:
  OwnedFd file_;
  std::uint64_t bytes_;
};

enum class Part : std::uint8_t { kContent, kLeaves };

class ArtifactStore {
 public:
  virtual ~ArtifactStore() = default;
  virtual Result<std::unique_ptr<Writer>> Begin() = 0;
  virtual Result<OpenFile> Open(const Digest& digest, Part part) const = 0;
  // The content's path in the local file system, for the signer, which hashes it itself. Errors: not found;
  // unavailable, if this store has no local files.
  virtual Result<std::string> LocalPath(const Digest& digest) const = 0;
  virtual Result<std::vector<Digest>> List() const = 0;
  virtual Status Remove(const Digest& digest) = 0;  // no error if it is not there
  virtual Status Check() const = 0;                 // can it store now? For /readyz
};

}  // namespace pawl::store
