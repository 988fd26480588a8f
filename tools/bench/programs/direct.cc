// sluice-bench-direct: the limit. Publishes straight through libmosquitto, without sluice, over as
// many connections and with as large a window as sluice has, from one epoll loop, in the cheapest
// way known: the library writes only when asked to, a batch leaves in one corked write, a
// connection takes its turn when a good part of its window is free, and the loop sleeps when
// nothing can be sent. What sluice itself costs is the difference to this program. With --batched
// the library's socket is read and written in large pieces.
#include <mosquitto.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "measurement.h"
#include "options.h"
#include "report.h"
#include "socket_batch.h"

namespace sluice::bench {
namespace {

constexpr std::int64_t kLongestWaitNs =
    5'000'000;  // the phases of the measurement turn that exactly

/// What all messages are made of, built once.
struct Texts {
  std::string payload;
  std::vector<std::string> topics;
};

/// One libmosquitto connection that keeps its window full.
class Publisher {
 public:
  Publisher(const Options& options, Measurement& measurement, unsigned index, const Texts& texts);
  ~Publisher() { mosquitto_destroy(handle_); }
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  void open(int epoll_fd);
  bool is_connected() const { return connected_; }
  /// Free is what makes a batch worth its system calls; at a fixed rate any room is.
  bool has_room() const { return outstanding_ + least_batch_ <= options_.window; }

  void on_event(std::uint32_t events);
  /// Publishes what the window allows and writes it in as few segments as possible.
  void pump();
  /// Publishes one message that was due at `since`; write_batch() sends it.
  void publish_one(std::int64_t since);
  void write_batch();
  void keep_alive() { check(mosquitto_loop_misc(handle_), "loop_misc"); }

 private:
  void on_acknowledged(int mid);
  void write_out();
  void cork(bool on) const;
  std::optional<SocketBatch::Call> batch_call();
  std::optional<SocketBatch::WithoutWakeUp> without_wake_up() const;
  mosquitto* make_handle(unsigned index);
  static void check(int result, const char* call);

