// What a library that calls read() and write() sees within a SocketBatch::Call, and what reaches
// the socket.
#include "mqtt/transport/socket_batch.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "catch.h"
#include "socket_pair.h"

using sluice::SocketPair;
using sluice::mqtt::SocketBatch;
using Mode = SocketBatch::Mode;

namespace {

ssize_t put(int fd, const std::string& bytes) {
  return ::write(fd, bytes.data(), bytes.size());
}

/// What one read() of so many bytes brings; "(again)" for EAGAIN.
std::string take(int fd, std::size_t size) {
  std::string bytes(size, '\0');
  const ssize_t count = ::read(fd, bytes.data(), size);
  if (count < 0) return errno == EAGAIN ? "(again)" : "(error)";
  bytes.resize(static_cast<std::size_t>(count));
  return bytes;
}

}  // namespace

TEST_CASE("all packets written in one call leave in one send", "[socket_batch]") {
  const SocketPair pair(SOCK_SEQPACKET);
  SocketBatch batch;
  {
    const SocketBatch::Call call(batch, pair.ours(), Mode::Batched);
    CHECK(put(pair.ours(), "one") == 3);
    CHECK(put(pair.ours(), "two") == 3);
    CHECK(pair.receive().empty());
  }
  CHECK(pair.receive() == "onetwo");
  CHECK_FALSE(batch.has_unsent());
}

