// How a connection ends, and when the caller of the transport gets its reports.
#include <fmt/format.h>
#include <mosquitto.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "base/ascii.h"
#include "mqtt/reason_codes.h"
#include "mqtt/transport/mosquitto_transport.h"

namespace sluice::mqtt {
namespace {

/// With more unsent bytes than this a connection is congested. Less leaves as soon as the socket
/// has room, with new messages behind it.
constexpr std::size_t kCongestedBytes = 16384;

bool is_upper(char c) noexcept {
  return to_lower(c) != c;
}

/// "Bad User Name or Password" as it reads within a sentence; "QoS" stays.
std::string reason_text(int reason_code) {
  std::string text = mosquitto_reason_string(reason_code);
  bool begins_word = true;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::string_view rest = std::string_view(text).substr(at + 1);
    const std::string_view rest_of_word = rest.substr(0, rest.find(' '));
    const bool is_abbreviation = std::any_of(rest_of_word.begin(), rest_of_word.end(), is_upper);
    if (begins_word && !is_abbreviation) text[at] = to_lower(text[at]);
    begins_word = text[at] == ' ';
  }
  return text;
}

}  // namespace

void MosquittoTransport::settle() noexcept {
  if (phase_ == Phase::Closed) return;
  if (failure_ || session_->end() || has_sent_all()) {
    end();
    return;
  }
  arm();
  const bool is_full = waits_for_room_ && session_->unsent() > kCongestedBytes;
  const bool was_full = std::exchange(congested_, is_full);
  if (was_full != is_full) has_room_to_report_ = was_full;
}

void MosquittoTransport::arm() noexcept {
  if (phase_ != Phase::Established) {
    watcher_->watch(waits_for_);
    return;
  }
  watcher_->watch(
      {.readable = true,
       .writable = (waits_for_room_ && !writes_when_readable_) || reads_when_writable_});
}

bool MosquittoTransport::has_sent_all() const noexcept {
  return closing_ && session_->unsent() == 0;
}

/// After DISCONNECT it waits until the broker has closed: the QoS 0 messages before it, which are
/// not acknowledged, must be read before anything that the next connection sends.
void MosquittoTransport::end() noexcept {
  const bool waits_for_close = !failure_ && !session_->end();
  phase_ = Phase::Closed;
  stop_watching();  // at once: the library may close the descriptor, and its number be reused
  ack_hint_.forget();
  ack_batching_.forget();
  read_again_.cancel();
  has_room_to_report_ = false;
  if (!waits_for_close) {
    loss_ = describe_loss();
    return;
  }
  io_->close_notify();
  graceful_close_.begin(io_->fd());
}

void MosquittoTransport::on_peer_closed() noexcept {
  loss_ = describe_loss();
  report();
}

Loss MosquittoTransport::describe_loss() const {
  const std::optional<Loss>& end = session_->end();
  if (end && end->reason_code != 0) {
    const std::string_view what =
        end->kind == Loss::Kind::Refused ? "" : "the broker disconnected: ";
    return {end->kind, end->reason_code,
            fmt::format("{}{}{}{}", what, reason_text(end->reason_code),
                        end->text.empty() ? "" : ": ", end->text)};
  }
  if (closing_) return {Loss::Kind::Closed, 0, "disconnected"};
  if (end && end->kind == Loss::Kind::Disconnected && !end->text.empty())
    return {end->kind, 0, fmt::format("the broker disconnected: {}", end->text)};
  const bool has_text = end && !end->text.empty();
  if (has_text) return *end;
  if (!session_->is_connected() && is_closed_unanswered_)
    return {Loss::Kind::Unanswered, 0, describe_unanswered(), FailureReason::Closed};
  const auto kind = session_->is_connected() ? Loss::Kind::Disconnected : Loss::Kind::Unreachable;
  const Failure failure = failure_.value_or(Failure{FailureReason::Closed, kClosedByBroker});
  return {kind, 0, failure.text, failure.reason};
}

std::string MosquittoTransport::describe_unanswered() const {
  return fmt::format(
      "the broker closed the connection instead of answering the CONNECT (it may be full, refuse "
      "the login{}, or not speak this MQTT version)",
      tls_ == nullptr ? ", expect TLS (mqtts://)" : "");
}

void MosquittoTransport::settle_and_report_later() noexcept {
  settle();
  if (!session_->acks().empty() || has_room_to_report_ || loss_) report_.schedule();
}

/// In the order that TransportEvents promises. Each report may drop the connection, and then
/// nothing is left to report.
void MosquittoTransport::report() noexcept {
  report_.cancel();
  if (session_->is_connected() && phase_ == Phase::Established &&
      !std::exchange(connected_reported_, true))
    events_.on_connected(session_->connack());
  report_acks();
  if (std::exchange(has_room_to_report_, false)) events_.on_writable();
  if (!loss_) return;
  report_acks();  // QoS 0 messages whose flush from within a report found the end
  if (const std::optional<Loss> loss = std::exchange(loss_, std::nullopt)) events_.on_lost(*loss);
}

void MosquittoTransport::report_acks() noexcept {
  if (session_->take_qos2_downgrade()) events_.on_qos2_downgraded();
  reporting_.swap(session_->acks());
  for (const Session::Ack& ack : reporting_) {
    if (handle_ == nullptr) break;
    session_->release(ack.packet_id);
    events_.on_acknowledged(ack.packet_id, ack.reason_code, session_->reason_of(ack));
  }
  reporting_.clear();
  if (session_->acks().empty()) session_->forget_reasons();
}

}  // namespace sluice::mqtt
