#include "agent/io/downloader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "agent/core/content_range.h"
#include "agent/io/log.h"
#include "agent/io/system.h"
#include "slots/slot.h"

namespace pawl::agent {
namespace {

constexpr std::uint64_t kScanChunks = 16;  // hashed in one slice: 1 MiB
constexpr std::uint64_t kDeadlineMinMs = 600'000;
constexpr std::uint64_t kNoWait = UINT64_MAX;

// What a refusal means for later: a source that may not serve us now may do so soon, one that has no such thing will
// not.
Trouble TroubleOf(int status) {
  const bool passing =
      status >= 500 || status == 401 || status == 403 || status == 408 || status == 425 || status == 429;
  return passing ? Trouble::kPassing : Trouble::kLasting;
}

Trouble TroubleOf(const Error& error) {
  return error.reason == Reason::kInvalidArgument ? Trouble::kLasting : Trouble::kPassing;
}

}  // namespace

Downloader::Downloader(HttpClient& http, CellFile& journal, Options options)
    : http_(http), journal_(journal), options_(std::move(options)) {
  chunk_.reserve(kChunkBytes);
}

Downloader::~Downloader() { Stop(); }

Status Downloader::Start(const action::Fetch& fetch, FileFlash& slot, std::uint64_t now_ms) {
  Stop();
  job_ = fetch;
  std::erase_if(job_.sources, [](const wire::Source& source) { return source.encoding != "raw"; });
  if (job_.sources.empty()) return pawl::Fail(Reason::kDownloadFailed, "the job names no source");
  if (const Status erased = EraseEnvelope(slot); !erased) {
    return pawl::Fail(Reason::kSlotWrite, erased.error().detail.view());
  }
  slot_ = &slot;
  chunks_ = ChunkCount(job_.manifest.payload_bytes);
  const std::uint64_t by_size =
      kDeadlineMinMs + job_.manifest.payload_bytes * 1000 / std::max<std::uint64_t>(options_.rate_min, 1);
  deadline_ms_ = now_ms + (options_.deadline_ms != 0 ? options_.deadline_ms : by_size);
  etags_.assign(job_.sources.size(), {});
  broken_.reset();
  PAWL_TRY(OpenLeaves());
  wait_ms_ = 0;
  if (LeavesHold()) {
    stage_ = Stage::kBegin;
  } else {
    stage_ = Stage::kLeaves;
    plan_.emplace(job_.sources.size(), 1, 0, Limits(Reason::kChunkTree));
  }
  return {};
}

void Downloader::Stop() {
  if (request_ != 0) http_.Cancel(request_);
  request_ = 0;
  leaves_file_ = OwnedFd();
  stage_ = Stage::kOff;
  wait_ms_ = kNoWait;
  plan_.reset();
}

void Downloader::LinkBack() {
  if (!plan_) return;
  plan_->LinkBack();
  if (request_ == 0) wait_ms_ = 0;
}

std::uint64_t Downloader::staged_bytes() const {
  if (stage_ != Stage::kChunks) return 0;
  return std::min<std::uint64_t>(plan_->next() * kChunkBytes, job_.manifest.payload_bytes);
}

DownloadLimits Downloader::Limits(Reason bad_chunk) const {
  return {.bad_chunk = bad_chunk, .backoff = options_.backoff, .deadline_ms = deadline_ms_};
}

HttpRequest Downloader::RequestFor(const std::string& url) const {
  HttpRequest request;
  request.url = url;
  request.allow_loopback = options_.allow_loopback;
  request.bind_address = options_.bind_address;
  request.timeout_ms = 0;  // the rate and the deadline bound it
  request.rate_max = options_.rate_max;
  request.rate_min = options_.rate_min;
  request.rate_window_s = options_.rate_window_s;
  return request;
}

// --- going on ---

Downloader::News Downloader::Work(std::uint64_t now_ms) {
  if (broken_) return Fail(*broken_);
  switch (stage_) {
    case Stage::kOff:
      return News::kNone;
    case Stage::kBegin:
      BeginScan();
      return News::kBegan;
    case Stage::kScan:
      ScanSlice();
      return News::kNone;
    case Stage::kLeaves:
    case Stage::kChunks:
      break;
  }
  if (now_ms >= deadline_ms_ && request_ != 0) {
    http_.Cancel(request_);
    request_ = 0;
    plan_->Broken(Trouble::kPassing, {Reason::kDownloadTooSlow, "cut off at the deadline"}, now_ms, 0);
  }
  if (request_ != 0 || now_ms < wait_ms_) return News::kNone;
  return Next(now_ms);
}

Downloader::News Downloader::Next(std::uint64_t now_ms) {
  const PlanNext next = plan_->Next(now_ms);
  if (const auto* failed = std::get_if<PlanFailed>(&next)) return Fail(failed->error);
  if (const auto* wait = std::get_if<WaitUntil>(&next)) {
    wait_ms_ = wait->ms;
    return News::kNone;
  }
  if (const auto* ask = std::get_if<AskRange>(&next)) {
    wait_ms_ = deadline_ms_;
    stage_ == Stage::kLeaves ? AskLeaves(ask->source) : AskChunks(*ask);
    return News::kNone;
  }
  wait_ms_ = 0;
  if (stage_ == Stage::kLeaves) {
    stage_ = Stage::kBegin;
    return News::kNone;
  }
  Stop();
  return News::kDone;
}

Downloader::News Downloader::Fail(const Error& error) {
  error_ = error;
  Stop();
  return News::kFailed;
}

bool Downloader::Refuse(Trouble trouble, Reason reason, std::string_view what) {
  const wire::Source& source = job_.sources[asked_.source];
  Error error{reason, std::string_view(stage_ == Stage::kLeaves ? source.leaves_url : source.url)};
  error.detail.append(": ").append(what);
  refused_ = error;
  refused_trouble_ = trouble;
  return false;
}

bool Downloader::OnHead(const HttpHead& head) {
  if (head.status == 416) return Refuse(Trouble::kLasting, Reason::kSizeMismatch, "416 Range Not Satisfiable");
  if (head.status != 200 && head.status != 206) {
    BoundedText<32> what("HTTP status ");
    what.append_number(static_cast<std::uint64_t>(head.status));
    return Refuse(TroubleOf(head.status), Reason::kUnavailable, what);
  }
  if (stage_ == Stage::kLeaves) {
    if (head.status == 206) return Refuse(Trouble::kLasting, Reason::kUnavailable, "206 without a range asked for");
    return true;
  }
  return CheckRangeHead(head);
}

bool Downloader::OnBody(ByteView bytes) { return stage_ == Stage::kLeaves ? TakeLeaves(bytes) : TakeChunkBytes(bytes); }

void Downloader::OnDone(const HttpOutcome& outcome) {
  request_ = 0;
  wait_ms_ = 0;
  stage_ == Stage::kLeaves ? LeavesDone(outcome) : ChunksDone(outcome);
}

// --- leaves ---

Status Downloader::OpenLeaves() {
  leaves_file_ = OwnedFd(::open(options_.leaves_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  return leaves_file_ ? Status{} : FileError("open", options_.leaves_path);
}

bool Downloader::LeavesHold() {
  ChunkTree tree;
  std::array<Digest, 128> block;
  std::uint64_t offset = 0;
  for (;;) {
    const ssize_t n = ::pread(leaves_file_.get(), block.data(), sizeof block, static_cast<off_t>(offset));
    if (n < 0 || n % static_cast<ssize_t>(sizeof(Digest)) != 0) return false;
    if (n == 0) break;
    const std::size_t count = static_cast<std::size_t>(n) / sizeof(Digest);
    for (std::size_t i = 0; i < count; ++i) tree.Add(block[i]);
    if (tree.leaves() > chunks_) return false;
    offset += static_cast<std::uint64_t>(n);
  }
  return tree.leaves() == chunks_ && tree.Root() == job_.manifest.tree_root;
}

Result<Digest> Downloader::Leaf(std::uint64_t chunk) const {
  Digest leaf{};
  const auto offset = static_cast<off_t>(chunk * sizeof(Digest));
  if (::pread(leaves_file_.get(), leaf.data(), leaf.size(), offset) != static_cast<ssize_t>(leaf.size())) {
    return FileError("read", options_.leaves_path);
  }
  return leaf;
}

void Downloader::AskLeaves(std::size_t source) {
  refused_.reset();
  asked_ = {source, 0, 1};
  leaves_bytes_ = 0;
  if (::ftruncate(leaves_file_.get(), 0) != 0) {
    broken_ = FileError("truncate", options_.leaves_path).error();
    return;
  }
  request_ = http_.Start(RequestFor(job_.sources[source].leaves_url), *this);
}

bool Downloader::TakeLeaves(ByteView bytes) {
  if (bytes.size() > chunks_ * sizeof(Digest) - leaves_bytes_) {
    return Refuse(Trouble::kLasting, Reason::kSizeMismatch, "more leaves than the payload has chunks");
  }
  if (::pwrite(leaves_file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(leaves_bytes_)) !=
      static_cast<ssize_t>(bytes.size())) {
    broken_ = FileError("write", options_.leaves_path).error();
    return false;
  }
  leaves_bytes_ += bytes.size();
  return true;
}

void Downloader::LeavesDone(const HttpOutcome& outcome) {
  const std::uint64_t now_ms = MonotonicMs();
  if (broken_) return;
  if (!refused_ && outcome.error) {
    refused_ = outcome.error;
    refused_trouble_ = TroubleOf(*outcome.error);
  }
  if (!refused_ && leaves_bytes_ != chunks_ * sizeof(Digest)) {
    Refuse(Trouble::kLasting, Reason::kSizeMismatch, "fewer leaves than the payload has chunks");
  }
  if (refused_) {
    LogError("download: leaves", *refused_);
    plan_->Broken(refused_trouble_, *refused_, now_ms, DrawRandom().jitter);
  } else if (LeavesHold()) {
    plan_->ChunkGood();
  } else {
    Log("download: leaves: wrong root from " + job_.sources[asked_.source].leaves_url);
    plan_->ChunkBad();
  }
}

// --- resume ---

void Downloader::BeginScan() {
  stage_ = Stage::kScan;
  scanned_ = 0;
}

std::size_t Downloader::ChunkBytes(std::uint64_t chunk) const {
  return static_cast<std::size_t>(
      std::min<std::uint64_t>(kChunkBytes, job_.manifest.payload_bytes - chunk * kChunkBytes));
}

void Downloader::ScanSlice() {
  const std::uint64_t until = std::min(chunks_, scanned_ + kScanChunks);
  for (; scanned_ < until; ++scanned_) {
    chunk_.resize(ChunkBytes(scanned_));
    const auto leaf = Leaf(scanned_);
    if (!leaf) {
      broken_ = leaf.error();
      return;
    }
    if (!slot_->Read(scanned_ * kChunkBytes, chunk_) || ChunkLeaf(chunk_) != *leaf) {
      BeginChunks(scanned_);
      return;
    }
  }
  if (scanned_ == chunks_) BeginChunks(scanned_);
}

void Downloader::BeginChunks(std::uint64_t first) {
  const DownloadJournal found = journal_.newest() ? DecodeJournal(journal_.newest()->payload) : DownloadJournal{};
  const bool resumed = found.manifest == job_.digest;
  std::string line = resumed || first > 0 ? "download: resume chunk=" + std::to_string(first) : "download: start";
  line += " chunks=" + std::to_string(chunks_);
  if (resumed) line += " chunks_again=" + std::to_string(found.chunks > first ? found.chunks - first : 0);
  Log(line);
  if (const Status stored = journal_.Store(EncodeJournal({job_.digest, first})); !stored) {
    broken_ = stored.error();
    return;
  }
  stage_ = Stage::kChunks;
  plan_.emplace(job_.sources.size(), chunks_, first, Limits(Reason::kChunkDigest));
  wait_ms_ = 0;
}

// --- chunks ---

void Downloader::AskChunks(const AskRange& ask) {
  asked_ = ask;
  asked_left_ = ask.count;
  refused_.reset();
  chunk_bad_ = false;
  chunk_.clear();
  const std::uint64_t first = ask.first * kChunkBytes;
  const std::uint64_t last = std::min(first + ask.count * kChunkBytes, job_.manifest.payload_bytes) - 1;
  HttpRequest request = RequestFor(job_.sources[ask.source].url);
  request.range = std::to_string(first) + "-" + std::to_string(last);
  if (first > 0) request.if_range = etags_[ask.source];
  request_ = http_.Start(request, *this);
}

bool Downloader::CheckRangeHead(const HttpHead& head) {
  std::string& etag = etags_[asked_.source];
  const std::uint64_t first = asked_.first * kChunkBytes;
  if (!head.header("content-encoding").empty()) {
    return Refuse(Trouble::kLasting, Reason::kDownloadFailed, "a content encoding that nobody asked for");
  }
  if (head.status == 200) {
    etag.clear();
    if (first != 0)
      return Refuse(Trouble::kLasting, Reason::kDownloadFailed, "200 instead of 206: no ranges, or it changed");
    return true;
  }
  const auto range = ParseContentRange(head.header("content-range"));
  if (!range || range->first != first) {
    return Refuse(Trouble::kLasting, Reason::kDownloadFailed, "206 with another Content-Range than asked for");
  }
  if (range->total && *range->total != job_.manifest.payload_bytes) {
    return Refuse(Trouble::kLasting, Reason::kSizeMismatch, "another length than the signed one");
  }
  const std::string told = head.header("etag");
  etag = told.starts_with('"') ? told : "";  // a weak one says nothing about bytes
  return true;
}

// What comes after the last chunk that was asked for is not read.
bool Downloader::TakeChunkBytes(ByteView bytes) {
  while (!bytes.empty()) {
    if (asked_left_ == 0) return false;
    const std::size_t take = std::min(bytes.size(), ChunkBytes(plan_->next()) - chunk_.size());
    chunk_.insert(chunk_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(take));
    bytes = bytes.subspan(take);
    if (chunk_.size() == ChunkBytes(plan_->next()) && !FinishChunk()) return false;
  }
  return true;
}

// The chunk is durable before the next one is taken: that is what "at most one chunk again" costs.
bool Downloader::FinishChunk() {
  const std::uint64_t chunk = plan_->next();
  const auto leaf = Leaf(chunk);
  chunk_bad_ = leaf && ChunkLeaf(chunk_) != *leaf;
  if (chunk_bad_) return false;
  Status done = leaf ? Status{} : Status(std::unexpected(leaf.error()));
  if (done) done = journal_.Store(EncodeJournal({job_.digest, chunk + 1}), false);
  if (done) done = slot_->Program(chunk * kChunkBytes, chunk_);
  if (done) done = slot_->Flush();
  if (!done) {
    broken_ = Error{Reason::kSlotWrite, done.error().detail.view()};
    return false;
  }
  plan_->ChunkGood();
  --asked_left_;
  chunk_.clear();
  return true;
}

void Downloader::ChunksDone(const HttpOutcome& outcome) {
  if (broken_) return;
  const std::uint64_t now_ms = MonotonicMs();
  if (chunk_bad_) {
    Log("download: chunk " + std::to_string(plan_->next()) + " is wrong from " + job_.sources[asked_.source].url);
    plan_->ChunkBad();
    return;
  }
  if (asked_left_ == 0) return;
  if (!refused_) {
    refused_ = outcome.error ? *outcome.error : Error{Reason::kUnavailable, "the answer ended early"};
    refused_trouble_ = TroubleOf(*refused_);
  }
  LogError("download", *refused_);
  plan_->Broken(refused_trouble_, *refused_, now_ms, DrawRandom().jitter);
}

}  // namespace pawl::agent
