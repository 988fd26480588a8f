// How the simulated broker handles each packet.
#include "faulty_broker.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "net.h"

namespace sluice::ledger_run {
namespace {

constexpr std::uint8_t kTakenOver = 0x8E;
constexpr std::uint8_t kPacketTooLarge = 0x95;
constexpr double kLongestBurst = 0.02;  // seconds of the bandwidth that may be saved up

/// The payload's "device:number:".
std::optional<std::pair<std::uint32_t, std::uint64_t>> parse_payload(std::string_view payload) {
  std::uint32_t device = 0;
  std::uint64_t number = 0;
  const char* const end = payload.data() + payload.size();
  const auto first = std::from_chars(payload.data(), end, device);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ':') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, number);
  if (second.ec != std::errc() || second.ptr == end || *second.ptr != ':') return std::nullopt;
  return std::pair(device, number);
}

}  // namespace

FaultyBroker::FaultyBroker(Poller& poller, RunLedger& ledger, std::uint64_t seed, bool has_tls)
    : poller_(poller), ledger_(ledger), random_(seed), port_(find_free_port()) {
  if (has_tls) tls_.emplace();
  listen();
}

FaultyBroker::~FaultyBroker() {
  stop_listening();
}

void FaultyBroker::listen() {
  if (listener_ >= 0) return;
  listener_ = listen_on(port_);
  if (listener_ < 0)
    throw std::runtime_error("the simulated broker's port was taken by another process");
  poller_.watch(listener_, *this, EPOLLIN);
  listener_is_frozen_ = false;
}

void FaultyBroker::stop_listening() {
  if (listener_ < 0) return;
  ::close(listener_);
  listener_ = -1;
}

void FaultyBroker::on_events(std::uint32_t) {
  while (listener_ >= 0 && !mode.is_frozen) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sessions_.push_back(
        std::make_unique<BrokerSession>(*this, poller_, fd, tls_ ? &*tls_ : nullptr));
    sessions_.back()->impairments.is_silent = mode.is_silent;
    sessions_.back()->impairments.swallows = mode.swallows;
  }
}

void FaultyBroker::tick(Nanoseconds now) {
  if (listener_ >= 0 && mode.is_frozen != listener_is_frozen_) {
    listener_is_frozen_ = mode.is_frozen;
    poller_.change(listener_, *this, mode.is_frozen ? 0U : static_cast<std::uint32_t>(EPOLLIN));
  }
  if (mode.bytes_per_second > 0) {
    const auto speed = static_cast<double>(mode.bytes_per_second);
    budget_ = std::min(budget_ + as_seconds(now - last_tick_) * speed, kLongestBurst * speed);
  }
  last_tick_ = now;
  for (const auto& session : sessions_) {
    session->send_due(now);
    session->close_if_overdue(now);
    if (bytes_allowed() > 0) session->read_on();
  }
  std::erase_if(sessions_, [](const auto& session) {
    return session->state() == BrokerSession::State::Closed;
  });
}

std::size_t FaultyBroker::bytes_allowed() const {
  if (mode.bytes_per_second == 0) return SIZE_MAX;
  return budget_ > 0 ? static_cast<std::size_t>(budget_) : 0;
}

void FaultyBroker::spend(std::size_t bytes) {
  if (mode.bytes_per_second > 0) budget_ -= static_cast<double>(bytes);
}

// --- packets

void FaultyBroker::on_packet(BrokerSession& session, const wire::Packet& packet) {
  if (!session.is_live() && packet.type != wire::Type::Connect) {
    if (session.impairments.is_silent) return;  // packets sent before the CONNACK
    on_malformed(session);
    return;
  }
  switch (packet.type) {
    case wire::Type::Connect:
      on_connect(session, packet);
      return;
    case wire::Type::Publish:
      on_publish(session, packet);
      return;
    case wire::Type::Pubrel:
      on_pubrel(session, packet);
      return;
    case wire::Type::Pingreq: {
      if (session.impairments.is_silent) return;
      std::string answer;
      wire::append_pingresp(answer);
      session.send(std::move(answer), mode.delay, now_ns());
      return;
    }
    case wire::Type::Disconnect:
      session.close_gracefully(now_ns());
      return;
    default:
      on_malformed(session);
  }
}

