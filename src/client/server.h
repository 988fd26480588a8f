// The listeners, the table of clients and the limits that hold for all of them together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
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

/// Accepts connections, submits their requests to the intake and returns the replies. For the
/// loop's thread only. The destructor closes all connections at once and calls no intake.
class Server final : public ledger::Source {
 public:
  Server(event::Loop& loop, const config::Config& config, ledger::Intake& intake);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Binds all listeners, or none: the error names the address.
  Result<void> listen();
  /// Listeners for a new list of addresses: bound ones for new addresses, nullptr for those that
  /// the server listens on already.
  using Listeners = std::vector<std::unique_ptr<event::Listener>>;
  /// Binds the new addresses, or none: the error names the address. Nothing is accepted before
  /// apply().
  Result<Listeners> prepare(const config::ServerSettings& next);
  /// Applies limits and reply texts, to existing clients too, and replaces the listeners. Clients
  /// of a removed listener stay connected.
  void apply(const config::Config& config, Listeners prepared);

  void delivered(const ledger::Origin&, const std::string&,
                 const mqtt::DeliveryOutcome&) noexcept override {}
  void settled(const ledger::Origin& origin, const protocol::Reply& reply,
               protocol::Request request) noexcept override;
  unsigned grant(const ledger::Origin& origin, unsigned most) noexcept override;
  log::Subject about(const ledger::Origin& origin) const noexcept override;

  void close_listeners() noexcept;
  /// Closes each client gracefully once it has nothing outstanding. Requests already received are
  /// still submitted.
  void drain() noexcept;
  /// Closes every client gracefully now, whatever is outstanding.
  void end_all() noexcept;

  /// No client is connected, not even a refused one.
  bool empty() const noexcept { return clients_.size() == free_.size(); }
  const ServerCounters& counters() const noexcept { return context_.counters; }
  /// Walks over all clients: for /status, not for each message. `most`: maximum length of
  /// `longest`.
  PauseReport paused_clients(std::size_t most) const;
  /// The TCP port of a listener, in the order of the configuration; 0 for a Unix socket.
  std::uint16_t port(std::size_t listener) const { return listeners_.at(listener)->port(); }

 private:
  struct TableEntry {
    std::unique_ptr<ClientConnection> client;
    std::uint32_t generation = 1;
  };

  bool has_place() const noexcept;
  std::size_t listener_at(const config::Address& address) const noexcept;
  Result<std::unique_ptr<event::Listener>> open(const config::Address& address);
  void on_accepted(std::unique_ptr<event::Stream> stream) noexcept;
  void on_closed(ClientConnection& client, CloseReason reason) noexcept;
  void close_largest_input() noexcept;
  ClientConnection& add(std::unique_ptr<event::Stream> stream);
  ClientConnection* find(const ledger::Origin& origin) const noexcept;

  config::ServerSettings settings_;
  ServerContext context_;
  std::vector<TableEntry> clients_;
  std::vector<std::uint32_t> free_;  // indexes in clients_ without a client
  Listeners listeners_;              // as settings_.listen, or empty
  std::size_t refused_now_ = 0;
};

}  // namespace sluice::client
