// Writes requests, cuts replies at newlines, and reads in them what the ledger wants to know.
#include "load_client.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <tuple>

#include "net.h"

namespace sluice::ledger_run {
namespace {

/// An id is device * kPerDevice + number.
constexpr std::uint64_t kPerDevice = 1'000'000'000;
constexpr std::size_t kQos2OneIn = 4;
constexpr std::size_t kLargeOneIn = 250;
constexpr std::size_t kLargeBytes = 16'000;
constexpr std::size_t kUsualBytes = 150;

std::string_view text_after(std::string_view line, std::string_view name) {
  const std::size_t at = line.find(name);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = line.substr(at + name.size());
  return rest.substr(0, rest.find('"'));
}

AnswerKind outcome_of(std::string_view error) {
  if (error == "timeout") return AnswerKind::Timeout;
  if (error == "broker_unavailable") return AnswerKind::Unavailable;
  if (error == "rejected") return AnswerKind::Rejected;
  if (error == "overloaded") return AnswerKind::Overloaded;
  return AnswerKind::Other;
}

Published published_of(std::string_view text) {
  if (text.empty()) return Published::None;
  if (text == "no") return Published::No;
  if (text == "unknown") return Published::Unknown;
  return Published::Other;
}

}  // namespace

Answer parse_answer(std::string_view line) {
  Answer answer;
  // `detail`, the one member with free text, comes after these.
  answer.published = published_of(text_after(line, "\"published\":\""));
  answer.outcome = line.starts_with("{\"code\":1,") ? AnswerKind::Ok
                                                    : outcome_of(text_after(line, "\"error\":\""));
  return answer;
}

LoadClient::LoadClient(Poller& poller, RunLedger& ledger, ClientPlan plan, std::uint64_t seed,
                       ExcusedDelay excused_delay)
    : poller_(poller),
      ledger_(ledger),
      plan_(std::move(plan)),
      random_(seed),
      excused_delay_(std::move(excused_delay)) {}

LoadClient::~LoadClient() {
  if (fd_ >= 0) ::close(fd_);
}

bool LoadClient::connect(std::uint16_t port) {
  fd_ = connect_to(port);
  if (fd_ < 0) return false;
  poller_.watch(fd_, *this, EPOLLIN);
  return true;
}

void LoadClient::send_one() {
  const bool is_qos2 =
      (random_.one_in(kQos2OneIn) || plan_.qos1_devices.empty()) && !plan_.qos2_devices.empty();
  const auto& devices = is_qos2 ? plan_.qos2_devices : plan_.qos1_devices;
  const std::uint32_t device = devices[random_.below(devices.size())];
  const std::size_t size =
      random_.one_in(kLargeOneIn) ? random_.below(kLargeBytes) : random_.below(kUsualBytes);
  const std::string device_text = std::to_string(device);
  const std::uint32_t number = ledger_.on_sent(device, now_ns());
  output_ += "{\"device_id\":" + device_text + ",\"mqtt_topic\":\"ledger/" + device_text;
  output_ += "\",\"message\":\"" + device_text + ':' + std::to_string(number) + ':';
  output_.append(size, 'x');
  output_ += is_qos2 ? "\",\"qos\":2" : "\",\"qos\":1";
  output_ += ",\"timeout_ms\":" + std::to_string(plan_.timeout / kMillisecond);
  if (plan_.uses_ids) {
    output_ += ",\"id\":" + std::to_string(device * kPerDevice + number);
  } else {
    in_order_.emplace_back(device, number);
  }
  output_ += "}\n";
  ++outstanding_;
}

void LoadClient::flush() {
  while (fd_ >= 0 && written_ < output_.size()) {
    const ssize_t done =
        ::send(fd_, output_.data() + written_, output_.size() - written_, MSG_NOSIGNAL);
    if (done >= 0) {
      written_ += static_cast<std::size_t>(done);
    } else if (errno == EAGAIN) {
      watch_writable(true);
      return;
    } else if (errno != EINTR) {
      lose();
      return;
    }
  }
  output_.clear();
  written_ = 0;
  if (fd_ >= 0) watch_writable(false);
}

void LoadClient::on_events(std::uint32_t events) {
  if (fd_ >= 0 && (events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) read();
  if (fd_ >= 0 && (events & EPOLLOUT) != 0) flush();
}

void LoadClient::read() {
  std::array<char, 65536> buffer;
  const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
    lose();
    return;
  }
  if (got < 0) return;
  input_.append(buffer.data(), static_cast<std::size_t>(got));
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = input_.find('\n', begin)) != std::string::npos;) {
    take_reply(std::string_view(input_).substr(begin, end - begin));
    begin = end + 1;
  }
  input_.erase(0, begin);
}

void LoadClient::take_reply(std::string_view line) {
  std::uint64_t device = 0;
  std::uint64_t number = UINT64_MAX;
  if (plan_.uses_ids) {
    const std::size_t at = line.rfind("\"id\":");
    std::uint64_t id = 0;
    if (at != std::string_view::npos) {
      std::from_chars(line.data() + at + 5, line.data() + line.size(), id);
    }
    device = id / kPerDevice;
    number = id % kPerDevice;
  } else if (!in_order_.empty()) {
    std::tie(device, number) = in_order_.front();
    in_order_.pop_front();
  }
  if (outstanding_ > 0) --outstanding_;
  const Nanoseconds now = now_ns();
  const auto of = static_cast<std::uint32_t>(device);
  const Nanoseconds excused_delay = excused_delay_(ledger_.deadline_of(of, number), now);
  ledger_.on_answered(of, number, parse_answer(line), now, excused_delay);
}

void LoadClient::lose() {
  ::close(fd_);
  fd_ = -1;
  if (end_is_expected_ && outstanding_ == 0) return;
  ledger_.violations().add(Breach::ConnectionLost, [this] {
    return "a client's connection ended with " + std::to_string(outstanding_) +
           " requests unanswered";
  });
}

void LoadClient::watch_writable(bool on) {
  if (on == watches_writable_) return;
  watches_writable_ = on;
  poller_.change(fd_, *this, on ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

}  // namespace sluice::ledger_run
