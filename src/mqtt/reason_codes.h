// The MQTT 5 reason codes that sluice acts on (MQTT 5, section 2.4).
#pragma once

namespace sluice::mqtt::reason {

constexpr int kNoMatchingSubscribers = 0x10;  ///< PUBACK: accepted, but there are no subscribers
constexpr int kFirstError = 0x80;             ///< codes from here on are refusals
constexpr int kMalformedPacket = 0x81;
constexpr int kProtocolError = 0x82;
constexpr int kUnsupportedProtocolVersion = 0x84;
constexpr int kClientIdentifierNotValid = 0x85;
constexpr int kBadUserNameOrPassword = 0x86;
constexpr int kNotAuthorized = 0x87;
constexpr int kServerUnavailable = 0x88;
constexpr int kServerBusy = 0x89;
constexpr int kBanned = 0x8A;
constexpr int kServerShuttingDown = 0x8B;
constexpr int kBadAuthenticationMethod = 0x8C;
constexpr int kKeepAliveTimeout = 0x8D;
constexpr int kSessionTakenOver = 0x8E;
constexpr int kTopicNameInvalid = 0x90;
constexpr int kPacketIdentifierNotFound = 0x92;  ///< PUBCOMP: the message was taken before
constexpr int kPacketTooLarge = 0x95;
constexpr int kAdministrativeAction = 0x98;
constexpr int kRetainNotSupported = 0x9A;
constexpr int kQosNotSupported = 0x9B;
constexpr int kUseAnotherServer = 0x9C;
constexpr int kServerMoved = 0x9D;

}  // namespace sluice::mqtt::reason
