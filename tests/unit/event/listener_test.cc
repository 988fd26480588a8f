// Listening: free and taken ports, socket files old, live and foreign.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <vector>

#include "base/log.h"
#include "log_capture.h"
#include "support.h"

namespace sluice::event {
namespace {

bool exists(const std::string& path) {
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TcpAddress at(const std::string& host, std::uint16_t port) {
  return {host, port, "tcp://" + host + ":" + std::to_string(port)};
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void connect_to(const Socket& socket, std::uint16_t port) {
  const sockaddr_in address = loopback(port);
  const auto* raw = reinterpret_cast<const sockaddr*>(&address);
  REQUIRE(::connect(socket.fd(), raw, sizeof(address)) == 0);
}

std::vector<Socket> unconnected(int count) {
  std::vector<Socket> sockets;
  for (int i = 0; i < count; ++i)
    sockets.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return sockets;
}

/// A listener on a loopback port of the kernel's choice.
struct Listening {
  Listening() {
    auto begun =
        Listener::tcp(loop, at("127.0.0.1", 0), {}, bind<&Acceptor::on_accepted>(&acceptor));
    REQUIRE(begun);
    listener = std::move(begun).value();
  }
  std::uint16_t port() const { return listener->port(); }
  /// Waits until this many connections were accepted.
  void wait_for(std::size_t count) {
    loop.run_until([&] { return acceptor.streams.size() == count; });
  }

  TestLoop loop;
  Acceptor acceptor;
  std::unique_ptr<Listener> listener;
};

}  // namespace

TEST_CASE("without a free descriptor connections wait, the loop rests, then all are accepted",
          "[listener]") {
  Listening here;
  std::vector<Socket> sockets = unconnected(3);
  for (const Socket& socket : sockets)
    connect_to(socket, here.port());
  log::warn("UBSan looks at the types of {} first, which takes {}", "a line", "descriptors");
  {
    const NoDescriptors none;
    for (int attempts = 0; attempts < 25; ++attempts) {
      here.loop.advance(Duration(100));
      CHECK(here.loop.would_sleep());
    }
  }
  CHECK(here.acceptor.streams.empty());
  here.loop.advance(Duration(100));
  CHECK(here.acceptor.streams.size() == 3);
  for (Socket& socket : sockets) {
    socket.receive();
    CHECK_FALSE(socket.at_end());
  }
}

TEST_CASE("while descriptors stay short that is said once, however many come and go",
          "[listener]") {
  const Folder folder;
  REQUIRE(log::configure({.level = log::Level::Info, .file = folder.file("log")}));
  Listening here;
  std::vector<Socket> sockets = unconnected(5);
  const auto said = [&](const std::string& what) {
    std::ifstream file(folder.file("log"));
    int lines = 0;
    for (std::string line; std::getline(file, line);)
      lines += has(line, what) ? 1 : 0;
    return lines;
  };
  // UBSan looks at each type first, which takes descriptors: so all is done once while there are.
  log::warn("{}", "a line");
  connect_to(sockets[0], here.port());
  here.wait_for(1);
  here.acceptor.streams.clear();
  here.loop.run_turns(3);
  connect_to(sockets[1], here.port());
  here.wait_for(1);
  const sockaddr_in address = loopback(here.port());
  {
    const NoDescriptors none;
    for (std::size_t next = 2; next < sockets.size(); ++next) {
      (void)::connect(sockets[next].fd(), reinterpret_cast<const sockaddr*>(&address),
                      sizeof(address));
      here.loop.advance(Duration(50));  // it waits
      here.acceptor.streams.clear();    // room for one
      here.loop.advance(Duration(200));
    }
  }
  CHECK(said("accepting again") == 0);
  CHECK(said("accept: ") == 1);
  (void)log::configure({});
}

TEST_CASE("a shortage in which one after the other is accepted all the same is one shortage",
          "[listener]") {
  Listening here;
  const sockaddr_in address = loopback(here.port());
  std::vector<Socket> sockets = unconnected(6);
  const LogCapture said;
  // UBSan looks at each type first, which takes descriptors: so all is done once while there are.
  log::warn("{}", "a line");
  connect_to(sockets[0], here.port());
  here.wait_for(1);
  for (std::size_t next = 1; next < sockets.size(); ++next) {
    {
      const NoDescriptors none;
      (void)::connect(sockets[next].fd(), reinterpret_cast<const sockaddr*>(&address),
                      sizeof(address));
      here.loop.advance(Duration(50));  // it waits
    }
    here.loop.advance(Duration(50));
    CHECK(here.acceptor.streams.size() == next + 1);  // and no other
  }
  CHECK(said.count("accept: ") == 1);
  CHECK(said.count("accepting again") == 0);
  const auto is_over = [&] { return said.count("accepting again") == 1; };
  CHECK(here.loop.advance_until(is_over) == Duration(9900));  // ten quiet seconds later
  CHECK(said.lines().size() == 3);
}

TEST_CASE("a connection is accepted and its peer is named", "[listener]") {
  Listening here;
  CHECK(here.port() != 0);
  const Socket first = Socket::tcp(here.port());
  const Socket second = Socket::tcp(here.port());
  here.wait_for(2);
  const Peer& peer = here.acceptor.streams[0]->peer();
  CHECK(has(peer.name, "127.0.0.1:"));
  CHECK(peer.name != here.acceptor.streams[1]->peer().name);
  CHECK(peer.ip == IpAddress::parse("127.0.0.1"));
  CHECK_FALSE(peer.is_unix);
}

TEST_CASE("accepted connections outlive their listener", "[listener]") {
  Listening here;
  const std::uint16_t port = here.port();
  Socket socket = Socket::tcp(port);
  here.wait_for(1);
  { const std::unique_ptr<Listener> ends = std::move(here.listener); }
  here.loop.run_turns(2);
  CHECK_THROWS(Socket::tcp(port));
  Recorder recorder;
  here.acceptor.streams[0]->set_handler(&recorder);
  here.acceptor.streams[0]->start_reading();
  socket.send("still there");
  here.loop.run_until([&] { return recorder.received == "still there"; });
}

TEST_CASE("a port that is taken is an error that names the address", "[listener]") {
  TestLoop loop;
  Acceptor acceptor;
  const auto accepted = bind<&Acceptor::on_accepted>(&acceptor);
  const auto first = Listener::tcp(loop, at("127.0.0.1", 0), {}, accepted);
  REQUIRE(first);
  const std::uint16_t port = first.value()->port();
  const auto second = Listener::tcp(loop, at("127.0.0.1", port), {}, accepted);
  REQUIRE_FALSE(second);
  CHECK(has(second.error().what, "tcp://127.0.0.1:" + std::to_string(port)));
  CHECK(has(second.error().what, "in use"));
}

TEST_CASE("with reuse_port two listeners share a port", "[listener]") {
  TestLoop loop;
  Acceptor acceptor;
  const auto accepted = bind<&Acceptor::on_accepted>(&acceptor);
  const TcpOptions shared{.reuse_port = true, .fast_open = true};
  const auto first = Listener::tcp(loop, at("127.0.0.1", 0), shared, accepted);
  REQUIRE(first);
  CHECK(Listener::tcp(loop, at("127.0.0.1", first.value()->port()), shared, accepted));
}

TEST_CASE("a name is never waited for by who listens", "[listener]") {
  TestLoop loop;
  Acceptor acceptor;
  const auto listener =
      Listener::tcp(loop, at("localhost", 0), {}, bind<&Acceptor::on_accepted>(&acceptor));
  REQUIRE_FALSE(listener);
  CHECK(has(listener.error().what, "not known"));
}

TEST_CASE("an address that cannot be listened on is named", "[listener]") {
  TestLoop loop;
  Acceptor acceptor;
  const auto accepted = bind<&Acceptor::on_accepted>(&acceptor);
  const auto foreign = Listener::tcp(loop, at("192.0.2.1", 9501), {}, accepted);
  REQUIRE_FALSE(foreign);
  CHECK(has(foreign.error().what, "cannot listen on tcp://192.0.2.1:9501: "));
  const auto ipv6 = Listener::tcp(loop, {"2001:db8::1", 9501, "tcp://six:9501"}, {}, accepted);
  REQUIRE_FALSE(ipv6);
  CHECK(has(ipv6.error().what, "cannot listen on tcp://six:9501: "));
  const Folder folder;
  const auto missing = Listener::unix_socket(loop, folder.file("no/such/folder"), accepted);
  REQUIRE_FALSE(missing);
  CHECK(has(missing.error().what, folder.file("no/such/folder")));
}

TEST_CASE("a socket file is there for its owner and group while somebody listens", "[listener]") {
  TestLoop loop;
  const Folder folder;
  const std::string path = folder.file("socket");
  Acceptor acceptor;
  {
    const auto listener =
        Listener::unix_socket(loop, path, bind<&Acceptor::on_accepted>(&acceptor));
    REQUIRE(listener);
    CHECK(listener.value()->port() == 0);
    struct stat file {};
    REQUIRE(::stat(path.c_str(), &file) == 0);
    CHECK((file.st_mode & 07777) == 0660);
    const Socket socket = Socket::unix_file(path);
    loop.run_until([&] { return acceptor.streams.size() == 1; });
    CHECK(acceptor.streams[0]->peer().name == "unix");
    CHECK(acceptor.streams[0]->peer().is_unix);
    CHECK_FALSE(acceptor.streams[0]->peer().ip);
  }
  CHECK_FALSE(exists(path));
}

TEST_CASE("a socket file that a killed process has left is replaced", "[listener]") {
  TestLoop loop;
  const Folder folder;
  const std::string path = folder.file("socket");
  Acceptor acceptor;
  { const Socket killed = Socket::listening(path); }
  REQUIRE(exists(path));
  const auto listener = Listener::unix_socket(loop, path, bind<&Acceptor::on_accepted>(&acceptor));
  REQUIRE(listener);
  const Socket socket = Socket::unix_file(path);
  loop.run_until([&] { return acceptor.streams.size() == 1; });
}

TEST_CASE("a socket file somebody listens on is left alone", "[listener]") {
  TestLoop loop;
  const Folder folder;
  const std::string path = folder.file("socket");
  Acceptor acceptor;
  const Socket live = Socket::listening(path);
  const auto listener = Listener::unix_socket(loop, path, bind<&Acceptor::on_accepted>(&acceptor));
  REQUIRE_FALSE(listener);
  CHECK(has(listener.error().what, "unix://" + path));
  CHECK(exists(path));
  CHECK_NOTHROW(Socket::unix_file(path));
}

TEST_CASE("a file that is no socket is left alone", "[listener]") {
  TestLoop loop;
  const Folder folder;
  const std::string path = folder.file("precious");
  std::ofstream(path) << "data";
  Acceptor acceptor;
  const auto listener = Listener::unix_socket(loop, path, bind<&Acceptor::on_accepted>(&acceptor));
  REQUIRE_FALSE(listener);
  CHECK(has(listener.error().what, "not a socket"));
  CHECK(exists(path));
}

TEST_CASE("a listener does not remove the socket file of its successor", "[listener]") {
  TestLoop loop;
  const Folder folder;
  const std::string path = folder.file("socket");
  Acceptor acceptor;
  auto listener = Listener::unix_socket(loop, path, bind<&Acceptor::on_accepted>(&acceptor));
  REQUIRE(listener);
  REQUIRE(::unlink(path.c_str()) == 0);
  const Socket successor = Socket::listening(path);
  { const std::unique_ptr<Listener> ends = std::move(listener).value(); }
  CHECK(exists(path));
}

}  // namespace sluice::event