void FaultyBroker::on_malformed(BrokerSession& session) {
  complain(Breach::Protocol, session, "a packet that MQTT does not allow there");
  session.reset();
}

void FaultyBroker::complain(Breach kind, const BrokerSession& session, const std::string& what) {
  ledger_.violations().add(kind, [&] {
    return "connection " + std::to_string(session.source().serial) + " of '" + session.client_id() +
           "': " + what;
  });
}

void FaultyBroker::on_connect(BrokerSession& session, const wire::Packet& packet) {
  if (session.impairments.is_silent) return;
  const auto connect = wire::parse_connect(packet.body);
  if (!connect || session.is_live()) {
    on_malformed(session);
    return;
  }
  std::string answer;
  if (mode.connack_code != 0) {
    wire::append_connack(answer, connect->is_v5,
                         connect->is_v5 ? mode.connack_code : mode.old_connack_code);
    session.send(std::move(answer), 0, now_ns());
    session.close_gracefully(now_ns());
    return;
  }
  const std::string client_id(connect->client_id);
  if (const auto old = by_client_id_.find(client_id); old != by_client_id_.end()) {
    if (mode.take_over_waits && old->second->is_frozen()) {
      session.impairments.is_silent = true;
      return;
    }
    take_over(*old->second);
  }
  const bool bounded = connect->is_v5 && mode.receive_maximum != 0;
  session.become_live(connect->is_v5, client_id, {++connects_, now_ns()},
                      bounded ? mode.receive_maximum : 65535U);
  by_client_id_[client_id] = &session;
  if (!connect->clean_start) complain(Breach::Protocol, session, "not a clean start");
  wire::append_connack(answer, connect->is_v5, 0,
                       bounded ? std::optional(mode.receive_maximum) : std::nullopt);
  session.send(std::move(answer), mode.delay, now_ns());
}

void FaultyBroker::take_over(BrokerSession& old) {
  if (old.peer_holds_it()) {
    complain(Breach::TwoConnections, old, "still open when its identifier connected again");
  }
  disconnect(old, kTakenOver);
}

void FaultyBroker::disconnect(BrokerSession& session, std::uint8_t code) {
  if (!session.is_live()) return;
  if (session.is_v5() && !session.impairments.is_silent) {
    std::string packet;
    wire::append_disconnect(packet, code);
    session.send(std::move(packet), 0, now_ns());
  }
  by_client_id_.erase(session.client_id());
  session.close_gracefully(now_ns());
}

void FaultyBroker::on_publish(BrokerSession& session, const wire::Packet& packet) {
  const auto publish = wire::parse_publish(packet, session.is_v5());
  const auto name = publish ? parse_payload(publish->payload) : std::nullopt;
  if (!publish || publish->qos == 0 || !name) {
    on_malformed(session);
    return;
  }
  const auto [device, number] = *name;
  if (publish->is_duplicate) complain(Breach::Protocol, session, "DUP without a kept session");
  const Fate fate = fate_of(session, device, number);
  ledger_.on_arrived(device, number, session.source(), fate, now_ns());
  if (fate == Fate::Ignored) return;
  if (fate == Fate::Dropped) {
    drop(session);
    return;
  }
  if (!session.open.try_emplace(publish->packet_id, BrokerSession::Open{device, number}).second) {
    complain(Breach::Protocol, session, "a packet identifier that is in use");
  }
  if (++session.in_flight > session.receive_maximum()) {
    complain(Breach::ReceiveMaximum, session,
             std::to_string(session.in_flight) + " messages in flight, and " +
                 std::to_string(session.receive_maximum()) + " are allowed");
  }
  acknowledge(session, publish->qos == 1 ? wire::Type::Puback : wire::Type::Pubrec,
              publish->packet_id, fate == Fate::Refused ? mode.refusal_code : std::uint8_t{0});
}

Fate FaultyBroker::fate_of(BrokerSession& session, std::uint32_t device, std::uint64_t number) {
  if (session.impairments.is_silent) return Fate::Ignored;
  if (poison_wanted_ > 0 && !session.impairments.swallows && !ledger_.is_answered(device, number)) {
    --poison_wanted_;
    poison_.emplace(device, number);
  }
  if (!poison_.empty() && poison_.contains({device, number})) return Fate::Dropped;
  if (mode.refusal_code != 0 && session.is_v5() && random_.one_in(3)) return Fate::Refused;
  return Fate::Recorded;
}

