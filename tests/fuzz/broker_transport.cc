#include "broker_transport.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace sluice::fuzz {
namespace {

using mqtt::Loss;
using mqtt::PublishStatus;

/// As in MosquittoTransport.
constexpr std::size_t kCongestedBytes = 16384;
constexpr std::size_t kMostPieces = 64;
/// Answers that may wait for a socket that is full: 16, and one for each message in flight.
constexpr std::size_t kMostAnswers = 150;
/// In bytes; a read may add one for each packet in it before the socket is found to be full.
constexpr std::size_t kMostAnswerBytes = BrokerTransport::kReadBytes + 4 * kMostAnswers;

std::size_t number_of(const protocol::Request& request) {
  std::size_t number = 0;
  const std::string_view payload = request.payload();
  std::from_chars(payload.data(), payload.data() + payload.size(), number);
  return number;
}

}  // namespace

BrokerTransport::BrokerTransport(event::Loop& loop, mqtt::TransportEvents& events,
                                 const config::Broker& broker, Network& network) noexcept
    : loop_(loop),
      events_(events),
      broker_(broker),
      network_(network),
      report_(loop, bind<&BrokerTransport::report>(this)) {}

// --- the broker's side

void BrokerTransport::accept() noexcept {
  if (phase_ != Phase::Connecting) return;
  phase_ = Phase::Established;
  was_accepted_ = true;
}

void BrokerTransport::receive(std::string_view bytes) {
  require(bytes.size() <= kReadBytes);
  if (phase_ != Phase::Established || bytes.empty()) return;
  // Memory of exactly this size, so that a read beyond it is detected.
  std::vector<char> piece(bytes.begin(), bytes.end());
  const std::size_t waited = waits_for_room_ ? witness_->unsent_answers() : bytes.size();
  witness_->on_received(bytes);
  session_->receive({piece.data(), piece.size()}, loop_.now());
  std::fill(piece.begin(), piece.end(), '#');
  const bool is_well = !session_->end();
  require(!is_well || is_closing_ || witness_->unsent_answers() <= std::max(waited, kMostAnswers));
  if (!waits_for_room_ && !has_unflushed_) write_out();
  settle();
  report();
  if (is_well) witness_->check_outcomes();
}

void BrokerTransport::make_room(std::size_t bytes) {
  room_ += std::min(bytes, std::numeric_limits<std::size_t>::max() - room_);
  if (phase_ != Phase::Established || !waits_for_room_) return;
  write_out();
  settle();
  report();
}

void BrokerTransport::hang_up() noexcept {
  if (phase_ == Phase::Closed) return;
  has_hung_up_ = true;
  if (phase_ == Phase::Closing) {
    loss_ = describe_loss();
  } else {
    settle();
  }
  report();
}

// --- the link's side

Result<void> BrokerTransport::connect(const mqtt::ConnectOptions& options) noexcept {
  network_.records.count_call();
  session_.emplace(options.protocol, broker_.keepalive_s, broker_.max_incoming_packet_bytes);
  witness_.emplace(network_.records, options.protocol);
  if (network_.is_unreachable) return Error{"no route"};
  phase_ = Phase::Connecting;
  network_.open.push_back(this);
  return {};
}

PublishStatus BrokerTransport::publish(const protocol::Request& request,
                                       std::uint16_t& packet_id) noexcept {
  network_.records.count_call();
  if (phase_ != Phase::Established || is_closing_ || !session_->is_connected() || session_->end())
    return PublishStatus::Broken;
  const PublishStatus status = session_->publish(request, packet_id);
  if (status == PublishStatus::Broken) settle_and_report_later();
  if (status != PublishStatus::Queued) return status;
  has_unflushed_ = true;
  witness_->on_handed_over(packet_id, number_of(request));
  return status;
}

void BrokerTransport::flush() noexcept {
  network_.records.count_call();
  if (phase_ != Phase::Established) return;
  if (!waits_for_room_) write_out();
  has_unflushed_ = false;
  settle_and_report_later();
}

bool BrokerTransport::is_congested() const noexcept {
  network_.records.count_call();
  return is_congested_;
}

