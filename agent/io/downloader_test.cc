#include "agent/io/downloader.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <random>

#include "agent/io/system.h"
#include "agent/io/test_tls.h"
#include "slots/file/machine_line.h"
#include "trust/crypto/crypto.h"

namespace pawl::agent {
namespace {

constexpr std::size_t kPayloadBytes = 9 * kChunkBytes + 1234;  // ten chunks
constexpr std::uint64_t kSlotBytes = 1 << 20;
constexpr std::uint64_t kTestDeadlineMs = 30'000;

class DownloaderTest : public testing::Test {
 protected:
  DownloaderTest() {
    std::mt19937 random(1);
    payload_.resize(kPayloadBytes);
    for (char& c : payload_) c = static_cast<char>(random());
    ChunkTree tree;
    for (std::size_t at = 0; at < payload_.size(); at += kChunkBytes) {
      const Digest leaf = ChunkLeaf(AsBytes(payload_).subspan(at, std::min(kChunkBytes, payload_.size() - at)));
      tree.Add(leaf);
      leaves_.append(AsText(leaf));
    }
    fetch_.manifest.payload_bytes = kPayloadBytes;
    fetch_.manifest.tree_root = tree.Root();
    fetch_.digest.fill(0x42);
    std::filesystem::resize_file(MakeEmpty(folder_ / "slot"), kSlotBytes);
    slot_ = FileFlash::Open(folder_ / "slot", kSlotFileOptions).value();
    journal_ = CellFile::Open(folder_ / "journal", kJournalKind).value();
    options_.allow_loopback = true;
    options_.leaves_path = folder_ / "leaves";
    options_.backoff = {.base_ms = 10, .cap_ms = 50};
    options_.rate_window_s = 1;
    http_.UseTls(platform_.ClientTls());
  }
  static std::string MakeEmpty(const std::string& path) {
    OwnedFd(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
    return path;
  }

  // A server whose answer to a range request for the payload is `misbehave`; leaves are served well.
  TestServer& Serve(TestServer::Handler misbehave = {}) {
    servers_.push_back(
        std::make_unique<TestServer>(platform_.server, platform_.device_ca.pem,
                                     [this, misbehave](const TestRequest& request, TestServer::Reply& reply) {
                                       if (request.path == "/leaves") return reply.Answer(200, "", leaves_);
                                       if (misbehave) return misbehave(request, reply);
                                       reply.Range(request, payload_, "ETag: \"good\"\r\n");
                                     }));
    fetch_.sources.push_back({servers_.back()->Url("/payload"), servers_.back()->Url("/leaves"), "raw"});
    return *servers_.back();
  }

  // Runs until it is over, or until `enough`.
  Downloader::News Run(const std::function<bool(const Downloader&)>& enough = {}) {
    Downloader downloader(http_, *journal_, options_);
    const Status started = downloader.Start(fetch_, *slot_, MonotonicMs());
    EXPECT_TRUE(started) << started.error().detail.view();
    const std::uint64_t end_ms = MonotonicMs() + kTestDeadlineMs;
    std::vector<pollfd> none;
    while (MonotonicMs() < end_ms) {
      const Downloader::News news = downloader.Work(MonotonicMs());
      if (news == Downloader::News::kBegan) ++began_;
      if (news == Downloader::News::kDone || news == Downloader::News::kFailed) {
        error_ = downloader.error();
        return news;
      }
      if (enough && enough(downloader)) return Downloader::News::kNone;
      http_.Poll(none, downloader.busy() ? 0 : 5);
    }
    ADD_FAILURE() << "the download did not end";
    return Downloader::News::kNone;
  }
  void ExpectDone() {
    ASSERT_EQ(Run(), Downloader::News::kDone) << Text(error_.reason) << ": " << error_.detail.view();
    std::vector<std::uint8_t> staged(kPayloadBytes);
    ASSERT_TRUE(slot_->Read(0, staged));
    EXPECT_TRUE(Equal(staged, AsBytes(payload_)));
    EXPECT_EQ(began_, 1);
  }
  void ExpectFailed(Reason reason, std::string_view detail) {
    ASSERT_EQ(Run(), Downloader::News::kFailed);
    EXPECT_EQ(Text(error_.reason), Text(reason));
    EXPECT_NE(error_.detail.view().find(detail), std::string_view::npos) << error_.detail.view();
  }
  static std::vector<std::string> Ranges(const TestServer& server) {
    std::vector<std::string> ranges;
    for (const TestRequest& request : server.requests()) {
      if (request.path == "/payload") ranges.push_back(request.range);
    }
    return ranges;
  }
  std::string Flipped(std::size_t at) const {
    std::string bad = payload_;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    return bad;
  }

  TestFolder folder_;
  TestPlatform platform_;
  std::string payload_;
  std::string leaves_;
  HttpClient http_;
  std::unique_ptr<FileFlash> slot_;
  std::unique_ptr<CellFile> journal_;
  Downloader::Options options_;
  action::Fetch fetch_;
  std::vector<std::unique_ptr<TestServer>> servers_;
  Error error_;
  int began_ = 0;
};

const std::string kWhole = "bytes=0-" + std::to_string(kPayloadBytes - 1);

TEST_F(DownloaderTest, TakesThePayloadInOneRangeRequestWithTheDevicesCertificate) {
  const TestServer& server = Serve();
  ExpectDone();
  EXPECT_EQ(Ranges(server), (std::vector{kWhole}));
  for (const TestRequest& request : server.requests()) EXPECT_EQ(request.client, "dev-0001");
}

TEST_F(DownloaderTest, ABadChunkIsAskedForAgainAloneAndFromAnotherSource) {
  const std::string bad = Flipped(3 * kChunkBytes + 17);
  const TestServer& altered =
      Serve([&bad](const TestRequest& request, TestServer::Reply& reply) { reply.Range(request, bad); });
  const TestServer& good = Serve();
  ExpectDone();
  EXPECT_EQ(Ranges(altered), (std::vector{kWhole}));
  EXPECT_EQ(Ranges(good),
            (std::vector<std::string>{"bytes=196608-262143", "bytes=262144-" + std::to_string(kPayloadBytes - 1)}));
}

TEST_F(DownloaderTest, AChunkThatStaysBadEndsItAfterThreeRetriesAndNeverReachesTheSlot) {
  const std::string bad = Flipped(3 * kChunkBytes + 17);
  const TestServer& server =
      Serve([&bad](const TestRequest& request, TestServer::Reply& reply) { reply.Range(request, bad); });
  ExpectFailed(Reason::kChunkDigest, "chunk 3 of 10");
  EXPECT_EQ(Ranges(server).size(), 4U);
  std::vector<std::uint8_t> staged(kChunkBytes);
  ASSERT_TRUE(slot_->Read(3 * kChunkBytes, staged));
  EXPECT_TRUE(std::ranges::all_of(staged, [](std::uint8_t byte) { return byte == 0; }));
}

TEST_F(DownloaderTest, GoesOnAtTheNextChunkWhenTheConnectionBreaks) {
  std::atomic<int> count = 0;
  const TestServer& server = Serve([&](const TestRequest& request, TestServer::Reply& reply) {
    if (count++ > 0) return reply.Range(request, payload_, "ETag: \"good\"\r\n");
    reply.Write("HTTP/1.1 206 X\r\nETag: \"good\"\r\nContent-Length: " + std::to_string(kPayloadBytes) +
                "\r\nContent-Range: bytes 0-" + std::to_string(kPayloadBytes - 1) + "/" +
                std::to_string(kPayloadBytes) + "\r\n\r\n");
    reply.Write(payload_.substr(0, 5 * kChunkBytes + 99));
  });
  ExpectDone();
  ASSERT_EQ(Ranges(server).size(), 2U);
  EXPECT_EQ(Ranges(server)[1], "bytes=327680-" + std::to_string(kPayloadBytes - 1));
  EXPECT_EQ(server.requests().back().if_range, "\"good\"");
}

TEST_F(DownloaderTest, ResumesAfterARestartWithNoChunkFetchedAgain) {
  const TestServer& server = Serve();
  Run([](const Downloader& downloader) { return downloader.staged_bytes() >= 4 * kChunkBytes; });
  const std::uint64_t staged = DecodeJournal(journal_->newest()->payload).chunks;
  ASSERT_GE(staged, 4U);
  began_ = 0;
  ExpectDone();
  if (staged < 10)
    EXPECT_EQ(Ranges(server).back(),
              "bytes=" + std::to_string(staged * kChunkBytes) + "-" + std::to_string(kPayloadBytes - 1));
}

TEST_F(DownloaderTest, StagedBytesThatChangedAreFetchedAgainWhateverTheJournalSays) {
  const TestServer& server = Serve();
  ExpectDone();
  ASSERT_TRUE(slot_->Program(2 * kChunkBytes + 5, AsBytes("altered")));
  began_ = 0;
  ExpectDone();
  EXPECT_EQ(Ranges(server).back(), "bytes=131072-" + std::to_string(kPayloadBytes - 1));
}

TEST_F(DownloaderTest, AnotherPayloadInTheSlotIsNotTakenForThisOne) {
  ASSERT_TRUE(slot_->Program(0, std::vector<std::uint8_t>(kPayloadBytes, 0x55)));
  Serve();
  ExpectDone();
}

TEST_F(DownloaderTest, A200ToTheWholeIsTakenAndA200ToAPartIsNot) {
  const auto no_ranges = [this](const TestRequest&, TestServer::Reply& reply) { reply.Answer(200, "", payload_); };
  Serve(no_ranges);
  ExpectDone();
  ASSERT_TRUE(slot_->Program(2 * kChunkBytes + 5, AsBytes("altered")));
  began_ = 0;
  const TestServer& good = Serve();
  ExpectDone();
  EXPECT_EQ(Ranges(good), (std::vector<std::string>{"bytes=131072-" + std::to_string(kPayloadBytes - 1)}));
}

TEST_F(DownloaderTest, AWrongContentRangeSendsItToTheNextSource) {
  for (const char* range : {"bytes 1-655359/655360", "bytes 0-99/x", "", "bytes 65536-131071/591058"}) {
    Serve([this, range](const TestRequest&, TestServer::Reply& reply) {
      reply.Answer(206, "Content-Range: " + std::string(range) + "\r\n", payload_);
    });
  }
  Serve();
  ExpectDone();
}

TEST_F(DownloaderTest, AnotherLengthThanTheSignedOneIsASizeMismatch) {
  Serve([this](const TestRequest& request, TestServer::Reply& reply) { reply.Range(request, payload_ + "x"); });
  ExpectFailed(Reason::kSizeMismatch, "another length");
}

TEST_F(DownloaderTest, AnEndlessAnswerIsReadNoFurtherThanTheSignedSize) {
  std::atomic<std::uint64_t> written = 0;
  Serve([this, &written](const TestRequest&, TestServer::Reply& reply) {
    reply.Write("HTTP/1.1 200 X\r\n\r\n" + payload_);
    const std::string more(65536, 'x');
    while (reply.Write(more)) written += more.size();
  });
  ExpectDone();
  EXPECT_LT(written, 64U << 20);
}

TEST_F(DownloaderTest, ASlowSourceIsLeftForAnother) {
  Serve([](const TestRequest&, TestServer::Reply& reply) {
    reply.Write("HTTP/1.1 200 X\r\n\r\n");
    while (reply.Write("x")) ::usleep(100'000);
  });
  Serve();
  ExpectDone();
}

TEST_F(DownloaderTest, OnlySlowSourcesEndItAtTheDeadlineAsTooSlow) {
  Serve([](const TestRequest&, TestServer::Reply& reply) {
    reply.Write("HTTP/1.1 200 X\r\n\r\n");
    while (reply.Write("x")) ::usleep(100'000);
  });
  options_.deadline_ms = 3000;
  ExpectFailed(Reason::kDownloadTooSlow, "deadline");
}

TEST_F(DownloaderTest, FollowsThreeRedirectsButNotFour) {
  const auto redirect = [](int hops) {
    return [hops](const TestRequest& request, TestServer::Reply& reply) {
      const int hop = request.path == "/payload" ? 0 : request.path.back() - '0';
      reply.Answer(302, "Location: /" + std::string(hop + 1 == hops ? "end" : "hop" + std::to_string(hop + 1)) + "\r\n",
                   "");
    };
  };
  const auto serve = [&](int hops) {
    const auto go_on = redirect(hops);
    Serve([this, go_on](const TestRequest& request, TestServer::Reply& reply) {
      request.path == "/end" ? reply.Range(request, payload_) : go_on(request, reply);
    });
  };
  serve(3);
  ExpectDone();
  fetch_.sources.clear();
  fetch_.digest.fill(0x43);
  ASSERT_TRUE(slot_->Program(0, AsBytes("another")));
  serve(4);
  ExpectFailed(Reason::kDownloadFailed, "redirects");
}

TEST_F(DownloaderTest, FollowsNoRedirectToAFileOrToPlainHttp) {
  for (const char* target : {"file:///etc/passwd", "http://127.0.0.1:1/x", "ftp://127.0.0.1/x"}) {
    Serve([target](const TestRequest&, TestServer::Reply& reply) {
      reply.Answer(302, "Location: " + std::string(target) + "\r\n", "");
    });
  }
  Serve();
  ExpectDone();
}

TEST_F(DownloaderTest, ConnectsToNoLoopbackAddressUnlessConfigured) {
  const TestServer& server = Serve();
  options_.allow_loopback = false;
  options_.deadline_ms = 500;
  ExpectFailed(Reason::kDownloadFailed, "loopback");
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(DownloaderTest, AServerOfAnotherCaGetsNoRequest) {
  const TestCertificate other = TestCertificate::Make({.name = "Another CA", .ca = true});
  platform_.server = TestCertificate::Make({}, &other);
  const TestServer& server = Serve();
  options_.deadline_ms = 500;
  EXPECT_EQ(Run(), Downloader::News::kFailed);
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(DownloaderTest, WrongLeavesAreRefusedAndAnotherSourceIsAsked) {
  leaves_[5] = static_cast<char>(leaves_[5] ^ 1);
  Serve();
  ExpectFailed(Reason::kChunkTree, "4 times");
  EXPECT_EQ(began_, 0);
  EXPECT_TRUE(Ranges(*servers_[0]).empty());
}

TEST_F(DownloaderTest, TooManyLeavesAreNotStored) {
  leaves_ += std::string(1 << 20, 'x');
  Serve();
  ExpectFailed(Reason::kSizeMismatch, "more leaves");
  EXPECT_LE(std::filesystem::file_size(options_.leaves_path), 10U * 32);
}

TEST_F(DownloaderTest, LeavesThatWereKeptAreNotFetchedAgainButChecked) {
  const TestServer& server = Serve();
  ExpectDone();
  began_ = 0;
  ExpectDone();
  const auto leaves_requests = [&] {
    return std::ranges::count_if(server.requests(),
                                 [](const TestRequest& request) { return request.path == "/leaves"; });
  };
  EXPECT_EQ(leaves_requests(), 1);
  std::filesystem::resize_file(options_.leaves_path, 100);
  began_ = 0;
  ExpectDone();
  EXPECT_EQ(leaves_requests(), 2);
}

TEST_F(DownloaderTest, ASourceThatHasItNotIsGivenUpSoonAndA403IsWaitedOut) {
  std::atomic<int> count = 0;
  const TestServer& gone = Serve([](const TestRequest&, TestServer::Reply& reply) { reply.Answer(404, "", "gone"); });
  ExpectFailed(Reason::kDownloadFailed, "404");
  EXPECT_EQ(Ranges(gone).size(), kHopelessRounds);
  fetch_.sources.clear();
  began_ = 0;
  Serve([&](const TestRequest& request, TestServer::Reply& reply) {
    count++ < 8 ? reply.Answer(403, "", "suspended") : reply.Range(request, payload_);
  });
  ExpectDone();
}

TEST_F(DownloaderTest, ASlotThatCannotBeWrittenEndsIt) {
  Serve();
  FileFlash::Options read_only = kSlotFileOptions;
  read_only.read_only = true;
  slot_ = FileFlash::Open(folder_ / "slot", read_only).value();
  Downloader downloader(http_, *journal_, options_);
  const Status started = downloader.Start(fetch_, *slot_, MonotonicMs());
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().reason, Reason::kSlotWrite);
}

TEST_F(DownloaderTest, ErasesTheEnvelopeBeforeTheFirstByte) {
  ASSERT_TRUE(slot_->Program(kSlotBytes - 8192, AsBytes("PWE1....")));
  Serve();
  ExpectDone();
  std::vector<std::uint8_t> trailer(8192);
  ASSERT_TRUE(slot_->Read(kSlotBytes - 8192, trailer));
  EXPECT_TRUE(std::ranges::all_of(trailer, [](std::uint8_t byte) { return byte == 0xFF; }));
}

}  // namespace
}  // namespace pawl::agent
