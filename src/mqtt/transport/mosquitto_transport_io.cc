// An established connection: moves bytes between its socket and its Session.
#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <string_view>
#include <utility>

#include "mqtt/transport/mosquitto_transport.h"

namespace sluice::mqtt {
namespace {

/// Bytes in one read of one connection: some 4,000 acknowledgements.
constexpr std::size_t kReadBytes = 16384;
/// After a failed write: for what the broker sent last.
constexpr unsigned kMostLastReads = 16;
/// The shortest PUBACK (MQTT 5, section 3.4). A longer one is only read earlier.
constexpr std::size_t kPubackBytes = 4;

}  // namespace

void MosquittoTransport::on_ready(event::FdEvents events) noexcept {
  switch (phase_) {
    case Phase::Connecting:
      check_tcp();
      break;
    case Phase::Handshaking:
      handshake();
      break;
    case Phase::SendingConnect:
      send_connect();
      break;
    case Phase::Established:
      read_and_write(events);
      break;
    case Phase::Closed:
      return;
  }
  settle();
  report();
}

/// A batch was due before it was complete. False: nothing was read.
bool MosquittoTransport::on_batch_due() noexcept {
  const bool has_read = read_and_write({.readable = true});
  settle();
  report();
  return has_read;
}

/// True: bytes were read.
bool MosquittoTransport::read_and_write(event::FdEvents events) noexcept {
  const bool has_read = (events.readable || reads_when_writable_) && read_in();
  if (has_read) {
    ack_hint_.on_read(io_->fd(), ack_urgency());
    ack_batching_.on_read();
  }
  // Sends answers that reading has queued. Messages handed over meanwhile leave with flush(), which
  // starts their round-trip measurement.
  const bool has_room = events.writable || writes_when_readable_;
  if (has_room || (!waits_for_room_ && unflushed_ == 0)) write_out();
  return has_read;
}

DelayedAckHint::Urgency MosquittoTransport::ack_urgency() const noexcept {
  if (!session_->awaits_outcomes()) return DelayedAckHint::Urgency::None;
  return ack_batching_.is_waiting() ? DelayedAckHint::Urgency::Later : DelayedAckHint::Urgency::Now;
}

/// False: nothing was read.
bool MosquittoTransport::read_in() noexcept {
  if (failure_ || session_->end()) return false;
  const std::span<char> buffer = loop_.read_buffer().first(kReadBytes);
  const event::Transfer got = io_->read(buffer);
  if (got.bytes > 0) session_->receive({buffer.data(), got.bytes}, loop_.now());
  if (got.bytes == buffer.size()) loop_.note_unread();
  reads_when_writable_ = got.state == event::Transfer::State::WaitsWritable;
  if (got.state == event::Transfer::State::Ended || got.state == event::Transfer::State::Failed) {
    fail(got);
  } else if (got.state == event::Transfer::State::Done && io_->has_unread()) {
    read_again_.schedule();
  }
  return got.bytes > 0;
}

void MosquittoTransport::write_out() noexcept {
  if (failure_ || session_->end() || session_->unsent() == 0) return;
  std::array<std::string_view, ConnectionIo::kMostPieces> pieces;
  event::Transfer put;
  do {
    put = io_->write(std::span(pieces).first(session_->next_output(pieces)));
    session_->sent(put.bytes, loop_.now());
  } while (put.state == event::Transfer::State::Done && session_->unsent() > 0);
  writes_when_readable_ = put.state == event::Transfer::State::WaitsReadable;
  waits_for_room_ = session_->unsent() > 0;
  if (!waits_for_room_) ack_hint_.on_sent();
  if (put.state != event::Transfer::State::Ended && put.state != event::Transfer::State::Failed)
    return;
  // The broker may have sent acknowledgements, and a DISCONNECT with a reason.
  for (unsigned reads = 0; reads < kMostLastReads && read_in(); ++reads) {
  }
  fail(put);
}

/// Only the first failure counts.
void MosquittoTransport::fail(const event::Transfer& transfer) noexcept {
  std::optional<Failure> of_tls = take_tls_failure();
  const bool is_closed = transfer.state == event::Transfer::State::Ended ||
                         transfer.error == ECONNRESET || transfer.error == EPIPE;
  if (of_tls) {
    fail(*std::move(of_tls));
  } else if (!transfer.text.empty()) {
    fail({FailureReason::Tls, "TLS: " + transfer.text});
  } else if (is_closed || transfer.error == 0) {
    if (!failure_)
      is_closed_unanswered_ = phase_ == Phase::Established && !session_->is_connected();
    fail({FailureReason::Closed, kClosedByBroker});
  } else {
    fail(failure_of(transfer.error));
  }
}

void MosquittoTransport::fail(Failure failure) noexcept {
  if (!failure_) failure_ = std::move(failure);
}

PublishStatus MosquittoTransport::publish(const protocol::Request& request,
                                          std::uint16_t& packet_id) noexcept {
  if (phase_ != Phase::Established || closing_ || !session_->is_connected() || session_->end())
    return PublishStatus::Broken;
  const PublishStatus status = session_->publish(request, packet_id);
  if (status == PublishStatus::Queued) ++unflushed_;
  if (status == PublishStatus::Broken) settle_and_report_later();
  return status;
}

void MosquittoTransport::flush() noexcept {
  if (phase_ != Phase::Established) return;
  if (!waits_for_room_) write_out();
  unflushed_ = 0;
  settle_and_report_later();
}

/// Acknowledgements already read, and QoS 0 messages already sent, are not waited for. With TLS the
/// size of what comes cannot be predicted.
void MosquittoTransport::expect_acks(std::size_t acknowledgements) noexcept {
  if (phase_ != Phase::Established || io_->has_tls()) return;
  const std::size_t missing =
      acknowledgements - std::min(acknowledgements, session_->acks().size());
  ack_batching_.expect(io_->fd(), missing > 1 ? missing * kPubackBytes : 1);
}

void MosquittoTransport::tick() noexcept {
  if (phase_ != Phase::Established) return;
  session_->tick(loop_.now());
  if (!waits_for_room_ && unflushed_ == 0) write_out();
  settle_and_report_later();
}

void MosquittoTransport::disconnect() noexcept {
  if (phase_ != Phase::Established || std::exchange(closing_, true)) return;
  session_->disconnect();
  if (!waits_for_room_) write_out();
  settle_and_report_later();
}

}  // namespace sluice::mqtt