void FaultyBroker::on_pubrel(BrokerSession& session, const wire::Packet& packet) {
  const auto packet_id = wire::parse_packet_id(packet.body);
  if (!packet_id) {
    on_malformed(session);
    return;
  }
  if (session.impairments.is_silent) return;
  check_release(session, *packet_id);
  acknowledge(session, wire::Type::Pubcomp, *packet_id, 0);
}

/// A PUBREL answers a PUBREC, in the same order (MQTT 5, sections 4.3.3 and 4.6).
void FaultyBroker::check_release(BrokerSession& session, std::uint16_t packet_id) {
  auto& received = session.received;
  const auto found = std::find(received.begin(), received.end(), packet_id);
  if (found == received.end()) {
    complain(Breach::Protocol, session, "PUBREL without a PUBREC");
    return;
  }
  if (found != received.begin()) complain(Breach::Protocol, session, "PUBREL out of order");
  received.erase(found);
  const auto open = session.open.find(packet_id);
  if (open != session.open.end()) ledger_.on_released(open->second.device, open->second.number);
}

void FaultyBroker::acknowledge(BrokerSession& session, wire::Type type, std::uint16_t packet_id,
                               std::uint8_t code) {
  const auto open = session.open.find(packet_id);
  if (open == session.open.end()) {
    complain(Breach::Protocol, session, "PUBREL of no message");
    return;
  }
  const BrokerSession::Open message = open->second;
  if (session.impairments.swallows) return;
  if (session.impairments.acks_to_lose > 0 && random_.one_in(2)) {
    --session.impairments.acks_to_lose;
    ledger_.on_acknowledgement_lost(message.device, message.number);
    session.open.erase(open);  // for the broker it is acknowledged
    --session.in_flight;
    return;
  }
  std::string answer;
  wire::append_ack(answer, type, session.is_v5(), packet_id, code);
  if (type == wire::Type::Pubrec && code == 0) {
    session.received.push_back(packet_id);
    session.send(std::move(answer), mode.delay, now_ns());  // PUBREL comes next
    return;
  }
  session.open.erase(open);
  session.send_last(std::move(answer), mode.delay, now_ns());
}

// --- ends

void FaultyBroker::drop(BrokerSession& session) {
  switch (drop_way_) {
    case DropWay::Gracefully:
      session.close_gracefully(now_ns());
      by_client_id_.erase(session.client_id());
      return;
    case DropWay::Reset:
      session.send_due(now_ns());  // earlier acknowledgements
      session.reset();
      return;
    case DropWay::WithReason:
      disconnect(session, kPacketTooLarge);
      return;
  }
}

void FaultyBroker::on_closed(BrokerSession& session) {
  const auto found = by_client_id_.find(session.client_id());
  if (found != by_client_id_.end() && found->second == &session) by_client_id_.erase(found);
}

// --- for faults

std::vector<BrokerSession*> FaultyBroker::live() const {
  std::vector<BrokerSession*> sessions;
  for (const auto& [id, session] : by_client_id_)
    if (session->is_live()) sessions.push_back(session);
  return sessions;
}

std::vector<BrokerSession*> FaultyBroker::all_open() const {
  std::vector<BrokerSession*> sessions;
  for (const auto& session : sessions_)
    if (session->is_open()) sessions.push_back(session.get());
  return sessions;
}

void FaultyBroker::thaw_all() {
  for (const auto& session : sessions_)
    if (session->is_frozen()) session->thaw();
}

void FaultyBroker::choose_poison(unsigned messages, DropWay way) {
  poison_wanted_ = messages;
  drop_way_ = way;
}

bool FaultyBroker::waits_for_poison() const {
  if (poison_wanted_ > 0) return true;
  return std::any_of(poison_.begin(), poison_.end(), [this](const auto& message) {
    return !ledger_.is_answered(message.first, message.second);
  });
}

std::size_t FaultyBroker::silent_sessions() const {
  return static_cast<std::size_t>(std::count_if(
      sessions_.begin(), sessions_.end(),
      [](const auto& session) { return session->is_open() && session->impairments.is_silent; }));
}

}  // namespace sluice::ledger_run