void BrokerTransport::tick() noexcept {
  network_.records.count_call();
  if (phase_ != Phase::Established) return;
  session_->tick(loop_.now());
  if (!waits_for_room_ && !has_unflushed_) write_out();
  settle_and_report_later();
}

void BrokerTransport::disconnect() noexcept {
  network_.records.count_call();
  if (phase_ != Phase::Established || std::exchange(is_closing_, true)) return;
  session_->disconnect();
  if (!waits_for_room_) write_out();
  settle_and_report_later();
}

void BrokerTransport::drop(bool) noexcept {
  report_.cancel();
  phase_ = Phase::Closed;
  has_room_to_report_ = false;
  loss_.reset();
  std::erase(network_.open, this);
}

// --- between them

void BrokerTransport::write_out() {
  if (has_hung_up_ || session_->end() || session_->unsent() == 0) return;
  std::array<std::string_view, kMostPieces> pieces;
  bool is_full = false;
  do {
    std::size_t taken = 0;
    const std::size_t count = session_->next_output(pieces);
    require(count > 0);
    for (std::size_t i = 0; i < count && !is_full; ++i) {
      const std::size_t fits = std::min(pieces[i].size(), room_);
      witness_->on_taken(pieces[i].substr(0, fits));
      room_ -= fits;
      taken += fits;
      is_full = fits < pieces[i].size();
    }
    session_->sent(taken, loop_.now());
  } while (!is_full && session_->unsent() > 0);
  waits_for_room_ = session_->unsent() > 0;
}

void BrokerTransport::settle() noexcept {
  if (phase_ == Phase::Closed || phase_ == Phase::Closing) return;
  const bool has_sent_all = is_closing_ && session_->unsent() == 0;
  if (has_hung_up_ || session_->end() || has_sent_all) {
    const bool is_over = has_hung_up_ || session_->end();
    phase_ = is_over ? Phase::Closed : Phase::Closing;
    has_room_to_report_ = false;
    if (is_over) loss_ = describe_loss();
    return;
  }
  // What is handed over within a turn is bounded by inflight_bytes, or is a single message.
  require(session_->unsent() <= kCongestedBytes + kMostAnswerBytes + 2 * broker_.inflight_bytes);
  const bool is_full = waits_for_room_ && session_->unsent() > kCongestedBytes;
  const bool was_full = std::exchange(is_congested_, is_full);
  if (was_full != is_full) has_room_to_report_ = was_full;
}

void BrokerTransport::settle_and_report_later() noexcept {
  settle();
  if (!session_->acks().empty() || has_room_to_report_ || loss_) report_.schedule();
}

void BrokerTransport::report() noexcept {
  report_.cancel();
  if (session_->is_connected() && phase_ == Phase::Established &&
      !std::exchange(is_connected_reported_, true))
    events_.on_connected(session_->connack());
  report_acks();
  if (std::exchange(has_room_to_report_, false)) events_.on_writable();
  if (!loss_) return;
  report_acks();
  if (const std::optional<Loss> loss = std::exchange(loss_, std::nullopt)) events_.on_lost(*loss);
}

void BrokerTransport::report_acks() noexcept {
  if (session_->take_qos2_downgrade()) events_.on_qos2_downgraded();
  reporting_.swap(session_->acks());
  for (const mqtt::Session::Ack& ack : reporting_) {
    network_.records.count_call();
    session_->release(ack.packet_id);
    events_.on_acknowledged(ack.packet_id, ack.reason_code, session_->reason_of(ack));
  }
  reporting_.clear();
  if (session_->acks().empty()) session_->forget_reasons();
}

Loss BrokerTransport::describe_loss() const {
  const std::optional<Loss>& end = session_->end();
  if (end && end->reason_code != 0) return *end;
  if (is_closing_) return {Loss::Kind::Closed, 0, "disconnected"};
  if (end) return *end;
  if (session_->is_connected()) return {Loss::Kind::Disconnected, 0, "hung up"};
  return {was_accepted_ ? Loss::Kind::Unanswered : Loss::Kind::Unreachable, 0, "hung up"};
}

}  // namespace sluice::fuzz
