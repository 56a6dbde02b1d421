// Which envelopes are opened, and what each kind asks of the gateway.
#include "daemon/ops/command_envelope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/ids.h"
#include "core/text.h"
#include "crypto/base64url.h"
#include "daemon_process.h"

namespace gateway::daemon {
namespace {

using core::Json;
using testing::HasSubstr;

struct KeyPair {
  crypto::SigningKey secret;
  crypto::VerifyingKey open;
};

KeyPair make_keys() {
  const std::string pem = run_command({"openssl", "genpkey", "-algorithm", "ed25519"}).out;
  auto secret = crypto::read_signing_key(pem);
  auto open = crypto::read_verifying_key(run_command({"openssl", "pkey", "-pubout"}, pem).out);
  EXPECT_TRUE(secret.ok() && open.ok());
  return {std::move(*secret), std::move(*open)};
}

class CommandEnvelopeTest : public testing::Test {
 protected:
  CommandEnvelopeTest() { policy_.keys["central"] = keys_.open; }

  static Json payload(const std::string& kind, const Json& parameters = Json::object()) {
    return Json::object({{"schema", 1},
                         {"id", core::new_uuid()},
                         {"gateway", "clinic-1"},
                         {"kind", kind},
                         {"parameters", parameters},
                         {"issued", "2026-03-01T08:00:00Z"},
                         {"expires", "2026-03-01T09:00:00Z"}});
  }
  std::string seal(const Json& what, const std::string& name = "central") const {
    auto sealed = seal_command(what, name, keys_.secret);
    EXPECT_TRUE(sealed.ok());
    return sealed.ok() ? *sealed : "";
  }
  /// The code's name and the reason; "opened".
  std::string opened(const std::string& envelope) const {
    const auto command = open_command(envelope, policy_);
    if (command.ok()) return "opened";
    return core::cat(core::to_string(command.error().code()), ": ", command.error().message());
  }

  const KeyPair keys_ = make_keys();
  CommandPolicy policy_{"clinic-1", {"sync-now", "resend"}, {}};
};

TEST_F(CommandEnvelopeTest, WhatAPinnedKeySignedIsOpened) {
  const auto command =
      open_command(seal(payload("resend", Json::object({{"number", 7}}))), policy_);
  ASSERT_TRUE(command.ok()) << command.error().message();
  EXPECT_EQ(command->kind, "resend");
  EXPECT_EQ(command->signer, "central");
  EXPECT_EQ(command->parameters, R"({"number":7})");
  EXPECT_EQ(core::to_instant(command->expires), "2026-03-01T09:00:00.000Z");
  EXPECT_EQ(command->digest.size(), 64u);
}

TEST_F(CommandEnvelopeTest, NoByteOfWhatWasSignedCanBeChanged) {
  const Json envelope = *Json::parse(seal(payload("sync-now")));
  std::string text = *crypto::from_base64url(envelope["payload"].text());
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string other = text;
    other[at] = static_cast<char>(other[at] ^ 1);
    Json changed = envelope;
    changed.set("payload", crypto::to_base64url(other));
    ASSERT_THAT(opened(changed.dump()), HasSubstr("untrusted")) << at;
  }
}

TEST_F(CommandEnvelopeTest, AnotherKeyOrAnUnknownOneIsNotTrusted) {
  const auto foreign = seal_command(payload("sync-now"), "central", make_keys().secret);
  EXPECT_THAT(opened(*foreign), HasSubstr("untrusted: its signature"));
  EXPECT_THAT(opened(seal(payload("sync-now"), "somebody")), HasSubstr("untrusted: it names no"));
  // The line before the payload keeps a signature made for something else from serving here.
  const std::string text = payload("sync-now").dump();
  const Json bare =
      Json::object({{"schema", 1},
                    {"key", "central"},
                    {"payload", crypto::to_base64url(text)},
                    {"signature", crypto::to_base64url(*crypto::sign(keys_.secret, text))}});
  EXPECT_THAT(opened(bare.dump()), HasSubstr("untrusted"));
}

TEST_F(CommandEnvelopeTest, EveryKindIsOffUntilItIsAllowed) {
  policy_.allowed.clear();
  for (const std::string& kind : command_kinds())
    EXPECT_THAT(opened(seal(payload(kind))), HasSubstr("refused: commands.allowed")) << kind;
  policy_.allowed = {"explode"};
  EXPECT_THAT(opened(seal(payload("explode"))), HasSubstr("refused: this gateway knows no"));
}

TEST_F(CommandEnvelopeTest, WhatIsForAnotherGatewayIsRefused) {
  Json other = payload("sync-now");
  other.set("gateway", "clinic-2");
  EXPECT_THAT(opened(seal(other)), HasSubstr("refused: it is for another gateway"));
}

TEST_F(CommandEnvelopeTest, ParametersAKindDoesNotTakeAreRefused) {
  const auto with = [&](const char* name, const Json& value) {
    return opened(seal(payload("resend", Json::object({{name, value}}))));
  };
  EXPECT_EQ(with("number", 0), "opened");
  EXPECT_THAT(with("number", -1), HasSubstr("\"number\" is wrong"));
  EXPECT_THAT(with("number", "1"), HasSubstr("\"number\" is wrong"));
  EXPECT_THAT(with("nubmer", 1), HasSubstr("does not take"));
  EXPECT_THAT(with("nubmer", Json()), HasSubstr("does not take"));
}

TEST_F(CommandEnvelopeTest, AnythingElseIsNoCommand) {
  for (const char* text : {"", "x", "{}", "[]", "null", R"({"schema":1,"key":"central"})",
                           R"({"schema":1,"key":"central","payload":"!","signature":"!"})"}) {
    EXPECT_THAT(opened(text), HasSubstr("invalid")) << text;
    EXPECT_EQ(claimed_id(text), "") << text;
  }
  for (const char* member : {"id", "issued", "expires", "parameters", "schema"}) {
    Json wrong = payload("sync-now");
    wrong.set(member, "../status");
    EXPECT_THAT(opened(seal(wrong)), HasSubstr("invalid")) << member;
  }
  Json wrong = payload("sync-now");
  wrong.set("id", "../status");
  EXPECT_EQ(claimed_id(seal(wrong)), "") << "it would become a topic";
}

TEST(CommandResult, KeepsAServersOwnWordsBack) {
  const Json answer = *Json::parse(
      R"({"uplinks":[{"name":"his","error":null,"server":{"software":"Quillfeather","batch":true,)"
      R"("gzip":null,"warnings":["Ondine"]}},{"name":"old","error":"Ondine","server":null}]})");
  EXPECT_EQ(command_result("probe", answer).dump(),
            R"({"uplinks":[{"name":"his","answered":true,"batch":true},)"
            R"({"name":"old","answered":false}]})");
}

}  // namespace
}  // namespace gateway::daemon
