// sluice-bench-direct: the ceiling. Publishes straight through libmosquitto, without sluice, over
// as many connections and with as large a window as sluice has, from one epoll loop. What sluice
// itself costs is the difference to this program.
#include <mosquitto.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "measurement.h"
#include "options.h"
#include "report.h"

namespace sluice::bench {
namespace {

/// One libmosquitto connection that keeps its window full.
class Publisher {
 public:
  Publisher(const Options& options, Measurement& measurement, unsigned index, std::string payload);
  ~Publisher() { mosquitto_destroy(handle_); }
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  void open(int epoll_fd);
  bool is_connected() const { return connected_; }
  bool has_room() const { return outstanding_ < options_.window; }

  void on_event(std::uint32_t events);
  /// Publishes what the window allows and writes it in as few segments as possible.
  void pump();
  void keep_alive() { check(mosquitto_loop_misc(handle_), "loop_misc"); }

 private:
  void publish_one();
  void on_acknowledged(int mid);
  void write_out();
  void cork(bool on) const;
  static void check(int result, const char* call);

  const Options& options_;
  Measurement& measurement_;
  mosquitto* handle_;
  std::string payload_;
  unsigned next_device_;
  int epoll_fd_ = -1;
  bool connected_ = false;
  bool watching_writable_ = false;
  unsigned outstanding_ = 0;
  std::vector<std::int64_t> since_ = std::vector<std::int64_t>(65536);  ///< by message id
};

Publisher::Publisher(const Options& options, Measurement& measurement, unsigned index,
                     std::string payload)
    : options_(options),
      measurement_(measurement),
      handle_(mosquitto_new(("bench-direct-" + std::to_string(index)).c_str(), true, this)),
      payload_(std::move(payload)),
      next_device_(index) {
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

void Publisher::check(int result, const char* call) {
  if (result != MOSQ_ERR_SUCCESS) fail(std::string(call) + ": " + mosquitto_strerror(result));
}

void Publisher::open(int epoll_fd) {
  epoll_fd_ = epoll_fd;
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
    check(mosquitto_loop_read(handle_, 1), "loop_read");
  }
  if ((events & EPOLLOUT) != 0) write_out();
}

void Publisher::pump() {
  if (!connected_ || watching_writable_) return;
  bool published = false;
  while (has_room() && measurement_.may_send()) {
    publish_one();
    published = true;
  }
  // QoS 2 answers PUBREC with PUBREL: the library may have something to write by itself.
  if (!published && !mosquitto_want_write(handle_)) return;
  cork(true);
  write_out();
  cork(false);
}

void Publisher::publish_one() {
  const std::string topic = topic_of(options_.first_device + next_device_ % options_.devices);
  next_device_ += options_.connections;
  int mid = 0;
  check(mosquitto_publish(handle_, &mid, topic.c_str(), static_cast<int>(payload_.size()),
                          payload_.data(), options_.qos, false),
        "publish");
  since_[static_cast<std::size_t>(mid)] = now_ns();
  ++outstanding_;
  measurement_.on_sent();
}

void Publisher::on_acknowledged(int mid) {
  --outstanding_;
  measurement_.on_success(since_[static_cast<std::size_t>(mid)], now_ns());
}

void Publisher::write_out() {
  check(mosquitto_loop_write(handle_, 1), "loop_write");
  const bool want = mosquitto_want_write(handle_);
  if (want == watching_writable_) return;
  watching_writable_ = want;
  epoll_event event{};
  event.events = EPOLLIN;
  if (want) event.events |= EPOLLOUT;
  event.data.ptr = this;
  epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, mosquitto_socket(handle_), &event);
}

void Publisher::cork(bool on) const {
  const int value = on ? 1 : 0;
  setsockopt(mosquitto_socket(handle_), IPPROTO_TCP, TCP_CORK, &value, sizeof value);
}

/// All publishers in one loop; a turn reads first, then lets each fill its window.
class Fleet {
 public:
  Fleet(const Options& options, Measurement& measurement)
      : measurement_(measurement), epoll_fd_(epoll_create1(EPOLL_CLOEXEC)) {
    const std::string payload = make_payload(options);
    for (unsigned i = 0; i < options.connections; ++i) {
      publishers_.push_back(std::make_unique<Publisher>(options, measurement, i, payload));
    }
  }
  ~Fleet() { ::close(epoll_fd_); }
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  void run() {
    for (auto& publisher : publishers_)
      publisher->open(epoll_fd_);
    const std::int64_t deadline = now_ns() + 10'000'000'000;
    while (!all_connected()) {
      if (now_ns() > deadline) fail("the broker does not answer");
      turn(10);
    }
    measurement_.begin();
    while (!measurement_.is_over()) {
      turn(pump_all() ? 0 : 5);
      measurement_.tick(now_ns());
      keep_alive();
    }
  }

 private:
  bool all_connected() const {
    for (const auto& publisher : publishers_) {
      if (!publisher->is_connected()) return false;
    }
    return true;
  }

  void turn(int wait_ms) {
    std::array<epoll_event, 256> events;
    const int count =
        epoll_wait(epoll_fd_, events.data(), static_cast<int>(events.size()), wait_ms);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      static_cast<Publisher*>(event.data.ptr)->on_event(event.events);
    }
  }

  /// True when a publisher could go on at once: QoS 0 is done with the write itself.
  bool pump_all() {
    bool more = false;
    for (auto& publisher : publishers_) {
      publisher->pump();
      more = more || (measurement_.may_send() && publisher->has_room());
    }
    return more;
  }

  void keep_alive() {
    if (now_ns() < next_keep_alive_) return;
    next_keep_alive_ = now_ns() + 500'000'000;
    for (auto& publisher : publishers_)
      publisher->keep_alive();
  }

  Measurement& measurement_;
  int epoll_fd_;
  std::int64_t next_keep_alive_ = 0;
  std::vector<std::unique_ptr<Publisher>> publishers_;
};

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
