// One client on a stream that counts the calls to it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>

#include "client/client_connection.h"
#include "support.h"

namespace sluice::client {

/// Delivers the bytes that the test reads.
class FakeStream final : public event::Stream {
 public:
  struct Log {
    event::StreamHandler* handler = nullptr;
    bool is_reading = false;
    int starts = 0;
    int stops = 0;
    std::size_t read_size = 0;
    std::size_t unsent = 0;
    bool is_full = false;  // takes nothing more
    event::PeerState peer_state = event::PeerState::Open;
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
  std::size_t unsent() const noexcept override {
    return log_.is_full ? log_.written.size() : log_.unsent;
  }
  std::size_t held() const noexcept override { return unsent(); }
  void shut_down() noexcept override {}
  event::PeerState peer_state() const noexcept override { return log_.peer_state; }
  const event::Peer& peer() const noexcept override { return peer_; }

 private:
  Log& log_;
  event::Peer peer_{.name = "peer", .is_unix = false, .ip = {}};
};

/// Finds a client for the replies, as the server does.
class OneClient final : public ledger::Source {
 public:
  void delivered(const ledger::Origin&, const std::string&,
                 const mqtt::DeliveryOutcome&) noexcept override {}
  void settled(const ledger::Origin& origin, const protocol::Reply& reply,
               protocol::Request request) noexcept override {
    if (client != nullptr) client->reply(origin.slot, reply, request.id());
    if (context != nullptr) context->reuse(std::move(request));
  }
  unsigned grant(const ledger::Origin&, unsigned most) noexcept override {
    return client->resume(most);
  }
  log::Subject about(const ledger::Origin&) const noexcept override {
    return log::Subject::client({}, 0);
  }

  void on_closed(ClientConnection&, CloseReason reason) noexcept { closed.push_back(reason); }
  void input_exceeded() noexcept { ++input_excesses; }

  ClientConnection* client = nullptr;
  ServerContext* context = nullptr;
  std::vector<CloseReason> closed;
  int input_excesses = 0;
};

/// One client that reads from a FakeStream. By the topic, the intake parks "full", holds "held" and
/// answers all others.
struct ReadingLab {
  explicit ReadingLab(config::Limits limits = {})
      : context{.loop = loop,
                .intake = intake,
                .source = source,
                .closed = bind<&OneClient::on_closed>(&source),
                .input_exceeded = bind<&OneClient::input_exceeded>(&source),
                .limits = limits,
                .idle_timeout = Duration(0),
                .decoder = protocol::Decoder(),
                .encoder = {"sent", "failed", "\n"},
                .input = InputBudget(loop, limits.input_bytes),
                .deadlines = Deadlines(loop),
                .client_log = ClientLog(loop)},
        client(context, 0, 1, std::make_unique<FakeStream>(stream)) {
    source.client = &client;
    source.context = &context;
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

  /// Delivers the bytes in one read, if the client reads.
  void read(std::string_view bytes) {
    REQUIRE(stream.is_reading);
    REQUIRE(bytes.size() <= stream.read_size);
    const std::string scratch(bytes);
    stream.handler->on_read({scratch.data(), scratch.size()});
  }
  /// The same, and ends the turn.
  void read_in_turn(std::string_view bytes) {
    read(bytes);
    loop.run_turns(2);
  }
  /// Gives room to the parked request.
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
  ServerContext context;
  ClientConnection client;
};

/// The size of one read, except within a large request.
inline constexpr std::size_t kRead = 16384;

}  // namespace sluice::client
