#include "client/input_budget.h"

#include "client/client_connection.h"

namespace sluice::client {

InputBudget::InputBudget(event::Loop& loop, std::size_t limit) noexcept
    : limit_(limit), admit_(loop, bind<&InputBudget::admit_next>(this)) {}

void InputBudget::set_limit(std::size_t limit) noexcept {
  limit_ = limit;
  if (!waiting_.empty() && has_room()) admit_.schedule();
}

bool InputBudget::has_room() const noexcept {
  const std::size_t held = partial_ + complete_;
  return held == 0 || held < limit_ - limit_ / 4;
}

void InputBudget::change(std::size_t& sum, std::uint32_t& counted, std::size_t bytes) noexcept {
  sum = sum - counted + bytes;
  // Fits: one client holds little more than one request.
  counted = static_cast<std::uint32_t>(bytes);
  if (!waiting_.empty() && has_room()) admit_.schedule();
}

void InputBudget::set_partial(std::uint32_t& counted, std::size_t bytes) noexcept {
  change(partial_, counted, bytes);
}

void InputBudget::set_complete(std::uint32_t& counted, std::size_t bytes) noexcept {
  change(complete_, counted, bytes);
}

void InputBudget::wait(ClientConnection& client) noexcept {
  waiting_.push_back(client);
}

void InputBudget::stop_waiting(ClientConnection& client) noexcept {
  waiting_.remove(client);
}

void InputBudget::admit_next() noexcept {
  if (waiting_.empty() || !has_room()) return;
  waiting_.front().admit();  // calls stop_waiting()
  if (!waiting_.empty()) admit_.schedule();
}

}  // namespace sluice::client
