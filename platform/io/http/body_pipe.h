// The body of a streamed request on its way from an I/O thread to a handler.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "platform/io/http/message.h"

namespace pawl::http {

// One piece at a time, and only when the handler asks, so that a slow disk slows the client down.
class BodyPipe : public BodyReader {
 public:
  static constexpr std::size_t kPieceBytes = 65536;

  // `wake_io` is called in the handler's thread when it wants a piece.
  explicit BodyPipe(std::function<void()> wake_io) : wake_io_(std::move(wake_io)) {}

  // --- The handler's side ---
  Result<std::size_t> Read(MutableBytes to) override;

  // --- The I/O thread's side ---
  bool TakeWanted();
  // Precondition: the handler wants a piece, so it does not look at the buffer.
  std::vector<std::uint8_t>& buffer() { return data_; }
  void Filled(std::size_t bytes);
  void End(std::optional<Error> error = std::nullopt);

 private:
  std::function<void()> wake_io_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::uint8_t> data_ = std::vector<std::uint8_t>(kPieceBytes);
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool wanted_ = false;
  bool ended_ = false;
  std::optional<Error> error_;
};

}  // namespace pawl::http
