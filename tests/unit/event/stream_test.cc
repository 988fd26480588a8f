// A connection: reading that can be paused, writing that waits for room, and its ends.
#include "support.h"

namespace sluice::event {
namespace {

/// One accepted connection with a plain socket on the other side.
class Connection {
 public:
  explicit Connection(TestLoop& loop) : loop_(loop) {
    auto listener = Listener::tcp(loop, {"127.0.0.1", 0, "tcp://127.0.0.1"}, {},
                                  bind<&Connection::on_accepted>(this));
    REQUIRE(listener);
    peer = std::make_unique<Socket>(Socket::tcp(listener.value()->port()));
    loop.run_until([&] { return stream != nullptr; });
    stream->set_handler(&recorder);
  }

  /// Runs turns and receives until `bytes` bytes have come, or the connection is closed.
  void receive(std::size_t bytes) {
    loop_.run_until([&] {
      received += peer->receive();
      return received.size() >= bytes || peer->at_end() || peer->was_reset();
    });
  }
  void receive_all() { receive(received.max_size()); }
  /// Writes until the socket is full; returns the number of bytes.
  std::size_t fill() {
    std::size_t written = 0;
    while (stream->unsent() == 0) {
      stream->write(std::string(100000, 'x'));
      written += 100000;
    }
    return written;
  }

  Recorder recorder;
  std::unique_ptr<Stream> stream;
  std::unique_ptr<Socket> peer;
  std::string received;

 private:
  void on_accepted(std::unique_ptr<Stream> accepted) noexcept { stream = std::move(accepted); }

