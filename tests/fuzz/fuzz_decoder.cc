// libFuzzer: for any input, the decoder's results are as the contract promises.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/utf8.h"
#include "protocol/decoder.h"
#include "protocol/reply.h"
#include "protocol/topic.h"
#include "require.h"

using namespace sluice::protocol;
using sluice::is_utf8;
using sluice::fuzz::require;

namespace {

// One decoder has the defaults, the other one limits that small inputs reach.
constexpr DecodeSettings kWide;
constexpr DecodeSettings kTight{4, 2, 500, 1000};

void check(const Request& request, const DecodeSettings& settings, std::size_t input_size) {
  require(!topic_fault(request.topic()));
  require(request.topic().data()[request.topic().size()] == '\0');
  require(request.qos <= 2);
  require(request.timeout_ms >= 1 && request.timeout_ms <= settings.max_timeout_ms);
  require(request.payload().size() <= input_size);
  if (const Properties* properties = request.properties()) {
    require(!properties->response_topic || !topic_fault(*properties->response_topic));
    require(!properties->content_type || !text_fault(*properties->content_type));
    for (const auto& [name, value] : properties->user) {
      require(!text_fault(name) && !text_fault(value));
    }
  }
}

/// An id is one JSON value: it decodes as the id of another request.
void check_id(Decoder& decoder, std::string_view id) {
  if (id.empty()) return;
  const auto other = decoder.decode("{\"token\":\"\",\"id\":" + std::string(id) + "}");
  require(std::holds_alternative<Authenticate>(other));
  require(std::get<Authenticate>(other).id == id);
}

void check(Decoder& decoder, const Fault& fault) {
  static const ReplyEncoder encoder("ok", "no", "");
  require(!fault.detail.empty() && is_utf8(fault.detail));
  check_id(decoder, fault.id);
  std::string reply;
  encoder.append(Reply::failure(fault.error, Published::No, fault.detail), fault.id,
                 Framing::Stream, reply);
  // The reply is one JSON object: decoding it finds only missing members.
  const auto again = decoder.decode(reply);
  require(std::get<Fault>(again).detail == "device_id: missing");
}

/// What the tight decoder accepts, the wide one decodes to the same result.
void compare(const Decoded& tight, const Decoded& wide) {
  if (const auto* small = std::get_if<Request>(&tight)) {
    const auto& large = std::get<Request>(wide);
    require(small->device_id == large.device_id && small->retain == large.retain);
    require(small->topic() == large.topic() && small->payload() == large.payload());
    require(small->id() == large.id() && small->token() == large.token());
    require(small->qos == large.qos ||
            (small->qos == kTight.default_qos && large.qos == kWide.default_qos));
  } else if (const auto* small_login = std::get_if<Authenticate>(&tight)) {
    require(small_login->token == std::get<Authenticate>(wide).token);
  }
}

}  // namespace

// The name is libFuzzer's.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Decoder decoder(kWide);
  static Decoder tight_decoder(kTight);
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  check_id(decoder, decoder.find_id(input));
  // The bytes sent before a connection was closed.
  check_id(decoder, decoder.find_id(input.substr(0, size / 2)));
  const Decoded decoded = decoder.decode(input);
  if (const auto* request = std::get_if<Request>(&decoded)) {
    check(*request, kWide, size);
    check_id(decoder, request->id());
    require(decoder.find_id(input) == request->id());
  } else if (const auto* fault = std::get_if<Fault>(&decoded)) {
    check(decoder, *fault);
  }
  const Decoded tight = tight_decoder.decode(input);
  if (const auto* request = std::get_if<Request>(&tight)) check(*request, kTight, size);
  compare(tight, decoded);
  return 0;
}
