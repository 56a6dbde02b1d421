// The daemon with its FHIR API, over real TLS, and a client that may do everything.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "core/text.h"
#include "daemon_process.h"
#include "fhir_client.h"
#include "tests/fakes/certificates.h"

namespace gateway::daemon {

inline constexpr char kToken[] = "a-token-of-the-tests";
// printf %s a-token-of-the-tests | sha256sum
inline std::string token_hash() {
  const Finished made = run_command({"sha256sum"}, kToken);
  return made.out.substr(0, 64);
}

class FhirApi : public testing::Test {
 protected:
  FhirApi()
      : ca_(certificates_, "clinic-ca"),
        server_(ca_.issue({"gateway", {"localhost"}, {"127.0.0.1"}})) {}

  std::string api_config(const std::string& scopes) const {
    return core::cat("[api]\nbind = \"127.0.0.1\"\nport = ", port_, "\ncertificate_file = \"",
                     server_.certificate, "\"\nkey_file = \"", server_.key,
                     "\"\nclient_ca_file = \"", ca_.file(), "\"\n[api_client.app]\nscopes = [",
                     scopes, "]\ntoken_sha256 = \"", token_hash(),
                     "\"\n[api_client.tablet]\nscopes = [\"system/*.rs\"]\n",
                     "certificate_name = \"tablet-7\"\n");
  }
  void start(const std::string& scopes = "\"system/*.cruds\"", const std::string& more = "") {
    daemon_.configure(api_config(scopes) + more);
    daemon_.start();
    ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
    ASSERT_TRUE(holds_within(20, [&] { return send("GET", "/metadata").status == 200; }))
        << daemon_.log();
  }
  core::net::HttpClientOptions options() const {
    core::net::HttpClientOptions made;
    made.url = core::cat("https://127.0.0.1:", port_, "/fhir");
    made.ca_file = ca_.file();
    return made;
  }
  FhirAnswered send(const std::string& method, const std::string& target,
                    const std::string& body = "", core::net::Headers headers = {}) {
    FhirTestClient client(options());
    client.use_token(kToken);
    return client.send(method, target, body, std::move(headers));
  }

  fakes::TestFolder certificates_;
  fakes::TestCa ca_;
  fakes::CertificateFiles server_;
  std::uint16_t port_ = free_port();
  DaemonProcess daemon_;
};

inline constexpr char kPatient[] =
    R"({"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:clinic","value":"7"}],)"
    R"("name":[{"family":"Roe"}],"birthDate":"1980-01-02","extension":[{"url":"urn:x","valueDecimal":1.50}]})";

}  // namespace gateway::daemon
