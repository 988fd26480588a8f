#include "client/server.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "client/proxy_stream.h"

namespace sluice::client {
namespace {

protocol::DecodeSettings decode_settings(const config::Config& config) {
  protocol::DecodeSettings settings;
  settings.max_depth = config.limits.max_json_depth;
  settings.default_qos = static_cast<std::uint8_t>(config.defaults.qos);
  settings.default_timeout_ms = static_cast<std::uint32_t>(config.defaults.publish_timeout.count());
  settings.max_timeout_ms = static_cast<std::uint32_t>(config.limits.max_timeout.count());
  return settings;
}

/// What `brokers` adds to a reply, for the device that most brokers share: their ranges overlap
/// most where one of them begins.
std::size_t longest_brokers(const std::vector<config::Broker>& brokers) {
  std::size_t longest = 0;
  for (const config::Broker& begins : brokers) {
    const std::int64_t first = begins.min_dev_no + 1;
    std::size_t bytes = 0;
    std::size_t count = 0;
    for (const config::Broker& other : brokers) {
      if (other.min_dev_no >= first || other.max_dev_no <= first) continue;
      bytes += protocol::ReplyEncoder::longest_broker(other.name);
      ++count;
    }
    if (count > 1) longest = std::max(longest, bytes);
  }
  return longest;
}

protocol::ReplyEncoder make_encoder(const config::Replies& replies) {
  return {replies.success, replies.failure, replies.end};
}

ProxyHeader expected_header(const config::ServerSettings& settings, const event::Peer& peer) {
  if (settings.proxy_protocol == config::ProxyProtocol::Off) return ProxyHeader::RefusedOff;
  const config::ProxySources& from = settings.proxy_from;
  if (peer.is_unix) return from.unix_sockets ? ProxyHeader::Required : ProxyHeader::RefusedUnix;
  const bool is_trusted = peer.ip && from.contains(*peer.ip);
  return is_trusted ? ProxyHeader::Required : ProxyHeader::UntrustedPeer;
}

/// As a browser takes it; empty: the admin interface is off.
std::string admin_address(const config::Admin& admin) {
  if (!admin.listen) return {};
  const std::string address = admin.listen->text();  // tcp://HOST:PORT
  return address.substr(address.find("//") + 2);
}

}  // namespace

Server::Server(event::Loop& loop, const config::Config& config, ledger::Intake& intake)
    : settings_(config.server),
      context_{.loop = loop,
               .intake = intake,
               .source = *this,
               .closed = bind<&Server::on_closed>(this),
               .input_exceeded = bind<&Server::close_largest_input>(this),
               .limits = config.limits,
               .idle_timeout = config.server.idle_timeout,
               .decoder = protocol::Decoder(decode_settings(config)),
               .encoder = make_encoder(config.replies),
               .input = InputBudget(loop, config.limits.input_bytes),
               .deadlines = Deadlines(loop),
               .client_log = ClientLog(loop),
               .longest_brokers = longest_brokers(config.brokers),
               .request_end = protocol::RequestEnd(config.server.request_end)} {
  context_.client_log.set_admin_address(admin_address(config.admin));
}

Server::~Server() = default;

Result<void> Server::listen() {
  auto opened = prepare(settings_);
  if (!opened) return opened.error();
  listeners_ = std::move(opened).value();
  return {};
}

/// The index of the listener for this address; one past the last if there is none.
std::size_t Server::listener_at(const config::Address& address) const noexcept {
  if (listeners_.empty()) return 0;
  const auto found = std::find(settings_.listen.begin(), settings_.listen.end(), address);
  return static_cast<std::size_t>(found - settings_.listen.begin());
}

Result<Server::Listeners> Server::prepare(const config::ServerSettings& next) {
  Listeners prepared;
  for (const config::Address& address : next.listen) {
    prepared.emplace_back();
    if (listener_at(address) < listeners_.size()) continue;
    auto opened = open(address);
    if (!opened) return opened.error();
    prepared.back() = std::move(opened).value();
  }
  return prepared;
}

Result<std::unique_ptr<event::Listener>> Server::open(const config::Address& address) {
  const event::Listener::Accepted accepted = bind<&Server::on_accepted>(this);
  if (address.kind == config::Address::Kind::Unix) {
    return event::Listener::unix_socket(context_.loop, address.path, accepted);
  }
  return event::Listener::tcp(
      context_.loop, {address.numeric_host(), address.port, address.text()},
      {.reuse_port = settings_.reuse_port, .fast_open = settings_.tcp_fastopen}, accepted);
}

void Server::apply(const config::Config& config, Listeners prepared) {
  for (std::size_t at = 0; at < prepared.size(); ++at) {
    if (prepared[at] != nullptr) continue;
    prepared[at] = std::move(listeners_[listener_at(config.server.listen[at])]);
  }
  listeners_.swap(prepared);
  // Closing a listener would reset the connections already in its backlog.
  for (const auto& former : prepared) {
    if (former != nullptr) former->accept_waiting();
  }
  settings_ = config.server;
  context_.limits = config.limits;
  context_.idle_timeout = config.server.idle_timeout;
  context_.decoder.set(decode_settings(config));
  context_.encoder = make_encoder(config.replies);
  context_.longest_brokers = longest_brokers(config.brokers);
  context_.input.set_limit(config.limits.input_bytes);
  context_.request_end = protocol::RequestEnd(config.server.request_end);
  context_.client_log.set_admin_address(admin_address(config.admin));
  for (const TableEntry& entry : clients_) {
    if (entry.client == nullptr) continue;
    entry.client->set_max_request_bytes(config.limits.max_request_bytes);
    entry.client->wake();
  }
}

/// Of half-closed clients only those beyond max_half_closed take places.
bool Server::has_place() const noexcept {
  const ServerCounters& counters = context_.counters;
  const std::size_t without =
      std::min<std::size_t>(counters.half_closed, settings_.max_half_closed);
  return counters.connections + counters.half_closed - without < settings_.max_connections;
}

void Server::on_accepted(std::unique_ptr<event::Stream> stream) noexcept {
  ServerCounters& counters = context_.counters;
  if (has_place()) {
    ++counters.connections;
    ++counters.accepted_total;
    const ProxyHeader expected = expected_header(settings_, stream->peer());
    ClientConnection& client = add(std::make_unique<ProxyStream>(
        context_.loop, std::move(stream), expected, context_.limits.request_timeout));
    log::debug(client.about(), "accepted");
    client.start();
    return;
  }
  ++counters.refused_total;
  ++counters.faults_of(protocol::ErrorKind::Overloaded);
  context_.client_log.refused(settings_.max_connections);
  // Refused clients get an `overloaded` reply and up to 1 s to read it; beyond max_refused they are
  // closed at once.
  if (refused_now_ >= settings_.max_refused) return;
  ++refused_now_;
  add(std::move(stream)).refuse();
}

ClientConnection& Server::add(std::unique_ptr<event::Stream> stream) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(clients_.size()));
    clients_.emplace_back();
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  TableEntry& entry = clients_[index];
  entry.client =
      std::make_unique<ClientConnection>(context_, index, entry.generation, std::move(stream));
  return *entry.client;
}

