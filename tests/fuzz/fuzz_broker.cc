// libFuzzer: a broker that sends anything at any moment to a whole link, with clients that submit
// requests meanwhile. Whatever it does, each request is answered exactly once, and code 1 only
// after the acknowledgement for its packet; memory and the work of a turn stay bounded; and a
// broker that behaves again is served.
//
// An input is a program. Its first three bytes are settings: '3' or '5' for the version of MQTT,
// '1' or '2' connections, and 'a' for an automatic window. Then come operations of one letter with
// one byte for each argument, of which '0' means 0. Those of the clients and of time:
//   s QOS STREAM DEVICE TIMEOUT SIZE  submit a request     x STREAM  close a stream
//   w TIME   advance the clock                             R         reload with another password
// Those of the broker, on one of the connections:
//   o CONN   accept it                   k CONN FORM       CONNACK
//   a CONN N FORM   PUBACK for the n-th message in flight, likewise r: PUBREC, c: PUBCOMP and
//   l: PUBREL     p CONN QOS ID  PUBLISH        g CONN   PINGRESP         d CONN FORM  DISCONNECT
//   b CONN N BYTES   N bytes             h CONN            close the connection
//   t CONN N  the socket takes N bytes, then no more; 9: any number       u  attempts fail, or not
// And those that change the packets that follow:
//   m AT BYTE  replaces a byte of the next one        / N  send in pieces of N bytes; 0: as a whole
//   * N        sends the next one 2^N times           - N  keeps its last N bytes back
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "base/log.h"
#include "broker_lab.h"
#include "broker_packets.h"

using namespace sluice;
using sluice::fuzz::BrokerLab;
using sluice::fuzz::BrokerTransport;
using sluice::fuzz::LabSettings;

