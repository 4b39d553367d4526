#include "broker/view.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace pawl::broker {
namespace {

constexpr std::uint64_t kNow = 1'000'000;

Digest Pin(std::uint8_t seed) {
  Digest pin;
  pin.fill(seed);
  return pin;
}

ViewEntry Entry(std::string_view id, bool admitted, std::vector<Digest> pins) {
  ViewEntry entry{.id = id, .admitted = admitted, .state = 1, .pin_count = pins.size()};
  std::ranges::copy(pins, entry.pins.begin());
  return entry;
}

std::vector<std::uint8_t> Snapshot(std::uint64_t generation = 7, std::uint64_t heartbeat = kNow) {
  ViewBuilder builder;
  EXPECT_TRUE(builder.Add(Entry("dev-1", true, {Pin(1)})));
  EXPECT_TRUE(builder.Add(Entry("dev-2", true, {Pin(2), Pin(3)})));
  EXPECT_TRUE(builder.Add(Entry("dev-3", false, {Pin(4)})));
  EXPECT_TRUE(builder.Add(Entry("dev-4", true, {})));
  return std::move(builder).Finish(generation, heartbeat);
}

class ViewOnDisk : public testing::Test {
 protected:
  ViewOnDisk() {
    char name[] = "/tmp/pawl-view-XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ + "/view";
  }
  ~ViewOnDisk() override { std::filesystem::remove_all(folder_); }
  std::string folder_, path_;
};

TEST(View, FindsEachEntryAndNoOther) {
  const auto bytes = Snapshot();
  const auto view = ViewBytes::Parse(bytes);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->generation(), 7U);
  EXPECT_EQ(view->size(), 4U);
  ASSERT_TRUE(view->Find("dev-2"));
  EXPECT_EQ(view->Find("dev-2")->id, "dev-2");
  EXPECT_EQ(view->Find("dev-2")->pins[1], Pin(3));
  EXPECT_FALSE(view->Find("dev-3")->admitted);
  for (const char* other : {"", "a", "dev-", "dev-11", "dev-5", "z"}) EXPECT_FALSE(view->Find(other)) << other;
}

TEST(View, AdmitsOnlyTheRegisteredKeyOfAnAdmittedDevice) {
  const auto bytes = Snapshot();
  const auto view = ViewBytes::Parse(bytes);
  ASSERT_TRUE(view);
  EXPECT_TRUE(Admit(*view, "dev-1", Pin(1), kNow));
  EXPECT_TRUE(Admit(*view, "dev-2", Pin(2), kNow));
  EXPECT_TRUE(Admit(*view, "dev-2", Pin(3), kNow));
  EXPECT_FALSE(Admit(*view, "dev-1", Pin(2), kNow)) << "another device's key";
  EXPECT_FALSE(Admit(*view, "dev-3", Pin(4), kNow)) << "not admitted";
  EXPECT_FALSE(Admit(*view, "dev-4", Pin(0), kNow)) << "no pin: zeros are none";
  EXPECT_FALSE(Admit(*view, "dev-9", Pin(1), kNow)) << "unknown";
}

TEST(View, AdmitsNobodyWhenItIsStaleOrOfAnotherBoot) {
  const auto bytes = Snapshot();
  const auto view = ViewBytes::Parse(bytes);
  ASSERT_TRUE(view);
  const auto age = static_cast<std::uint64_t>(kMaxViewAge.count());
  EXPECT_TRUE(Admit(*view, "dev-1", Pin(1), kNow + age));
  const Status stale = Admit(*view, "dev-1", Pin(1), kNow + age + 1);
  ASSERT_FALSE(stale);
  EXPECT_TRUE(stale.error().detail.view().contains("stale"));
  EXPECT_FALSE(Admit(*view, "dev-1", Pin(1), kNow - 1001)) << "the heartbeat is of an earlier boot";
}

TEST(View, RefusesEveryChangedByteButTheHeartbeat) {
  const auto whole = Snapshot();
  for (std::size_t i = 0; i < whole.size(); ++i) {
    auto changed = whole;
    changed[i] ^= 0x10;
    EXPECT_EQ(ViewBytes::Parse(changed).has_value(), i >= 32 && i < 40) << "byte " << i;
  }
}