void Server::on_closed(ClientConnection& client, CloseReason) noexcept {
  const ledger::Origin origin = client.origin();
  if (client.is_refused()) {
    --refused_now_;
  } else {
    ServerCounters& counters = context_.counters;
    --(client.is_half_closed() ? counters.half_closed : counters.connections);
    ++counters.closed_total;
  }
  TableEntry& entry = clients_[origin.index];
  if (++entry.generation == 0) entry.generation = 1;  // 0 means no client
  free_.push_back(origin.index);
  context_.loop.retire(std::move(entry.client));
  context_.intake.forget(origin);
}

ClientConnection* Server::find(const ledger::Origin& origin) const noexcept {
  if (origin.index >= clients_.size()) return nullptr;
  const TableEntry& entry = clients_[origin.index];
  return entry.generation == origin.generation ? entry.client.get() : nullptr;
}

void Server::settled(const ledger::Origin& origin, const protocol::Reply& reply,
                     protocol::Request request) noexcept {
  if (ClientConnection* client = find(origin)) client->reply(origin.slot, reply, request.id());
  context_.reuse(std::move(request));
}

unsigned Server::grant(const ledger::Origin& origin, unsigned most) noexcept {
  ClientConnection* client = find(origin);
  return client == nullptr ? 0 : client->resume(most);
}

log::Subject Server::about(const ledger::Origin& origin) const noexcept {
  const ClientConnection* client = find(origin);
  return client == nullptr ? log::Subject::client({}, 0) : client->about();
}

PauseReport Server::paused_clients(std::size_t most) const {
  PauseReport report;
  std::vector<const ClientConnection*> paused;
  for (const TableEntry& entry : clients_) {
    if (entry.client == nullptr || !entry.client->is_paused()) continue;
    if (entry.client->is_half_closed()) continue;  // not among those counted as paused
    paused.push_back(entry.client.get());
    for (const PauseReason reason : kAllPauseReasons) {
      if (entry.client->is_paused_for(reason)) {
        ++report.by_reason[static_cast<std::size_t>(reason)];
      }
    }
  }
  const auto shown = static_cast<std::ptrdiff_t>(std::min(most, paused.size()));
  std::partial_sort(paused.begin(), paused.begin() + shown, paused.end(),
                    [](const ClientConnection* a, const ClientConnection* b) {
                      return a->paused_since() < b->paused_since();
                    });
  for (auto client = paused.begin(); client != paused.begin() + shown; ++client) {
    PausedClient entry{.origin = (*client)->origin(),
                       .peer = std::string((*client)->peer()),
                       .reasons = {},
                       .paused_for = context_.loop.now() - (*client)->paused_since()};
    for (const PauseReason reason : kAllPauseReasons) {
      if ((*client)->is_paused_for(reason)) entry.reasons.push_back(reason);
    }
    report.longest.push_back(std::move(entry));
  }
  return report;
}

void Server::close_listeners() noexcept {
  listeners_.clear();
}

void Server::drain() noexcept {
  context_.client_log.finish();
  context_.draining = true;
  for (const TableEntry& entry : clients_) {
    if (entry.client != nullptr) entry.client->wake();
  }
}

void Server::end_all() noexcept {
  context_.client_log.finish();
  for (const TableEntry& entry : clients_) {
    if (entry.client != nullptr) entry.client->end_now();
  }
}

/// Partly received requests exceed input_bytes: closes the client that holds most, until they fit.
void Server::close_largest_input() noexcept {
  while (context_.input.is_exceeded()) {
    ClientConnection* most = nullptr;
    for (const TableEntry& entry : clients_) {
      ClientConnection* client = entry.client.get();
      if (client == nullptr) continue;
      if (most == nullptr || client->partial_bytes() > most->partial_bytes()) most = client;
    }
    if (most == nullptr || most->partial_bytes() == 0) return;
    context_.client_log.input_exceeded(most->about(), context_.limits.input_bytes);
    most->fail(protocol::ErrorKind::Overloaded,
               "input_bytes exceeded by partial requests; this client held the most",
               CloseReason::Overloaded);
  }
}

}  // namespace sluice::client
