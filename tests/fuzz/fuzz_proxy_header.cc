// libFuzzer: a PROXY protocol header is found alike in one piece, in single bytes and in pieces of
// any size, names an address that can be read again, and every byte behind it is left to others.
// The input's first byte is the size of a piece, the rest the connection's bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"
#include "protocol/proxy_header.h"
#include "require.h"

using sluice::IpAddress;
using sluice::fuzz::require;
using sluice::protocol::ProxyHeaderReader;
using Result = ProxyHeaderReader::Result;

namespace {

/// All that the reader finds, and what it leaves.
struct Outcome {
  Result result = Result::NeedMore;
  int version = 0;
  std::string source;
  std::string fault;
  std::string rest;
  bool operator==(const Outcome&) const = default;
};

Outcome read(std::string_view stream, std::size_t piece_size) {
  ProxyHeaderReader reader;
  Outcome out;
  while (!stream.empty() && out.result == Result::NeedMore) {
    // Memory of exactly this size: reading beyond it is detected.
    const std::string_view next = stream.substr(0, piece_size);
    const std::vector<char> piece(next.begin(), next.end());
    std::size_t used = 0;
    out.result = reader.step({piece.data(), piece.size()}, used);
    require(used <= piece.size());
    require(out.result != Result::NeedMore || used == piece.size());
    require(reader.held().size() <= ProxyHeaderReader::kHeldBytes);
    if (out.result == Result::Absent) {
      require(used == 0 && reader.version() == 0);
      out.rest = reader.held();
    }
    stream.remove_prefix(used);
  }
  out.rest += stream;
  out.version = reader.version();
  out.source = reader.source();
  out.fault = reader.fault();
  return out;
}

void check_source(std::string_view source) {
  if (source.empty() || source == "unix") return;
  const std::size_t colon = source.rfind(':');
  std::string_view ip = source.substr(0, colon);
  if (ip.starts_with('[')) ip = ip.substr(1, ip.size() - 2);
  const auto address = IpAddress::parse(ip);
  require(address.has_value());
  require(address->text_with_port(static_cast<std::uint16_t>(
              std::stoul(std::string(source.substr(colon + 1))))) == source);
}

}  // namespace

// The name is libFuzzer's.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = read(stream, stream.size());
  require(read(stream, 1) == whole);
  require(read(stream, std::max<std::size_t>(data[0], 1)) == whole);
  require((whole.result == Result::Malformed) == !whole.fault.empty());
  if (whole.result == Result::Absent) require(whole.rest == stream);
  if (whole.result == Result::Found) check_source(whole.source);
  const std::size_t header = stream.size() - whole.rest.size();
  require(header <= 16 + 216 + ProxyHeaderReader::kMaxTlvBytes);
  return 0;
}
