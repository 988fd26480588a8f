// How a client is read from: on a stream that counts what is asked of it.
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "client/client.h"
#include "support.h"

namespace sluice::client {
namespace {

/// Reads what the test says, when it says so.
class FakeStream final : public event::Stream {
 public:
  struct Log {
    event::StreamHandler* handler = nullptr;
    bool is_reading = false;
    int starts = 0;
    int stops = 0;
    std::size_t read_size = 0;
    std::size_t unsent = 0;
    std::string written;
  };

  explicit FakeStream(Log& log) : log_(log) {}
  void set_handler(event::StreamHandler* handler) noexcept override { log_.handler = handler; }
  void start_reading() noexcept override {
    if (!std::exchange(log_.is_reading, true)) ++log_.starts;
  }
  void stop_reading() noexcept override {
    if (std::exchange(log_.is_reading, false)) ++log_.stops;
  }
  void set_read_size(std::size_t bytes) noexcept override { log_.read_size = bytes; }
  void write(std::string_view bytes) noexcept override { log_.written += bytes; }
  std::size_t unsent() const noexcept override { return log_.unsent; }
  void shut_down() noexcept override {}
  const std::string& peer() const noexcept override { return peer_; }

 private:
  Log& log_;
  std::string peer_ = "peer";
};

/// Finds a client for the replies, as the server does.
class OneClient final : public ledger::Source {
 public:
  void delivered(const ledger::Origin&, const std::string&,
                 const mqtt::Outcome&) noexcept override {}
  void settled(const ledger::Origin& origin, const protocol::Reply& reply,
               protocol::Request request) noexcept override {
    if (client != nullptr) client->reply(origin.slot, reply, request.id());
  }
  unsigned grant(const ledger::Origin&, unsigned most) noexcept override {
    return client->resume(most);
  }
  log::Subject about(const ledger::Origin&) const noexcept override {
    return log::Subject::client({}, 0);
  }

  void on_closed(Client&, CloseReason reason) noexcept { closed.push_back(reason); }
  void relieve() noexcept { ++overruns; }

  Client* client = nullptr;
  std::vector<CloseReason> closed;
  int overruns = 0;
};

/// One client that reads from a FakeStream. By the topic, the intake parks "full", holds "held" and
/// answers all others.
struct ReadingLab {
  explicit ReadingLab(config::Limits limits = {})
      : shared{.loop = loop,
               .intake = intake,
               .source = source,
               .closed = bind<&OneClient::on_closed>(&source),
               .relieve = bind<&OneClient::relieve>(&source),
               .limits = limits,
               .idle_timeout = Duration(0),
               .decoder = protocol::Decoder(),
               .encoder = {"sent", "failed", "\n"},
               .input = InputBudget(loop, limits.input_bytes),
               .deadlines = Deadlines(loop),
               .notices = Notices(loop)},
        client(shared, 0, 1, std::make_unique<FakeStream>(stream)) {
    source.client = &client;
    intake.choose = [](const FakeIntake::Submitted& one) {
      if (one.topic == "full") return FakeIntake::Mode::Park;
      return one.topic == "held" ? FakeIntake::Mode::Hold : FakeIntake::Mode::Answer;
    };
    client.start();
    loop.run_turns();
  }
  ~ReadingLab() {
    client.end_now();
    source.client = nullptr;
  }

  /// Bytes come in one read, if there is anybody who reads.
  void read(std::string_view bytes) {
    REQUIRE(stream.is_reading);
    REQUIRE(bytes.size() <= stream.read_size);
    const std::string scratch(bytes);
    stream.handler->on_read({scratch.data(), scratch.size()});
  }
  /// The same, with the end of the turn.
  void read_in_turn(std::string_view bytes) {
    read(bytes);
    loop.run_turns(2);
  }
  /// Room for the request that was parked.
  void resume() {
    intake.choose = {};
    intake.mode = FakeIntake::Mode::Answer;
    intake.answer(0);
    client.resume(0);
    loop.run_turns(2);
  }
  std::string topics() const {
    std::string all;
    for (const auto& one : intake.submitted)
      all += one.topic + ' ';
    return all;
  }

