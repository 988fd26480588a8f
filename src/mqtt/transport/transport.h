// One MQTT connection as a Link sees it. Separates links from libmosquitto, and tests of links from
// the network.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"
#include "mqtt/transport/failure.h"
#include "protocol/request.h"

namespace sluice::mqtt {

/// The limits that a broker announces in its CONNACK (MQTT 5, section 3.2.2.3). A 3.1.1 broker
/// announces none; then the defaults hold.
struct Connack {
  std::optional<std::uint16_t> receive_maximum;
  std::optional<std::uint32_t> maximum_packet_size;
  std::uint8_t maximum_qos = 2;
  bool retain_available = true;
  std::optional<std::uint16_t> server_keep_alive_s;  ///< overrides the requested one
};

/// Why an attempt or a connection has ended.
struct Loss {
  enum class Kind {
    Unreachable,   ///< not connected: refused, no route, timeout, unknown name, TLS
    Unanswered,    ///< the broker closed the connection instead of answering the CONNECT
    Refused,       ///< refused by the CONNACK; `reason_code` is one of MQTT 5
    Disconnected,  ///< the broker or the network closed an established connection
    Silent,        ///< no answer to a ping, or no acknowledgement for ack_timeout_ms
    Leaking,       ///< sluice replaces it: too many acknowledgements are missing
    Faulty,        ///< sluice closed it: the broker sent what MQTT does not allow
    Closed,        ///< sluice closed it: shutdown or reload
  };
  Kind kind = Kind::Disconnected;
  int reason_code = 0;  ///< of a refusal or a DISCONNECT; 0 where there is none
  std::string text;     ///< for the log and for replies
  FailureReason reason = FailureReason::Other;  ///< of Unreachable and Unanswered
};

/// True for a refusal that only an operator can fix, and that each link of the broker would get.
bool is_lasting(const Loss& loss) noexcept;

/// What a failed attempt counts as.
FailureReason failure_reason(const Loss& loss) noexcept;

/// The reports of a Transport; implemented by the pool's Slot.
///
/// When: never from within a call to the Transport. A report comes from an event of its own
/// (descriptor, timer) or, if a call has found something to report, at the end of the turn.
/// Order: on_connected() first, at most once; on_lost() last, at most once, after all
/// acknowledgements received before the end. Nothing comes after drop().
/// Within a report the caller may call publish(), flush(), expect_acks(), disconnect() and drop();
/// the Transport itself goes to Loop::retire().
class TransportEvents {
 public:
  /// The CONNACK accepted the connection. If it ends in the same event, only on_lost() comes.
  virtual void on_connected(const Connack& connack) noexcept = 0;
  /// A PUBACK, a PUBCOMP or a refusing PUBREC came; for QoS 0: the kernel took the bytes. Once for
  /// each message, unless the connection is lost first. `reason`: the Reason String of a refusal
  /// (MQTT 5, section 3.4.2.2.2), UTF-8, valid during the call; may be empty.
  virtual void on_acknowledged(std::uint16_t packet_id, int reason_code,
                               std::string_view reason) noexcept = 0;
  /// A QoS 2 message was acknowledged by a PUBACK, which is reported next; at most once.
  virtual void on_qos2_downgraded() noexcept = 0;
  /// is_congested() has become false.
  virtual void on_writable() noexcept = 0;
  /// The attempt or the connection has ended, also after disconnect(). drop() has to follow.
  virtual void on_lost(const Loss& loss) noexcept = 0;

 protected:
  ~TransportEvents() = default;
};

/// The parameters of one attempt.
struct ConnectOptions {
  std::string address;  ///< numeric: resolving a name would block
  std::uint16_t port = 0;
  std::string client_id;
  config::Protocol protocol = config::Protocol::V5;
};

enum class PublishStatus {
  Queued,   ///< handed over; packet_id is set, an acknowledgement will follow
  Refused,  ///< no MQTT packet can carry this message; nothing was or will be sent
  Broken,   ///< the connection failed, on_lost() follows; the message may have been sent
};

/// One connection attempt and, if it succeeds, that connection; the next attempt takes a new
/// Transport. Between the end and on_lost(), which may come later in the turn, publish() returns
/// Broken and the other calls do nothing. Never blocks. Not thread-safe.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Begins to connect. What sluice or its settings lack is returned; any other failure is reported
  /// by on_lost().
  virtual Result<void> connect(const ConnectOptions& options) noexcept = 0;
  /// What the attempt waits for: "TCP connection", "TLS handshake" or "CONNACK".
  virtual std::string_view awaits() const noexcept = 0;
  /// Hands a message over; flush() sends it. Only after on_connected().
  virtual PublishStatus publish(const protocol::Request& request,
                                std::uint16_t& packet_id) noexcept = 0;
  /// Sends what was handed over, in as few segments as possible.
  virtual void flush() noexcept = 0;
  /// The send buffer is full: publish nothing more until on_writable().
  virtual bool is_congested() const noexcept = 0;
  /// The link cannot send before this many acknowledgements arrive, those received and not reported
  /// yet included: the transport may batch reads up to that, for at most 3 ms. 1: no batching
  /// (initial). Only after on_connected().
  virtual void expect_acks(std::size_t acknowledgements) noexcept = 0;
  /// Keep alive; to be called about twice a second.
  virtual void tick() noexcept = 0;
  /// Sends DISCONNECT (MQTT 5, section 3.14); on_lost(Closed) follows when the broker has closed.
  /// Only with nothing in flight: unread acknowledgements would turn the close into a reset.
  virtual void disconnect() noexcept = 0;
  /// Closes at once, without on_lost(). `reset`: discards bytes still in the kernel, as far as
  /// SO_LINGER 0 can. Idempotent.
  virtual void drop(bool reset) noexcept = 0;
};

using TransportFactory = std::function<std::unique_ptr<Transport>(TransportEvents&)>;

}  // namespace sluice::mqtt
