// A child in memory, by docs/spec/serial.md, on one end of a socket pair; it loses and damages as it is told.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agent/io/serial/line.h"
#include "slots/boot_record.h"
#include "trust/crypto/crypto.h"
#include "wire/serial/frame.h"

namespace pawl::agent {

struct SocketPair {
  SocketPair() {
    int fds[2];
    PAWL_ASSERT(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    gateway = OwnedFd(fds[0]);
    child = OwnedFd(fds[1]);
  }
  OwnedFd gateway;
  OwnedFd child;
};

class FakeChild {
 public:
  FakeChild() {
    facts.boot.fill(1);
    facts.image_version = "1.0.0";
    facts.slot_bytes = 256 * 1024;
    facts.sector_bytes = 16 * 1024;
    facts.watchdog_ms = 2000;
    record.proven = true;
    slot.assign(facts.slot_bytes, 0xFF);
  }

  // What has come on the line is answered. False: the line is closed.
  bool Serve(const OwnedFd& fd) {
    for (;;) {
      std::array<std::uint8_t, 4096> bytes;
      const ssize_t n = ::read(fd.get(), bytes.data(), bytes.size());
      if (n == 0 || (n < 0 && errno != EAGAIN)) return false;
      if (n < 0) return true;
      for (const std::uint8_t byte : std::span(bytes).first(static_cast<std::size_t>(n))) {
        const auto got = reader_.Take(byte);
        if (const auto* payload = std::get_if<serial::FrameReader::Payload>(&got)) Take(fd, payload->bytes);
      }
    }
  }
  void Send(const OwnedFd& fd, const serial::Payload& payload) {
    const serial::Frame frame = serial::Pack(payload);
    Raw(fd, ByteView(frame.data(), frame.size()));
  }
  void Tell(const OwnedFd& fd, const serial::Telling& telling) { Send(fd, serial::Encode(telling)); }
  static void Raw(const OwnedFd& fd, ByteView bytes) {
    PAWL_ASSERT(::write(fd.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }

  // Another boot: what was in RAM is gone, flash stays.
  void Restart() {
    facts.boot[0] = static_cast<std::uint8_t>(facts.boot[0] + 1);
    begun.reset();
    written = 0;
    envelope.clear();
    sealed = false;
  }

  int Count(const std::string& name) const {
    const auto found = requests.find(name);
    return found == requests.end() ? 0 : found->second;
  }

  serial::Facts facts;  // without the record
  BootRecord record;
  std::vector<std::uint8_t> slot;
  std::optional<serial::Begin> begun;
  std::uint64_t written = 0;
  std::vector<std::uint8_t> envelope;
  bool sealed = false;
  std::optional<serial::Refused> refuse_seal;
  std::uint64_t bytes_programmed = 0;
  std::map<std::string, int> requests;  // by name; what was lost is not counted
  std::vector<serial::Nonce> nonces;
  std::function<bool()> lose_request = [] { return false; };
  std::function<bool()> lose_answer = [] { return false; };

 private:
  using Answer = serial::Answer;

  void Take(const OwnedFd& fd, ByteView payload) {
    if (lose_request()) return;
    const auto request = serial::DecodeRequest(payload);
    PAWL_ASSERT(request.has_value());
    requests[std::string(serial::Name(request->request))] += 1;
    if (const auto* nonce = std::get_if<serial::Nonce>(&request->request)) {
      nonces.push_back(*nonce);
      return;
    }
    const Answer answer = std::visit([this](const auto& r) { return On(r); }, request->request);
    if (!lose_answer()) Send(fd, serial::Encode(serial::NumberedAnswer{request->number, answer}));
  }

  Answer On(const serial::AskFacts&) {
    facts.record = EncodeRecord(record);
    return facts;
  }
  Answer On(const serial::Begin& begin) {
    const bool again = begun && begun->manifest_digest == begin.manifest_digest;
    if (!again) {
      written = 0;
      envelope.clear();
      sealed = false;
    }
    begun = begin;
    return Where();
  }
  Answer On(const serial::HashStaged& wanted) {
    PAWL_ASSERT(wanted.bytes >= 1 && wanted.bytes <= serial::kMaxHashBytes);
    return serial::Hashed{crypto::Hash(ByteView(slot).subspan(wanted.offset, wanted.bytes))};
  }
  Answer On(const serial::Write& write) {
    const MutableBytes place = MutableBytes(slot).subspan(write.offset, write.data.size());
    if (write.offset + write.data.size() <= written && Equal(place, write.data)) return Where();
    if (!begun || (write.offset != written && write.offset % facts.sector_bytes != 0)) {
      return serial::Refused{Reason::kConflict, "not where it goes on"};
    }
    if (write.offset % facts.sector_bytes == 0) {
      std::ranges::fill(MutableBytes(slot).subspan(write.offset, facts.sector_bytes), std::uint8_t{0xFF});
    }
    std::ranges::copy(write.data, place.begin());
    written = write.offset + write.data.size();
    bytes_programmed += write.data.size();
    return Where();
  }
  Answer On(const serial::Envelope& part) {
    if (part.offset == envelope.size()) envelope.insert(envelope.end(), part.data.begin(), part.data.end());
    return Where();
  }
  Answer On(const serial::Seal&) {
    if (refuse_seal) return *refuse_seal;
    sealed = true;
    return serial::Done{};
  }
  Answer On(const serial::Pending& pending) {
    if (record.pending) return serial::Done{};
    const auto next = SetPending(record, Slot::kA, {Slot::kB, pending.job, pending.manifest_digest});
    if (!sealed || !next) return serial::Refused{Reason::kNotAllowed, "F1"};
    record = *next;
    return serial::Done{};
  }
  Answer On(const serial::SettleRollback& settle) {
    return Commit(pawl::SettleRollback(record, settle.trial, settle.job));
  }
  Answer On(const serial::SettleEmergency& settle) { return Commit(pawl::SettleEmergency(record, settle.count)); }
  Answer On(const serial::RaiseFloor& raise) {
    return Commit(pawl::RaiseFloor(record, Slot::kA, raise.value, facts.security_version));
  }
  Answer On(const serial::Reset&) { return serial::Done{}; }
  Answer On(const serial::Nonce&) { return serial::Done{}; }

  Answer Where() const { return serial::Staged{written, static_cast<std::uint32_t>(envelope.size())}; }
  Answer Commit(const Result<BootRecord>& next) {
    if (!next) return serial::Refused{next.error().reason, next.error().detail.view()};
    record = *next;
    return serial::Done{};
  }

  serial::FrameReader reader_;
};

// Serves one end of a line in a thread of its own. While `mutex` is held, the child does nothing.
class ServedChild {
 public:
  ServedChild(FakeChild& child, OwnedFd fd) : child_(child), fd_(std::move(fd)), thread_([this] { Run(); }) {}
  ~ServedChild() {
    stop_ = true;
    thread_.join();
  }
  void Tell(const serial::Telling& telling) {
    const std::lock_guard lock(mutex);
    child_.Tell(fd_, telling);
  }
  std::mutex mutex;

 private:
  void Run() {
    while (!stop_) {
      pollfd ready{fd_.get(), POLLIN, 0};
      if (::poll(&ready, 1, 20) <= 0) continue;
      const std::lock_guard lock(mutex);
      if (!child_.Serve(fd_)) return;
    }
  }
  FakeChild& child_;
  OwnedFd fd_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace pawl::agent