namespace {

constexpr std::size_t kMostRequests = 100;
constexpr std::size_t kMostRepeats = 12;  // as a power of two
/// Bytes in one run, so that each takes milliseconds.
constexpr std::size_t kMostSent = 500'000;
constexpr std::size_t kCostOfPiece = 200;
constexpr std::size_t kAnyRoom = 9;
constexpr std::array kTimes{0, 1, 10, 100, 250, 500, 1000, 2000, 5000, 20'000};
constexpr std::array<std::size_t, 4> kSizes{0, 50, 400, 20'000};
constexpr Duration kMostTime = std::chrono::seconds(60);

class Program {
 public:
  explicit Program(std::string_view text) : rest_(text) {}

  bool is_over() const noexcept { return rest_.empty(); }
  std::uint8_t byte() noexcept {
    if (rest_.empty()) return 0;
    const auto next = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return next;
  }
  std::size_t number() noexcept {
    const std::uint8_t next = byte();
    return next >= '0' ? next - std::size_t{'0'} : next;
  }
  std::string_view bytes(std::size_t count) noexcept {
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(taken.size());
    return taken;
  }

 private:
  std::string_view rest_;
};

class Run {
 public:
  explicit Run(std::string_view text) : program_(text), lab_(settings()) {
    while (!program_.is_over())
      step(static_cast<char>(program_.byte()));
    lab_.finish();
  }

 private:
  LabSettings settings() {
    LabSettings settings;
    settings.protocol = program_.byte() == '3' ? config::Protocol::V311 : config::Protocol::V5;
    settings.connections = program_.byte() == '2' ? 2 : 1;
    settings.has_fixed_window = program_.byte() != 'a';
    return settings;
  }

  void step(char operation) {
    switch (operation) {
      case 's':
        submit();
        break;
      case 'x':
        lab_.close_stream(program_.number());
        break;
      case 'R':
        lab_.reconfigure();
        break;
      case 'w':
        wait(Duration(kTimes[program_.number() % kTimes.size()]));
        return;
      case 'u':
        lab_.network().is_unreachable = !lab_.network().is_unreachable;
        return;
      case 'm':
        mutates_ = true;
        mutated_at_ = program_.number();
        mutated_to_ = static_cast<char>(program_.byte());
        return;
      case '/':
        piece_ = program_.number();
        return;
      case '*':
        repeats_ = std::size_t{1} << std::min(program_.number(), kMostRepeats);
        return;
      case '-':
        held_back_ = program_.number();
        return;
      default:
        step_of_broker(operation);
        return;
    }
    lab_.settle();
  }

  void submit() {
    fuzz::Wish wish;
    wish.qos = static_cast<std::uint8_t>(program_.number() % 3);
    wish.stream = program_.number();
    wish.device = static_cast<std::int64_t>(1 + program_.number() % 8);
    wish.timeout = Duration(kTimes[program_.number() % kTimes.size()]);
    wish.bytes = kSizes[program_.number() % kSizes.size()];
    if (lab_.network().records.size() < kMostRequests) lab_.submit(wish);
  }

  void wait(Duration time) {
    waited_ += time;
    if (waited_ <= kMostTime) lab_.advance(time);
  }

  void step_of_broker(char operation) {
    constexpr std::string_view kOperations = "okarclpgdbht";
    if (kOperations.find(operation) == std::string_view::npos) return;
    const std::size_t connection = program_.number();
    const std::vector<BrokerTransport*>& open = lab_.network().open;
    BrokerTransport* to = open.empty() ? nullptr : open[connection % open.size()];
    // The arguments are taken, whether there is a connection or not.
    const std::string packet = packet_of(operation, to);
    if (to == nullptr) return;
    if (operation == 'o' || operation == 'k') to->accept();
    if (!packet.empty()) send(*to, packet);
    if (operation == 'h') to->hang_up();
    if (operation == 't') set_room(*to);
    lab_.settle();
  }

  void set_room(BrokerTransport& to) {
    const std::size_t bytes = program_.number();
    to.fill();
    to.make_room(bytes == kAnyRoom ? std::numeric_limits<std::size_t>::max() : bytes);
  }

  std::string packet_of(char operation, BrokerTransport* to) {
    const bool is_v5 = to == nullptr || to->witness().is_v5();
    switch (operation) {
      case 'k':
        return fuzz::connack(is_v5, program_.number());
      case 'a':
      case 'r':
      case 'c':
      case 'l': {
        const std::size_t n = program_.number();
        const std::uint16_t id = to == nullptr ? std::uint16_t{1} : to->witness().id_of(n);
        return fuzz::ack(operation, is_v5, id, program_.number());
      }
      case 'p': {
        const std::size_t qos = program_.number();
        return fuzz::publish(is_v5, qos, program_.number());
      }
      case 'g':
        return fuzz::pingresp();
      case 'd':
        return fuzz::disconnect(is_v5, program_.number());
      case 'b':
        return std::string(program_.bytes(program_.number()));
      default:
        return {};
    }
  }

  void send(BrokerTransport& to, std::string packet) {
    if (std::exchange(mutates_, false) && mutated_at_ < packet.size())
      packet[mutated_at_] = mutated_to_;
    const std::size_t step = piece_ == 0 ? BrokerTransport::kReadBytes : piece_;
    std::string bytes;
    for (std::size_t i = std::exchange(repeats_, 1); i > 0 && sent_ < kMostSent; --i) {
      bytes += packet;
      for (; bytes.size() > std::max(step, held_back_); bytes.erase(0, step))
        send_piece(to, bytes.substr(0, step));
    }
    bytes.resize(bytes.size() - std::min(bytes.size(), std::exchange(held_back_, 0)));
    send_piece(to, bytes);
  }

  /// The connection may have ended, and been destroyed, by the piece before.
  void send_piece(BrokerTransport& to, std::string_view bytes) {
    const std::vector<BrokerTransport*>& open = lab_.network().open;
    if (std::find(open.begin(), open.end(), &to) == open.end()) return;
    sent_ += bytes.size() + kCostOfPiece;
    to.receive(bytes);
    lab_.settle();
  }

  Program program_;
  BrokerLab lab_;
  Duration waited_{};
  std::size_t sent_ = 0;
  bool mutates_ = false;
  std::size_t mutated_at_ = 0;
  char mutated_to_ = 0;
  std::size_t piece_ = 0;  // 0: as much as one read takes
  std::size_t repeats_ = 1;
  std::size_t held_back_ = 0;
};

}  // namespace

// The name is libFuzzer's.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  log::Settings quiet;
  quiet.level = log::Level::Error;
  fuzz::require(static_cast<bool>(log::configure(quiet)));
  return 0;
}

// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Run(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