TEST(View, RefusesEveryOtherLength) {
  auto bytes = Snapshot();
  bytes.push_back(0);
  EXPECT_FALSE(ViewBytes::Parse(bytes));
  for (std::size_t length = 0; length < bytes.size() - 1; ++length) {
    EXPECT_FALSE(ViewBytes::Parse(ByteView(bytes).first(length))) << length;
  }
}

TEST(View, WithoutDevicesAdmitsNobody) {
  const auto bytes = ViewBuilder().Finish(1, kNow);
  const auto view = ViewBytes::Parse(bytes);
  ASSERT_TRUE(view);
  EXPECT_FALSE(Admit(*view, "dev-1", Pin(1), kNow));
}

TEST(View, BuilderRefusesUnsortedAndIllFormedEntries) {
  ViewBuilder builder;
  EXPECT_FALSE(builder.Add(Entry("", true, {})));
  EXPECT_FALSE(builder.Add(Entry(std::string(64, 'a'), true, {})));
  EXPECT_TRUE(builder.Add(Entry(std::string(63, 'a'), true, {})));
  EXPECT_TRUE(builder.Add(Entry("b", true, {})));
  EXPECT_FALSE(builder.Add(Entry("b", true, {})));
  EXPECT_FALSE(builder.Add(Entry("a", true, {})));
}

TEST(View, FormatIsWhatTheHeaderSays) {
  ViewBuilder builder;
  ASSERT_TRUE(builder.Add(Entry("d", true, {Pin(9)})));
  const auto bytes = std::move(builder).Finish(0x0102, 0x0304);
  ASSERT_EQ(bytes.size(), 184U);
  EXPECT_EQ(AsText(ByteView(bytes).first(8)), "PAWLVIEW");
  EXPECT_EQ(bytes[8], 1);
  EXPECT_EQ(bytes[12], 136);
  EXPECT_EQ(bytes[16], 0x02);
  EXPECT_EQ(bytes[17], 0x01);
  EXPECT_EQ(bytes[24], 1);
  EXPECT_EQ(bytes[32], 0x04);
  EXPECT_EQ(bytes[48], 'd');
  EXPECT_EQ(bytes[48 + 64], 1);
  EXPECT_EQ(bytes[48 + 66], 1);
  EXPECT_EQ(bytes[48 + 72], 9);
}

TEST_F(ViewOnDisk, ShowsTheHeartbeatInPlaceAndTheNextSnapshotAsANewFile) {
  ViewFile file(path_);
  ASSERT_TRUE(file.Replace(Snapshot(7)));
  const auto view = View::Open(path_);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->inode(), ViewInode(path_));
  ASSERT_TRUE(file.Beat(kNow + 5));
  EXPECT_EQ(view->get().heartbeat_ms(), kNow + 5);

  ASSERT_TRUE(file.Replace(Snapshot(8)));
  EXPECT_NE(view->inode(), ViewInode(path_));
  EXPECT_EQ(view->get().generation(), 7U) << "what is mapped does not change";
  ASSERT_TRUE(file.Beat(kNow + 6));
  EXPECT_EQ(view->get().heartbeat_ms(), kNow + 5);
  EXPECT_EQ(View::Open(path_)->get().heartbeat_ms(), kNow + 6);
}

TEST_F(ViewOnDisk, IsPrivateUnlessToldOtherwise) {
  ViewFile file(path_);
  ASSERT_TRUE(file.Replace(Snapshot()));
  struct stat info{};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  ASSERT_TRUE(file.Replace(Snapshot(), 0640));
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0640U);
}

TEST_F(ViewOnDisk, NamesWhatIsWrongWithAFile) {
  const auto missing = View::Open(path_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().reason, Reason::kNotFound);
  std::ofstream(path_) << "short";
  EXPECT_EQ(View::Open(path_).error().reason, Reason::kTruncated);
  std::ofstream(path_) << std::string(200, 'x');
  EXPECT_EQ(View::Open(path_).error().reason, Reason::kMalformed);
  EXPECT_FALSE(ViewFile("/no/such/folder/view").Replace(Snapshot()));
}

}  // namespace
}  // namespace pawl::broker
