// libFuzzer: a request decodes the same whether it is read in one pass or by the JSON parser. The
// parser alone reads it where a name has an escape.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "decoded_text.h"
#include "protocol/decoder.h"
#include "protocol/fast_path.h"
#include "protocol/json_reader.h"
#include "protocol/members.h"
#include "require.h"

using namespace sluice::protocol;
using sluice::text_of;
using sluice::fuzz::require;

namespace {

// One decoder has the defaults, the other one limits that small inputs reach.
constexpr DecodeSettings kWide;
constexpr DecodeSettings kTight{4, 2, 500, 1000};

/// The escape shifts what follows: the offset of a JSON fault may differ.
std::string_view without_place(std::string_view text) {
  constexpr std::string_view kNotJson = "fault bad_request: not JSON: ";
  return text.starts_with(kNotJson) ? text.substr(0, text.find(" at byte ")) : text;
}

void compare(Decoder& decoder, std::string_view text, const std::string& escaped) {
  const std::string as_sent = text_of(decoder.decode(text));
  const std::string by_parser = text_of(decoder.decode(escaped));
  require(without_place(as_sent) == without_place(by_parser));
}

template <class Value>
void compare_member(const Members& a, const Members& b, Members::Name name, Value Members::*value) {
  require(a.has(name) == b.has(name));
  if (a.has(name)) require(a.*value == b.*value);
}

void compare_members(const Members& a, const Members& b) {
  using Name = Members::Name;
  compare_member(a, b, Name::DeviceId, &Members::device_id);
  compare_member(a, b, Name::MqttTopic, &Members::topic);
  compare_member(a, b, Name::Encoding, &Members::is_base64);
  compare_member(a, b, Name::Qos, &Members::qos);
  compare_member(a, b, Name::Retain, &Members::retain);
  compare_member(a, b, Name::TimeoutMs, &Members::timeout_ms);
  compare_member(a, b, Name::Token, &Members::token);
  require(a.has(Name::Message) == b.has(Name::Message));
  if (!a.has(Name::Message)) return;
  require(a.message.kind == b.message.kind && a.message.text == b.message.text);
}

/// Compares the readers themselves, also for texts whose first name cannot be escaped.
void compare_readers(std::string_view text) {
  static Members fast;
  static Members parsed;
  static JsonReader reader;
  fast.prepare(text, kTight.max_timeout_ms);
  const std::size_t size = read_fast_path(text, fast);
  if (size == 0) return;
  require(size <= text.size());
  text = text.substr(0, size);
  parsed.prepare(text, kTight.max_timeout_ms);
  require(reader.read(text, 1, parsed));
  fast.complete();
  parsed.complete();
  require(fast.fault() == parsed.fault());
  require(fast.id == parsed.id);
  if (fast.fault().empty()) compare_members(fast, parsed);
}

}  // namespace

// The name is libFuzzer's.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Decoder decoder(kWide);
  static Decoder tight_decoder(kTight);
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  compare_readers(input);
  if (const auto escaped = sluice::with_escaped_name(input)) {
    compare(decoder, input, *escaped);
    compare(tight_decoder, input, *escaped);
  }
  return 0;
}