TEST_CASE("what is too large for a batch follows what was written before it", "[socket_batch]") {
  const SocketPair pair(SOCK_STREAM);
  SocketBatch batch;
  const std::string large(100'000, 'x');
  std::size_t written = 0;
  {
    const SocketBatch::Call call(batch, pair.ours(), Mode::Batched);
    CHECK(put(pair.ours(), "small") == 5);
    const ssize_t count = put(pair.ours(), large);
    REQUIRE(count > 0);
    written = static_cast<std::size_t>(count);
  }
  CHECK(pair.receive() == "small" + large.substr(0, written));
}

TEST_CASE("one read of the socket serves many small ones, and then says that there is no more",
          "[socket_batch]") {
  const SocketPair pair(SOCK_SEQPACKET);
  SocketBatch batch;
  pair.send("abcd");
  pair.send("efgh");
  {
    const SocketBatch::Call call(batch, pair.ours(), Mode::Batched);
    CHECK(take(pair.ours(), 1) == "a");
    CHECK(take(pair.ours(), 1) == "b");
    CHECK(batch.has_unread());
  }
  {
    const SocketBatch::Call call(batch, pair.ours(), Mode::Batched);
    CHECK(take(pair.ours(), 9) == "cd");
    // The first read took less than it could have: the socket is not asked again in this turn.
    CHECK(take(pair.ours(), 1) == "(again)");
    CHECK_FALSE(batch.has_unread());
  }
  const SocketBatch::Call call(batch, pair.ours(), Mode::Batched);
  CHECK(take(pair.ours(), 9) == "efgh");
}

TEST_CASE("the end of a connection is read as such", "[socket_batch]") {
  SocketPair pair(SOCK_STREAM);
  SocketBatch batch;
  pair.close_theirs();
  const SocketBatch::Call call(batch, pair.ours(), Mode::Batched);
  CHECK(take(pair.ours(), 1).empty());
}

TEST_CASE("what the socket does not take is kept in order, and sent when there is room",
          "[socket_batch]") {
  const SocketPair pair(SOCK_STREAM);
  const int small = 4096;
  REQUIRE(::setsockopt(pair.ours(), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) == 0);
  SocketBatch batch;
  std::string expected;
  for (char c = 'a'; !batch.has_unsent() && expected.size() < 10'000'000;
       c = c == 'z' ? 'a' : static_cast<char>(c + 1)) {
    const SocketBatch::Call call(batch, pair.ours(), Mode::Batched);
    const std::string bytes(20'000, c);
    REQUIRE(put(pair.ours(), bytes) == static_cast<ssize_t>(bytes.size()));
    expected += bytes;
  }
  REQUIRE(batch.has_unsent());
  CHECK(batch.written() == expected.size());
  CHECK(batch.taken() < expected.size());
  for (const Mode mode : {Mode::Batched, Mode::Direct}) {
    const SocketBatch::Call call(batch, pair.ours(), mode);
    CHECK(put(pair.ours(), "later") == -1);
    CHECK(errno == EAGAIN);
  }
  std::string received;
  for (std::string piece = pair.receive(); !piece.empty(); piece = pair.receive())
    received += piece;
  CHECK(received.size() == batch.taken());
  for (int turn = 0; turn < 10'000 && received.size() < expected.size(); ++turn) {
    batch.send(pair.ours());
    received += pair.receive();
  }
  CHECK(received == expected);
  CHECK_FALSE(batch.has_unsent());
  CHECK(batch.taken() == expected.size());
  CHECK(batch.failure() == 0);
}

TEST_CASE("another descriptor is left alone within a call: a signal may come", "[socket_batch]") {
  const SocketPair pair(SOCK_STREAM);
  const SocketPair other(SOCK_STREAM);
  SocketBatch batch;
  for (const Mode mode : {Mode::Batched, Mode::Direct}) {
    const SocketBatch::Call call(batch, pair.ours(), mode);
    CHECK(put(other.ours(), "0") == 1);
    CHECK(other.receive() == "0");
    other.send("1");
    CHECK(take(other.ours(), 1) == "1");
  }
}

TEST_CASE("nobody to wake up: no pair of sockets is to be had for so long", "[socket_batch]") {
  int fds[2] = {-1, -1};
  {
    const SocketBatch::WithoutWakeUp nobody_to_wake;
    CHECK(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == -1);
  }
  const SocketPair pair(SOCK_STREAM);
  CHECK(pair.ours() >= 0);
}

TEST_CASE("directly means: each write at once, each read from the socket", "[socket_batch]") {
  const SocketPair pair(SOCK_STREAM);
  SocketBatch batch;
  const SocketBatch::Call call(batch, pair.ours(), Mode::Direct);
  CHECK(put(pair.ours(), "now") == 3);
  CHECK(pair.receive() == "now");
  pair.send("abcd");
  CHECK(take(pair.ours(), 2) == "ab");
  CHECK_FALSE(batch.has_unread());
  CHECK(take(pair.ours(), 2) == "cd");
}

TEST_CASE("a send that fails is remembered with its reason", "[socket_batch]") {
  SocketPair pair(SOCK_STREAM);
  pair.close_theirs();
  SocketBatch batch;
  {
    const SocketBatch::Call call(batch, pair.ours(), Mode::Batched);
    CHECK(put(pair.ours(), "lost") == 4);
  }
  CHECK(batch.failure() == EPIPE);
  CHECK(batch.written() == 4);
  CHECK(batch.taken() == 0);
  const SocketBatch::Call call(batch, pair.ours(), Mode::Batched);
  CHECK(put(pair.ours(), "never") == -1);
  CHECK(errno == EPIPE);
}

TEST_CASE("outside of calls read and write are those of the system", "[socket_batch]") {
  const SocketPair pair(SOCK_SEQPACKET);
  CHECK(put(pair.ours(), "one") == 3);
  CHECK(pair.receive() == "one");
  pair.send("abcd");
  CHECK(take(pair.ours(), 9) == "abcd");
  CHECK(take(pair.ours(), 9) == "(again)");
}

TEST_CASE("libraries find these two functions before those of the system", "[socket_batch]") {
  CHECK(::dlsym(RTLD_DEFAULT, "read") == reinterpret_cast<void*>(&::read));
  CHECK(::dlsym(RTLD_DEFAULT, "write") == reinterpret_cast<void*>(&::write));
}
