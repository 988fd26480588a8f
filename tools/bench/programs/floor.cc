// sluice-bench-floor: the least that a bridge can do. Takes the same bytes as sluice and gives the
// same bytes back: a request is found by looking for its members' names, goes out as a PUBLISH, and
// is answered when the broker has acknowledged it. One thread, one epoll loop, no library, no
// queue, no table; a client is fixed to one connection to the broker.
//
// It is a measuring device and not a server. It takes requests only in the form in which
// sluice-bench sends them, at QoS 0 and 1 and without ids, passes a message on as it is written,
// knows no limits, no deadlines and no routes, and ends where a broker connection does.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "buffer.h"
#include "floor_streams.h"
#include "mqtt_wire.h"
#include "publisher_wire.h"
#include "stand_in.h"

namespace sluice::bench {
namespace {

constexpr std::size_t kReadBytes = 1 << 18;
constexpr std::size_t kLargeRest = 1 << 14;        // of a request; from here on it is not copied
constexpr unsigned char kNobodySubscribed = 0x10;  // reason code of a PUBACK

constexpr std::string_view kOk = "{\"code\":1,\"msg\":\"mqtt 消息发送成功\"}\n";
constexpr std::string_view kOkToNobody =
    "{\"code\":1,\"msg\":\"mqtt 消息发送成功\",\"subscribers\":0}\n";

class Floor {
 public:
  Floor(unsigned port, unsigned broker_port, unsigned connections);
  ~Floor();
  Floor(const Floor&) = delete;
  Floor& operator=(const Floor&) = delete;

  /// Until SIGTERM or SIGINT.
  void run();

 private:
  void open(Link& link, unsigned broker_port, unsigned number);
  void accept();
  void serve(Stream* stream, std::uint32_t events);
  Buffer& receive(Stream& stream);
  void keep_rest(Stream& stream, Buffer& input);
  void read_requests(Client& client);
  void read_acknowledgements(Link& link);
  void take_acknowledgement(Link& link, std::string_view body);
  void settle_written(Link& link);
  void answer(Link& link, std::string_view reply);
  void touch(Client& client);
  void write_all();
  void finish(Client& client);
  void watch(Stream& stream) const;
  void add(int fd, void* data) const;

