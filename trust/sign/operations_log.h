// One line for each signature that leaves the signer: to be compared with the platform's audit and the HSM's own
// counter.
//
// Format   logfmt: n=12 at=2026-01-31T12:00:00Z op=sign_permit ... n rises by one; a gap means that a line was removed.
// Crash    the line is in the file before its signature leaves. Permits are many: theirs may be lost with the power.
// Threads  any.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/hosted/files.h"
#include "base/result.h"

namespace pawl::sign {

class OperationsLog {
 public:
  // Goes on behind the last whole line.
  static Result<std::unique_ptr<OperationsLog>> Open(const std::string& path);

  enum class Durability { kProcessCrash, kPowerLoss };
  // `facts` is logfmt without line breaks and secrets. Errors: no space, i/o error: then the signature must not leave.
  Status Append(std::string_view operation, std::string_view facts, Durability durability);
  std::uint64_t count();

 private:
  OperationsLog(OwnedFd file, std::string path, std::uint64_t count)
      : file_(std::move(file)), path_(std::move(path)), count_(count) {}

  std::mutex mutex_;
  OwnedFd file_;
  const std::string path_;
  std::uint64_t count_;
};

// "2026-01-31T12:00:00Z"
std::string UtcText(std::uint64_t seconds_since_1970);

}  // namespace pawl::sign
