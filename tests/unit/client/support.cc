#include "support.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "event/bound_socket.h"

namespace sluice::client {

ledger::Taken FakeIntake::submit(const ledger::Origin& origin, protocol::Request& request,
                                 const ledger::Terms& terms) noexcept {
  submitted.push_back({origin, std::string(request.topic()), terms, std::move(request)});
  switch (choose ? choose(submitted.back()) : mode) {
    case Mode::Hold:
      return ledger::Taken::Accepted;
    case Mode::Park:
      return ledger::Taken::Waits;
    case Mode::Answer:
      answer(submitted.size() - 1);
      return ledger::Taken::Settled;
  }
  return ledger::Taken::Accepted;
}

void FakeIntake::answer(std::size_t number) {
  Submitted& one = submitted.at(number);
  one.origin.source->settled(one.origin, protocol::Reply::success(), std::move(one.request));
}

std::size_t FakeIntake::find(std::string_view topic) const {
  for (std::size_t i = 0; i < submitted.size(); ++i) {
    if (submitted[i].topic == topic) return i;
  }
  throw std::runtime_error("no request with the topic " + std::string(topic));
}

namespace {

int connected(int family, const void* address, socklen_t size) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || ::connect(fd, static_cast<const sockaddr*>(address), size) != 0) {
    throw std::runtime_error("cannot connect");
  }
  return fd;
}

}  // namespace

Peer Peer::tcp(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return Peer(connected(AF_INET, &address, sizeof(address)));
}

Peer Peer::unix_socket(const std::string& path) {
  const sockaddr_un address = event::unix_address(path);
  return Peer(connected(AF_UNIX, &address, sizeof(address)));
}

Peer::Peer(Peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Peer::~Peer() {
  if (fd_ >= 0) ::close(fd_);
}

void Peer::send(std::string_view bytes) {
  unsent_ += bytes;
  pump();
}

void Peer::shut_down() {
  wants_shut_down_ = true;
  pump();
}

void Peer::close() {
  ::close(std::exchange(fd_, -1));
}

void Peer::reset() {
  const linger at_once{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  ::close(std::exchange(fd_, -1));
}

void Peer::pump() {
  if (fd_ < 0) return;
  while (!unsent_.empty()) {
    const ssize_t sent = ::send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0) {
      if (errno == ECONNRESET || errno == EPIPE) unsent_.clear();
      break;
    }
    unsent_.erase(0, static_cast<std::size_t>(sent));
  }
  if (unsent_.empty() && std::exchange(wants_shut_down_, wants_shut_down_ && !unsent_.empty())) {
    ::shutdown(fd_, SHUT_WR);
  }
  if (receives_) receive();
}

void Peer::receive() {
  std::array<char, 65536> buffer{};
  while (!at_end_ && !was_reset_) {
    const ssize_t count = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count > 0) {
      received_.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (count == 0) {
      at_end_ = true;
      // recv() does not report a reset after the end of the stream.
      int error = 0;
      socklen_t size = sizeof(error);
      ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
      was_reset_ = error != 0;
    } else if (errno == ECONNRESET) {
      was_reset_ = true;
    } else {
      return;
    }
  }
}

std::size_t Peer::lines() const {
  return static_cast<std::size_t>(std::count(received_.begin(), received_.end(), '\n'));
}

std::string Peer::line(std::size_t number) const {
  std::size_t begin = 0;
  for (; number > 0; --number)
    begin = received_.find('\n', begin) + 1;
  return received_.substr(begin, received_.find('\n', begin) - begin);
}

Lab::Lab(const std::function<void(config::Config&)>& change) {
  std::string name = "/tmp/sluice-client-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a directory");
  directory_ = name;
  config.server.listen = {
      {config::Address::Kind::Tcp, "127.0.0.1", 0, ""},
      {config::Address::Kind::Unix, "", 0, directory_ + "/socket"},
  };
  config.replies.success = "sent";
  config.replies.failure = "failed";
  if (change) change(config);
  server = std::make_unique<Server>(loop, config, intake);
  const Result<void> listening = server->listen();
  if (!listening) throw std::runtime_error(listening.error().what);
  loop.after_turn = [this] {
    for (const auto& peer : peers_)
      peer->pump();
  };
}

Lab::~Lab() {
  peers_.clear();
  server.reset();
  ::rmdir(directory_.c_str());
}

Peer& Lab::connect() {
  peers_.push_back(std::make_unique<Peer>(Peer::tcp(server->port(0))));
  return *peers_.back();
}

Peer& Lab::connect_unix() {
  peers_.push_back(std::make_unique<Peer>(Peer::unix_socket(directory_ + "/socket")));
  return *peers_.back();
}

Peer& Lab::connect_without_reading() {
  Peer& peer = connect_unix();
  peer.stop_receiving();
  return peer;
}

void Lab::wait_for_requests(std::size_t count) {
  run_until([&] { return intake.submitted.size() >= count; });
}

std::string Lab::wait_for_line(Peer& peer, std::size_t number) {
  run_until([&] { return peer.lines() > number; });
  return peer.line(number);
}

void Lab::wait_for_end(Peer& peer) {
  run_until([&] { return peer.at_end() || peer.was_reset(); });
  CHECK_FALSE(peer.was_reset());
}

std::string request(std::string_view topic, std::string_view id_json) {
  if (id_json.empty()) {
    return fmt::format(R"({{"device_id":1,"mqtt_topic":"{}","message":""}})", topic);
  }
  return fmt::format(R"({{"id":{},"device_id":1,"mqtt_topic":"{}","message":""}})", id_json, topic);
}

std::string with_long_replies(int count) {
  const std::string id = '"' + std::string(250, 'i') + '"';
  std::string all;
  for (int i = 0; i < count; ++i)
    all += request("a", id);
  return all;
}

std::string request_of(std::size_t bytes, std::string_view topic) {
  std::string text = request(topic);
  text.insert(text.size() - 2, bytes - text.size(), 'x');
  return text;
}

std::string frame(std::string_view body) {
  std::string framed;
  for (int shift = 24; shift >= 0; shift -= 8) {
    framed += static_cast<char>((body.size() >> shift) & 0xFF);
  }
  framed += body;
  return framed;
}

}  // namespace sluice::client
