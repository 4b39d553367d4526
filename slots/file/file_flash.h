// A file or block device as flash. Linux.
#pragma once

#include <memory>
#include <string>

#include "base/hosted/files.h"
#include "slots/flash.h"

namespace pawl {

class FileFlash final : public Flash {
 public:
  enum class Rule : std::uint8_t {
    kNor,        // Program refuses to set a bit that is clear: for the boot record
    kOverwrite,  // Program replaces what is there, in any order, no erase needed: for slots
  };
  struct Options {
    Rule rule = Rule::kNor;
    std::uint32_t sector_bytes = 4096;
    std::uint64_t bytes = 0;  // what the file or device must hold; 0: whatever it holds, in whole sectors
    bool read_only = false;
  };

  // Errors: i/o error (with path and cause), invalid argument (size).
  static Result<std::unique_ptr<FileFlash>> Open(const std::string& path, const Options& options);

  std::uint64_t bytes() const override { return bytes_; }
  std::uint32_t sector_bytes() const override { return options_.sector_bytes; }
  Status Read(std::uint64_t offset, MutableBytes to) override;
  Status Program(std::uint64_t offset, ByteView from) override;
  Status Erase(std::uint64_t sector) override;
  Status Flush() override;  // fdatasync

  // For reading by other means (copy_file_range, mmap). Lifetime: this object's.
  int fd() const { return file_.get(); }

 private:
  FileFlash(OwnedFd file, std::string path, const Options& options, std::uint64_t bytes);
  Status CheckRange(std::uint64_t offset, std::uint64_t size) const;

  OwnedFd file_;
  std::string path_;
  Options options_;
  std::uint64_t bytes_;
};

// The sizes of a device directory's flash (docs/architecture.md, "A virtual device's directory").
inline constexpr std::uint32_t kRecordSectorBytes = 4096;
inline constexpr FileFlash::Options kRecordFileOptions{
    .rule = FileFlash::Rule::kNor, .sector_bytes = kRecordSectorBytes, .bytes = 2 * kRecordSectorBytes};
inline constexpr FileFlash::Options kSlotFileOptions{.rule = FileFlash::Rule::kOverwrite, .sector_bytes = 4096};

}  // namespace pawl
