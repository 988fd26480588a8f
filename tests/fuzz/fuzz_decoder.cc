// libFuzzer: whatever the decoder is given, its results keep what the contract promises of them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/decoder.h"
#include "protocol/reply.h"
#include "protocol/topic.h"
#include "protocol/utf8.h"

using namespace sluice::protocol;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const Request& request, std::size_t input_size) {
  require(!topic_fault(request.topic()));
  require(request.topic().data()[request.topic().size()] == '\0');
  require(request.qos <= 2);
  require(request.timeout_ms >= 1 && request.timeout_ms <= 60000);
  require(request.payload().size() <= input_size);
  if (const Properties* properties = request.properties()) {
    require(!properties->response_topic || !topic_fault(*properties->response_topic));
    require(!properties->content_type || !text_fault(*properties->content_type));
    for (const auto& [name, value] : properties->user) {
      require(!text_fault(name) && !text_fault(value));
    }
  }
}

/// An id is JSON of its own: it decodes as the id of another request, and that one alone.
void check_id(Decoder& decoder, std::string_view id) {
  if (id.empty()) return;
  const auto other = decoder.decode("{\"token\":\"\",\"id\":" + std::string(id) + "}");
  require(std::holds_alternative<Authenticate>(other));
  require(std::get<Authenticate>(other).id == id);
}

}  // namespace

// The name is libFuzzer's.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Decoder decoder;
  static const ReplyEncoder encoder("ok", "no", "");
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  check_id(decoder, decoder.find_id(input));
  const Decoded decoded = decoder.decode(input);
  if (const auto* request = std::get_if<Request>(&decoded)) {
    check(*request, size);
    check_id(decoder, request->id());
  } else if (const auto* fault = std::get_if<Fault>(&decoded)) {
    require(!fault->detail.empty() && is_utf8(fault->detail));
    check_id(decoder, fault->id);
    std::string reply;
    encoder.append(Reply::failure(fault->error, Published::No, fault->detail), fault->id,
                   Framing::Stream, reply);
    // The reply is one JSON object: only its missing members are at fault.
    const auto again = decoder.decode(reply);
    require(std::get<Fault>(again).detail == "device_id: missing");
  }
  return 0;
}
