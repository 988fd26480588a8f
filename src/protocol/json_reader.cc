// The only file that includes RapidJSON. Parsing is iterative (no text can exhaust the stack) and
// in place in a copy, so that parts of the source can be quoted.
#include "protocol/json_reader.h"

#include <fmt/format.h>
#if defined(__SSE2__)
#define RAPIDJSON_SSE2  // scans 16 bytes of a string at a time
#endif
#if defined(__clang__)
// The parser adds to a null pointer before its stack's first allocation; harmless, but reported.
#pragma clang attribute push(__attribute__((no_sanitize("pointer-overflow"))), apply_to = function)
#include <rapidjson/reader.h>
#pragma clang attribute pop
#else
#include <rapidjson/reader.h>
#endif

#include <algorithm>

#include "base/ascii.h"
#include "base/utf8.h"

namespace sluice::protocol {
namespace {

namespace rj = rapidjson;

constexpr std::size_t kMaxCopyBytes = 1 << 20;
constexpr std::size_t kReportedDepth = 3;
constexpr unsigned kFlags =
    rj::kParseIterativeFlag | rj::kParseInsituFlag | rj::kParseNumbersAsStringsFlag;
/// The parser validates every byte of a string.
constexpr unsigned kValidatingFlags = kFlags | rj::kParseValidateEncodingFlag;
/// Bytes behind the text that the parser may read.
constexpr std::size_t kPadding = 16;

/// Whether `text` is UTF-8 without control characters, so that the parser need not validate its
/// strings. (Its SSE2 code lets U+001A to U+001F pass.)
bool needs_no_validation(std::string_view text) noexcept {
  bool has_control = false;
  for (const char c : text)
    has_control |= static_cast<unsigned char>(c) < 0x20;
  return !has_control && is_utf8(text);
}

bool is_number_byte(char c) {
  return is_digit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/// The run of bytes at `at` that may belong to one number.
std::string_view number_run(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && is_number_byte(text[end]))
    ++end;
  return text.substr(at, end - at);
}

std::size_t skip_digits(std::string_view text, std::size_t at) {
  while (at < text.size() && is_digit(text[at]))
    ++at;
  return at;
}

/// Whether `text` is a number by RFC 8259, section 6.
bool is_number(std::string_view text) {
  std::size_t at = text.starts_with('-') ? 1 : 0;
  const std::size_t whole = at;
  at = skip_digits(text, at);
  if (at == whole || (text[whole] == '0' && at > whole + 1)) return false;
  if (at < text.size() && text[at] == '.') {
    const std::size_t fraction = at + 1;
    at = skip_digits(text, fraction);
    if (at == fraction) return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const std::size_t exponent = at;
    at = skip_digits(text, exponent);
    if (at == exponent) return false;
  }
  return at == text.size();
}

/// The parser rejects numbers that no double can hold, although it is asked for digits only:
/// replaces each number that could be one by a zero and spaces.
void mask_out_of_range_numbers(std::string& text) {
  constexpr std::size_t kSafeDigits = 19;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\') ++at;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c != '-' && !is_digit(c)) continue;
    const std::string_view run = number_run(text, at);
    const std::size_t size = run.size();
    const bool is_large = size > kSafeDigits || run.find_first_of("eE") != run.npos;
    if (is_large && is_number(run)) {
      std::fill_n(text.begin() + static_cast<std::ptrdiff_t>(at), size, ' ');
      text[at] = '0';
    }
    at += size - 1;
  }
}

unsigned hex4(const char* digits) {
  unsigned value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = digits[i];
    const int digit = is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
    value = value << 4 | static_cast<unsigned>(digit);
  }
  return value;
}

/// Whether the valid JSON `text` has an escaped low surrogate without a high one: the parser
/// accepts it and writes invalid UTF-8.
bool has_lone_surrogate(std::string_view text) {
  std::size_t at = text.find('\\');
  while (at != std::string_view::npos) {
    std::size_t used = 2;
    if (text[at + 1] == 'u') {
      const unsigned code = hex4(text.data() + at + 2);
      if (code >= 0xDC00 && code <= 0xDFFF) return true;
      used = code >= 0xD800 && code <= 0xDBFF ? 12 : 6;
    }
    at = text.find('\\', at + used);
  }
  return false;
}

std::string_view explain(rj::ParseErrorCode code) {
  switch (code) {
    case rj::kParseErrorDocumentEmpty:
      return "empty text";
    case rj::kParseErrorDocumentRootNotSingular:
      return "unexpected text after the object";
    case rj::kParseErrorObjectMissName:
      return "expected a member name";
    case rj::kParseErrorObjectMissColon:
      return "expected a colon";
    case rj::kParseErrorObjectMissCommaOrCurlyBracket:
      return "expected a comma or }";
    case rj::kParseErrorArrayMissCommaOrSquareBracket:
      return "expected a comma or ]";
    case rj::kParseErrorStringUnicodeEscapeInvalidHex:
      return "expected four hexadecimal digits after \\u";
    case rj::kParseErrorStringUnicodeSurrogateInvalid:
      return "unpaired surrogate in a string";
    case rj::kParseErrorStringEscapeInvalid:
      return "invalid escape or control character in a string";
    case rj::kParseErrorStringMissQuotationMark:
      return "unterminated string";
    case rj::kParseErrorStringInvalidEncoding:
      return "invalid UTF-8 in a string";
    case rj::kParseErrorTermination:  // by RawNumber()
    case rj::kParseErrorNumberTooBig:
    case rj::kParseErrorNumberMissFraction:
    case rj::kParseErrorNumberMissExponent:
      return "malformed number";
    default:
      return "expected a value";
  }
}

