#include "event/resolver.h"

#include <fmt/format.h>
#include <netdb.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "event/loop.h"

namespace sluice::event {
namespace {

/// Name servers answer in milliseconds, and are asked again after 5 s.
constexpr std::chrono::seconds kSlow{1};

Addresses to_text(const addrinfo* list) {
  Addresses addresses;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    std::array<char, 64> text{};
    if (uv_ip_name(entry->ai_addr, text.data(), text.size()) != 0) continue;
    std::string address = text.data();
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) {
      addresses.push_back(std::move(address));
    }
  }
  return addresses;
}

Result<Addresses> ask(const std::string& host, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (status == EAI_SYSTEM) return Error{uv_strerror(-errno)};
  if (status != 0) return Error{::gai_strerror(status)};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, ::freeaddrinfo);
  return to_text(found);
}

}  // namespace

Resolver::~Resolver() {
  if (!is_busy()) return;
  lookup_->drop();
  loop_.names().cancel(lookup_);
}

bool Resolver::is_numeric(const std::string& host) noexcept {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return uv_inet_pton(AF_INET, host.c_str(), address.data()) == 0 ||
         uv_inet_pton(AF_INET6, host.c_str(), address.data()) == 0;
}

Result<std::string> Resolver::wait_for(const std::string& host) {
  if (is_numeric(host)) return host;
  const Result<Addresses> found = ask(host, 0);
  if (!found) return found.error();
  return found.value().empty() ? host : found.value().front();
}

Result<Addresses> Resolver::ask_system(const std::string& host) {
  // AI_ADDRCONFIG: no IPv6 addresses on a machine that has only IPv4.
  Result<Addresses> found = ask(host, AI_ADDRCONFIG);
  if (found && found.value().empty()) return Error{"no address"};
  return found;
}

void Resolver::resolve(const std::string& host) {
  if (is_busy()) return;
  answered_.reset(new uv_async_t);
  // It cannot fail: it needs the descriptor that the loop has had since its beginning.
  uv_async_init(loop_.raw(), answered_.get(), [](uv_async_t* handle) {
    if (auto* self = static_cast<Resolver*>(handle->data)) self->on_answered();
  });
  answered_->data = this;
  started_ = loop_.precise_now();
  lookup_ = std::make_shared<Lookup>(host, was_slow_, answered_.get());
  loop_.names().start(lookup_);
}

void Resolver::on_answered() noexcept {
  const std::shared_ptr<Lookup> lookup = std::exchange(lookup_, nullptr);
  lookup->drop();
  answered_.reset();
  Result<Addresses> answer = lookup->take();
  was_slow_ = !answer || loop_.precise_now() - started_ >= kSlow;
  if (!answer) answer = Error{fmt::format("name {}: {}", lookup->host(), answer.error().what)};
  resolved_(answer);
}

}  // namespace sluice::event
