#include "event/resolver.h"

#include <fmt/format.h>
#include <netdb.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <utility>

#include "event/loop.h"

namespace sluice::event {

struct Resolver::Request {
  uv_getaddrinfo_t uv{};
  Resolver* owner = nullptr;  // null after it was destroyed
  std::string host;
};

namespace {

Resolver::Addresses to_text(const addrinfo* list) {
  Resolver::Addresses addresses;
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

}  // namespace

Resolver::Resolver(Loop& loop, Delegate<void(const Result<Addresses>&)> resolved)
    : loop_(loop), resolved_(resolved), report_(loop, bind<&Resolver::report_failure>(this)) {}

Resolver::~Resolver() {
  if (request_ == nullptr) return;
  request_->owner = nullptr;
  uv_cancel(reinterpret_cast<uv_req_t*>(&request_->uv));
}

bool Resolver::is_numeric(const std::string& host) noexcept {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return uv_inet_pton(AF_INET, host.c_str(), address.data()) == 0 ||
         uv_inet_pton(AF_INET6, host.c_str(), address.data()) == 0;
}

Result<std::string> Resolver::wait_for(const std::string& host) {
  if (is_numeric(host)) return host;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (status != 0) return Error{::gai_strerror(status)};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, ::freeaddrinfo);
  const Addresses addresses = to_text(found);
  return addresses.empty() ? host : addresses.front();
}

void Resolver::resolve(const std::string& host) {
  if (is_busy()) return;
  auto request = std::make_unique<Request>();
  request->owner = this;
  request->host = host;
  request->uv.data = request.get();
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;  // no IPv6 addresses on a machine that has only IPv4
  const auto on_answer = [](uv_getaddrinfo_t* uv, int status, addrinfo* list) {
    const std::unique_ptr<Request> answered(static_cast<Request*>(uv->data));
    Addresses addresses = to_text(list);
    uv_freeaddrinfo(list);
    Resolver* owner = answered->owner;
    if (owner == nullptr) return;
    owner->request_ = nullptr;
    if (status != 0 || addresses.empty()) {
      const char* reason = status != 0 ? uv_strerror(status) : "no address";
      owner->resolved_(Error{fmt::format("name {}: {}", answered->host, reason)});
      return;
    }
    owner->resolved_(std::move(addresses));
  };
  const int status =
      uv_getaddrinfo(loop_.raw(), &request->uv, on_answer, request->host.c_str(), nullptr, &hints);
  if (status != 0) {
    failure_ = Error{fmt::format("name {}: {}", host, uv_strerror(status))};
    report_.schedule();
    return;
  }
  request_ = request.release();
}

/// An invalid name fails at once, but resolve() must not call back before it returns.
void Resolver::report_failure() noexcept {
  const Error failure = *std::exchange(failure_, std::nullopt);
  resolved_(failure);
}

}  // namespace sluice::event
