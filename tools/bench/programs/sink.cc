// sluice-bench-sink: a broker that only takes. Acknowledges PUBLISH at every QoS, with one write
// for all that a read brought, counts, and forwards nothing: so that what stands before the
// broker is measured and not the broker. MQTT 3.1.1 and 5; announces no Receive Maximum unless
// asked to. With --per-second it is a broker that can do only so much, with --tls one that speaks
// TLS.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "channel.h"
#include "mqtt_wire.h"
#include "pace.h"
#include "report.h"
#include "stand_in.h"

namespace {

namespace wire = sluice::wire;
using sluice::bench::now_ns;
using sluice::bench::read_number;
using sluice::bench::TlsContext;

constexpr std::size_t kReadBytes = 1 << 18;
constexpr std::size_t kMaxUnsentAcks = 1 << 20;  // a peer that reads none is not read from beyond

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "sluice-bench-sink: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

std::uint16_t number_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) << 8 |
                                    static_cast<unsigned char>(bytes[at + 1]));
}

/// One connection of a publisher.
class Peer {
 public:
  using Pace = sluice::bench::Pace<Peer>;

  Peer(int socket, SSL_CTX* tls, std::optional<std::uint16_t> receive_maximum,
       std::uint64_t& messages, Pace& pace)
      : channel_(socket, tls),
        receive_maximum_(receive_maximum),
        messages_(messages),
        pace_(pace) {}
  ~Peer() { pace_.forget(this); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  int socket() const { return channel_.socket(); }
  bool wants_write() const { return !output_.empty(); }
  bool may_read() const { return output_.size() < kMaxUnsentAcks; }

  /// Reads once and answers; false when the connection is over.
  bool read(std::vector<char>& buffer);
  bool flush();
  void add(std::string_view answer) { output_ += answer; }

 private:
  std::size_t take(std::string_view bytes);
  /// False when more bytes are needed to know what it is.
  bool take_publish(const wire::FixedHeader& header, std::string_view bytes);
  /// A whole packet that is no PUBLISH.
  void take_rest(wire::Type type, std::string_view body);
  void acknowledge();

  sluice::bench::Channel channel_;
  std::optional<std::uint16_t> receive_maximum_;
  std::uint64_t& messages_;
  Pace& pace_;
  std::string rest_;      ///< the start of a packet whose end has not come
  std::size_t skip_ = 0;  ///< bytes of a payload still to come
  unsigned qos_ = 0;
  std::uint16_t id_ = 0;
  std::string output_;
  bool over_ = false;
};

bool Peer::read(std::vector<char>& buffer) {
  std::copy(rest_.begin(), rest_.end(), buffer.begin());
  const ssize_t got = channel_.read(buffer.data() + rest_.size(), buffer.size() - rest_.size());
  if (got <= 0) return got < 0 && (errno == EAGAIN || errno == EINTR);
  const std::string_view bytes(buffer.data(), rest_.size() + static_cast<std::size_t>(got));
  const std::size_t used = take(bytes);
  rest_.assign(bytes.substr(used));
  return !over_ && flush();
}

std::size_t Peer::take(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size() && !over_) {
    if (skip_ > 0) {
      const std::size_t now = std::min(skip_, bytes.size() - at);
      at += now;
      skip_ -= now;
      if (skip_ == 0) acknowledge();
      continue;
    }
    const std::string_view left = bytes.substr(at);
    wire::FixedHeader header;
    const wire::Cut cut = wire::cut_header(left, header);
    if (cut != wire::Cut::Whole) {
      over_ = cut == wire::Cut::Malformed;
      break;
    }
    const std::size_t size = header.size + header.body_size;
    if (header.type == wire::Type::Publish) {
      if (!take_publish(header, left)) break;
      at += std::min(size, left.size());
      if (size > left.size()) {
        skip_ = size - left.size();
      } else {
        acknowledge();
      }
      continue;
    }
    if (left.size() < size) break;
    take_rest(header.type, left.substr(header.size, header.body_size));
    at += size;
  }
  return at;
}

bool Peer::take_publish(const wire::FixedHeader& header, std::string_view bytes) {
  if (bytes.size() < header.size + 2) return false;
  const std::size_t after_topic = header.size + 2 + number_at(bytes, header.size);
  qos_ = (header.flags >> 1) & 3;
  if (qos_ == 0) return true;
  if (bytes.size() < after_topic + 2) return false;
  id_ = number_at(bytes, after_topic);
  return true;
}

void Peer::acknowledge() {
  ++messages_;
  if (qos_ == 0) return;
  const auto answer = wire::ack(qos_ == 1 ? wire::Type::Puback : wire::Type::Pubrec, id_);
  if (pace_.is_set()) {
    pace_.schedule(this, {answer.data(), answer.size()}, now_ns());
  } else {
    add({answer.data(), answer.size()});
  }
}

void Peer::take_rest(wire::Type type, std::string_view body) {
  if (type == wire::Type::Connect) {
    const auto connect = wire::parse_connect(body);
    over_ = !connect;
    if (connect) wire::append_connack(output_, connect->is_v5, 0, receive_maximum_);
  } else if (type == wire::Type::Pubrel) {
    if (const auto id = wire::parse_packet_id(body)) {
      wire::append_ack(output_, wire::Type::Pubcomp, /*is_v5=*/true, *id);
    }
  } else if (type == wire::Type::Pingreq) {
    wire::append_pingresp(output_);
  } else {
    over_ = true;  // DISCONNECT, or something a publisher does not send
  }
}