  const Options& options_;
  Measurement& measurement_;
  mosquitto* handle_;
  SocketBatch batch_;
  const Texts& texts_;
  unsigned next_device_;
  unsigned least_batch_;
  int epoll_fd_ = -1;
  std::int64_t now_ = 0;  ///< when the acknowledgements that are read now came
  bool connected_ = false;
  bool watching_writable_ = false;
  unsigned outstanding_ = 0;
  std::vector<std::int64_t> since_ = std::vector<std::int64_t>(65536);  ///< by message id
};

Publisher::Publisher(const Options& options, Measurement& measurement, unsigned index,
                     const Texts& texts)
    : options_(options),
      measurement_(measurement),
      handle_(make_handle(index)),
      texts_(texts),
      next_device_(index),
      least_batch_(options.rate > 0 ? 1 : std::max(1U, options.window / 2)) {
  if (handle_ == nullptr) fail("mosquitto_new failed");
  // No thread is started by this: it only keeps the library from writing inside publish.
  mosquitto_threaded_set(handle_, true);
  mosquitto_int_option(handle_, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
  mosquitto_int_option(handle_, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_int_option(handle_, MOSQ_OPT_SEND_MAXIMUM, static_cast<int>(options.window));
  mosquitto_connect_callback_set(handle_, [](mosquitto*, void* self, int code) {
    if (code != 0) fail("the broker refused a connection");
    static_cast<Publisher*>(self)->connected_ = true;
  });
  mosquitto_disconnect_callback_set(
      handle_, [](mosquitto*, void*, int) { fail("the broker ended a connection"); });
  mosquitto_publish_callback_set(handle_, [](mosquitto*, void* self, int mid) {
    static_cast<Publisher*>(self)->on_acknowledged(mid);
  });
}

mosquitto* Publisher::make_handle(unsigned index) {
  const auto nobody_to_wake = without_wake_up();
  return mosquitto_new(("bench-direct-" + std::to_string(index)).c_str(), true, this);
}

std::optional<SocketBatch::WithoutWakeUp> Publisher::without_wake_up() const {
  if (!options_.batched) return std::nullopt;
  return std::optional<SocketBatch::WithoutWakeUp>(std::in_place);
}

void Publisher::check(int result, const char* call) {
  if (result != MOSQ_ERR_SUCCESS) fail(std::string(call) + ": " + mosquitto_strerror(result));
}

void Publisher::open(int epoll_fd) {
  epoll_fd_ = epoll_fd;
  const auto nobody_to_wake = without_wake_up();
  check(mosquitto_connect(handle_, options_.host.c_str(), options_.port, 60), "connect");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = this;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, mosquitto_socket(handle_), &event) != 0) {
    fail("epoll_ctl failed");
  }
  write_out();  // CONNECT
}

void Publisher::on_event(std::uint32_t events) {
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) {
    now_ = now_ns();
    do {
      const auto call = batch_call();
      check(mosquitto_loop_read(handle_, 1), "loop_read");
    } while (batch_.has_unread());
  }
  if ((events & EPOLLOUT) != 0) write_out();
}

std::optional<SocketBatch::Call> Publisher::batch_call() {
  if (!options_.batched) return std::nullopt;
  return std::optional<SocketBatch::Call>(std::in_place, batch_, mosquitto_socket(handle_),
                                          SocketBatch::Mode::Batched);
}

void Publisher::pump() {
  if (!connected_ || watching_writable_) return;
  if (has_room() && measurement_.may_send()) {
    const std::int64_t now = now_ns();
    while (outstanding_ < options_.window && measurement_.may_send())
      publish_one(now);
  }
  write_batch();
}

void Publisher::write_batch() {
  // QoS 2 answers PUBREC with PUBREL: the library may have something to write by itself.
  if (watching_writable_ || !mosquitto_want_write(handle_)) return;
  now_ = now_ns();  // at QoS 0 the write itself acknowledges
  cork(true);
  write_out();
  cork(false);
}

void Publisher::publish_one(std::int64_t since) {
  const std::string& topic = texts_.topics[next_device_ % texts_.topics.size()];
  next_device_ += options_.connections;
  int mid = 0;
  const auto call = batch_call();
  check(mosquitto_publish(handle_, &mid, topic.c_str(), static_cast<int>(texts_.payload.size()),
                          texts_.payload.data(), options_.qos, false),
        "publish");
  since_[static_cast<std::size_t>(mid)] = since;
  ++outstanding_;
  measurement_.on_sent();
}

void Publisher::on_acknowledged(int mid) {
  --outstanding_;
  measurement_.on_success(since_[static_cast<std::size_t>(mid)], now_);
}

void Publisher::write_out() {
  batch_.send(mosquitto_socket(handle_));
  {
    const auto call = batch_call();
    check(mosquitto_loop_write(handle_, 1), "loop_write");
  }
  if (batch_.failure() != 0) fail("the broker ended a connection");
  const bool want = batch_.has_unsent() || mosquitto_want_write(handle_);
  if (want == watching_writable_) return;
  watching_writable_ = want;
  epoll_event event{};
  event.events = EPOLLIN;
  if (want) event.events |= EPOLLOUT;
  event.data.ptr = this;
  epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, mosquitto_socket(handle_), &event);
}

void Publisher::cork(bool on) const {
  if (options_.batched) return;
  const int value = on ? 1 : 0;
  setsockopt(mosquitto_socket(handle_), IPPROTO_TCP, TCP_CORK, &value, sizeof value);
}

/// All publishers in one loop; a turn reads first, then lets those that were read fill their
/// window.
class Fleet {
 public:
  Fleet(const Options& options, Measurement& measurement)
      : options_(options), measurement_(measurement), epoll_fd_(epoll_create1(EPOLL_CLOEXEC)) {
    texts_.payload = make_payload(options);
    for (unsigned i = 0; i < options.devices; ++i)
      texts_.topics.push_back(topic_of(options.first_device + i));
    for (unsigned i = 0; i < options.connections; ++i) {
      publishers_.push_back(std::make_unique<Publisher>(options, measurement, i, texts_));
    }
  }
  ~Fleet() { ::close(epoll_fd_); }
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  void run();

