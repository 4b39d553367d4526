// Fetches a payload into the staging slot: leaves, resume point, chunks. Every chunk is compared with its leaf before
// it is written. What and when to ask is agent/core/download_plan's; this is its edge.
//
// Files   data/leaves.bin (compared with the signed root before each use), data/journal.bin.
// Resume  the staged chunks are hashed again from the start; the first that differs from its leaf is where it goes on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/core/actions.h"
#include "agent/core/download_plan.h"
#include "agent/io/cell_file.h"
#include "agent/io/config.h"
#include "agent/io/http.h"
#include "base/hosted/files.h"
#include "slots/file/file_flash.h"
#include "trust/verify/chunk_tree.h"

namespace pawl::agent {

class Downloader final : private HttpHandler {
 public:
  struct Options {
    bool allow_loopback = false;
    std::string bind_address;
    std::uint64_t rate_max = 0;
    std::uint64_t rate_min = 1024;
    std::uint32_t rate_window_s = 20;
    std::uint64_t deadline_ms = 0;  // 0: by the payload's size and rate_min
    std::string leaves_path;
    Backoff backoff{.base_ms = 250, .cap_ms = 30'000};
  };
  // Lifetime: keeps `http` and `journal`.
  Downloader(HttpClient& http, CellFile& journal, Options options);
  ~Downloader() override;

  // Stops what runs. Precondition: the manifest is installable; `slot` may be written. Lifetime: keeps slot until it
  // ends. Errors: slot write failed, no space, download failed (no source).
  Status Start(const action::Fetch& fetch, FileFlash& slot, std::uint64_t now_ms);
  void Stop();

  enum class News : std::uint8_t { kNone, kBegan, kDone, kFailed };
  // Goes on: a slice of hashing, the next request, a wait that is over. What is new, at most one thing each time.
  News Work(std::uint64_t now_ms);
  const Error& error() const { return error_; }

  bool running() const { return stage_ != Stage::kOff; }
  bool busy() const { return stage_ == Stage::kScan || stage_ == Stage::kBegin; }  // Work has something to do now
  std::uint64_t next_ms() const { return wait_ms_; }  // Work is due then; UINT64_MAX: an answer comes first
  std::uint64_t staged_bytes() const;
  void LinkBack();

 private:
  enum class Stage : std::uint8_t { kOff, kLeaves, kBegin, kScan, kChunks };

  bool OnHead(const HttpHead& head) override;
  bool OnBody(ByteView bytes) override;
  void OnDone(const HttpOutcome& outcome) override;

  // Leaves.
  Status OpenLeaves();
  bool LeavesHold();
  void AskLeaves(std::size_t source);
  bool TakeLeaves(ByteView bytes);
  void LeavesDone(const HttpOutcome& outcome);
  // Resume.
  void BeginScan();
  void ScanSlice();
  void BeginChunks(std::uint64_t first);
  // Chunks.
  void AskChunks(const AskRange& ask);
  bool CheckRangeHead(const HttpHead& head);
  bool TakeChunkBytes(ByteView bytes);
  bool FinishChunk();
  void ChunksDone(const HttpOutcome& outcome);

  News Next(std::uint64_t now_ms);
  bool Refuse(Trouble trouble, Reason reason, std::string_view what);
  News Fail(const Error& error);
  HttpRequest RequestFor(const std::string& url) const;
  std::size_t ChunkBytes(std::uint64_t chunk) const;
  Result<Digest> Leaf(std::uint64_t chunk) const;
  DownloadLimits Limits(Reason bad_chunk) const;

  HttpClient& http_;
  CellFile& journal_;
  Options options_;

  Stage stage_ = Stage::kOff;
  Error error_;
  action::Fetch job_;
  FileFlash* slot_ = nullptr;
  std::uint64_t chunks_ = 0;
  std::uint64_t deadline_ms_ = 0;
  std::uint64_t wait_ms_ = UINT64_MAX;
  std::optional<DownloadPlan> plan_;
  std::vector<std::string> etags_;  // by source, of its first answer
  std::optional<Error> broken_;     // a write to slot or file failed: the download is over

  // The request that runs.
  HttpClient::Id request_ = 0;  // 0: none
  AskRange asked_;
  std::uint64_t asked_left_ = 0;  // chunks still to come
  std::optional<Error> refused_;  // why it was stopped from here
  Trouble refused_trouble_ = Trouble::kLasting;
  bool chunk_bad_ = false;
  std::vector<std::uint8_t> chunk_;  // what has come of the next chunk

  OwnedFd leaves_file_;
  std::uint64_t leaves_bytes_ = 0;  // written of the leaves that come
  std::uint64_t scanned_ = 0;
};

}  // namespace pawl::agent
