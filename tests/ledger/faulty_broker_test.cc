// The simulated broker itself, over real sockets: what it finds wrong with a client, and the
// schedule of its faults.
#include "faulty_broker.h"

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <set>

#include "catch.h"
#include "fault_player.h"
#include "net.h"
#include "subject.h"

namespace {

using namespace sluice::ledger_run;

std::string text(std::string_view value) {
  return std::string({static_cast<char>(value.size() >> 8), static_cast<char>(value.size())}) +
         std::string(value);
}

std::string packet(int first_byte, const std::string& body) {
  return std::string({static_cast<char>(first_byte), static_cast<char>(body.size())}) + body;
}

std::string connect_packet(std::string_view client_id) {
  return packet(0x10, text("MQTT") + std::string({5, 2, 0, 30, 0}) + text(client_id));
}

std::string publish_packet(char id, std::string_view payload, int qos = 1, bool dup = false) {
  return packet(0x30 | qos << 1 | (dup ? 8 : 0),
                text("t") + std::string({0, id, 0}) + std::string(payload));
}

/// A broker with a ledger that knows device 1 and its messages 0 to 9.
struct Lab {
  Poller poller;
  RunLedger ledger{Limits{}, now_ns()};
  FaultyBroker broker;
  std::vector<int> sockets;

  explicit Lab(bool has_tls = false) : broker(poller, ledger, 1, has_tls) {
    const std::uint32_t device = ledger.add_device(1, kSecond);
    for (int i = 0; i < 10; ++i)
      ledger.on_sent(device, now_ns());
  }
  ~Lab() {
    for (const int fd : sockets)
      ::close(fd);
  }