bool Peer::flush() {
  if (output_.empty()) return true;
  const ssize_t done = channel_.write(output_);
  if (done < 0) return errno == EAGAIN || errno == EINTR;
  output_.erase(0, static_cast<std::size_t>(done));
  return true;
}

/// The listener and its peers in one loop, until SIGTERM or SIGINT.
class Sink {
 public:
  Sink(std::uint16_t port, std::optional<std::uint16_t> receive_maximum, unsigned per_second,
       bool is_tls);

  void run();
  std::uint64_t messages() const { return messages_; }
  std::vector<std::optional<double>> waited_ms() const { return pace_.waited_ms(); }

 private:
  void accept();
  void send_what_is_due();
  void serve(Peer* peer, std::uint32_t events);
  void watch(int operation, int socket, void* data, std::uint32_t events) const;

  int epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int signals_ = -1;
  TlsContext tls_{nullptr, &SSL_CTX_free};
  std::optional<std::uint16_t> receive_maximum_;
  std::uint64_t messages_ = 0;
  Peer::Pace pace_;
  std::unordered_map<Peer*, std::unique_ptr<Peer>> peers_;
  std::vector<char> buffer_ = std::vector<char>(kReadBytes);
};

Sink::Sink(std::uint16_t port, std::optional<std::uint16_t> receive_maximum, unsigned per_second,
           bool is_tls)
    : receive_maximum_(receive_maximum), pace_(per_second) {
  if (is_tls && (tls_ = sluice::bench::make_tls_context()) == nullptr) fail("TLS");
  signals_ = sluice::bench::open_end_signals();
  if (!sluice::bench::listen_on(listener_, port)) fail("cannot listen");
  watch(EPOLL_CTL_ADD, listener_, &listener_, EPOLLIN);
  watch(EPOLL_CTL_ADD, signals_, nullptr, EPOLLIN);
}

void Sink::watch(int operation, int socket, void* data, std::uint32_t events) const {
  epoll_event event{};
  event.events = events;
  event.data.ptr = data;
  if (epoll_ctl(epoll_fd_, operation, socket, &event) != 0) fail("epoll_ctl");
}

void Sink::run() {
  std::array<epoll_event, 256> events;
  while (true) {
    const int count = epoll_wait(epoll_fd_, events.data(), static_cast<int>(events.size()),
                                 pace_.wait_ms(now_ns()));
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.ptr == nullptr) return;
      if (event.data.ptr == &listener_) {
        accept();
      } else {
        serve(static_cast<Peer*>(event.data.ptr), event.events);
      }
    }
    send_what_is_due();
  }
}

void Sink::send_what_is_due() {
  std::vector<Peer*> answered;
  pace_.release(now_ns(), [&](Peer* peer, std::string_view answer) {
    peer->add(answer);
    if (std::find(answered.begin(), answered.end(), peer) == answered.end()) {
      answered.push_back(peer);
    }
  });
  for (Peer* peer : answered)
    serve(peer, EPOLLOUT);
}

void Sink::accept() {
  const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (socket < 0) return;
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  auto peer = std::make_unique<Peer>(socket, tls_.get(), receive_maximum_, messages_, pace_);
  watch(EPOLL_CTL_ADD, socket, peer.get(), EPOLLIN);
  peers_.emplace(peer.get(), std::move(peer));
}

void Sink::serve(Peer* peer, std::uint32_t events) {
  const bool wanted_write = peer->wants_write();
  bool alive = (events & EPOLLOUT) == 0 || peer->flush();
  if (alive && (events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) alive = peer->read(buffer_);
  if (!alive) {
    peers_.erase(peer);
    return;
  }
  if (!wanted_write && !peer->wants_write()) return;
  watch(EPOLL_CTL_MOD, peer->socket(), peer,
        (peer->may_read() ? std::uint32_t{EPOLLIN} : 0U) |
            (peer->wants_write() ? std::uint32_t{EPOLLOUT} : 0U));
}

}  // namespace

int main(int argc, char** argv) {
  unsigned port = 0;
  unsigned receive_maximum = 0;
  unsigned per_second = 0;
  bool is_tls = false;
  bool is_good = true;
  for (int i = 1; i < argc && is_good; ++i) {
    const std::string_view name = argv[i];
    if (name == "--tls") {
      is_tls = true;
      continue;
    }
    const std::string_view value = ++i < argc ? argv[i] : "";
    is_good = (name == "--port" && read_number(value, 65535, port)) ||
              (name == "--receive-maximum" && read_number(value, 65535, receive_maximum)) ||
              (name == "--per-second" && read_number(value, 65535, per_second));
  }
  if (!is_good || port == 0) {
    std::fprintf(stderr,
                 "usage: %s --port PORT [--receive-maximum N] [--per-second N] [--tls]\n"
                 "A broker on 127.0.0.1 that acknowledges, N messages a second if asked to, and "
                 "counts; prints the\ncount when it is ended, and with --per-second how long the "
                 "messages of each quarter of a second waited.\n",
                 argv[0]);
    return 2;
  }
  std::optional<std::uint16_t> announced;
  if (receive_maximum > 0) announced = static_cast<std::uint16_t>(receive_maximum);
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  Sink sink(static_cast<std::uint16_t>(port), announced, per_second, is_tls);
  sink.run();
  std::printf("{\"messages\":%ju,\"waited_ms\":[", std::uintmax_t{sink.messages()});
  const char* between = "";
  for (const std::optional<double> wait : sink.waited_ms()) {
    std::fputs(between, stdout);
    wait ? std::printf("%.3f", *wait) : std::fputs("null", stdout);
    between = ",";
  }
  std::puts("]}");
  return 0;
}
