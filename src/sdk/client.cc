// The public face: forwards to Connection, which stays out of the installed header.
#include "sluice/client.h"

#include <utility>

#include "sdk/connection.h"

namespace sluice {

class Client::Impl : public sdk::Connection {
  using Connection::Connection;
};

std::string_view to_string(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::Published:
      return "published";
    case Outcome::NotPublished:
      return "not published";
    case Outcome::Unknown:
      return "unknown";
    case Outcome::Partial:
      return "partial";
    case Outcome::Refused:
      return "refused";
  }
  return "unknown";
}

Client::Client(ClientOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Client::~Client() = default;
Client::Client(Client&& other) noexcept = default;
Client& Client::operator=(Client&& other) noexcept = default;

bool Client::connect(std::string_view address) {
  return impl_->connect(address);
}
bool Client::is_connected() const noexcept {
  return impl_->fd() >= 0;
}
const std::string& Client::error() const noexcept {
  return impl_->error();
}
void Client::close() {
  impl_->close();
}
PublishResult Client::publish(const Message& message) {
  return impl_->publish(message);
}
std::optional<Ticket> Client::submit(const Message& message) {
  return impl_->submit(message);
}
bool Client::can_submit() const noexcept {
  return impl_->can_submit();
}
std::optional<PublishResult> Client::next_result(std::chrono::milliseconds timeout) {
  return impl_->next_result(timeout);
}
std::size_t Client::outstanding() const noexcept {
  return impl_->outstanding();
}
int Client::native_handle() const noexcept {
  return impl_->fd();
}
bool Client::wants_write() const noexcept {
  return impl_->wants_write();
}

}  // namespace sluice
