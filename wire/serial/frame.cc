#include "wire/serial/frame.h"

#include "base/text.h"

namespace pawl::serial {
namespace {

constexpr std::size_t kMaxRun = 254;  // bytes that are not zero behind one code byte

// Appends COBS, byte by byte: each run of bytes that are not zero stands behind a byte that says where the next zero
// would be.
class CobsWriter {
 public:
  explicit CobsWriter(Frame& frame) : frame_(frame) { OpenRun(); }
  void Put(std::uint8_t byte) {
    if (run_ == kMaxRun) CloseRun();
    if (byte == 0) return CloseRun();
    frame_.push_back(byte);
    ++run_;
  }
  void Finish() { frame_[code_at_] = static_cast<std::uint8_t>(run_ + 1); }

 private:
  void OpenRun() {
    code_at_ = frame_.size();
    run_ = 0;
    frame_.push_back(0);  // until the run's length is known
  }
  void CloseRun() {
    Finish();
    OpenRun();
  }

  Frame& frame_;
  std::size_t code_at_ = 0;
  std::size_t run_ = 0;
};

// In place: what comes out is never longer than what was read. Precondition: no byte of `code` is zero.
std::optional<ByteView> DecodeCobs(MutableBytes code) {
  std::size_t in = 0;
  std::size_t out = 0;
  while (in < code.size()) {
    const std::size_t run = code[in] - std::size_t{1};
    if (++in + run > code.size()) return std::nullopt;
    for (std::size_t i = 0; i < run; ++i) code[out++] = code[in++];
    if (run < kMaxRun && in < code.size()) code[out++] = 0;
  }
  return code.first(out);
}

}  // namespace

Frame Pack(ByteView payload) {
  PAWL_ASSERT(payload.size() <= kMaxPayloadBytes);
  std::array<std::uint8_t, kFrameCrcBytes> crc;
  StoreLe(MutableBytes(crc), Crc32(payload));
  Frame frame;
  frame.push_back(0);
  CobsWriter writer(frame);
  for (const std::uint8_t byte : payload) writer.Put(byte);
  for (const std::uint8_t byte : crc) writer.Put(byte);
  writer.Finish();
  frame.push_back(0);
  return frame;
}

FrameReader::Got FrameReader::Take(std::uint8_t byte) {
  if (byte == 0) return End();
  if (!in_frame_) return Text{static_cast<char>(byte)};
  if (size_ < buffer_.size()) buffer_[size_] = byte;
  if (size_ <= buffer_.size()) ++size_;
  return {};
}

FrameReader::Got FrameReader::End() {
  const std::size_t size = size_;
  const bool begins = !in_frame_ || size == 0;
  in_frame_ = true;  // this zero begins a frame, unless it ends a good one
  size_ = 0;
  if (begins) return {};
  const auto bytes = size <= buffer_.size() ? DecodeCobs(MutableBytes(buffer_).first(size)) : std::nullopt;
  if (!bytes || bytes->size() < kFrameCrcBytes ||
      LoadLe<std::uint32_t>(bytes->last(kFrameCrcBytes)) != Crc32(bytes->first(bytes->size() - kFrameCrcBytes))) {
    ++damaged_;
    return {};
  }
  in_frame_ = false;
  return Payload{bytes->first(bytes->size() - kFrameCrcBytes)};
}

}  // namespace pawl::serial
