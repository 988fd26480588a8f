// Opens a connection by libmosquitto, and closes it.
#include "mqtt/transport/mosquitto_transport.h"

#include <fmt/format.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace sluice::mqtt {
namespace {

constexpr int kNotSentLowWater = 131072;  // bytes that the kernel may hold unsent
constexpr int kInvalidPort = 70000;
/// From this version on the library leaves the handshake to SSL_read and SSL_write.
constexpr int kFirstWithoutOwnHandshake = 2'000'015;

void set_option(int fd, int level, int option, int value) noexcept {
  ::setsockopt(fd, level, option, &value, sizeof(value));
}

}  // namespace

MosquittoLibrary::MosquittoLibrary() {
  mosquitto_lib_init();
}
MosquittoLibrary::~MosquittoLibrary() {
  mosquitto_lib_cleanup();
}

MosquittoTransport::MosquittoTransport(event::Loop& loop, TransportEvents& events,
                                       const config::Broker& broker,
                                       std::shared_ptr<event::TlsContext> tls) noexcept
    : loop_(loop),
      events_(events),
      broker_(broker),
      tls_(std::move(tls)),
      ack_hint_(loop),
      ack_batching_(loop, bind<&MosquittoTransport::on_batch_due>(this)),
      read_again_(loop, bind<&MosquittoTransport::read_again>(this)),
      graceful_close_(loop, bind<&MosquittoTransport::on_peer_closed>(this)),
      report_(loop, bind<&MosquittoTransport::report>(this)) {}

MosquittoTransport::~MosquittoTransport() {
  drop(false);
}

Result<void> MosquittoTransport::connect(const ConnectOptions& options) noexcept {
  handle_ = mosquitto_new(options.client_id.c_str(), true, this);
  if (handle_ == nullptr) return Error{fmt::format("mosquitto_new: {}", std::strerror(errno))};
  if (Result<void> done = configure(options); !done) {
    drop(false);
    return done;
  }
  session_.emplace(options.protocol, broker_.keepalive_s, broker_.max_incoming_packet_bytes);
  errno = 0;
  const int keepalive = static_cast<int>(broker_.keepalive_s);
  const int status =
      mosquitto_connect_async(handle_, options.address.c_str(), options.port, keepalive);
  if (status == MOSQ_ERR_SUCCESS && mosquitto_socket(handle_) >= 0) {
    attach();
  } else {
    fail(library_failure(status, errno));
    loss_ = describe_loss();
    report_.schedule();
  }
  return {};
}

