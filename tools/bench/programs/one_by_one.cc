// sluice-bench-one-by-one: the model of the server that sluice replaces. Each task (a thread here)
// has one blocking MQTT connection, writes a PUBLISH in two small pieces with Nagle's algorithm on,
// and waits for the PUBACK before it takes the next message.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "measurement.h"
#include "options.h"
#include "publisher_wire.h"
#include "report.h"

namespace sluice::bench {
namespace {

/// One task: connects, then publishes one message after the other.
class Task {
 public:
  Task(const Options& options, unsigned index) : options_(options), next_device_(index) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options.port);
    inet_pton(AF_INET, options.host.c_str(), &address.sin_addr);
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      fail(std::string("cannot connect: ") + std::strerror(errno));
    }
    write_all(connect_packet(4, "bench-task-" + std::to_string(index)));
    if (read_packet()[3] != 0) fail("the broker refused a connection");
  }
  ~Task() { ::close(socket_); }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  /// Returns when the broker has acknowledged.
  void publish(const std::string& payload) {
    const unsigned device = options_.first_device + next_device_ % options_.devices;
    next_device_ += options_.connections;
    message_id_ = static_cast<std::uint16_t>(message_id_ == 65535 ? 1 : message_id_ + 1);
    const std::string id{static_cast<char>(message_id_ >> 8), static_cast<char>(message_id_)};
    const std::string body = counted(topic_of(device)) + id + payload;
    write_all(fixed_header(0x32, body.size()));
    write_all(body);
    if (read_packet()[0] != 0x40) fail("the broker answered with something else than PUBACK");
  }

 private:
  void write_all(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t done = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (done < 0) fail(std::string("write: ") + std::strerror(errno));
      bytes.remove_prefix(static_cast<std::size_t>(done));
    }
  }

  /// CONNACK and PUBACK of MQTT 3.1.1 are four bytes each.
  std::array<unsigned char, 4> read_packet() const {
    std::array<unsigned char, 4> packet{};
    if (::recv(socket_, packet.data(), packet.size(), MSG_WAITALL) != ssize_t{packet.size()}) {
      fail("the broker ended a connection");
    }
    return packet;
  }

  const Options& options_;
  unsigned next_device_;
  int socket_ = -1;
  std::uint16_t message_id_ = 0;
};

void work(Task& task, Measurement& measurement, std::mutex& mutex, const std::string& payload) {
  std::unique_lock lock(mutex);
  while (measurement.may_send()) {
    measurement.on_sent();
    lock.unlock();
    const std::int64_t since = now_ns();
    task.publish(payload);
    lock.lock();
    const std::int64_t now = now_ns();
    measurement.on_success(since, now);
    measurement.tick(now);
  }
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) {
  using namespace sluice::bench;
  const Options options = parse_options(
      argc, argv,
      "Publishes to a broker as the replaced server does: one message at a time and task, QoS 1.");
  Measurement measurement(options);
  std::mutex mutex;
  const std::string payload = make_payload(options);
  std::vector<std::unique_ptr<Task>> tasks;
  for (unsigned i = 0; i < options.connections; ++i) {
    tasks.push_back(std::make_unique<Task>(options, i));
  }
  measurement.begin();
  std::vector<std::thread> threads;
  threads.reserve(tasks.size());
  for (auto& task : tasks) {
    threads.emplace_back([&] { work(*task, measurement, mutex, payload); });
  }
  for (std::thread& thread : threads)
    thread.join();
  measurement.tick(now_ns());
  print(measurement.report(), options);
  return measurement.report().is_clean() ? 0 : 1;
}
