#include "cli/progress.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "cli/text.h"

namespace pawl::cli {
namespace {

constexpr std::size_t kBarColumns = 30;
constexpr std::chrono::milliseconds kInterval{100};

}  // namespace

std::string Bar(std::uint64_t part, std::uint64_t total, std::size_t columns) {
  if (columns < 3) return {};
  const std::size_t inner = columns - 2;
  const double share = total == 0 ? 0 : std::min(1.0, static_cast<double>(part) / static_cast<double>(total));
  const auto full = static_cast<std::size_t>(share * static_cast<double>(inner));
  return "[" + std::string(full, '#') + std::string(inner - full, '.') + "]";
}

Progress::Progress(const Terminal& terminal, std::string title, std::uint64_t total)
    : visible_(terminal.err_is_tty && !terminal.json), title_(std::move(title)), total_(total) {}

void Progress::Show(std::uint64_t done) {
  const auto now = std::chrono::steady_clock::now();
  if (!visible_ || (now < next_ && done < total_)) return;
  next_ = now + kInterval;
  drawn_ = true;
  const std::uint64_t percent = done * 100 / total_;
  std::fprintf(stderr, "\r\x1b[K%s %s %3u %% of %s", title_.c_str(), Bar(done, total_, kBarColumns).c_str(),
               static_cast<unsigned>(percent), Bytes(total_).c_str());
}

void Progress::Finish() {
  if (std::exchange(drawn_, false)) std::fprintf(stderr, "\r\x1b[K");
}

}  // namespace pawl::cli
