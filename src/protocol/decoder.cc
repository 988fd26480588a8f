// Builds Requests from Members: defaults, payload, properties.
#include "protocol/decoder.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "protocol/base64.h"
#include "protocol/fast_path.h"
#include "protocol/json_reader.h"
#include "protocol/members.h"
#include "protocol/white_space.h"

namespace sluice::protocol {
namespace {

using Name = Members::Name;

constexpr std::size_t kMaxConvertedBytes = 1 << 20;
/// Limit of spare blocks, list entries included.
constexpr std::size_t kMaxSpareBytes = 1 << 20;
constexpr std::size_t kMaxSpareSize = 1024;
constexpr std::size_t kMaxBinaryBytes = 65535;  // MQTT 5.0, section 1.5.6
constexpr std::string_view kBase64Fault = "expected base64 (RFC 4648, section 4, padded)";

/// Sets `out` to the JSON `text` without the white space outside its strings.
void compact(std::string_view text, std::string& out) {
  out.clear();
  out.reserve(text.size());
  std::size_t at = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (is_space(c)) {
      ++at;
      continue;
    }
    std::size_t end = at + 1;
    if (c == '"') {
      end = json_string_end(text, at);
    } else {
      while (end < text.size() && text[end] != '"' && !is_space(text[end]))
        ++end;
    }
    out += text.substr(at, end - at);
    at = end;
  }
}

}  // namespace

struct Decoder::Impl {
  DecodeSettings settings;
  JsonReader reader;
  Members members;
  std::string converted;  // a payload that had to be converted
  std::vector<RequestBlock> spares;
  std::size_t spare_bytes = 0;

  std::size_t try_fast_path(std::string_view text);
  Decoded decode(std::string_view text, const Block* block);
  Decoded to_decoded(std::string_view text, const Block* block);
  bool payload(std::string_view text, std::string_view& out);
  std::unique_ptr<Properties> properties(std::string& fault);
  RequestBlock take_spare();
  Fault refuse(std::string detail) const {
    return {ErrorKind::BadRequest, std::move(detail), std::string(members.id)};
  }
  void trim();
};

Decoder::Decoder(DecodeSettings settings) : impl_(std::make_unique<Impl>()) {
  set(settings);
}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;

void Decoder::set(DecodeSettings settings) noexcept {
  impl_->settings = settings;
}

Decoded Decoder::decode(std::string_view text, const Block* block) {
  Decoded decoded = impl_->decode(text, block);
  impl_->trim();
  return decoded;
}

Decoded Decoder::decode_fast_path(std::string_view text, std::size_t& size) {
  size = impl_->try_fast_path(text);
  if (size == 0) return {};
  Decoded decoded = impl_->to_decoded(text, nullptr);
  impl_->trim();
  return decoded;
}

void Decoder::reuse(Request request) {
  RequestBlock block = std::move(request).take_block();
  const std::size_t bytes = sizeof(block) + block.capacity;
  const bool is_useful = block.capacity > 0 && block.capacity <= kMaxSpareSize;
  if (!is_useful || impl_->spare_bytes + bytes > kMaxSpareBytes) return;
  impl_->spare_bytes += bytes;
  impl_->spares.push_back(std::move(block));
}

RequestBlock Decoder::Impl::take_spare() {
  if (spares.empty()) return {};
  RequestBlock spare = std::move(spares.back());
  spares.pop_back();
  spare_bytes -= sizeof(spare) + spare.capacity;
  return spare;
}

std::string Decoder::find_id(std::string_view partial) {
  impl_->members.prepare(partial, impl_->settings.max_timeout_ms);
  impl_->reader.read(partial, impl_->settings.max_depth, impl_->members);
  std::string id(impl_->members.id);
  impl_->trim();
  return id;
}

std::size_t Decoder::Impl::try_fast_path(std::string_view text) {
  members.prepare(text, settings.max_timeout_ms);
  return read_fast_path(text, members);
}

Decoded Decoder::Impl::decode(std::string_view text, const Block* block) {
  const std::size_t size = try_fast_path(text);
  const bool is_read = size > 0 && leading_space(text.substr(size)) == text.size() - size;
  if (!is_read && !reader.read(text, settings.max_depth, members)) return refuse(reader.fault());
  return to_decoded(text, block);
}

/// Builds the result from the members that were read from `text`.
Decoded Decoder::Impl::to_decoded(std::string_view text, const Block* block) {
  members.complete();
  if (!members.fault().empty()) return refuse(members.fault());
  std::string fault;
  std::unique_ptr<Properties> given = properties(fault);
  if (!fault.empty()) return refuse(std::move(fault));
  if (members.only_authenticates()) {
    return Authenticate{std::string(members.token), std::string(members.id)};
  }
  std::string_view bytes;
  if (!payload(text, bytes)) return refuse(fmt::format("message: {}", kBase64Fault));
  Request request = Request::make(members.topic, bytes, members.id, members.token, std::move(given),
                                  take_spare(), block);
  request.device_id = members.device_id;
  request.retain = members.retain;
  request.qos =
      members.has(Name::Qos) ? static_cast<std::uint8_t>(members.qos) : settings.default_qos;
  request.timeout_ms = members.has(Name::TimeoutMs) ? static_cast<std::uint32_t>(members.timeout_ms)
                                                    : settings.default_timeout_ms;
  return request;
}

/// Sets `out` to the payload. False: the message is not valid base64.
bool Decoder::Impl::payload(std::string_view text, std::string_view& out) {
  const JsonValue& message = members.message;
  out = message.text;
  if (message.kind == JsonKind::String) {
    if (!members.is_base64) return true;
    if (!decode_base64(message.text, converted)) return false;
    out = converted;
  } else if (message.kind == JsonKind::Object || message.kind == JsonKind::Array) {
    compact(text.substr(message.begin, members.message_end - message.begin), converted);
    out = converted;
  }
  return true;
}

/// The MQTT properties; null if there are none. `fault`: what is wrong with them.
std::unique_ptr<Properties> Decoder::Impl::properties(std::string& fault) {
  const Members& m = members;
  const bool any = m.has(Name::ContentType) || m.has(Name::ResponseTopic) ||
                   m.has(Name::CorrelationData) || m.has(Name::MessageExpiryS) || !m.user.empty();
  if (!any) return nullptr;
  auto given = std::make_unique<Properties>();
  if (m.has(Name::ContentType)) given->content_type = m.content_type;
  if (m.has(Name::ResponseTopic)) given->response_topic = m.response_topic;
  if (m.has(Name::MessageExpiryS)) {
    given->message_expiry_s = static_cast<std::uint32_t>(m.message_expiry_s);
  }
  given->user.assign(m.user.begin(), m.user.end());
  if (m.has(Name::CorrelationData)) {
    std::string& data = given->correlation_data.emplace(m.correlation_data);
    if (m.is_base64 && !decode_base64(m.correlation_data, data)) {
      fault = fmt::format("properties.correlation_data: {}", kBase64Fault);
    } else if (data.size() > kMaxBinaryBytes) {
      fault = fmt::format("properties.correlation_data: expected at most {} bytes, got {}",
                          kMaxBinaryBytes, data.size());
    }
  }
  return given;
}

void Decoder::Impl::trim() {
  reader.trim();
  if (converted.capacity() > kMaxConvertedBytes) std::string().swap(converted);
}

}  // namespace sluice::protocol