/// Turns the parser's events into ours.
class Adapter : public rj::BaseReaderHandler<rj::UTF8<>, Adapter> {
 public:
  Adapter(std::string_view source, rj::InsituStringStream& stream, const char* copy,
          std::size_t max_depth, JsonEvents& events)
      : source_(source), stream_(stream), copy_(copy), max_depth_(max_depth), events_(events) {}

  bool is_too_deep() const { return depth_ > max_depth_; }

  // The names of the functions are the parser's.
  bool Null() { return scalar({JsonKind::Null, "null", 0}); }                      // NOLINT
  bool Bool(bool b) { return scalar({JsonKind::Bool, b ? "true" : "false", 0}); }  // NOLINT
  bool RawNumber(const char* digits, rj::SizeType size, bool) {                    // NOLINT
    const auto begin = static_cast<std::size_t>(digits - copy_);
    const std::string_view run = number_run(source_, begin);
    // Longer than what the parser saw: masked, or something like 007, which it reports as 0.
    if (run.size() != size && !is_number(run)) return false;
    return scalar({JsonKind::Number, run, begin});
  }
  bool String(const char* bytes, rj::SizeType size, bool) {  // NOLINT
    const auto begin = static_cast<std::size_t>(bytes - copy_) - 1;
    return scalar({JsonKind::String, {bytes, size}, begin});
  }
  bool Key(const char* bytes, rj::SizeType size, bool) {  // NOLINT
    if (depth_ <= kReportedDepth) events_.on_key(depth_, {bytes, size});
    return true;
  }
  bool StartObject() { return open(JsonKind::Object); }  // NOLINT
  bool StartArray() { return open(JsonKind::Array); }    // NOLINT
  bool EndObject(rj::SizeType) { return close(); }       // NOLINT
  bool EndArray(rj::SizeType) { return close(); }        // NOLINT

 private:
  bool scalar(const JsonValue& value) {
    if (depth_ <= kReportedDepth) events_.on_scalar(depth_, value);
    return true;
  }
  bool open(JsonKind kind) {
    if (depth_ <= kReportedDepth) events_.on_open(depth_, {kind, {}, stream_.Tell()});
    ++depth_;
    return depth_ <= max_depth_;
  }
  bool close() {
    --depth_;
    if (depth_ <= kReportedDepth) events_.on_close(depth_, stream_.Tell() + 1);
    return true;
  }

  std::string_view source_;
  rj::InsituStringStream& stream_;
  const char* copy_;
  std::size_t max_depth_;
  JsonEvents& events_;
  std::size_t depth_ = 0;
};

}  // namespace

struct JsonReader::Impl {
  rj::Reader reader;
  std::string copy;
  std::string fault;

  void take(std::string_view text) {
    copy.assign(text);
    copy.append(kPadding, '\0');
  }

  bool parse(std::string_view text, std::size_t max_depth, JsonEvents& events) {
    events.on_start();
    rj::InsituStringStream stream(copy.data());
    Adapter adapter(text, stream, copy.data(), max_depth, events);
    const rj::ParseResult result = needs_no_validation(text)
                                       ? reader.Parse<kFlags>(stream, adapter)
                                       : reader.Parse<kValidatingFlags>(stream, adapter);
    if (adapter.is_too_deep()) {
      fault = fmt::format("expected at most {} levels of nesting", max_depth);
      return false;
    }
    if (result.IsError()) {
      fault = fmt::format("not JSON: {} at byte {}", explain(result.Code()), result.Offset());
      return false;
    }
    // The parser takes a NUL for the end of the text.
    if (stream.Tell() < text.size()) {
      fault = fmt::format("not JSON: unexpected text after the object at byte {}", stream.Tell());
      return false;
    }
    if (has_lone_surrogate(text)) {
      fault = "not JSON: unpaired surrogate in a string";
      return false;
    }
    return true;
  }
};

JsonReader::JsonReader() : impl_(std::make_unique<Impl>()) {}
JsonReader::~JsonReader() = default;
JsonReader::JsonReader(JsonReader&&) noexcept = default;
JsonReader& JsonReader::operator=(JsonReader&&) noexcept = default;

bool JsonReader::read(std::string_view text, std::size_t max_depth, JsonEvents& events) {
  impl_->take(text);
  if (impl_->parse(text, max_depth, events)) return true;
  if (impl_->reader.GetParseErrorCode() != rj::kParseErrorNumberTooBig) return false;
  impl_->take(text);
  mask_out_of_range_numbers(impl_->copy);
  return impl_->parse(text, max_depth, events);
}

std::string JsonReader::fault() const {
  return impl_->fault;
}

void JsonReader::trim() {
  if (impl_->copy.capacity() > kMaxCopyBytes) std::string().swap(impl_->copy);
}

}  // namespace sluice::protocol
