// The order of replies; see the header.
#include "client/ordered_replies.h"

#include <utility>

namespace sluice::client {
namespace {

constexpr std::size_t kNodeBytes = 96;  // what a kept text costs besides itself

}  // namespace

void OrderedReplies::keep(std::uint64_t slot, std::string text) {
  if (slot < next_ || slot > last_) return;
  const std::size_t bytes = text.size() + kNodeBytes;
  if (kept_.emplace(slot, std::move(text)).second) kept_bytes_ += bytes;
}

void OrderedReplies::advance(std::string& out) {
  ++next_;
  while (!kept_.empty() && kept_.begin()->first == next_) {
    out += kept_.begin()->second;
    kept_bytes_ -= kept_.begin()->second.size() + kNodeBytes;
    kept_.erase(kept_.begin());
    ++next_;
  }
}

void OrderedReplies::drop_kept() noexcept {
  kept_.clear();
  kept_bytes_ = 0;
}

}  // namespace sluice::client
