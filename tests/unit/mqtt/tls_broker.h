// A broker's end of one TLS connection, which the test controls.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "event/tls_context.h"
#include "test_broker.h"
#include "tls_server_end.h"

namespace sluice::mqtt {

/// input(), count() and send() are about what TLS carries, and not about the socket's bytes.
class TlsBroker : public TestBroker {
 public:
  using Versions = wire::TlsServer::Versions;

  explicit TlsBroker(Versions versions = Versions::Tls12) : shared_(versions) {}

  /// Moves all available bytes, both ways; false at the end of the connection.
  bool read() { return carry(kAll); }
  /// In one record if it fits.
  void send(std::string_view packets) {
    say(packets);
    read();
  }
  /// The same, but sent by a later step or send_pending().
  void say(std::string_view packets) { tls_.say(packets); }
  /// Sends what TLS has to send, without reading.
  void send_pending() { TestBroker::send(tls_.take(kAll)); }
  /// Reads all available bytes, and sends `piece_bytes` of what TLS has to send.
  void step(std::size_t piece_bytes) {
    if (accept()) carry(piece_bytes);
  }

  /// Discards this many bytes before TLS begins.
  void skip(std::size_t bytes) {
    taken_ += bytes;
    while (TestBroker::input().size() < taken_)
      TestBroker::read();
  }

  wire::TlsServerEnd& tls() { return tls_; }
  const std::string& input() const { return heard_; }
  std::size_t count(wire::Type type) const {
    const auto types = packet_types(input());
    return static_cast<std::size_t>(std::count(types.begin(), types.end(), type));
  }
  bool has_connect() const { return count(wire::Type::Connect) > 0; }
  bool was_told_of_the_end() const { return tls_.has_ended(); }
  /// True once the peer has sent something.
  bool has_heard() const { return !TestBroker::input().empty(); }

 private:
  static constexpr std::size_t kAll = 1 << 20;

  bool carry(std::size_t most) {
    const bool goes_on = TestBroker::read();
    tls_.feed(std::string_view(TestBroker::input()).substr(taken_), heard_);
    taken_ = TestBroker::input().size();
    if (const std::string bytes = tls_.take(most); !bytes.empty()) TestBroker::send(bytes);
    return goes_on;
  }

  wire::TlsServer shared_;
  wire::TlsServerEnd tls_{shared_};
  std::string heard_;
  std::size_t taken_ = 0;  ///< of what came, by TLS
};

/// For a client of that broker: its certificate is not looked at.
inline std::shared_ptr<event::TlsContext> tls_without_checks() {
  return event::TlsContext::make({.host = "127.0.0.1",
                                  .verify = false,
                                  .peer = "the broker",
                                  .plain_question = "is it mqtt://?"})
      .value();
}

}  // namespace sluice::mqtt
