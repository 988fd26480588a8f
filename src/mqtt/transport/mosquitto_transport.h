// The only driver of libmosquitto: one handle, one attempt, one descriptor watched.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "event/fd_watcher.h"
#include "event/loop.h"
#include "event/tls_context.h"
#include "mqtt/transport/coalescing.h"
#include "mqtt/transport/parting.h"
#include "mqtt/transport/prompt_ack.h"
#include "mqtt/transport/socket_batch.h"
#include "mqtt/transport/transport.h"

struct mosquitto;

namespace sluice::mqtt {

/// Prepares libmosquitto for the process; lives as long as any transport.
class MosquittoLibrary {
 public:
  MosquittoLibrary();
  ~MosquittoLibrary();
  MosquittoLibrary(const MosquittoLibrary&) = delete;
  MosquittoLibrary& operator=(const MosquittoLibrary&) = delete;
};

/// Drives libmosquitto in the mode in which it neither writes nor calls back outside its loop_*
/// functions (mosquitto_threaded_set without a thread). Inside its callbacks things are only
/// recorded; settle() acts on them after every call, because the library may have closed the
/// socket in any of them and the descriptor's number may soon belong to another connection.
/// report() passes on what was recorded: at once on the transport's own events, and at the end of
/// the turn where a call by the link has found it.
class MosquittoTransport final : public Transport {
 public:
  /// `tls` may be null: plain TCP. `broker` outlives the transport.
  MosquittoTransport(event::Loop& loop, TransportEvents& events, const config::Broker& broker,
                     std::shared_ptr<event::TlsContext> tls) noexcept;
  ~MosquittoTransport() override;

  Result<void> connect(const ConnectOptions& options) noexcept override;
  PublishStatus publish(const protocol::Request& request,
                        std::uint16_t& packet_id) noexcept override;
  void flush() noexcept override;
  bool is_congested() const noexcept override { return congested_; }
  void coalesce(std::size_t acknowledgements) noexcept override;
  void tick() noexcept override;
  void disconnect() noexcept override;
  void drop(bool reset) noexcept override;

 private:
  friend struct MosquittoCallbacks;
  struct Ack {
    std::uint16_t packet_id;
    int reason_code;
  };
  struct Written {
    Ack ack;
    std::uint64_t end;  // as SocketBatch::written() counts
  };

  Result<void> configure(const ConnectOptions& options);
  void attach();
  void stop_watching() noexcept;
  void on_ready(event::FdEvents events) noexcept;
  void on_coalesced() noexcept { on_ready({.readable = true}); }
  void read_and_write(event::FdEvents events) noexcept;
  bool check_handshake() noexcept;
  int hand_over(const protocol::Request& request, int& id) noexcept;
  void read_in() noexcept;
  void write_out() noexcept;
  SocketBatch::Mode mode() const noexcept;
  bool has_more_to_write() const noexcept;
  void note(int status) noexcept;
  void settle() noexcept;
  void end() noexcept;
  void arm() noexcept;
  void take_written() noexcept;
  void settle_and_report_later() noexcept;
  void report() noexcept;
  void report_acks() noexcept;
  /// The library closes its socket as soon as DISCONNECT is written. What lies before that in the
  /// broker's buffer (QoS 0, which nobody acknowledges) must be read before anything that another
  /// connection is given: so this one is over when the broker has closed it.
  bool waits_for_close() noexcept {
    if (parting_.is_under_way()) return true;
    return closing_ && status_ == 0 && disconnect_code_ == 0 && parting_.begin();
  }
  void on_parted() noexcept;
  Loss describe_loss() const;
  std::string describe_failure() const;

  event::Loop& loop_;
  TransportEvents& events_;
  const config::Broker& broker_;
  std::shared_ptr<event::TlsContext> tls_;
  mosquitto* handle_ = nullptr;
  std::unique_ptr<event::FdWatcher> watcher_;
  config::Protocol protocol_ = config::Protocol::V5;
  SocketBatch batch_;
  PromptAck prompt_ack_;
  Coalescing coalescing_;

  // Recorded by callbacks and calls, acted on by settle() and report().
  std::vector<Ack> acks_;
  std::vector<Written> written_;  // of QoS 0, oldest first: the socket has not taken all of it yet
  std::vector<Ack> reporting_;
  Connack connack_;
  bool connected_ = false;  // CONNACK accepted
  bool connected_reported_ = false;
  bool lost_ = false;
  bool has_room_to_report_ = false;
  std::optional<Loss> loss_;  // to be reported
  event::Deferred report_;
  int refused_code_ = 0;     // of the CONNACK
  int disconnect_code_ = 0;  // of the broker's DISCONNECT, or the library's status
  int status_ = 0;           // the first failing call's status
  int errno_ = 0;            // and its errno

  bool is_over_ = false;  // settle() has found the end: the handle is of no use any more
  bool closing_ = false;  // disconnect() was called
  Parting parting_;       // DISCONNECT is out, the broker has to close
  bool congested_ = false;
  bool handshaking_ = false;
  bool writing_ = false;    // inside the library's loop_write
  unsigned unflushed_ = 0;  // messages handed over since the last flush
};

}  // namespace sluice::mqtt
