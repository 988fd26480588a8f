// Lays out a request's texts in its block, and computes its size.
#include "protocol/request.h"

#include <cassert>
#include <cstring>
#include <functional>
#include <limits>

namespace sluice::protocol {
namespace {

/// Blocks are a multiple of this, so that requests of about one size can use each other's.
constexpr std::size_t kRounding = 64;
/// How much of a spare block may stay unused, so that bytes() is close to the memory held.
constexpr std::size_t kMaxUnused = 192;
/// A shared block is at most 1 / kAroundDivisor larger than the payload. Bytes never written to
/// count, too: memory that the heap has used before has its pages.
constexpr std::size_t kAroundDivisor = 4;

std::size_t size_of(const std::optional<std::string>& text) {
  return text ? text->size() : 0;
}

std::size_t size_of(const Properties& properties) {
  std::size_t bytes = sizeof(Properties) + size_of(properties.content_type) +
                      size_of(properties.response_topic) + size_of(properties.correlation_data);
  for (const auto& entry : properties.user) {
    bytes += sizeof(entry) + entry.first.size() + entry.second.size();
  }
  return bytes;
}

/// Copies `text` into the block at `at`, moves `at` behind it and returns its size.
std::uint32_t put(char* block, std::uint32_t& at, std::string_view text) {
  if (!text.empty()) std::memcpy(block + at, text.data(), text.size());
  const auto size = static_cast<std::uint32_t>(text.size());
  at += size;
  return size;
}

}  // namespace

Request Request::make(std::string_view topic, std::string_view payload, std::string_view id,
                      std::string_view token, std::unique_ptr<Properties> properties,
                      RequestBlock spare, const Block* around) {
  const bool is_large = payload.size() >= kLargePayload;
  const std::size_t inside = is_large ? 0 : payload.size();
  const std::size_t size = topic.size() + 1 + id.size() + token.size() + inside;
  assert(size - inside + payload.size() <= std::numeric_limits<std::uint32_t>::max());
  Request request;
  if (spare.capacity >= size && spare.capacity - size <= kMaxUnused) {
    request.block_ = std::move(spare);
  } else {
    const std::size_t capacity = (size + kRounding - 1) / kRounding * kRounding;
    request.block_ = {std::make_unique_for_overwrite<char[]>(capacity),
                      static_cast<std::uint32_t>(capacity)};
  }
  if (properties != nullptr) {
    request.properties_bytes_ = static_cast<std::uint32_t>(size_of(*properties));
  }
  request.properties_ = std::move(properties);
  char* const block = request.block_.bytes.get();
  std::uint32_t at = 0;
  request.topic_size_ = put(block, at, topic);
  block[at++] = '\0';
  request.id_at_ = at;
  request.id_size_ = put(block, at, id);
  request.token_at_ = at;
  request.token_size_ = put(block, at, token);
  request.payload_at_ = at;
  request.payload_size_ = put(block, at, payload.substr(0, inside));
  if (is_large) request.put_payload_apart(payload, around);
  return request;
}

void Request::put_payload_apart(std::string_view payload, const Block* around) {
  const std::less_equal<> is_up_to;
  const bool lies_inside =
      around != nullptr && is_up_to(around->data(), payload.data()) &&
      is_up_to(payload.data() + payload.size(), around->data() + around->touched());
  if (lies_inside && around->capacity() - payload.size() <= payload.size() / kAroundDivisor) {
    payload_block_ = around->share();
    payload_at_ = static_cast<std::uint32_t>(payload.data() - around->data());
  } else {
    payload_block_ = Block::make(payload.size());
    std::memcpy(payload_block_.data(), payload.data(), payload.size());
    payload_block_.touch(payload.size());
    payload_at_ = 0;
  }
  payload_size_ = static_cast<std::uint32_t>(payload.size());
}

}  // namespace sluice::protocol
