// The name that a certificate is verified for.
#include "event/tls_context.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <string>

#include "catch.h"

namespace sluice::event {

TEST_CASE("a certificate is checked for an address without the interface behind it", "[tls]") {
  const auto context = TlsContext::make({.host = "fe80::1%eth0"}).value();
  X509_VERIFY_PARAM* expected = SSL_CTX_get0_param(context->raw());
  char* address = X509_VERIFY_PARAM_get1_ip_asc(expected);
  REQUIRE(address != nullptr);
  CHECK(std::string(address) == "FE80:0:0:0:0:0:0:1");
  OPENSSL_free(address);
}

}  // namespace sluice::event
