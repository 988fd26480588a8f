// Takes a PROXY protocol header off the front of a connection, before anything else reads it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "base/clock.h"
#include "event/stream.h"

namespace sluice::event {
class Loop;
}

namespace sluice::client {

/// What the settings say about a header from one peer.
enum class ProxyHeader {
  Required,
  RefusedOff,     ///< proxy_protocol is "off"
  RefusedUnix,    ///< a Unix socket, and proxy_from does not list "unix"
  UntrustedPeer,  ///< required, but from other addresses: nothing from this one is read
};

/// A stream that refuses, once, or delivers what follows the header; peer() names the announced
/// client from then on. After that the stream below calls the handler directly.
class ProxyStream final : public event::Stream, private event::StreamHandler {
 public:
  /// `header_timeout`: from a header's first byte to its last.
  ProxyStream(event::Loop& loop, std::unique_ptr<event::Stream> below, ProxyHeader expected,
              Duration header_timeout);
  ~ProxyStream() override;
  ProxyStream(const ProxyStream&) = delete;
  ProxyStream& operator=(const ProxyStream&) = delete;

  void set_handler(event::StreamHandler* handler) noexcept override;
  void start_reading() noexcept override { below_->start_reading(); }
  void stop_reading() noexcept override { below_->stop_reading(); }
  void set_read_size(std::size_t bytes) noexcept override { below_->set_read_size(bytes); }
  void write(std::string_view bytes) noexcept override { below_->write(bytes); }
  std::size_t unsent() const noexcept override { return below_->unsent(); }
  std::size_t held() const noexcept override { return below_->held(); }
  void shut_down() noexcept override { below_->shut_down(); }
  event::PeerState peer_state() const noexcept override { return below_->peer_state(); }
  const event::Peer& peer() const noexcept override {
    return announced_ != nullptr ? *announced_ : below_->peer();
  }

 private:
  struct Search;

  void on_read(std::span<const char> bytes) noexcept override;
  void on_refused(std::string_view why) noexcept override;
  void on_end() noexcept override;
  void on_broken(int uv_error) noexcept override { handler_->on_broken(uv_error); }
  void on_sent() noexcept override { handler_->on_sent(); }
  void on_timeout() noexcept;

  bool take_header(std::string_view& input) noexcept;
  void deliver(std::string_view input) noexcept;
  void give_up(std::string_view why) noexcept;
  std::unique_ptr<Search> step_aside() noexcept;

  std::unique_ptr<event::Stream> below_;
  event::StreamHandler* handler_ = nullptr;
  std::unique_ptr<Search> search_;          // until the first byte behind the header
  std::unique_ptr<event::Peer> announced_;  // by the header
};

}  // namespace sluice::client
