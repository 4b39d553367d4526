// Keeps the registry's view (broker/view.h) equal to the registry.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "broker/view.h"
#include "platform/io/data/database.h"

namespace pawl {

// Threads  one.
class ViewWriter {
 public:
  // `reader_group`: who else must be able to read it.
  ViewWriter(data::Database& database, std::string path, std::optional<unsigned> reader_group)
      : database_(database), file_(std::move(path)), reader_group_(reader_group) {}

  // Holds the view against the registry: writes it anew if the registry has changed, else says that it still holds.
  // Returns the generation that stands. Errors: what the database or the file says; then nothing is said to hold.
  Result<std::uint64_t> Refresh();
  std::uint64_t writes() const { return writes_; }

 private:
  data::Database& database_;
  broker::ViewFile file_;
  std::optional<unsigned> reader_group_;
  std::optional<std::uint64_t> written_;
  std::uint64_t writes_ = 0;
};

}  // namespace pawl
