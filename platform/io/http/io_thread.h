// What one I/O thread of the server consists of. Internal: includes Asio and Beast.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <set>
#include <thread>
#include <utility>

namespace pawl::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::awaitable;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

// co_await f(Into(error)): the error arrives there instead of as an exception.
inline asio::redirect_error_t<std::decay_t<decltype(asio::use_awaitable)>> Into(error_code& error) {
  return asio::redirect_error(asio::use_awaitable, error);
}

class Signal {
 public:
  explicit Signal(const asio::any_io_executor& executor) : timer_(executor) {}
  void Set() {
    set_ = true;
    timer_.cancel();
  }
  // False: the deadline passed.
  awaitable<bool> WaitUntil(Clock::time_point deadline) {
    if (!set_) {
      timer_.expires_at(deadline);
      error_code ignored;
      co_await timer_.async_wait(Into(ignored));
    }
    co_return std::exchange(set_, false);
  }
  awaitable<void> Wait() {
    while (!co_await WaitUntil(Clock::time_point::max())) {
    }
  }

 private:
  asio::steady_timer timer_;
  bool set_ = false;
};

// One I/O thread. All but Post and WakeAll belongs to that thread.
struct IoThread {
  std::set<Signal*> sleepers;            // event streams and waiting handlers
  std::set<beast::tcp_stream*> streams;  // every open connection
  std::set<beast::tcp_stream*> idle;     // those between requests
  asio::io_context context{1};           // after the sets: its coroutines use them to their end
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::atomic<bool> wake_posted{false};
  std::jthread thread;

  void WakeAll() {
    if (wake_posted.exchange(true)) return;
    asio::post(context, [this] {
      wake_posted = false;
      for (Signal* sleeper : sleepers) sleeper->Set();
    });
  }
};

// Registers a pointer in a set for a scope.
template <class T>
class Registered {
 public:
  Registered(std::set<T*>& set, T* item) : set_(set), item_(item) { set_.insert(item_); }
  ~Registered() { set_.erase(item_); }
  Registered(const Registered&) = delete;
  Registered& operator=(const Registered&) = delete;

 private:
  std::set<T*>& set_;
  T* item_;
};

// Counts up to a limit, for a scope.
class Slot {
 public:
  Slot(std::atomic<std::size_t>& count, std::size_t max) : count_(count), taken_(++count <= max) {}
  ~Slot() { --count_; }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  bool taken() const { return taken_; }

 private:
  std::atomic<std::size_t>& count_;
  bool taken_;
};

}  // namespace pawl::http
