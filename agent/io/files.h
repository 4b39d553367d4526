// Small files on the data partition. Linux.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/cell.h"
#include "base/result.h"

namespace pawl::agent {

// Errors: not found, too large, i/o error; each names the path.
Result<std::vector<std::uint8_t>> ReadFile(const std::string& path, std::size_t bytes_max);
bool FileExists(const std::string& path);
// The new content or the old, whatever happens: temporary file, fsync, rename, fsync of the folder.
// Errors: i/o error, no space.
Status WriteFileDurably(const std::string& path, ByteView content, unsigned mode = 0644);
Status RemoveFile(const std::string& path);

// errno as an Error that names the path.
std::unexpected<Error> FileError(std::string_view what, const std::string& path);

// Two cells of one kind in a file of their own, written in turn.
class CellFile {
 public:
  // Makes the file if there is none. Errors: i/o error, no space, unsupported version (a newer agent's).
  static Result<std::unique_ptr<CellFile>> Open(const std::string& path, const CellKind& kind);
  CellFile(const CellFile&) = delete;
  CellFile& operator=(const CellFile&) = delete;
  ~CellFile();

  // What was stored last; nothing: new, or both copies damaged.
  const std::optional<Cell>& newest() const { return newest_; }
  // Overwrites the older copy. durable: returns when it would survive a power cut. Errors: i/o error, no space.
  Status Store(const CellPayload& payload, bool durable = true);

 private:
  CellFile(int fd, std::string path, const CellKind& kind) : fd_(fd), path_(std::move(path)), kind_(kind) {}
  Status Load();

  int fd_;
  std::string path_;
  CellKind kind_;
  std::optional<Cell> newest_;
  std::size_t place_ = 0;  // of the next copy: 0 or 1
};

}  // namespace pawl::agent
