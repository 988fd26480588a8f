#include "mqtt/transport/mosquitto_transport_properties.h"

#include <mqtt_protocol.h>

#include <cstdint>

namespace sluice::mqtt {

PublishProperties::~PublishProperties() {
  mosquitto_property_free_all(&list_);
}

void PublishProperties::fill(const protocol::Properties& from) {
  add(MQTT_PROP_CONTENT_TYPE, from.content_type);
  add(MQTT_PROP_RESPONSE_TOPIC, from.response_topic);
  if (from.correlation_data) {
    mosquitto_property_add_binary(&list_, MQTT_PROP_CORRELATION_DATA, from.correlation_data->data(),
                                  static_cast<std::uint16_t>(from.correlation_data->size()));
  }
  if (from.message_expiry_s) {
    mosquitto_property_add_int32(&list_, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, *from.message_expiry_s);
  }
  // The last property of a list is a list, too: adding to that one spares the library the walk
  // from the first, which costs more with each property.
  const mosquitto_property* last = list_;
  for (const auto& [name, value] : from.user) {
    while (const mosquitto_property* next = mosquitto_property_next(last))
      last = next;
    auto* tail = const_cast<mosquitto_property*>(last);
    mosquitto_property_add_string_pair(tail != nullptr ? &tail : &list_, MQTT_PROP_USER_PROPERTY,
                                       name.c_str(), value.c_str());
    if (last == nullptr) last = list_;
  }
}

void PublishProperties::add(int id, const std::optional<std::string>& text) {
  if (text) mosquitto_property_add_string(&list_, id, text->c_str());
}

}  // namespace sluice::mqtt
