// The stream of a plain socket, TCP or Unix.
#pragma once

#include "event/handle.h"
#include "event/stream.h"

namespace sluice::event {

class Loop;

/// One accepted TCP or Unix connection.
class SocketStream final : public Stream {
 public:
  /// Takes a connected uv_tcp_t or uv_pipe_t.
  SocketStream(Loop& loop, Handle<uv_stream_s> handle, Peer peer);
  ~SocketStream() override;
  SocketStream(const SocketStream&) = delete;
  SocketStream& operator=(const SocketStream&) = delete;

  void set_handler(StreamHandler* handler) noexcept override { handler_ = handler; }
  void start_reading() noexcept override;
  void stop_reading() noexcept override;
  void set_read_size(std::size_t bytes) noexcept override { read_size_ = bytes; }
  void write(std::string_view bytes) noexcept override;
  std::size_t unsent() const noexcept override;
  std::size_t held() const noexcept override;
  void shut_down() noexcept override;
  PeerState peer_state() const noexcept override;
  const Peer& peer() const noexcept override { return peer_; }

 private:
  struct Write;
  void send_pending() noexcept;
  void on_write_done(int status) noexcept;

  Loop& loop_;
  Handle<uv_stream_s> handle_;
  StreamHandler* handler_ = nullptr;
  Peer peer_;
  std::string pending_;     // waits behind the write in progress
  Write* write_ = nullptr;  // owned by libuv until its callback
  std::size_t read_size_;
  bool reading_ = false;
  bool shut_down_wanted_ = false;
  bool shut_down_begun_ = false;
};

}  // namespace sluice::event
