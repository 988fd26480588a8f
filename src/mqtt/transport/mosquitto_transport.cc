#include "mqtt/transport/mosquitto_transport.h"

#include <fmt/format.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "mqtt/transport/mosquitto_transport_properties.h"

namespace sluice::mqtt {
namespace {

constexpr int kNotSentLowWater = 131072;  // bytes the kernel may hold unsent: full means full soon
/// The shortest (MQTT 5, section 3.4), and without TLS: a longer one is only read earlier.
constexpr std::size_t kPubackBytes = 4;

void set_option(int fd, int level, int option, int value) noexcept {
  ::setsockopt(fd, level, option, &value, sizeof(value));
}

/// CONNACK return codes of MQTT 3.1.1 (section 3.2.2.3) as the reason codes of MQTT 5.
int to_v5_code(int code) noexcept {
  switch (code) {
    case 1:
      return MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION;
    case 2:
      return MQTT_RC_CLIENTID_NOT_VALID;
    case 3:
      return MQTT_RC_SERVER_UNAVAILABLE;
    case 4:
      return MQTT_RC_BAD_USERNAME_OR_PASSWORD;
    case 5:
      return MQTT_RC_NOT_AUTHORIZED;
    default:
      return code;
  }
}

Connack read_connack(const mosquitto_property* properties) {
  Connack connack;
  std::uint16_t number = 0;
  std::uint32_t size = 0;
  std::uint8_t byte = 0;
  if (mosquitto_property_read_int16(properties, MQTT_PROP_RECEIVE_MAXIMUM, &number, false) !=
      nullptr) {
    connack.receive_maximum = number;
  }
  if (mosquitto_property_read_int32(properties, MQTT_PROP_MAXIMUM_PACKET_SIZE, &size, false) !=
      nullptr) {
    connack.maximum_packet_size = size;
  }
  if (mosquitto_property_read_byte(properties, MQTT_PROP_MAXIMUM_QOS, &byte, false) != nullptr) {
    connack.maximum_qos = byte;
  }
  if (mosquitto_property_read_byte(properties, MQTT_PROP_RETAIN_AVAILABLE, &byte, false) !=
      nullptr) {
    connack.retain_available = byte != 0;
  }
  return connack;
}

}  // namespace

/// What libmosquitto calls back, with its locks held: only records.
struct MosquittoCallbacks {
  static MosquittoTransport& self(void* object) noexcept {
    return *static_cast<MosquittoTransport*>(object);
  }
  static void on_connect(mosquitto*, void* object, int code, int,
                         const mosquitto_property* properties) {
    if (code == 0) {
      self(object).connected_ = true;
      self(object).connack_ = read_connack(properties);
    } else {
      self(object).refused_code_ = to_v5_code(code);
    }
  }
  static void on_disconnect(mosquitto*, void* object, int code, const mosquitto_property*) {
    // It can come twice, a reason code first and a plain status after it.
    MosquittoTransport& transport = self(object);
    if (!std::exchange(transport.lost_, true)) transport.disconnect_code_ = code;
  }
  static void on_publish(mosquitto*, void* object, int packet_id, int code,
                         const mosquitto_property*) {
    MosquittoTransport& transport = self(object);
    const MosquittoTransport::Ack ack{static_cast<std::uint16_t>(packet_id), code};
    if (transport.writing_) {
      transport.written_.push_back({ack, transport.batch_.written()});
    } else {
      transport.acks_.push_back(ack);
    }
  }
};

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
      prompt_ack_(loop),
      coalescing_(loop, bind<&MosquittoTransport::on_coalesced>(this)),
      report_(loop, bind<&MosquittoTransport::report>(this)),
      parting_(loop, bind<&MosquittoTransport::on_parted>(this)) {}

MosquittoTransport::~MosquittoTransport() {
  drop(false);
}

Result<void> MosquittoTransport::connect(const ConnectOptions& options) noexcept {
  const SocketBatch::WithoutWakeUp nobody_to_wake;
  protocol_ = options.protocol;
  handle_ = mosquitto_new(options.client_id.c_str(), true, this);
  if (handle_ == nullptr) return Error{fmt::format("mosquitto_new: {}", std::strerror(errno))};
  if (Result<void> done = configure(options); !done) {
    drop(false);
    return done;
  }
  errno = 0;
  const int keepalive = static_cast<int>(broker_.keepalive_s);
  const int status =
      mosquitto_connect_async(handle_, options.address.c_str(), options.port, keepalive);
  note(status);
  // libmosquitto before 2.0.15 begins the handshake in there, and with a quick broker ends it, too:
  // then no further event may come until CONNECT is written.
  if (status != MOSQ_ERR_SUCCESS || mosquitto_socket(handle_) < 0 || !check_handshake()) {
    const Error error{describe_failure()};
    drop(false);
    return error;
  }
  attach();
  return {};
}

Result<void> MosquittoTransport::configure(const ConnectOptions& options) {
  mosquitto_threaded_set(handle_, true);
  mosquitto_connect_v5_callback_set(handle_, MosquittoCallbacks::on_connect);
  mosquitto_disconnect_v5_callback_set(handle_, MosquittoCallbacks::on_disconnect);
  mosquitto_publish_v5_callback_set(handle_, MosquittoCallbacks::on_publish);
  const bool is_v5 = options.protocol == config::Protocol::V5;
  mosquitto_int_option(handle_, MOSQ_OPT_PROTOCOL_VERSION,
                       is_v5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
  mosquitto_int_option(handle_, MOSQ_OPT_TCP_NODELAY, 1);
  // The window is kept by Link; the library's own must never be the narrower one.
  mosquitto_int_option(handle_, MOSQ_OPT_SEND_MAXIMUM, 65535);
  if (!broker_.username.empty() &&
      mosquitto_username_pw_set(handle_, broker_.username.c_str(),
                                broker_.password.empty() ? nullptr : broker_.password.c_str()) !=
          MOSQ_ERR_SUCCESS) {
    return Error{"the user name or password is not valid UTF-8"};
  }
  if (tls_ != nullptr) {
    tls_->take_failure();
    mosquitto_int_option(handle_, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
    if (mosquitto_void_option(handle_, MOSQ_OPT_SSL_CTX, tls_->raw()) != MOSQ_ERR_SUCCESS) {
      return Error{"this libmosquitto was built without TLS"};
    }
    handshaking_ = true;
  }
  return {};
}

void MosquittoTransport::attach() {
  const int fd = mosquitto_socket(handle_);
  set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, kNotSentLowWater);
  watcher_ =
      std::make_unique<event::FdWatcher>(loop_, fd, bind<&MosquittoTransport::on_ready>(this));
  arm();
}

void MosquittoTransport::stop_watching() noexcept {
  if (watcher_ != nullptr) watcher_->release();
  loop_.retire(std::move(watcher_));
}

void MosquittoTransport::on_ready(event::FdEvents events) noexcept {
  read_and_write(events);
  settle();
  report();
}

void MosquittoTransport::read_and_write(event::FdEvents events) noexcept {
  if (handshaking_) {
    // Only loop_read moves the handshake on, whichever event it is.
    read_in();
    if (lost_ || mosquitto_socket(handle_) < 0) return;
    lost_ = !check_handshake();
    if (!handshaking_) write_out();  // CONNECT leaves here
    return;
  }
  if (events.readable) {
    read_in();
    if (const int fd = mosquitto_socket(handle_); fd >= 0) {
      prompt_ack_.on_read(fd);
      coalescing_.on_read();
    }
  }
  // PUBREL and PINGREQ are queued by reading; on a full socket only its readiness helps. What was
  // handed over leaves with flush(), all at once, and is timed from there.
  if (events.writable || (!congested_ && unflushed_ == 0)) write_out();
}

/// Notes whether the handshake is over; false: it has failed.
bool MosquittoTransport::check_handshake() noexcept {
  if (!handshaking_) return true;
  const event::TlsState state = event::tls_state(mosquitto_ssl_get(handle_));
  handshaking_ = state.handshaking;
  return !state.broken;
}

/// What one read of the socket brought, however many packets that is.
void MosquittoTransport::read_in() noexcept {
  const int fd = mosquitto_socket(handle_);
  do {
    const SocketBatch::Call call(batch_, fd, mode());
    note(mosquitto_loop_read(handle_, 1));
  } while (batch_.has_unread() && status_ == MOSQ_ERR_SUCCESS && mosquitto_socket(handle_) == fd);
}

void MosquittoTransport::write_out() noexcept {
  const int fd = mosquitto_socket(handle_);
  if (lost_ || fd < 0) return;
  const bool has_something = batch_.has_unsent() || mosquitto_want_write(handle_);
  batch_.send(fd);
  if (mosquitto_want_write(handle_)) {
    const SocketBatch::Call call(batch_, fd, mode());
    writing_ = true;
    note(mosquitto_loop_write(handle_, 1));
    writing_ = false;
  }
  if (has_something && !batch_.has_unsent() && !mosquitto_want_write(handle_))
    prompt_ack_.on_sent();
  if (batch_.failure() == 0 || status_ != MOSQ_ERR_SUCCESS) return;
  read_in();  // what the broker said last: acknowledgements, perhaps why
  if (status_ != MOSQ_ERR_SUCCESS) return;
  errno_ = batch_.failure();
  status_ = errno_ == ECONNRESET || errno_ == EPIPE ? MOSQ_ERR_CONN_LOST : MOSQ_ERR_ERRNO;
}

/// The library closes the socket as soon as it has written DISCONNECT.
SocketBatch::Mode MosquittoTransport::mode() const noexcept {
  return tls_ == nullptr && !closing_ ? SocketBatch::Mode::Batched : SocketBatch::Mode::Direct;
}

void MosquittoTransport::note(int status) noexcept {
  if (status == MOSQ_ERR_SUCCESS || status_ != MOSQ_ERR_SUCCESS) return;
  status_ = status;
  errno_ = errno;
}

PublishStatus MosquittoTransport::publish(const protocol::Request& request,
                                          std::uint16_t& packet_id) noexcept {
  if (handle_ == nullptr || is_over_ || closing_) return PublishStatus::Poisoned;
  int id = 0;
  const int status = hand_over(request, id);
  switch (status) {
    case MOSQ_ERR_SUCCESS:
      packet_id = static_cast<std::uint16_t>(id);
      ++unflushed_;
      return PublishStatus::Queued;
    case MOSQ_ERR_INVAL:
    case MOSQ_ERR_MALFORMED_UTF8:
    case MOSQ_ERR_OVERSIZE_PACKET:
    case MOSQ_ERR_PAYLOAD_SIZE:
    case MOSQ_ERR_QOS_NOT_SUPPORTED:
      return PublishStatus::Refused;
    default:
      // The library may have stored the message although it reports a failure.
      note(status);
      settle_and_report_later();
      return PublishStatus::Poisoned;
  }
}

int MosquittoTransport::hand_over(const protocol::Request& request, int& id) noexcept {
  PublishProperties properties;
  if (request.properties() != nullptr && protocol_ == config::Protocol::V5) {
    properties.fill(*request.properties());
  }
  const SocketBatch::Call call(batch_, mosquitto_socket(handle_), mode());
  return mosquitto_publish_v5(handle_, &id, request.topic().data(),
                              static_cast<int>(request.payload().size()), request.payload().data(),
                              request.qos, request.retain, properties.get());
}

void MosquittoTransport::flush() noexcept {
  if (handle_ == nullptr || is_over_) return;
  if (!congested_) write_out();
  unflushed_ = 0;
  settle_and_report_later();
}

/// Acknowledgements that are read already, and QoS 0 that was sent, need no waiting for.
void MosquittoTransport::coalesce(std::size_t acknowledgements) noexcept {
  if (handle_ == nullptr || is_over_) return;
  const std::size_t missing = acknowledgements - std::min(acknowledgements, acks_.size());
  coalescing_.set(mosquitto_socket(handle_), missing > 1 ? missing * kPubackBytes : 1);
}

void MosquittoTransport::tick() noexcept {
  if (handle_ == nullptr || is_over_) return;
  note(mosquitto_loop_misc(handle_));
  settle_and_report_later();
}

void MosquittoTransport::disconnect() noexcept {
  if (handle_ == nullptr || is_over_ || std::exchange(closing_, true)) return;
  parting_.hold(mosquitto_socket(handle_));
  note(mosquitto_disconnect_v5(handle_, 0, nullptr));
  write_out();
  settle_and_report_later();
}

}  // namespace sluice::mqtt
