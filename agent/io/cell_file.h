// What the agent remembers over power cuts, on the data partition. Linux.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/core/cell.h"
#include "base/hosted/files.h"
#include "base/result.h"

namespace pawl::agent {

// Two cells of one kind in a file of their own, written in turn.
class CellFile {
 public:
  // Makes the file if there is none. Errors: i/o error, no space, unsupported version (a newer agent's).
  static Result<std::unique_ptr<CellFile>> Open(const std::string& path, const CellKind& kind);
  // What was stored last; nothing: new, or both copies damaged.
  const std::optional<Cell>& newest() const { return newest_; }
  // Overwrites the older copy. durable: returns when it would survive a power cut. Errors: i/o error, no space.
  Status Store(const CellPayload& payload, bool durable = true);

 private:
  CellFile(OwnedFd file, std::string path, const CellKind& kind)
      : file_(std::move(file)), path_(std::move(path)), kind_(kind) {}
  Status Load();

  OwnedFd file_;
  std::string path_;
  CellKind kind_;
  std::optional<Cell> newest_;
  std::size_t place_ = 0;  // of the next copy: 0 or 1
};

}  // namespace pawl::agent