 private:
  bool all_connected() const;
  void turn(std::int64_t wait_ns);
  bool pump_all();
  void send_due();
  std::int64_t wait_ns() const;
  void keep_alive();

  const Options& options_;
  Measurement& measurement_;
  int epoll_fd_;
  Texts texts_;
  std::int64_t next_keep_alive_ = 0;
  std::vector<std::unique_ptr<Publisher>> publishers_;
  std::size_t next_publisher_ = 0;
};

void Fleet::run() {
  for (auto& publisher : publishers_)
    publisher->open(epoll_fd_);
  const std::int64_t deadline = now_ns() + 10'000'000'000;
  while (!all_connected()) {
    if (now_ns() > deadline) fail("the broker does not answer");
    turn(kLongestWaitNs);
  }
  measurement_.begin();
  bool more = true;
  while (!measurement_.is_over()) {
    if (options_.rate > 0) {
      send_due();
      turn(wait_ns());
    } else {
      if (more) more = pump_all();
      turn(more ? 0 : kLongestWaitNs);
    }
    measurement_.tick(now_ns());
    keep_alive();
  }
}

bool Fleet::all_connected() const {
  return std::all_of(publishers_.begin(), publishers_.end(),
                     [](const auto& publisher) { return publisher->is_connected(); });
}

void Fleet::turn(std::int64_t wait_ns) {
  std::array<epoll_event, 256> events;
  const timespec wait{0, wait_ns};
  const int count =
      epoll_pwait2(epoll_fd_, events.data(), static_cast<int>(events.size()), &wait, nullptr);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    auto* publisher = static_cast<Publisher*>(event.data.ptr);
    publisher->on_event(event.events);
    if (options_.rate > 0) {
      publisher->write_batch();
    } else {
      publisher->pump();
    }
  }
}

/// True when a publisher could go on at once: QoS 0 is done with the write itself.
bool Fleet::pump_all() {
  bool more = false;
  for (auto& publisher : publishers_) {
    publisher->pump();
    more = more || (measurement_.may_send() && publisher->has_room());
  }
  return more;
}

/// The open loop: messages leave at their time, in turn over the connections that have room.
void Fleet::send_due() {
  const std::int64_t now = now_ns();
  std::size_t without_room = 0;
  while (measurement_.may_send() && measurement_.next_due() <= now &&
         without_room < publishers_.size()) {
    Publisher& publisher = *publishers_[next_publisher_];
    next_publisher_ = (next_publisher_ + 1) % publishers_.size();
    if (!publisher.has_room()) {
      ++without_room;
      continue;
    }
    without_room = 0;
    publisher.publish_one(measurement_.next_due());
  }
  for (auto& publisher : publishers_)
    publisher->write_batch();
}

std::int64_t Fleet::wait_ns() const {
  if (!measurement_.may_send()) return kLongestWaitNs;
  return std::clamp<std::int64_t>(measurement_.next_due() - now_ns(), 0, kLongestWaitNs);
}

void Fleet::keep_alive() {
  if (now_ns() < next_keep_alive_) return;
  next_keep_alive_ = now_ns() + 500'000'000;
  for (auto& publisher : publishers_)
    publisher->keep_alive();
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) {
  using namespace sluice::bench;
  const Options options = parse_options(
      argc, argv, "Publishes straight to a broker through libmosquitto: the ceiling for sluice.");
  std::signal(SIGPIPE, SIG_IGN);
  mosquitto_lib_init();
  Measurement measurement(options);
  {
    Fleet fleet(options, measurement);
    fleet.run();
  }
  mosquitto_lib_cleanup();
  print(measurement.report(), options);
  return measurement.report().is_clean() ? 0 : 1;
}
