#include "platform/io/http/body_pipe.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace pawl::http {

Result<std::size_t> BodyPipe::Read(MutableBytes to) {
  PAWL_ASSERT(!to.empty());
  std::unique_lock lock(mutex_);
  if (begin_ == end_ && !ended_) {
    wanted_ = true;
    wake_io_();
    changed_.wait(lock, [&] { return begin_ != end_ || ended_; });
  }
  if (begin_ == end_) {
    if (error_) return std::unexpected(*error_);
    return std::size_t{0};
  }
  const std::size_t n = std::min(to.size(), end_ - begin_);
  std::copy_n(data_.begin() + static_cast<std::ptrdiff_t>(begin_), n, to.begin());
  begin_ += n;
  return n;
}

bool BodyPipe::TakeWanted() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(wanted_, false);
}

void BodyPipe::Filled(std::size_t bytes) {
  {
    const std::scoped_lock lock(mutex_);
    begin_ = 0;
    end_ = bytes;
  }
  changed_.notify_one();
}

void BodyPipe::End(std::optional<Error> error) {
  {
    const std::scoped_lock lock(mutex_);
    ended_ = true;
    error_ = error;
  }
  changed_.notify_one();
}

}  // namespace pawl::http
