// Both versions of the header, in one piece and cut at every place.
#include "protocol/proxy_header.h"

#include <string>
#include <string_view>
#include <vector>

#include "catch.h"

namespace sluice::protocol {
namespace {

using Result = ProxyHeaderReader::Result;

constexpr std::string_view kBehind = "{\"device_id\":1}";
constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string bytes(std::initializer_list<int> values) {
  std::string all;
  for (const int value : values)
    all += static_cast<char>(value);
  return all;
}

/// A header of version 2, with the length of what follows the length.
std::string v2(int version_and_command, int family_and_transport, std::string_view rest) {
  return std::string(kSignature) + bytes({version_and_command, family_and_transport}) +
         bytes({static_cast<int>(rest.size() >> 8), static_cast<int>(rest.size() & 0xFF)}) +
         std::string(rest);
}

std::string ipv4() {
  return bytes({10, 1, 2, 3, 10, 1, 2, 4, 0x9C, 0x40, 0x25, 0x1D});
}
std::string ipv6() {
  return bytes({0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}) +
         std::string(16, '\2') + bytes({0x9C, 0x40, 0x25, 0x1D});
}

/// What a connection with these pieces begins with, and what is left of it for others to read.
std::string read(const std::vector<std::string_view>& pieces) {
  ProxyHeaderReader reader;
  std::string rest;
  Result result = Result::NeedMore;
  for (std::string_view piece : pieces) {
    if (result != Result::NeedMore) {
      rest += piece;
      continue;
    }
    std::size_t used = 0;
    result = reader.step(piece, used);
    if (result == Result::Absent) rest += reader.held();
    if (result != Result::NeedMore) rest += piece.substr(used);
    if (result == Result::NeedMore) CHECK(used == piece.size());
  }
  const std::string version = "v" + std::to_string(reader.version());
  switch (result) {
    case Result::NeedMore:
      return version + " needs more";
    case Result::Absent:
      return "absent: " + rest;
    case Result::Malformed:
      return version + " malformed: " + reader.fault();
    case Result::Found:
      return version + " " + (reader.source().empty() ? "itself" : reader.source()) + ": " + rest;
  }
  return "";
}

/// The same for every cut in two and for single bytes.
std::string read_cut(const std::string& stream) {
  const std::string_view all = stream;
  const std::string whole = read({all});
  std::vector<std::string_view> single;
  for (std::size_t at = 0; at < all.size(); ++at) {
    CAPTURE(at);
    CHECK(read({all.substr(0, at), all.substr(at)}) == whole);
    single.push_back(all.substr(at, 1));
  }
  CHECK(read(single) == whole);
  return whole;
}

std::string found(std::string_view source) {
  return std::string(source) + ": " + std::string(kBehind);
}

std::string header_then(const std::string& header) {
  return read_cut(header + std::string(kBehind));
}

}  // namespace

TEST_CASE("a header of version 1 names the client", "[proxy]") {
  CHECK(header_then("PROXY TCP4 10.1.2.3 10.1.2.4 40000 9501\r\n") == found("v1 10.1.2.3:40000"));
  CHECK(header_then("PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n") ==
        found("v1 255.255.255.255:65535"));
  CHECK(header_then("PROXY TCP6 2001:db8::1 ::1 40000 9501\r\n") ==
        found("v1 [2001:db8::1]:40000"));
}

TEST_CASE("UNKNOWN leaves the client its own address, whatever follows on the line", "[proxy]") {
  CHECK(header_then("PROXY UNKNOWN\r\n") == found("v1 itself"));
  CHECK(header_then("PROXY UNKNOWN ffff::1 x\r 0\r\n") == found("v1 itself"));
}

TEST_CASE("the longest line of version 1 has 107 bytes", "[proxy]") {
  const std::string v6 = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  const std::string longest = "PROXY UNKNOWN " + v6 + " " + v6 + " 65535 65535\r\n";
  REQUIRE(longest.size() == ProxyHeaderReader::kHeldBytes);
  CHECK(header_then(longest) == found("v1 itself"));
  CHECK(read_cut("PROXY UNKNOWN " + std::string(92, 'x') + "\r\n") ==
        "v1 malformed: expected at most 107 bytes, found more");
  CHECK(read_cut("PROXY " + std::string(101, 'x')) ==
        "v1 malformed: expected at most 107 bytes, found more");
  CHECK(read_cut("PROXY " + std::string(100, 'x')) == "v1 needs more");
}

TEST_CASE("a line of version 1 that says something else is malformed", "[proxy]") {
  for (const std::string line : {"PROXY ",
                                 "PROXY TCP4",
                                 "PROXY TCP4 ",
                                 "PROXY TCP5 1.2.3.4 1.2.3.4 1 2",
                                 "PROXY UNKNOWNS",
                                 "PROXY tcp4 1.2.3.4 1.2.3.4 1 2",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 1",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 ",
                                 "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2",
                                 "PROXY TCP4 1.2.3.4  1.2.3.4 1 2",
                                 "PROXY TCP4 1.2.3.256 1.2.3.4 1 2",
                                 "PROXY TCP4 1.2.3 1.2.3.4 1 2",
                                 "PROXY TCP4 01.2.3.4 1.2.3.4 1 2",
                                 "PROXY TCP4 1.2.3.4 ::1 1 2",
                                 "PROXY TCP4 ::1 1.2.3.4 1 2",
                                 "PROXY TCP6 1.2.3.4 ::1 1 2",
                                 "PROXY TCP6 ::1 1.2.3.4 1 2",
                                 "PROXY TCP6 ::1 fe80::1%lo 1 2",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 01 2",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 1 0x2"}) {
    CAPTURE(line);
    CHECK(read_cut(line + "\r\n")
              .starts_with("v1 malformed: expected \"PROXY TCP4\" or \"PROXY TCP6\" with two "
                           "addresses and two ports, "
                           "or \"PROXY UNKNOWN\", found \"PROXY "));
  }
  CHECK(read_cut("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n") ==
        "v1 malformed: expected CRLF at its end, found LF alone");
}

TEST_CASE("a header of version 2 names the client", "[proxy]") {
  CHECK(header_then(v2(0x21, 0x11, ipv4())) == found("v2 10.1.2.3:40000"));
  CHECK(header_then(v2(0x21, 0x12, ipv4())) == found("v2 10.1.2.3:40000"));
  CHECK(header_then(v2(0x21, 0x21, ipv6())) == found("v2 [2001:db8::1]:40000"));
  CHECK(header_then(v2(0x21, 0x31, std::string(216, '/'))) == found("v2 unix"));
}

TEST_CASE("LOCAL and what is unspecified leave the client its own address", "[proxy]") {
  CHECK(header_then(v2(0x20, 0x00, "")) == found("v2 itself"));
  CHECK(header_then(v2(0x20, 0x11, ipv4())) == found("v2 itself"));
  CHECK(header_then(v2(0x20, 0x21, "")) == found("v2 itself"));
  CHECK(header_then(v2(0x20, 0xFF, "any")) == found("v2 itself"));
  CHECK(header_then(v2(0x21, 0x00, "")) == found("v2 itself"));
  CHECK(header_then(v2(0x21, 0x01, "any")) == found("v2 itself"));
  CHECK(header_then(v2(0x21, 0x10, ipv4())) == found("v2 itself"));
}

TEST_CASE("up to 4096 bytes of TLVs are skipped", "[proxy]") {
  const std::string tlvs(ProxyHeaderReader::kMaxTlvBytes, '{');
  CHECK(read({v2(0x21, 0x11, ipv4() + tlvs) + std::string(kBehind)}) == found("v2 10.1.2.3:40000"));
  CHECK(read({v2(0x21, 0x31, std::string(216, '/') + tlvs) + std::string(kBehind)}) ==
        found("v2 unix"));
  CHECK(read({v2(0x20, 0x00, tlvs) + std::string(kBehind)}) == found("v2 itself"));
  const std::string fault = "v2 malformed: expected at most 4096 bytes of TLVs, found 4097";
  CHECK(read({v2(0x21, 0x11, ipv4() + tlvs + "x")}) == fault);
  CHECK(read({v2(0x20, 0x00, tlvs + "x")}) == fault);
  CHECK(header_then(v2(0x21, 0x11, ipv4() + bytes({3, 0, 4, 1, 2, 3, 4, 4, 0, 0}))) ==
        found("v2 10.1.2.3:40000"));
}

TEST_CASE("a header of version 2 that says something else is malformed", "[proxy]") {
  CHECK(read_cut(v2(0x11, 0x11, ipv4())) == "v2 malformed: expected version 2, found 1");
  CHECK(read_cut(v2(0x31, 0x11, ipv4())) == "v2 malformed: expected version 2, found 3");
  CHECK(read_cut(v2(0x22, 0x11, ipv4())) ==
        "v2 malformed: expected command 0 (LOCAL) or 1 (PROXY), found 2");
  CHECK(read_cut(v2(0x21, 0x41, ipv4())) ==
        "v2 malformed: expected address family 0 to 3, found 4");
  CHECK(read_cut(v2(0x21, 0x13, ipv4())) ==
        "v2 malformed: expected transport protocol 0 to 2, found 3");
  CHECK(read_cut(v2(0x21, 0x11, ipv4().substr(1))) ==
        "v2 malformed: expected at least 12 bytes of addresses, found 11");
  CHECK(read_cut(v2(0x21, 0x21, ipv4())) ==
        "v2 malformed: expected at least 36 bytes of addresses, found 12");
  CHECK(read_cut(v2(0x21, 0x31, ipv6())) ==
        "v2 malformed: expected at least 216 bytes of addresses, found 36");
}

TEST_CASE("a header that is cut off needs more", "[proxy]") {
  CHECK(read_cut("PROXY TCP4 10.1.2.3 10.1.2.4 40000 9501\r") == "v1 needs more");
  const std::string header = v2(0x21, 0x11, ipv4() + "tlv");
  for (std::size_t size = kSignature.size(); size < header.size(); ++size)
    CHECK(read({header.substr(0, size)}) == "v2 needs more");
  CHECK(read_cut(std::string(kSignature.substr(0, 11))) == "v0 needs more");
  CHECK(read_cut("PROXY") == "v0 needs more");
}

TEST_CASE("a connection that begins otherwise keeps every byte", "[proxy]") {
  for (const std::string stream :
       {"{}", "\r\n\r\n{}", " PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXYTCP4 ", "PROX {}",
        "POST / ", "PROXY\r\n", "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "\n", "\r\n\r\nQUIT\n",
        "\r\r\n"}) {
    CAPTURE(stream);
    CHECK(read_cut(stream) == "absent: " + stream);
  }
  const std::string almost("\r\n\r\n\0\r\nQUIT{", 12);
  CHECK(read_cut(almost) == "absent: " + almost);
  const std::string framed("\0\0\0\2{}", 6);
  CHECK(read_cut(framed) == "absent: " + framed);
}

TEST_CASE("a version is known as soon as its signature is read", "[proxy]") {
  ProxyHeaderReader reader;
  std::size_t used = 0;
  CHECK(reader.step("PROXY", used) == Result::NeedMore);
  CHECK(reader.version() == 0);
  CHECK(reader.held() == "PROXY");
  CHECK(reader.step(" ", used) == Result::NeedMore);
  CHECK(reader.version() == 1);
}

}  // namespace sluice::protocol