  TestLoop& loop_;
};

}  // namespace

TEST_CASE("bytes arrive only while reading is on", "[stream]") {
  TestLoop loop;
  Connection connection(loop);
  connection.peer->send("first ");
  loop.run_turns(3);
  CHECK(connection.recorder.received.empty());
  connection.stream->start_reading();
  loop.run_until([&] { return connection.recorder.received == "first "; });
  connection.stream->stop_reading();
  connection.peer->send("second");
  loop.run_turns(3);
  CHECK(connection.recorder.received == "first ");
  connection.stream->start_reading();
  loop.run_until([&] { return connection.recorder.received == "first second"; });
}

TEST_CASE("no read is larger than the read size", "[stream]") {
  TestLoop loop;
  Connection connection(loop);
  connection.stream->set_read_size(1000);
  connection.peer->send(std::string(50000, 'x'));
  connection.stream->start_reading();
  loop.run_until([&] { return connection.recorder.received.size() == 50000; });
  CHECK(connection.recorder.largest == 1000);
  connection.stream->set_read_size(10 * Loop::kReadBufferBytes);  // larger than the loop's buffer
  connection.peer->send(std::string(50000, 'x'));
  loop.run_until([&] { return connection.recorder.received.size() == 100000; });
  CHECK(connection.recorder.largest <= Loop::kReadBufferBytes);
}

TEST_CASE("what the socket takes at once leaves nothing behind", "[stream]") {
  TestLoop loop;
  Connection connection(loop);
  connection.stream->write("hello");
  CHECK(connection.stream->unsent() == 0);
  connection.stream->write("");
  connection.receive(5);
  CHECK(connection.received == "hello");
  CHECK(connection.recorder.sent == 0);
}

TEST_CASE("a full socket takes the rest later, in order", "[stream]") {
  TestLoop loop;
  Connection connection(loop);
  std::size_t written = connection.fill();
  for (int i = 0; i < 10; ++i) {
    connection.stream->write(std::string(10000, static_cast<char>('0' + i)));
    written += 10000;
  }
  CHECK(connection.stream->unsent() >= 100000);
  CHECK(connection.recorder.sent == 0);  // never from within a call
  connection.receive(written);
  REQUIRE(connection.received.size() == written);
  for (std::size_t i = 0; i < 10; ++i) {
    const std::size_t at = written - 100000 + i * 10000;
    CHECK(connection.received.substr(at, 10000) == std::string(10000, static_cast<char>('0' + i)));
  }
  loop.run_until([&] { return connection.stream->unsent() == 0; });
  CHECK(connection.recorder.sent > 0);
}

TEST_CASE("a shutdown waits for all that was written", "[stream]") {
  TestLoop loop;
  Connection connection(loop);
  const std::size_t written = connection.fill();
  connection.stream->shut_down();
  connection.stream->shut_down();
  connection.receive_all();
  CHECK(connection.peer->at_end());
  CHECK(connection.received.size() == written);
}

TEST_CASE("after a shutdown the other side may still send", "[stream]") {
  TestLoop loop;
  Connection connection(loop);
  connection.stream->start_reading();
  connection.stream->shut_down();
  connection.receive_all();
  connection.peer->send("late");
  loop.run_until([&] { return connection.recorder.received == "late"; });
}

TEST_CASE("the peer's shutdown is its end, and it can still be written to", "[stream]") {
  TestLoop loop;
  Connection connection(loop);
  connection.stream->start_reading();
  connection.peer->send("bye");
  connection.peer->shut_down();
  loop.run_until([&] { return connection.recorder.ends == 1; });
  CHECK(connection.recorder.received == "bye");
  connection.stream->write("good bye");
  connection.receive(8);
  CHECK(connection.received == "good bye");
  loop.run_turns(3);
  CHECK(connection.recorder.ends == 1);
  CHECK(connection.recorder.breaks == 0);
}

TEST_CASE("a reset is told while reading", "[stream]") {
  TestLoop loop;
  Connection connection(loop);
  connection.stream->start_reading();
  connection.peer->reset();
  loop.run_until([&] { return connection.recorder.breaks == 1; });
  CHECK(connection.recorder.ends == 0);
}

TEST_CASE("a reset is told while writing, and does not end the process", "[stream]") {
  TestLoop loop;
  Connection connection(loop);
  connection.fill();
  connection.peer->reset();
  loop.run_until([&] { return connection.recorder.breaks > 0; });
  connection.stream->write("nobody reads this");
  connection.stream->shut_down();
  loop.run_turns(3);
}

TEST_CASE("what the peer has done is known without reading", "[stream]") {
  TestLoop loop;
  Connection connection(loop);
  connection.peer->send("unread");
  CHECK(connection.stream->peer_state() == PeerState::Open);
  connection.peer->shut_down();
  CHECK(connection.stream->peer_state() == PeerState::HalfClosed);
  SECTION("it closed") {
    connection.peer->close();
    CHECK(connection.stream->peer_state() == PeerState::Gone);
  }
  SECTION("it reset the connection") {
    connection.peer->reset();
    CHECK(connection.stream->peer_state() == PeerState::Gone);
  }
}

TEST_CASE("a lack of descriptors hides only for its time that the peer has closed", "[stream]") {
  TestLoop loop;
  Connection connection(loop);
  connection.peer->close();
  {
    const NoDescriptors none;
    CHECK(connection.stream->peer_state() == PeerState::HalfClosed);
  }
  CHECK(connection.stream->peer_state() == PeerState::Gone);
}

TEST_CASE("a write holds its memory until the socket has taken all of it", "[stream]") {
  TestLoop loop;
  Connection connection(loop);
  connection.fill();
  const std::size_t held = connection.stream->held();
  CHECK(held >= connection.stream->unsent());
  const std::size_t unsent = connection.stream->unsent();
  connection.stream->write("more");
  CHECK(connection.stream->held() == held + 4);
  loop.run_until([&] {
    connection.received += connection.peer->receive();
    return connection.stream->unsent() != unsent + 4;
  });
  if (connection.stream->unsent() > 4) CHECK(connection.stream->held() == held + 4);
  loop.run_until([&] {
    connection.received += connection.peer->receive();
    return connection.stream->unsent() == 0;
  });
  CHECK(connection.stream->held() == 0);
}

TEST_CASE("a stream may die with bytes on their way", "[stream]") {
  TestLoop loop;
  Connection connection(loop);
  connection.fill();
  connection.stream->start_reading();
  connection.peer->send("unread");
  connection.stream.reset();
  loop.run_turns(3);
  CHECK(connection.recorder.received.empty());
  CHECK(connection.recorder.breaks == 0);
  connection.receive_all();
}

TEST_CASE("a stream may be retired inside its own callback", "[stream]") {
  struct Leaver final : StreamHandler {
    Loop& loop;
    std::unique_ptr<Stream>& stream;
    int calls = 0;
    Leaver(Loop& l, std::unique_ptr<Stream>& s) : loop(l), stream(s) {}
    void on_read(std::span<const char>) noexcept override {
      ++calls;
      stream->stop_reading();
      loop.retire(std::move(stream));
    }
    void on_refused(std::string_view) noexcept override { ++calls; }
    void on_end() noexcept override { ++calls; }
    void on_broken(int) noexcept override { ++calls; }
    void on_sent() noexcept override { ++calls; }
  };
  TestLoop loop;
  Connection connection(loop);
  Leaver leaver(loop, connection.stream);
  connection.stream->set_handler(&leaver);
  connection.stream->start_reading();
  connection.peer->send("x");
  connection.receive_all();
  CHECK(connection.peer->at_end());
  CHECK(leaver.calls == 1);
}

}  // namespace sluice::event
