// The listeners, the table of clients and the limits that hold for all of them together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "client/client_connection.h"
#include "client/counters.h"
#include "client/pause_report.h"
#include "client/server_context.h"
#include "config/config.h"
#include "event/listener.h"
#include "event/loop.h"
#include "ledger/intake.h"
#include "ledger/source.h"

namespace sluice::client {

/// Accepts connections, gives their requests to the intake and takes the replies back. For the
/// loop's thread only. Destroying it closes all connections at once, without a word to the intake.
class Server final : public ledger::Source {
 public:
  Server(event::Loop& loop, const config::Config& config, ledger::Intake& intake);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Binds all listeners, or none: the error names the address.
  Result<void> listen();
  /// Listeners for another list of addresses: those it has not yet, bound, and nullptr for the
  /// others.
  using Listeners = std::vector<std::unique_ptr<event::Listener>>;
  /// Binds what is new, or nothing: the error names the address. Nobody is accepted before apply().
  Result<Listeners> prepare(const config::ServerSettings& next);
  /// Takes limits and reply texts over, for the clients that are there too, and these listeners in
  /// place of the former ones. Clients of one that goes away stay.
  void apply(const config::Config& config, Listeners prepared);

  void delivered(const ledger::Origin&, const std::string&,
                 const mqtt::Outcome&) noexcept override {}
  void settled(const ledger::Origin& origin, const protocol::Reply& reply,
               protocol::Request request) noexcept override;
  unsigned grant(const ledger::Origin& origin, unsigned most) noexcept override;
  log::Subject about(const ledger::Origin& origin) const noexcept override;

  void close_listeners() noexcept;
  /// From now on a client with nothing outstanding is ended gently, now or as soon as its last
  /// reply is out. Requests still decoded go on to the intake.
  void drain() noexcept;
  /// Ends every client gently now, whatever is outstanding.
  void end_all() noexcept;

  /// No client is left, nor anybody who was refused and is still being told.
  bool empty() const noexcept { return clients_.size() == free_.size(); }
  const ServerCounters& counters() const noexcept { return context_.counters; }
  /// Looks at all clients: for people, not for every message. `most`: at most so many by name.
  PauseReport paused_clients(std::size_t most) const;
  /// The TCP port of a listener, in the order of the configuration; 0 for a Unix socket.
  std::uint16_t port(std::size_t listener) const { return listeners_.at(listener)->port(); }

 private:
  struct Place {
    std::unique_ptr<ClientConnection> client;
    std::uint32_t generation = 1;
  };

  std::size_t listener_at(const config::Address& address) const noexcept;
  Result<std::unique_ptr<event::Listener>> open(const config::Address& address);
  void on_accepted(std::unique_ptr<event::Stream> stream) noexcept;
  void on_closed(ClientConnection& client, CloseReason reason) noexcept;
  void close_largest_input() noexcept;
  ClientConnection& add(std::unique_ptr<event::Stream> stream);
  ClientConnection* find(const ledger::Origin& origin) const noexcept;

  config::ServerSettings settings_;
  ServerContext context_;
  std::vector<Place> clients_;
  std::vector<std::uint32_t> free_;  // places in clients_ without a client
  Listeners listeners_;              // as settings_.listen, or empty
  std::size_t refused_now_ = 0;
};

}  // namespace sluice::client