  int epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int signals_ = open_end_signals();
  std::deque<Link> links_;
  std::list<Client> clients_;
  std::size_t accepted_ = 0;
  std::vector<Client*> touched_;
  Buffer shared_;  ///< what is read of a stream that has nothing left over
};

Floor::Floor(unsigned port, unsigned broker_port, unsigned connections) : links_(connections) {
  // The broker first: who is accepted is served.
  for (unsigned i = 0; i < connections; ++i)
    open(links_[i], broker_port, i);
  if (!listen_on(listener_, port)) fail("cannot listen", std::strerror(errno));
  add(listener_, &listener_);
  add(signals_, nullptr);
}

Floor::~Floor() {
  for (const Client& client : clients_)
    ::close(client.socket);
  for (const Link& link : links_)
    ::close(link.socket);
  for (const int fd : {epoll_fd_, listener_, signals_})
    ::close(fd);
}

void Floor::open(Link& link, unsigned broker_port, unsigned number) {
  link.socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(broker_port);
  if (::connect(link.socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("cannot connect to the broker", std::strerror(errno));
  }
  const int on = 1;
  setsockopt(link.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  link.output.append(connect_packet(5, "bench-floor-" + std::to_string(number)));
  link.write();
  wire::Packet packet;
  std::size_t used = 0;
  while (wire::cut_packet(link.input.bytes(), packet, used) == wire::Cut::Partial) {
    const ssize_t got = ::recv(link.socket, link.input.room(256), 256, 0);
    if (got <= 0) fail("a connection", "the broker ended it");
    link.input.add(static_cast<std::size_t>(got));
  }
  if (packet.type != wire::Type::Connack || packet.body.size() < 2 || packet.body[1] != 0) {
    fail("a connection", "the broker refused it");
  }
  link.input.take(used);
  link.watched = EPOLLIN;
  add(link.socket, static_cast<Stream*>(&link));
}

void Floor::run() {
  std::array<epoll_event, 1024> events;
  while (true) {
    const int count = epoll_wait(epoll_fd_, events.data(), static_cast<int>(events.size()), -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait", std::strerror(errno));
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.ptr == nullptr) return;
      if (event.data.ptr == &listener_) {
        accept();
      } else {
        serve(static_cast<Stream*>(event.data.ptr), event.events);
      }
    }
    write_all();
  }
}

void Floor::accept() {
  const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (socket < 0) return;
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Client& client = clients_.emplace_back(links_[accepted_++ % links_.size()]);
  client.self = std::prev(clients_.end());
  client.socket = socket;
  client.watched = EPOLLIN;
  add(socket, static_cast<Stream*>(&client));
}

void Floor::serve(Stream* stream, std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) stream->is_full = false;
  const bool has_input = (events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0;
  if (stream->is_link) {
    if (has_input) read_acknowledgements(static_cast<Link&>(*stream));
    return;
  }
  auto& client = static_cast<Client&>(*stream);
  touch(client);
  if (has_input && !client.is_ending) read_requests(client);
}

/// Reads once, behind what was left over. Only what has a rest needs a block of its own.
Buffer& Floor::receive(Stream& stream) {
  Buffer& input = stream.input.is_empty() ? shared_ : stream.input;
  const std::size_t most = std::max(kReadBytes, input.bytes().size());
  const ssize_t got = ::recv(stream.socket, input.room(most), most, MSG_DONTWAIT);
  if (got > 0) input.add(static_cast<std::size_t>(got));
  stream.is_ending = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
  return input;
}

void Floor::keep_rest(Stream& stream, Buffer& input) {
  if (&input != &shared_) return;
  if (input.bytes().size() >= kLargeRest) {
    std::swap(shared_, stream.input);
    return;
  }
  stream.input.append(input.bytes());
  input.clear();
}

void Floor::read_requests(Client& client) {
  Buffer& input = receive(client);
  std::size_t from = client.searched;
  for (std::size_t end = 0; (end = input.bytes().find('\n', from)) != std::string_view::npos;) {
    const auto request = find_request(input.bytes().substr(0, end));
    if (!request) {
      std::fputs("sluice-bench-floor: not a request of sluice-bench\n", stderr);
      client.is_ending = true;
      input.clear();
      break;
    }
    client.link->publish(client, *request);
    input.take(end + 1);
    from = 0;
  }
  client.searched = input.bytes().size();
  keep_rest(client, input);
}

void Floor::read_acknowledgements(Link& link) {
  Buffer& input = receive(link);
  if (link.is_ending) fail("a connection", "the broker ended it");
  wire::FixedHeader header;
  while (wire::cut_header(input.bytes(), header) == wire::Cut::Whole &&
         input.bytes().size() >= header.size + header.body_size) {
    if (header.type != wire::Type::Puback || header.body_size < 2) {
      fail("a connection", "the broker sent something else than PUBACK");
    }
    take_acknowledgement(link, input.bytes().substr(header.size, header.body_size));
    input.take(header.size + header.body_size);
  }
  keep_rest(link, input);
}

void Floor::take_acknowledgement(Link& link, std::string_view body) {
  settle_written(link);  // what went before it at QoS 0
  const auto number = static_cast<std::uint16_t>(static_cast<unsigned char>(body[0]) << 8 |
                                                 static_cast<unsigned char>(body[1]));
  link.last_acknowledged = next_id(link.last_acknowledged);
  if (link.unacknowledged == 0 || number != link.last_acknowledged) {
    fail("a connection", "an acknowledgement out of turn");
  }
  const auto code = static_cast<unsigned char>(body.size() > 2 ? body[2] : 0);
  if (code != 0 && code != kNobodySubscribed) fail("a message", "the broker refused it");
  --link.unacknowledged;
  answer(link, code == 0 ? kOk : kOkToNobody);
}

/// At QoS 0 a message is done when the socket has taken it.
void Floor::settle_written(Link& link) {
  while (!link.waiting.empty() && link.waiting.front().written_at != 0 &&
         link.waiting.front().written_at <= link.written) {
    answer(link, kOk);
  }
}

/// Replies to the request at the front.
void Floor::answer(Link& link, std::string_view reply) {
  Client& client = *link.waiting.front().client;
  link.waiting.pop_front();
  client.output.append(reply);
  --client.unanswered;
  touch(client);
}

void Floor::touch(Client& client) {
  if (client.is_touched) return;
  client.is_touched = true;
  touched_.push_back(&client);
}

/// The end of a turn: all that it brought leaves in one write a socket.
void Floor::write_all() {
  for (Link& link : links_) {
    if (!link.write()) fail("a connection", std::strerror(errno));
    settle_written(link);
    watch(link);
  }
  for (Client* client : touched_) {
    client->is_touched = false;
    if (!client->write()) {
      client->output.clear();
      client->is_ending = true;
    }
    finish(*client);
  }
  touched_.clear();
}

/// A client that has closed its side gets its replies first.
void Floor::finish(Client& client) {
  if (!client.is_ending || client.unanswered > 0 || !client.output.is_empty()) {
    watch(client);
    return;
  }
  ::close(client.socket);
  clients_.erase(client.self);
}

void Floor::watch(Stream& stream) const {
  const std::uint32_t events = (stream.is_ending ? 0U : std::uint32_t{EPOLLIN}) |
                               (stream.is_full ? std::uint32_t{EPOLLOUT} : 0U);
  if (events == stream.watched) return;
  stream.watched = events;
  epoll_event event{};
  event.events = events;
  event.data.ptr = &stream;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, stream.socket, &event) != 0) {
    fail("epoll_ctl", std::strerror(errno));
  }
}

void Floor::add(int fd, void* data) const {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = data;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) {
    fail("epoll_ctl", std::strerror(errno));
  }
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) {
  using sluice::bench::read_number;
  unsigned port = 0;
  unsigned broker_port = 0;
  unsigned connections = 20;
  bool is_good = argc % 2 == 1;
  for (int i = 1; i + 1 < argc && is_good; i += 2) {
    const std::string_view name = argv[i];
    is_good = (name == "--port" && read_number(argv[i + 1], 65535, port)) ||
              (name == "--to" && read_number(argv[i + 1], 65535, broker_port)) ||
              (name == "--connections" && read_number(argv[i + 1], 10000, connections));
  }
  if (!is_good || port == 0 || broker_port == 0 || connections == 0) {
    std::fprintf(
        stderr,
        "usage: %s --port PORT --to PORT [--connections N]\n"
        "The least that a bridge can do: requests of sluice-bench on 127.0.0.1:PORT, over N "
        "connections (20)\nto the broker on the other port, a reply for each "
        "acknowledgement.\n",
        argv[0]);
    return 2;
  }
  sluice::bench::Floor(port, broker_port, connections).run();
  return 0;
}
