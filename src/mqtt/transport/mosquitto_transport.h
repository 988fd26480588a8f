// The only driver of libmosquitto: one handle, one attempt, one watched descriptor.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "event/fd_watcher.h"
#include "event/loop.h"
#include "event/tls_context.h"
#include "mqtt/transport/ack_batching.h"
#include "mqtt/transport/connection_io.h"
#include "mqtt/transport/delayed_ack_hint.h"
#include "mqtt/transport/graceful_close.h"
#include "mqtt/transport/session.h"
#include "mqtt/transport/transport.h"

struct mosquitto;

namespace sluice::mqtt {

/// Initializes libmosquitto for the process; outlives all transports.
class MosquittoLibrary {
 public:
  MosquittoLibrary();
  ~MosquittoLibrary();
  MosquittoLibrary(const MosquittoLibrary&) = delete;
  MosquittoLibrary& operator=(const MosquittoLibrary&) = delete;
};

/// libmosquitto makes the socket and the TLS object and writes CONNECT, in the mode in which it
/// writes only when called (mosquitto_threaded_set without a thread). The Session reads and writes
/// all packets from the CONNACK on. Destroying the handle closes the socket.
class MosquittoTransport final : public Transport {
 public:
  /// `tls` may be null: plain TCP. `broker` outlives the transport.
  MosquittoTransport(event::Loop& loop, TransportEvents& events, const config::Broker& broker,
                     std::shared_ptr<event::TlsContext> tls) noexcept;
  ~MosquittoTransport() override;

  Result<void> connect(const ConnectOptions& options) noexcept override;
  std::string_view awaits() const noexcept override;
  PublishStatus publish(const protocol::Request& request,
                        std::uint16_t& packet_id) noexcept override;
  void flush() noexcept override;
  bool is_congested() const noexcept override { return congested_; }
  void expect_acks(std::size_t acknowledgements) noexcept override;
  void tick() noexcept override;
  void disconnect() noexcept override;
  void drop(bool reset) noexcept override;

 private:
  enum class Phase {
    Connecting,      ///< TCP
    Handshaking,     ///< TLS if configured, else over at once
    SendingConnect,  ///< the library writes CONNECT: its last call
    Established,     ///< the Session has the connection
    Closed,          ///< not begun, over, or waiting for the broker to close
  };

  // Opening
  Result<void> configure(const ConnectOptions& options);
  void announce_longest_packet();
  void attach();
  void handshake() noexcept;
  void end_handshake() noexcept;
  void send_connect() noexcept;
  void check_tcp() noexcept;
  Failure library_failure(int status, int error) const;
  std::optional<Failure> take_tls_failure() const noexcept;

  // The established connection
  void on_ready(event::FdEvents events) noexcept;
  bool on_batch_due() noexcept;
  void read_again() noexcept { on_ready({.readable = true}); }
  bool read_and_write(event::FdEvents events) noexcept;
  DelayedAckHint::Urgency ack_urgency() const noexcept;
  bool read_in() noexcept;
  void write_out() noexcept;
  void fail(const event::Transfer& transfer) noexcept;
  void fail(Failure failure) noexcept;

  // The end, and reports
  /// Checks what an event or a call has changed: ends the connection, or arms the watcher.
  void settle() noexcept;
  void arm() noexcept;
  void end() noexcept;
  void on_peer_closed() noexcept;
  void stop_watching() noexcept;
  bool has_sent_all() const noexcept;
  Loss describe_loss() const;
  std::string describe_unanswered() const;
  /// For calls by the link, which must not be called back from within them.
  void settle_and_report_later() noexcept;
  /// At once on the transport's own events, else at the end of the turn.
  void report() noexcept;
  void report_acks() noexcept;

  event::Loop& loop_;
  TransportEvents& events_;
  const config::Broker& broker_;
  std::shared_ptr<event::TlsContext> tls_;
  mosquitto* handle_ = nullptr;
  Phase phase_ = Phase::Closed;
  std::optional<ConnectionIo> io_;   // while there is a handle
  std::optional<Session> session_;   // from connect() on
  bool library_handshakes_ = false;  // an older library has not seen yet that TLS is set up
  std::unique_ptr<event::FdWatcher> watcher_;
  DelayedAckHint ack_hint_;
  AckBatching ack_batching_;
  event::Deferred read_again_;    // TLS holds bytes for which the socket is not readable
  GracefulClose graceful_close_;  // DISCONNECT is sent, and the broker has to close

  // State of the socket.
  event::FdEvents waits_for_;          // until the connection is established
  bool reads_when_writable_ = false;   // TLS has to write before it can read
  bool writes_when_readable_ = false;  // TLS has to read before it can write
  bool waits_for_room_ = false;
  unsigned unflushed_ = 0;  // messages handed over since the last flush

  // State of the reports.
  bool connected_reported_ = false;
  bool congested_ = false;
  bool has_room_to_report_ = false;
  bool closing_ = false;               // disconnect() was called
  bool is_closed_unanswered_ = false;  // by the broker, after CONNECT was sent
  std::optional<Failure> failure_;     // what ended the connection, unless the Session has it
  std::optional<Loss> loss_;           // to be reported
  std::vector<Session::Ack> reporting_;
  event::Deferred report_;
};

}  // namespace sluice::mqtt