  event::TestLoop loop;
  FakeIntake intake;
  OneClient source;
  FakeStream::Log stream;
  Shared shared;
  Client client;
};

constexpr std::size_t kRead = 16384;

}  // namespace

TEST_CASE("a client that sends nothing while it waits is neither stopped nor started",
          "[client][reading]") {
  ReadingLab lab;
  lab.read_in_turn(request("full") + request("b") + request("c"));
  CHECK(lab.client.is_paused_for(PauseReason::Queue));
  lab.resume();
  CHECK_FALSE(lab.client.is_paused());
  CHECK(lab.topics() == "full b c ");
  CHECK(lab.stream.starts == 1);
  CHECK(lab.stream.stops == 0);
}

TEST_CASE("a client that goes on sending while it waits is stopped after one read",
          "[client][reading]") {
  ReadingLab lab;
  lab.read_in_turn(request("full") + request("b"));
  CHECK(lab.stream.is_reading);
  lab.read(request("c") + request("d"));
  CHECK_FALSE(lab.stream.is_reading);
  lab.loop.run_turns(5);
  CHECK_FALSE(lab.stream.is_reading);
  CHECK(lab.topics() == "full ");
  lab.resume();
  CHECK(lab.topics() == "full b c d ");
  CHECK(lab.stream.is_reading);
  CHECK(lab.stream.starts == 2);
  CHECK(lab.stream.stops == 1);
}

TEST_CASE("a request may be cut where its client began to wait", "[client][reading]") {
  ReadingLab lab;
  const std::string cut = request("b");
  lab.read_in_turn(request("full") + cut.substr(0, 20));
  lab.read_in_turn(cut.substr(20) + request("c"));
  lab.resume();
  CHECK(lab.topics() == "full b c ");
}

TEST_CASE("a read that took all it could has more behind it, and stops a client that waits",
          "[client][reading]") {
  ReadingLab lab;
  std::string all = request("full");
  all += request_of(kRead - all.size());
  lab.read(all);
  CHECK_FALSE(lab.stream.is_reading);
}

TEST_CASE("what a waiting client has sent fills one read at most", "[client][reading]") {
  ReadingLab lab;
  lab.read_in_turn(request("full") + request_of(10000));
  CHECK(lab.stream.read_size == kRead - 10000);
  lab.read_in_turn(std::string(kRead - 10000, ' '));
  CHECK_FALSE(lab.stream.is_reading);
  lab.resume();
  CHECK(lab.stream.read_size == kRead);
}

TEST_CASE("a client that waits for input_bytes is stopped at once", "[client][reading]") {
  config::Limits limits;
  limits.input_bytes = 1024;
  ReadingLab lab(limits);
  std::size_t counted = 0;
  lab.shared.input.set_parked(counted, 2000);  // somebody else's
  lab.read(request_of(500).substr(0, 300));
  CHECK(lab.client.is_paused_for(PauseReason::Input));
  CHECK_FALSE(lab.stream.is_reading);
  lab.shared.input.set_parked(counted, 0);
  lab.loop.run_turns(2);
  CHECK_FALSE(lab.client.is_paused());
  CHECK(lab.stream.is_reading);
}

TEST_CASE("what comes for a request under way while its client waits counts for input_bytes",
          "[client][reading]") {
  config::Limits limits;
  limits.output_bytes = 1024;
  ReadingLab lab(limits);
  const std::string large = request_of(9000);
  lab.read_in_turn(request("b") + large.substr(0, 3000));
  CHECK(lab.client.partial_bytes() == 3000);
  lab.stream.unsent = 2000;
  lab.client.wake();
  lab.loop.run_turns(2);
  CHECK(lab.client.is_paused_for(PauseReason::Output));
  CHECK(lab.stream.is_reading);
  lab.read_in_turn(large.substr(3000, 4000));
  CHECK_FALSE(lab.stream.is_reading);
  CHECK(lab.client.partial_bytes() == 7000);
  lab.stream.unsent = 0;
  lab.client.wake();
  lab.loop.run_turns(2);
  lab.read_in_turn(large.substr(7000));
  CHECK(lab.topics() == "b large ");
  CHECK(lab.client.partial_bytes() == 0);
}

TEST_CASE("more requests than a turn's share neither stop nor start reading", "[client][reading]") {
  ReadingLab lab;
  std::string all;
  for (int i = 0; i < 200; ++i)
    all += request("a");
  lab.read(all);
  CHECK(lab.intake.submitted.size() == 64);
  lab.loop.run_turns(5);
  CHECK(lab.intake.submitted.size() == 200);
  CHECK(lab.stream.starts == 1);
  CHECK(lab.stream.stops == 0);
}

TEST_CASE("a client that leaves while it waits gets all that it sent done", "[client][reading]") {
  ReadingLab lab;
  lab.read_in_turn(request("full") + request("b"));
  lab.stream.is_reading = false;  // as a stream does at its end
  lab.stream.handler->on_end();
  lab.loop.run_turns(5);
  CHECK(lab.topics() == "full ");
  CHECK(lab.source.closed.empty());
  lab.resume();
  lab.loop.run_turns(5);
  CHECK(lab.topics() == "full b ");
  REQUIRE(lab.source.closed.size() == 1);
  CHECK(lab.source.closed[0] == CloseReason::PeerLeft);
  CHECK(lab.stream.starts == 1);
}

TEST_CASE("a connection that breaks while its client waits ends when all that it sent is done",
          "[client][reading]") {
  ReadingLab lab;
  lab.read_in_turn(request("full") + request("b"));
  lab.stream.is_reading = false;
  lab.stream.handler->on_broken(-104);
  lab.loop.run_turns(5);
  CHECK(lab.source.closed.empty());
  CHECK(lab.intake.forgotten.empty());
  lab.resume();
  CHECK(lab.topics() == "full b ");
  REQUIRE(lab.source.closed.size() == 1);
  CHECK(lab.source.closed[0] == CloseReason::Broken);
  CHECK(lab.stream.starts == 1);
}

TEST_CASE("a connection that breaks with replies on their way ends at once", "[client][reading]") {
  ReadingLab lab;
  lab.read_in_turn(request("full"));
  lab.stream.unsent = 100;
  lab.stream.handler->on_broken(-32);
  REQUIRE(lab.source.closed.size() == 1);
  CHECK(lab.source.closed[0] == CloseReason::Broken);
}

}  // namespace sluice::client
