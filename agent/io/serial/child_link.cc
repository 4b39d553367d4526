#include "agent/io/serial/child_link.h"

#include <algorithm>
#include <utility>

#include "agent/io/log.h"
#include "agent/io/system.h"

namespace pawl::agent {

void ChildLink::Ask(const serial::Request& request, OnAnswer on_answer) {
  if (failed_) return;
  if (queue_.size() == kMaxQueue) {
    GiveUp(Reason::kUnavailable, "the child is too slow: too many requests wait");
    return;
  }
  Asked& asked = queue_.emplace_back();
  asked.number = number_++;
  asked.payload = serial::Encode(serial::NumberedRequest{asked.number, request});
  asked.name = serial::Name(request);
  asked.on_answer = std::move(on_answer);
  asked.repeat_ms = std::holds_alternative<serial::Seal>(request) ? options_.seal_repeat_ms : options_.repeat_ms;
}

ChildLink::Answer ChildLink::Call(const serial::Request& request) {
  std::optional<Answer> answer;
  Ask(request, [&answer](const Answer& a) { answer = a; });
  while (!answer && !failed_) {
    Work(MonotonicMs());
    if (answer || failed_) break;
    std::vector<pollfd> fds;
    AddTo(fds);
    const std::uint64_t now_ms = MonotonicMs();
    const std::uint64_t wait_ms = NextMs() <= now_ms ? 0 : std::min(NextMs() - now_ms, options_.repeat_ms);
    ::poll(fds.data(), fds.size(), static_cast<int>(wait_ms));
  }
  return answer ? *answer : Answer(std::unexpected(*failed_));
}

std::optional<serial::Telling> ChildLink::TakeTelling() {
  if (tellings_.empty()) return std::nullopt;
  const serial::Telling telling = tellings_.front();
  tellings_.pop_front();
  return telling;
}

void ChildLink::Work(std::uint64_t now_ms) {
  if (failed_) return;
  const auto payloads = line_->Service();
  if (!payloads) {
    GiveUp(payloads.error().reason, payloads.error().detail.view());
    return;
  }
  for (const serial::Payload& payload : *payloads) Take(payload);
  SendDue(now_ms);
}

void ChildLink::SendDue(std::uint64_t now_ms) {
  while (!failed_ && !queue_.empty() && queue_.front().due_ms <= now_ms) {
    Asked& asked = queue_.front();
    if (asked.sent == options_.tries) {
      GiveUp(Reason::kTimeout, "the child does not answer " + std::string(asked.name));
      return;
    }
    line_->Send(asked.payload);
    asked.sent += 1;
    asked.due_ms = now_ms + asked.repeat_ms;
    if (!asked.on_answer) queue_.pop_front();
  }
}

void ChildLink::Take(const serial::Payload& payload) {
  if (failed_) return;
  const auto message = serial::DecodeFromChild(payload);
  if (!message) {
    if (message.error().reason == Reason::kUnsupportedVersion && !queue_.empty()) {
      Finish(std::unexpected(message.error()));
    } else if (trouble_ != message.error().detail.view()) {
      trouble_ = message.error().detail.view();
      LogError("child: message", message.error());
    }
    return;
  }
  if (const auto* telling = std::get_if<serial::Telling>(&*message)) {
    TakeTold(*telling);
    return;
  }
  const auto& answered = std::get<serial::NumberedAnswer>(*message);
  if (queue_.empty() || queue_.front().sent == 0 || queue_.front().number != answered.number) return;
  if (const auto* refused = std::get_if<serial::Refused>(&answered.answer)) {
    Finish(Fail(refused->reason, refused->detail.view()));
  } else {
    Finish(answered.answer);
  }
}

void ChildLink::TakeTold(const serial::Telling& telling) {
  if (const auto* started = std::get_if<serial::Started>(&telling)) {
    if (boot_ && started->boot != *boot_) GiveUp(Reason::kUnavailable, "the child started anew");
    return;
  }
  if (tellings_.size() == kMaxTellings) tellings_.pop_front();
  tellings_.push_back(telling);
}

void ChildLink::Finish(const Answer& answer) {
  const OnAnswer on_answer = std::move(queue_.front().on_answer);
  queue_.pop_front();
  on_answer(answer);
}

void ChildLink::GiveUp(Reason reason, std::string_view detail) {
  failed_ = Error{reason, detail};
  queue_.clear();
}

}  // namespace pawl::agent