Result<void> MosquittoTransport::configure(const ConnectOptions& options) {
  mosquitto_threaded_set(handle_, true);
  const bool is_v5 = options.protocol == config::Protocol::V5;
  mosquitto_int_option(handle_, MOSQ_OPT_PROTOCOL_VERSION,
                       is_v5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
  mosquitto_int_option(handle_, MOSQ_OPT_TCP_NODELAY, 1);
  const auto given = [](const std::string& text) { return text.empty() ? nullptr : text.c_str(); };
  // MQTT 3.1.1 has no password without a user name (section 3.1.2.9).
  const bool has_login = !broker_.username.empty() || (is_v5 && !broker_.password.empty());
  if (has_login && mosquitto_username_pw_set(handle_, given(broker_.username),
                                             given(broker_.password)) != MOSQ_ERR_SUCCESS) {
    return Error{"the user name or password is not valid UTF-8"};
  }
  if (is_v5) announce_longest_packet();
  if (tls_ != nullptr) {
    tls_->take_failure();
    mosquitto_int_option(handle_, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
    if (mosquitto_void_option(handle_, MOSQ_OPT_SSL_CTX, tls_->raw()) != MOSQ_ERR_SUCCESS) {
      return Error{"this libmosquitto was built without TLS"};
    }
  }
  return {};
}

/// The library takes properties of the CONNECT only with a call that would block. If that call is
/// refused, for an invalid port, it keeps them for the next one.
void MosquittoTransport::announce_longest_packet() {
  mosquitto_property* properties = nullptr;
  mosquitto_property_add_int32(&properties, MQTT_PROP_MAXIMUM_PACKET_SIZE,
                               static_cast<std::uint32_t>(broker_.max_incoming_packet_bytes));
  mosquitto_connect_bind_v5(handle_, "-", kInvalidPort, static_cast<int>(broker_.keepalive_s),
                            nullptr, properties);
  mosquitto_property_free_all(&properties);
}

/// The first event is the outcome of the TCP connect.
void MosquittoTransport::attach() {
  const int fd = mosquitto_socket(handle_);
  set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, kNotSentLowWater);
  io_.emplace(fd, mosquitto_ssl_get(handle_));
  library_handshakes_ = io_->is_handshaking() && mosquitto_lib_version(nullptr, nullptr, nullptr) <
                                                     kFirstWithoutOwnHandshake;
  phase_ = Phase::Connecting;
  waits_for_ = {.writable = true};
  watcher_ =
      std::make_unique<event::FdWatcher>(loop_, fd, bind<&MosquittoTransport::on_ready>(this));
  arm();
}

/// TLS, and the library, would call a failure of TCP something else.
void MosquittoTransport::check_tcp() noexcept {
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(io_->fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error == ECONNRESET) {  // TCP was connected
    fail(tls_ == nullptr ? Failure{FailureReason::Closed, kClosedByBroker}
                         : Failure{FailureReason::Tls, tls_->describe_end(error)});
    return;
  }
  if (error != 0) {
    fail(failure_of(error));
    return;
  }
  phase_ = Phase::Handshaking;
  handshake();
}

void MosquittoTransport::handshake() noexcept {
  const event::Transfer step = io_->handshake();
  switch (step.state) {
    case event::Transfer::State::Done:
      end_handshake();
      return;
    case event::Transfer::State::WaitsReadable:
      waits_for_ = {.readable = true};
      return;
    case event::Transfer::State::WaitsWritable:
      waits_for_ = {.writable = true};
      return;
    case event::Transfer::State::Ended:
    case event::Transfer::State::Failed:
      fail(step);
      return;
  }
}

/// libmosquitto before 2.0.15 writes nothing until its loop_read has seen the handshake done, which
/// is all that this call does. If it saw that while connecting, the call would read from the broker
/// and must be left out.
void MosquittoTransport::end_handshake() noexcept {
  if (std::exchange(library_handshakes_, false)) mosquitto_loop_read(handle_, 1);
  if (!mosquitto_want_write(handle_)) {
    fail({FailureReason::Other, "libmosquitto has no CONNECT to send"});
    return;
  }
  phase_ = Phase::SendingConnect;
  send_connect();
}

void MosquittoTransport::send_connect() noexcept {
  errno = 0;
  const int status = mosquitto_loop_write(handle_, 1);
  if (status != MOSQ_ERR_SUCCESS || mosquitto_socket(handle_) < 0) {
    fail(library_failure(status, errno));
  } else if (mosquitto_want_write(handle_)) {
    waits_for_ = {.writable = true};
  } else {
    phase_ = Phase::Established;
    waits_for_ = {};
  }
}

Failure MosquittoTransport::library_failure(int status, int error) const {
  if (std::optional<Failure> failure = take_tls_failure()) return *std::move(failure);
  switch (status) {
    case MOSQ_ERR_SUCCESS:
    case MOSQ_ERR_CONN_LOST:
      return {FailureReason::Closed, kClosedByBroker};
    case MOSQ_ERR_ERRNO:
      return failure_of(error);
    default:
      return {FailureReason::Other, mosquitto_strerror(status)};
  }
}

/// Also so that a later connection does not report it.
std::optional<Failure> MosquittoTransport::take_tls_failure() const noexcept {
  if (tls_ == nullptr) return std::nullopt;
  event::TlsFailure failure = tls_->take_failure();
  if (failure.text.empty()) return std::nullopt;
  if (failure.error != 0) return failure_of(failure.error);
  return Failure{FailureReason::Tls, std::move(failure.text)};
}

std::string_view MosquittoTransport::awaits() const noexcept {
  if (phase_ == Phase::Connecting) return "TCP connection";
  return phase_ == Phase::Handshaking ? "TLS handshake" : "CONNACK";
}

void MosquittoTransport::stop_watching() noexcept {
  if (watcher_ != nullptr) watcher_->release();
  loop_.retire(std::move(watcher_));
}

void MosquittoTransport::drop(bool reset) noexcept {
  stop_watching();
  ack_hint_.forget();
  ack_batching_.forget();
  read_again_.cancel();
  report_.cancel();
  graceful_close_.drop();
  io_.reset();
  phase_ = Phase::Closed;
  has_room_to_report_ = false;
  loss_.reset();
  if (handle_ == nullptr) return;
  const int fd = mosquitto_socket(handle_);
  if (reset && fd >= 0) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  }
  mosquitto_destroy(std::exchange(handle_, nullptr));
}

}  // namespace sluice::mqtt
