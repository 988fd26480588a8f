// sluice-bench-pieces: what a client costs that sends its requests in single bytes. Frames and
// decodes 10 MB of them in pieces of several sizes, as the server does behind each read, without
// sockets: the time a byte takes, and how many times that of reads of 1 MB.
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/decoder.h"
#include "protocol/frame_reader.h"

namespace {

using sluice::protocol::Decoder;
using sluice::protocol::Frame;
using sluice::protocol::FrameReader;
using sluice::protocol::Request;
using sluice::protocol::SpareBlocks;

constexpr std::size_t kTotalBytes = 10'000'000;
constexpr std::size_t kReadBytes = 1'000'000;  // a request of this size lies whole in one read
constexpr std::size_t kMaxRequestBytes = 1 << 20;
constexpr int kRounds = 15;  // the fastest counts: whatever else the machine does only adds
constexpr std::array<std::size_t, 7> kPieces = {kReadBytes, 65536, 1448, 64, 8, 2, 1};

/// Requests of `size` bytes each, `kTotalBytes` in all.
std::string make_stream(std::size_t size) {
  constexpr std::string_view kText = "open the valve of greenhouse 7 by 30 %, then report; ";
  std::string request = R"({"device_id": 1001, "mqtt_topic": "dev/1001/cmd", "message": ")";
  constexpr std::string_view kEnd = "\"}";
  for (std::size_t at = 0; request.size() + kEnd.size() < size; ++at)
    request += kText[at % kText.size()];
  request += kEnd;
  std::string stream;
  while (stream.size() + request.size() <= kTotalBytes)
    stream += request;
  return stream;
}

/// Reads `stream` in pieces; returns how many requests were in it. Anything else ends the program.
[[gnu::noinline]] std::size_t read(std::string_view stream, std::size_t piece_bytes,
                                   Decoder* decoder) {
  SpareBlocks spare;
  FrameReader reader(kMaxRequestBytes, spare);
  std::size_t requests = 0;
  while (!stream.empty()) {
    reader.feed(stream.substr(0, piece_bytes));
    stream.remove_prefix(std::min(piece_bytes, stream.size()));
    for (Frame frame = reader.next(); frame.kind != Frame::Kind::NeedMore; frame = reader.next()) {
      const bool is_request = frame.kind == Frame::Kind::Request;
      if (!is_request ||
          (decoder != nullptr && !std::holds_alternative<Request>(decoder->decode(frame.bytes)))) {
        fmt::print(stderr, "not a request: {}\n", frame.detail);
        std::exit(1);
      }
      ++requests;
    }
    reader.save();
  }
  return requests;
}

struct Cost {
  double framing = std::numeric_limits<double>::max();  // ns/B
  double all = std::numeric_limits<double>::max();      // ns/B, decoded as well
};

/// This thread's processor time in ns: what else runs on the machine is not in it.
double cpu_now() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double time_of(std::string_view stream, std::size_t piece_bytes, Decoder* decoder,
               std::size_t wanted) {
  const double begun = cpu_now();
  const std::size_t requests = read(stream, piece_bytes, decoder);
  const double took = cpu_now() - begun;
  if (requests != wanted) {
    fmt::print(stderr, "{} requests instead of {}\n", requests, wanted);
    std::exit(1);
  }
  return took / static_cast<double>(stream.size());
}

void measure(std::size_t request_bytes) {
  const std::string stream = make_stream(request_bytes);
  const std::size_t requests = stream.size() / request_bytes;
  Decoder decoder;
  std::array<Cost, kPieces.size()> costs;
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < kPieces.size(); ++i) {
      Cost& cost = costs[i];
      cost.framing = std::min(cost.framing, time_of(stream, kPieces[i], nullptr, requests));
      cost.all = std::min(cost.all, time_of(stream, kPieces[i], &decoder, requests));
    }
  }
  fmt::print("\n{} requests of {} bytes\n", requests, request_bytes);
  fmt::print("{:>12}{:>16}{:>16}{:>10}\n", "piece", "framing ns/B", "decoded ns/B", "ratio");
  for (std::size_t i = 0; i < kPieces.size(); ++i) {
    fmt::print("{:>12}{:>16.2f}{:>16.2f}{:>10.2f}\n", kPieces[i], costs[i].framing, costs[i].all,
               costs[i].all / costs.front().all);
  }
}

}  // namespace

int main() {
  measure(kReadBytes);
  measure(150);
  return 0;
}
