#include "client/proxy_stream.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "event/timer.h"
#include "protocol/proxy_header.h"

namespace sluice::client {
namespace {

using Reader = protocol::ProxyHeaderReader;

constexpr std::string_view kUntrusted =
    "its address is not in [server] proxy_from, and proxy_protocol is \"required\"; connect "
    "through the load balancer, or add the address";
constexpr std::string_view kMissing =
    "no PROXY protocol header, but [server] proxy_protocol is \"required\"; let the load balancer "
    "send one";
constexpr std::string_view kCutOff = "the connection ended within the PROXY protocol header";
constexpr std::string_view kTwice =
    " behind another one; each proxy has to accept the header of the proxy before it, and to send "
    "one";
constexpr std::string_view kNotOnUnix =
    " on a Unix socket, but [server] proxy_from does not list \"unix\"";
constexpr std::string_view kOff =
    ", but [server] proxy_protocol is \"off\"; set it to \"required\" with the sender's address in "
    "proxy_from, or let the sender leave the header out";

}  // namespace

/// Freed when it is over: most connections live long after it.
struct ProxyStream::Search {
  ProxyHeader expected;
  Duration timeout;
  event::Timer timer;  // runs from the first byte that may belong to a header
  bool has_header = false;
  Reader reader = {};

  bool is_header_wanted() const noexcept {
    return expected == ProxyHeader::Required && !has_header;
  }
  std::string unwanted_header() const {
    const std::string_view why = has_header                             ? kTwice
                                 : expected == ProxyHeader::RefusedUnix ? kNotOnUnix
                                                                        : kOff;
    return fmt::format("received a PROXY protocol v{} header{}", reader.version(), why);
  }
};

ProxyStream::ProxyStream(event::Loop& loop, std::unique_ptr<event::Stream> below,
                         ProxyHeader expected, Duration header_timeout)
    : below_(std::move(below)),
      search_(new Search{expected, header_timeout, {loop, bind<&ProxyStream::on_timeout>(this)}}) {}

ProxyStream::~ProxyStream() = default;

void ProxyStream::set_handler(event::StreamHandler* handler) noexcept {
  handler_ = handler;
  below_->set_handler(search_ != nullptr ? this : handler);
}

void ProxyStream::on_read(std::span<const char> bytes) noexcept {
  if (search_->expected == ProxyHeader::UntrustedPeer) return on_refused(kUntrusted);
  std::string_view input(bytes.data(), bytes.size());
  while (!input.empty() && take_header(input)) {
  }
}

/// True: a whole header was taken off the input; another one, which is refused, may follow.
bool ProxyStream::take_header(std::string_view& input) noexcept {
  Reader& reader = search_->reader;
  std::size_t used = 0;
  const Reader::Result result = reader.step(input, used);
  if (reader.version() != 0 && !search_->is_header_wanted()) {
    on_refused(search_->unwanted_header());
    return false;
  }
  switch (result) {
    case Reader::Result::NeedMore:
      if (!search_->timer.is_active()) search_->timer.start(search_->timeout);
      return false;
    case Reader::Result::Absent:
      if (search_->is_header_wanted()) {
        on_refused(kMissing);
      } else {
        deliver(input);
      }
      return false;
    case Reader::Result::Malformed:
      on_refused(
          fmt::format("malformed PROXY protocol v{} header: {}", reader.version(), reader.fault()));
      return false;
    case Reader::Result::Found:
      break;
  }
  if (!reader.source().empty()) {
    announced_ = std::make_unique<event::Peer>(below_->peer());
    announced_->name = fmt::format("{} via {}", reader.source(), announced_->name);
  }
  search_->timer.stop();
  search_->has_header = true;
  reader = {};
  input.remove_prefix(used);
  return true;
}

/// There is no header, or no other one.
void ProxyStream::deliver(std::string_view input) noexcept {
  const std::unique_ptr<Search> over = step_aside();
  const std::string_view held = over->reader.held();
  if (!held.empty()) handler_->on_read(held);
  if (!input.empty()) handler_->on_read(input);
}

void ProxyStream::on_refused(std::string_view why) noexcept {
  const std::unique_ptr<Search> over = step_aside();
  handler_->on_refused(why);
}

void ProxyStream::on_end() noexcept {
  if (search_->timer.is_active()) give_up(kCutOff);
  handler_->on_end();
}

void ProxyStream::on_timeout() noexcept {
  give_up(fmt::format("the PROXY protocol header took longer than request_timeout_ms ({})",
                      search_->timeout.count()));
}

/// What was held will not become a header. If there has to be one, `why` is the reason.
void ProxyStream::give_up(std::string_view why) noexcept {
  if (search_->is_header_wanted()) {
    on_refused(why);
  } else {
    deliver({});
  }
}

std::unique_ptr<ProxyStream::Search> ProxyStream::step_aside() noexcept {
  search_->timer.stop();
  below_->set_handler(handler_);
  return std::move(search_);
}

}  // namespace sluice::client
