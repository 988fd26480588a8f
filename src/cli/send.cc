// The command `sluice send`: a thin user of the client library.
#include "cli/send.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>

#include "cli/send_lines.h"
#include "cli/send_text.h"
#include "sdk/socket.h"

namespace sluice::cli {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// Where the server's own deadline applies, which is a minute at most unless it is configured so.
constexpr milliseconds kLongest{75000};
constexpr milliseconds kConnectTimeout{5000};

milliseconds patience_of(const SendOptions& options, const SendStreams& streams) {
  if (!options.timeout_ms) return kLongest;
  return milliseconds{*options.timeout_ms} + streams.reply_margin;
}

/// Connects on a thread of its own, since no lookup of a name can be interrupted. Null, with the
/// reason, where it failed or took longer than until `deadline`; a thread that is stuck ends with
/// the process.
std::unique_ptr<Client> connect_to_name(const ClientOptions& options, const std::string& address,
                                        Clock::time_point deadline, std::string& fault) {
  struct Attempt {
    explicit Attempt(const ClientOptions& given) : client(std::make_unique<Client>(given)) {}
    std::unique_ptr<Client> client;
    std::promise<bool> connected;
  };
  const auto attempt = std::make_shared<Attempt>(options);
  std::future<bool> connected = attempt->connected.get_future();
  std::thread thread(
      [attempt, address] { attempt->connected.set_value(attempt->client->connect(address)); });
  if (connected.wait_until(deadline) != std::future_status::ready) {
    thread.detach();
    fault = address + ": the name lookup has not ended in time";
    return nullptr;
  }
  thread.join();
  if (connected.get()) return std::move(attempt->client);
  fault = attempt->client->error();
  return nullptr;
}

std::unique_ptr<Client> connect(const ClientOptions& options, const std::string& address,
                                Clock::time_point deadline, std::string& fault) {
  if (sdk::parse_address(address).has_name())
    return connect_to_name(options, address, deadline, fault);
  auto client = std::make_unique<Client>(options);
  if (client->connect(address)) return client;
  fault = client->error();
  return nullptr;
}

int send_one(Client& client, const SendOptions& options, const SendStreams& streams,
             Clock::time_point deadline) {
  (void)client.submit(message_of(options, options.message));
  const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
  auto result = client.next_result(std::max(left, milliseconds{0}));
  if (!result) {
    client.close();  // which settles it
    result = client.next_result(milliseconds{0});
    if (!result) return 1;
    result->error = "no_reply";
    result->detail = fmt::format("none within {} ms", patience_of(options, streams).count());
  }
  if (result->reply.empty()) {
    (void)write_all(streams.errors, fmt::format("sluice send: {}\n", describe(*result)));
    return 1;
  }
  if (!write_all(streams.output, printable_reply(result->reply) + "\n")) return 1;
  return result->outcome == Outcome::Published ? 0 : 1;
}

std::string usage_fault(const SendOptions& options) {
  if (options.json && options.base64) return "--json and --base64 exclude each other";
  if (options.id && options.message == "-") return "--id needs a single message, not '-'";
  const std::string fault = sdk::parse_address(options.address).fault;
  return fault.empty() ? fault : fmt::format("--address {}: {}", options.address, fault);
}

}  // namespace

int run_send(const SendOptions& options, const SendStreams& streams) {
  const auto complain = [&streams](std::string_view what) {
    (void)write_all(streams.errors, fmt::format("sluice send: {}\n", printable(what)));
  };
  if (const std::string fault = usage_fault(options); !fault.empty()) {
    complain(fault);
    return 2;
  }
  const bool is_single = options.message != "-";
  const milliseconds patience = patience_of(options, streams);
  const Clock::time_point deadline = Clock::now() + patience;
  ClientOptions client_options;
  client_options.token = options.token.value_or("");
  client_options.window = streams.window;
  client_options.own_ids = !is_single;
  client_options.connect_timeout = std::min(kConnectTimeout, patience);
  client_options.reply_timeout = milliseconds{0};  // the command keeps its own deadline
  std::string fault;
  const std::unique_ptr<Client> client = connect(client_options, options.address, deadline, fault);
  if (client == nullptr) {
    complain("cannot connect to " + fault);
    return 1;
  }
  if (is_single) return send_one(*client, options, streams, deadline);
  return send_lines(*client, options, streams, patience);
}

int run_send(const SendOptions& options) {
  SendStreams streams;
  streams.show_progress = ::isatty(streams.errors) == 1;
  return run_send(options, streams);
}

}  // namespace sluice::cli