  int open() {
    sockets.push_back(connect_to(broker.port()));
    REQUIRE(sockets.back() >= 0);
    return sockets.back();
  }
  static void write(int fd, const std::string& bytes) {
    REQUIRE(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
  void turn() {
    poller.turn(1);
    broker.tick(now_ns());
  }
  /// Runs turns until this many bytes have come in, or the end of the stream ("" and no more).
  std::string read(int fd, std::size_t size) {
    std::string got;
    for (int turns = 0; turns < 2000 && got.size() < size; ++turns) {
      turn();
      char buffer[256];
      const ssize_t done = ::recv(fd, buffer, std::min(sizeof buffer, size - got.size()), 0);
      if (done > 0) got.append(buffer, static_cast<std::size_t>(done));
      if (done == 0) break;
    }
    return got;
  }
  int connected(std::string_view client_id) {
    const int fd = open();
    write(fd, connect_packet(client_id));
    REQUIRE(read(fd, 5) == std::string({0x20, 3, 0, 0, 0}));
    return fd;
  }
  bool found_only(Breach kind) const {
    return ledger.violations().count(kind) == 1 && ledger.violations().total() == 1;
  }
};

}  // namespace

TEST_CASE("the stand-in records a message before it acknowledges it") {
  Lab lab;
  const int fd = lab.connected("a");
  Lab::write(fd, publish_packet(7, "1:0:"));
  CHECK(lab.read(fd, 4) == std::string({0x40, 2, 0, 7}));
  lab.ledger.on_answered(1, 0, {AnswerKind::Ok, Published::None}, now_ns(), 0);
  CHECK(lab.ledger.violations().total() == 0);
}

TEST_CASE("QoS 2 takes both steps") {
  Lab lab;
  const int fd = lab.connected("a");
  Lab::write(fd, publish_packet(7, "1:0:", 2));
  CHECK(lab.read(fd, 4) == std::string({0x50, 2, 0, 7}));
  Lab::write(fd, packet(0x62, {0, 7}));
  CHECK(lab.read(fd, 4) == std::string({0x70, 2, 0, 7}));
  CHECK(lab.ledger.violations().total() == 0);
}

TEST_CASE("a PUBREL that answers no PUBREC, or not the oldest, is found") {
  Lab lab;
  const int fd = lab.connected("a");
  SECTION("of a message of QoS 1") {
    lab.broker.mode.swallows = true;
    lab.broker.live().front()->impairments.swallows = true;
    Lab::write(fd, publish_packet(7, "1:0:") + packet(0x62, {0, 7}) + packet(0xC0, ""));
    lab.read(fd, 2);
  }
  SECTION("before the PUBREC") {
    lab.broker.live().front()->impairments.swallows = true;
    Lab::write(fd, publish_packet(7, "1:0:", 2) + packet(0x62, {0, 7}) + packet(0xC0, ""));
    lab.read(fd, 2);
  }
  SECTION("out of order") {
    Lab::write(fd, publish_packet(7, "1:0:", 2) + publish_packet(8, "1:1:", 2));
    CHECK(lab.read(fd, 8).size() == 8);
    Lab::write(fd, packet(0x62, {0, 8}) + packet(0x62, {0, 7}));
    CHECK(lab.read(fd, 8).size() == 8);
  }
  CHECK(lab.found_only(Breach::Protocol));
}

TEST_CASE("a CONNECT ends the identifier's connection from before") {
  Lab lab;
  const int old = lab.connected("a");
  SECTION("that was still open: a client may not do that") {
    lab.connected("a");
    CHECK(lab.found_only(Breach::TwoConnections));
    CHECK(lab.read(old, 3) == std::string({static_cast<char>(0xE0), 1, static_cast<char>(0x8E)}));
  }
  SECTION("that the client had closed in the same moment") {
    close_with_reset(old);
    lab.sockets.clear();
    lab.connected("a");
    CHECK(lab.ledger.violations().total() == 0);
  }
  SECTION("of another identifier stays") {
    lab.connected("b");
    CHECK(lab.broker.live().size() == 2);
    CHECK(lab.ledger.violations().total() == 0);
  }
}

TEST_CASE("more in flight than Receive Maximum is found") {
  Lab lab;
  lab.broker.mode.receive_maximum = 1;
  lab.broker.mode.swallows = true;
  const int fd = lab.open();
  Lab::write(fd, connect_packet("a"));
  CHECK(lab.read(fd, 8) == std::string({0x20, 6, 0, 0, 3, 0x21, 0, 1}));
  Lab::write(fd, publish_packet(1, "1:0:") + publish_packet(2, "1:1:") + packet(0xC0, ""));
  CHECK(lab.read(fd, 2) == std::string({static_cast<char>(0xD0), 0}));
  CHECK(lab.found_only(Breach::ReceiveMaximum));
}

TEST_CASE("what MQTT does not allow is found") {
  Lab lab;
  const int fd = lab.connected("a");
  SECTION("DUP on a connection that started clean") {
    Lab::write(fd, publish_packet(1, "1:0:", 1, true));
    lab.read(fd, 4);
  }
  SECTION("garbage") {
    Lab::write(fd, std::string(8, '\xFF'));
    CHECK(lab.read(fd, 1).empty());
  }
  CHECK(lab.found_only(Breach::Protocol));
}

TEST_CASE("the poisonous message ends its connection each time, and no other message does") {
  Lab lab;
  lab.broker.choose_poison(1, DropWay::Gracefully);
  for (int times = 0; times < 2; ++times) {
    const int fd = lab.connected("a");
    Lab::write(fd, publish_packet(1, "1:0:"));
    CHECK(lab.read(fd, 1).empty());
  }
  const int fd = lab.connected("a");
  Lab::write(fd, publish_packet(1, "1:1:"));
  CHECK(lab.read(fd, 4).size() == 4);
  CHECK(lab.broker.waits_for_poison());
  lab.ledger.on_answered(1, 0, {AnswerKind::Rejected, Published::Unknown}, now_ns(), 0);
  CHECK_FALSE(lab.broker.waits_for_poison());
  CHECK(lab.ledger.figures().poison_drops == 2);
  CHECK(lab.ledger.violations().total() == 0);
}

TEST_CASE("a silent broker reads and says nothing; a frozen one reads later") {
  Lab lab;
  const int fd = lab.connected("a");
  BrokerSession& session = *lab.broker.live().front();
  SECTION("silent") {
    session.impairments.is_silent = true;
    Lab::write(fd, packet(0xC0, ""));
    for (int i = 0; i < 20; ++i)
      lab.turn();
    char byte = 0;
    CHECK(::recv(fd, &byte, 1, 0) < 0);
  }
  SECTION("frozen") {
    session.freeze();
    Lab::write(fd, packet(0xC0, ""));
    for (int i = 0; i < 20; ++i)
      lab.turn();
    session.thaw();
    CHECK(lab.read(fd, 2).size() == 2);
  }
}

TEST_CASE("a lost acknowledgement is told to the ledger, and later ones come") {
  Lab lab;
  const int fd = lab.connected("a");
  lab.broker.live().front()->impairments.acks_to_lose = 1;
  std::string all;
  for (char id = 1; id <= 10; ++id)
    all += publish_packet(id, "1:" + std::to_string(id - 1) + ":");
  Lab::write(fd, all + packet(0xC0, ""));
  CHECK(lab.read(fd, 9 * 4 + 2).size() == 9 * 4 + 2);
  CHECK(lab.broker.live().front()->open.empty());
}

TEST_CASE("over TLS the stand-in is the same, and what is not TLS is found") {
  Lab lab(/*has_tls=*/true);
  const int fd = lab.open();
  SECTION("TLS") {
    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(
        SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), SSL_free);
    REQUIRE(SSL_set_fd(ssl.get(), fd) == 1);
    for (int turns = 0; turns < 2000 && SSL_connect(ssl.get()) != 1; ++turns)
      lab.turn();
    const std::string said = connect_packet("a") + publish_packet(7, "1:0:");
    REQUIRE(SSL_write(ssl.get(), said.data(), static_cast<int>(said.size())) > 0);
    char buffer[256];
    int got = -1;
    for (int turns = 0; turns < 2000 && got < 0; ++turns) {
      lab.turn();
      got = SSL_read(ssl.get(), buffer, sizeof buffer);
    }
    CHECK(std::string(buffer, static_cast<std::size_t>(got)) ==
          std::string({0x20, 3, 0, 0, 0, 0x40, 2, 0, 7}));
    CHECK(lab.ledger.violations().total() == 0);
  }
  SECTION("not TLS") {
    Lab::write(fd, connect_packet("a"));
    lab.read(fd, 100);
    CHECK(lab.found_only(Breach::Protocol));
  }
}

TEST_CASE("a seed gives the same schedule each time, with every fault in it") {
  std::vector<Fault> faults;
  for (const FaultInfo& info : all_faults()) {
    faults.push_back(info.fault);
    CHECK(fault_by_name(info.name) == info.fault);
    CHECK(all_faults()[static_cast<std::size_t>(info.fault)].fault == info.fault);
  }
  const auto once = draw_schedule(5, faults, false);
  const auto again = draw_schedule(5, faults, false);
  const auto other = draw_schedule(6, faults, false);
  std::set<Fault> seen;
  bool differs = false;
  REQUIRE(once.size() == kFaults);
  for (std::size_t i = 0; i < once.size(); ++i) {
    seen.insert(once[i].fault);
    CHECK((once[i].fault == again[i].fault && once[i].begin == again[i].begin &&
           once[i].length == again[i].length && once[i].draw == again[i].draw));
    differs = differs || once[i].fault != other[i].fault;
  }
  CHECK(seen.size() == kFaults);
  CHECK(differs);
}

TEST_CASE("the loop knows for how much of a time it was late itself") {
  Poller poller;
  const Nanoseconds begin = now_ns();
  poller.turn(0);
  while (now_ns() < begin + 20 * kMillisecond) {
  }
  poller.turn(0);
  poller.turn(0);  // this turn is not late, but the time before counts
  const Nanoseconds now = now_ns();
  CHECK(poller.own_part(begin, now) > 15 * kMillisecond);
  CHECK(poller.own_part(begin, now) <= now - begin);
  CHECK(poller.own_part(begin + 19 * kMillisecond, now) <= now - begin - 19 * kMillisecond);
  CHECK(poller.worst_stall() > 15 * kMillisecond);
}

TEST_CASE("a bad end of sluice is told apart from a good one") {
  const auto ended = [](const char* binary) {
    auto subject = std::make_unique<Subject>(SubjectPlan{binary, 1, true, false, false});
    for (int i = 0; i < 5000 && !subject->has_ended(); ++i)
      ::usleep(1000);
    return subject;
  };
  CHECK(ended("/bin/true")->ended_well());
  const auto bad = ended("/bin/false");
  CHECK_FALSE(bad->ended_well());
  CHECK(bad->exit_text() == "exit status 1");
  CHECK(bad->sanitizer_report().empty());
  std::ofstream(bad->folder() + "/sluice.log")
      << "x.cc:1:2: runtime error: signed integer overflow\n";
  CHECK(bad->sanitizer_report().find("overflow") != std::string::npos);
}
