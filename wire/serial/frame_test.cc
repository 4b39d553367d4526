#include "wire/serial/frame.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "wire/serial/test_messages.h"

namespace pawl::serial {
namespace {

using test::Bytes;

// Everything that a reader finds in some bytes.
struct Found {
  std::vector<Bytes> payloads;
  std::string text;
};
Found Read(FrameReader& reader, ByteView bytes) {
  Found found;
  for (const std::uint8_t byte : bytes) {
    const FrameReader::Got got = reader.Take(byte);
    if (const auto* text = std::get_if<FrameReader::Text>(&got)) found.text.push_back(text->c);
    if (const auto* payload = std::get_if<FrameReader::Payload>(&got)) {
      found.payloads.emplace_back(payload->bytes.begin(), payload->bytes.end());
    }
  }
  return found;
}
Found Read(ByteView bytes) {
  FrameReader reader;
  return Read(reader, bytes);
}
Bytes Packed(ByteView payload) {
  const Frame frame = Pack(payload);
  return {frame.begin(), frame.end()};
}
void Append(Bytes& to, ByteView bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

TEST(Frame, GoldenBytes) {
  EXPECT_EQ(Packed(Bytes{0x01, 0x05}), (Bytes{0, 0x07, 0x01, 0x05, 0x31, 0xD7, 0xA8, 0x28, 0}));
  EXPECT_EQ(Packed(Bytes{0x04, 0x00}), (Bytes{0, 0x02, 0x04, 0x05, 0xFB, 0xD7, 0xB5, 0x25, 0}));
}

TEST(Frame, EveryLengthComesBackAndNoZeroStandsInside) {
  FrameReader reader;
  for (const int filler : {0x00, 0x01, 0xFF}) {
    for (std::size_t size = 0; size <= kMaxPayloadBytes; ++size) {
      const Bytes payload(size, static_cast<std::uint8_t>(filler));
      const Bytes frame = Packed(payload);
      ASSERT_EQ(std::count(frame.begin() + 1, frame.end() - 1, 0), 0);
      const Found found = Read(reader, frame);
      ASSERT_EQ(found.payloads, std::vector<Bytes>{payload}) << size;
      ASSERT_EQ(found.text, "");
    }
  }
  EXPECT_EQ(reader.damaged(), 0U);
}

TEST(Frame, TheLargestFitsExactly) { EXPECT_EQ(Packed(Bytes(kMaxPayloadBytes, 0x77)).size(), kMaxFrameBytes); }

TEST(Frame, TextBetweenFramesPassesThrough) {
  const Bytes one{1, 2, 3};
  const Bytes two{0, 0, 4};
  Bytes line;
  Append(line, AsBytes("pawl-boot\r\n"));
  Append(line, Packed(one));
  Append(line, AsBytes("test: pass\n"));
  Append(line, Packed(two));
  Append(line, Packed(one));
  Append(line, AsBytes("end"));
  const Found found = Read(line);
  EXPECT_EQ(found.payloads, (std::vector<Bytes>{one, two, one}));
  EXPECT_EQ(found.text, "pawl-boot\r\ntest: pass\nend");
}

TEST(Frame, NoSingleFlippedBitGoesThrough) {
  const Bytes payload = test::AllFromChild().front();
  const Bytes good = Packed(payload);
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ (1U << (bit % 8)));
    EXPECT_TRUE(Read(bad).payloads.empty()) << "bit " << bit;
    Append(bad, good);  // and the next frame but one at the latest arrives
    Append(bad, good);
    const Found found = Read(bad);
    ASSERT_FALSE(found.payloads.empty()) << "bit " << bit;
    EXPECT_EQ(found.payloads.back(), payload);
  }
}

TEST(Frame, NoTruncationGoesThrough) {
  const Bytes payload = test::AllFromChild().front();
  const Bytes good = Packed(payload);
  for (std::size_t size = 0; size < good.size(); ++size) {
    Bytes bad(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_TRUE(Read(bad).payloads.empty()) << size;
    Append(bad, good);
    Append(bad, good);
    EXPECT_EQ(Read(bad).payloads.back(), payload) << size;
  }
}

TEST(Frame, TheZeroThatEndsADamagedFrameBeginsTheNext) {
  const Bytes payload{9, 8, 7};
  FrameReader reader;
  Bytes line{'n', 'o', 0, 'i', 's', 'e'};  // a false delimiter in the text
  Append(line, Packed(payload));
  const Found found = Read(reader, line);
  EXPECT_EQ(found.payloads, std::vector<Bytes>{payload});
  EXPECT_EQ(found.text, "no");
  EXPECT_EQ(reader.damaged(), 1U);
}

TEST(Frame, ZerosInARowAreOneDelimiter) {
  const Bytes payload{9, 8, 7};
  Bytes line{0, 0, 0};
  Append(line, Packed(payload));
  Append(line, Bytes{0, 0});
  Append(line, Packed(payload));
  const Found found = Read(line);
  EXPECT_EQ(found.payloads, (std::vector<Bytes>{payload, payload}));
  EXPECT_EQ(found.text, "");
}

TEST(Frame, WhatIsTooLongIsDroppedAsOne) {
  FrameReader reader;
  Bytes line{0};
  Append(line, Bytes(3 * kMaxFrameBytes, 'x'));
  Append(line, Packed(Bytes{1}));
  EXPECT_EQ(Read(reader, line).payloads, std::vector<Bytes>{{1}});
  EXPECT_EQ(reader.damaged(), 1U);
}

TEST(Frame, RandomNoiseNeverKeepsTheNextFramesOut) {
  std::minstd_rand random(7);
  const Bytes payload{5, 0, 5};
  for (int round = 0; round < 2000; ++round) {
    Bytes line(random() % 200);
    for (std::uint8_t& byte : line) byte = static_cast<std::uint8_t>(random() % 4 == 0 ? 0 : random());
    Append(line, Packed(payload));
    Append(line, Packed(payload));
    const Found found = Read(line);
    ASSERT_FALSE(found.payloads.empty());
    EXPECT_EQ(found.payloads.back(), payload);
  }
}

}  // namespace
}  // namespace pawl::serial
