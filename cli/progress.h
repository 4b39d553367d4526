// A progress bar on standard error, if that is a terminal; else nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "cli/terminal.h"

namespace pawl::cli {

// "[#####.....]", `columns` wide in all; part of total, cut to it.
std::string Bar(std::uint64_t part, std::uint64_t total, std::size_t columns);

class Progress {
 public:
  // Precondition: total > 0. `title` is sanitised.
  Progress(const Terminal& terminal, std::string title, std::uint64_t total);
  ~Progress() { Finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Show(std::uint64_t done);  // drawn ten times a second at most
  void Finish();                  // leaves a clean line

 private:
  bool visible_;
  bool drawn_ = false;
  std::string title_;
  std::uint64_t total_;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace pawl::cli
