// What a Link needs of an MQTT connection, and what it is told: the seam between sluice and the
// MQTT library, and between tests and the network.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "config/config.h"
#include "protocol/request.h"

namespace sluice::mqtt {

/// What the broker said of itself in its CONNACK (MQTT 5, section 3.2.2.3). A 3.1.1 broker says
/// nothing; then the defaults stand.
struct Connack {
  std::optional<std::uint16_t> receive_maximum;
  std::optional<std::uint32_t> maximum_packet_size;
  std::uint8_t maximum_qos = 2;
  bool retain_available = true;
  std::optional<std::uint16_t> server_keep_alive_s;  ///< goes before the one that was asked for
};

/// Why a connection, or the attempt at one, is over.
struct Loss {
  enum class Kind {
    Unreachable,   ///< no connection came about: refused, no route, time-out, name unknown, TLS
    Refused,       ///< the CONNACK refused; `reason_code` says why, as MQTT 5 counts
    Disconnected,  ///< the broker or the network ended a connection that stood
    Silent,        ///< no answer to a ping, or no acknowledgement for ack_timeout_ms
    Leaking,       ///< sluice itself replaces it: too many acknowledgements are missing
    Closed,        ///< sluice itself ended it: drain, or a change of configuration
  };
  Kind kind = Kind::Disconnected;
  int reason_code = 0;  ///< of a refusal or a DISCONNECT; 0 where there is none
  std::string text;     ///< for the log
};

/// A refusal that only an operator can mend, and that every link of the broker would meet.
bool is_lasting(const Loss& loss) noexcept;

/// What a Transport reports; implemented by the pool's Slot.
///
/// When: never from within a call to the Transport. A report comes from an event of the
/// transport's own (its descriptor, its timer), or, where a call has found something to report, at
/// the end of the turn.
/// Order: on_connected() comes first, at most once; on_lost() comes last, at most once, behind all
/// acknowledgements received before the end. After drop() nothing comes.
/// From within a report the caller may publish(), flush(), expect_acks(), disconnect() and drop();
/// the Transport itself goes to Loop::retire().
class TransportEvents {
 public:
  /// The broker has accepted. An attempt that ends in the same moment is only on_lost().
  virtual void on_connected(const Connack& connack) noexcept = 0;
  /// PUBACK, PUBCOMP or a refusing PUBREC came; for QoS 0: the socket took the bytes. Once for each
  /// message, unless the connection is lost before.
  virtual void on_acknowledged(std::uint16_t packet_id, int reason_code) noexcept = 0;
  /// is_congested() was true and is so no more.
  virtual void on_writable() noexcept = 0;
  /// The attempt or the connection is over, also where disconnect() has ended it. What is left to
  /// do is drop().
  virtual void on_lost(const Loss& loss) noexcept = 0;

 protected:
  ~TransportEvents() = default;
};

/// What one attempt needs to know.
struct ConnectOptions {
  std::string address;  ///< numeric: the loop must not wait for a name
  std::uint16_t port = 0;
  std::string client_id;
  config::Protocol protocol = config::Protocol::V5;
};

enum class PublishStatus {
  Queued,   ///< handed over; packet_id is set, an acknowledgement will follow
  Refused,  ///< this message itself is impossible in MQTT; nothing was or will be sent
  Broken,   ///< the connection is of no use any more, on_lost() follows; it may have left or not
};

/// One attempt at one MQTT connection and, if it comes about, that connection. Used once: a new
/// attempt takes a new Transport. Not thread-safe; never blocks. Between the end and on_lost(),
/// which may come later in the turn, publish() answers Broken and the other calls do nothing.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Begins to connect. An immediate failure is returned and not reported; later ones come by
  /// on_lost().
  virtual Result<void> connect(const ConnectOptions& options) noexcept = 0;
  /// Hands a message over; flush() sends it. Only after on_connected().
  virtual PublishStatus publish(const protocol::Request& request,
                                std::uint16_t& packet_id) noexcept = 0;
  /// Sends what was handed over, in as few segments as it takes.
  virtual void flush() noexcept = 0;
  /// The socket is full: give nothing more until on_writable().
  virtual bool is_congested() const noexcept = 0;
  /// Fewer acknowledgements than these lead to little: they may be delivered together, a few
  /// milliseconds late. Those received and not reported yet count. 1: each at once, as at first.
  /// Only after on_connected().
  virtual void expect_acks(std::size_t acknowledgements) noexcept = 0;
  /// Keep-alive; to be called about twice a second.
  virtual void tick() noexcept = 0;
  /// Sends DISCONNECT (MQTT 5, section 3.14); on_lost(Closed) follows when the broker has closed.
  /// Only with nothing in flight: unread acknowledgements would turn the close into a reset.
  virtual void disconnect() noexcept = 0;
  /// Ends at once, without on_lost(). `reset`: bytes still in the kernel must not arrive any more
  /// (as far as that can be had: SO_LINGER 0). Idempotent.
  virtual void drop(bool reset) noexcept = 0;
};

using TransportFactory = std::function<std::unique_ptr<Transport>(TransportEvents&)>;

}  // namespace sluice::mqtt
