// Questions to a child and their answers, over a line that loses, damages and delays.
//
// One request is on its way at a time, in the order in which they were asked. One that is not answered is sent again
// with the same number; an answer to another number is old and dropped.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "agent/io/serial/line.h"
#include "wire/serial/serial.h"

namespace pawl::agent {

using ChildBoot = decltype(serial::Started::boot);

class ChildLink {
 public:
  struct Options {
    std::uint64_t repeat_ms = 1000;
    std::uint64_t seal_repeat_ms = 20'000;  // the child reads back and verifies a whole image
    int tries = 8;                          // a child is gone after that
  };
  using Answer = Result<serial::Answer>;  // a child's Refused is the error that it names
  using OnAnswer = std::function<void(const Answer&)>;

  ChildLink(std::unique_ptr<SerialLine> line, Options options) : line_(std::move(line)), options_(options) {}
  ChildLink(const ChildLink&) = delete;
  ChildLink& operator=(const ChildLink&) = delete;

  // The request's views are not kept. on_answer is called once, from Work or Call, unless the link fails before; it may
  // ask again, not call.
  void Ask(const serial::Request& request, OnAnswer on_answer);
  // Asks, and waits for the answer; others' answers that come before are delivered meanwhile.
  // Errors: the child's, timeout, unavailable.
  Answer Call(const serial::Request& request);
  // Sent once, in its turn, if ever; no answer is waited for.
  void Tell(const serial::Request& request) { Ask(request, nullptr); }

  // A child that says that it started under another id than this is gone.
  void ExpectBoot(const ChildBoot& boot) { boot_ = boot; }
  // Changed and NonceWanted, oldest first.
  std::optional<serial::Telling> TakeTelling();

  void AddTo(std::vector<pollfd>& fds) const { line_->AddTo(fds); }
  std::uint64_t NextMs() const { return queue_.empty() ? UINT64_MAX : queue_.front().due_ms; }
  void Work(std::uint64_t now_ms);
  // The line is closed, the child does not answer, it started anew, or it is far too slow. For good.
  const std::optional<Error>& failed() const { return failed_; }
  void GiveUp(Reason reason, std::string_view detail);

 private:
  static constexpr std::size_t kMaxQueue = 16;
  static constexpr std::size_t kMaxTellings = 16;

  struct Asked {
    serial::Payload payload;
    std::uint8_t number = 0;
    std::string_view name;
    OnAnswer on_answer;  // none: it is only told
    std::uint64_t repeat_ms = 0;
    std::uint64_t due_ms = 0;  // to be sent, or sent again
    int sent = 0;
  };
  void SendDue(std::uint64_t now_ms);
  void Take(const serial::Payload& payload);
  void TakeTold(const serial::Telling& telling);
  void Finish(const Answer& answer);

  std::unique_ptr<SerialLine> line_;
  Options options_;
  std::deque<Asked> queue_;  // the first is on its way
  std::deque<serial::Telling> tellings_;
  std::optional<ChildBoot> boot_;
  std::optional<Error> failed_;
  std::string trouble_;  // with a message: told once, not each time
  std::uint8_t number_ = 0;
};

// The answer, if it is one of this kind. Errors: the answer's; malformed (another kind).
template <class T>
Result<T> As(const ChildLink::Answer& answer) {
  if (!answer) return std::unexpected(answer.error());
  if (const T* wanted = std::get_if<T>(&*answer)) return *wanted;
  return Fail(Reason::kMalformed, "the child's answer does not fit the request");
}

}  // namespace pawl::agent
