// The members of a request's JSON object, before they become a Request. Internal to the decoder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/json_reader.h"

namespace sluice::protocol {

/// Collects the members while the text is read, checks their types and keeps the first fault. Its
/// texts point into the source and into the reader's memory.
class Members final : public JsonEvents {
 public:
  enum class Name : std::uint8_t {
    DeviceId,
    MqttTopic,
    Message,
    Encoding,
    Qos,
    Retain,
    Id,
    TimeoutMs,
    Properties,
    Token,
    // Those of `properties`:
    ContentType,
    ResponseTopic,
    CorrelationData,
    MessageExpiryS,
    User,
    Unknown,
  };

  /// To be called before each read of `source`.
  void prepare(std::string_view source, std::uint32_t max_timeout_ms) {
    source_ = source;
    max_timeout_ms_ = max_timeout_ms;
  }
  /// To be called after the last event. Checks what depends on several members.
  void complete();

  bool has(Name name) const { return ((seen_ >> static_cast<unsigned>(name)) & 1U) != 0; }
  const std::string& fault() const { return fault_; }
  bool only_authenticates() const;

  // Valid only if fault() is empty, except `id`.
  std::int64_t device_id = 0;
  std::string_view topic;
  JsonValue message;
  std::size_t message_end = 0;  ///< of an object or array, in the source
  bool is_base64 = false;
  std::int64_t qos = 0;
  bool retain = false;
  std::int64_t timeout_ms = 0;
  std::string_view id;  ///< JSON text in the source
  std::string_view token;
  std::string_view content_type;
  std::string_view response_topic;
  std::string_view correlation_data;  ///< as sent, perhaps in base64
  std::int64_t message_expiry_s = 0;
  std::vector<std::pair<std::string_view, std::string_view>> user;

  void on_start() override;
  void on_key(std::size_t depth, std::string_view name) override;
  void on_scalar(std::size_t depth, const JsonValue& value) override;
  void on_open(std::size_t depth, const JsonValue& container) override;
  void on_close(std::size_t depth, std::size_t end) override;

 private:
  /// Why a text is refused, or nothing: topic_fault() or text_fault().
  using TextCheck = std::optional<std::string> (*)(std::string_view text);

  void note(Name name, std::string_view text, std::vector<std::string_view>& unknown);
  void assign(const JsonValue& value);
  void assign_property(const JsonValue& value);
  void assign_id(const JsonValue& value);
  void assign_device_id(const JsonValue& value);
  void assign_encoding(const JsonValue& value);
  void add_user_property(const JsonValue& value);
  void take_integer(std::string_view name, const JsonValue& value, std::int64_t least,
                    std::int64_t most, std::int64_t& to);
  void take_text(std::string_view name, const JsonValue& value, TextCheck check,
                 std::string_view& to);
  void refuse(std::string_view name, std::string_view expected, const JsonValue& got);
  void refuse(std::string_view name, std::string_view what);
  void find_repeated(std::vector<std::string_view>& unknown);

  std::string_view source_;
  std::uint32_t max_timeout_ms_ = 0;
  std::uint32_t seen_ = 0;
  Name member_ = Name::Unknown;
  Name property_ = Name::Unknown;
  std::string_view user_name_;
  bool in_properties_ = false;
  bool in_user_ = false;
  std::size_t user_count_ = 0;  // including those beyond the limit
  std::string fault_;
  std::vector<std::string_view> unknown_members_;
  std::vector<std::string_view> unknown_properties_;
};

}  // namespace sluice::protocol
