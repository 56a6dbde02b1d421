// Images to a scripted DICOMweb server that does what real ones do on their bad days; real ones are
// in tests/integration.
#include "tests/sync/uplinks_fixture.h"

namespace gateway::sync {
namespace {

TEST_F(UplinksTest, AStoreSentElsewhereParksNothing) {
  for (const char* status :
       {"302 Found", "404 Not Found", "405 Method Not Allowed", "408 Request Timeout"}) {
    serve([status](auto& connection, const auto&) { reply(connection, status, "", ""); });
    stow();
    store(facts("1.2", "1.2.3"), "pixels");
    const auto outcome = deliver(claim("pacs").rows)[0];
    EXPECT_EQ(outcome.result, Delivery::unreached) << status;
    EXPECT_NE(outcome.reason.find("check url"), std::string::npos) << outcome.reason;
    TearDown();
    SetUp();
  }
}

TEST_F(UplinksTest, AGroupOfInstancesGoesInOneRequestByteForByte) {
  serve([](auto& connection, const auto&) {
    reply(
        connection, "200 OK",
        R"({"00081199":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":["1.2.3"]}},{"00081155":{"vr":"UI","Value":["1.2.4"]}}]}})",
        "Content-Type: application/dicom+json\r\n");
  });
  stow();
  store(facts("1.2", "1.2.3"), "first pixels");
  store(facts("1.2", "1.2.4"), "second pixels");
  const auto outcomes = deliver(claim("pacs").rows);
  ASSERT_EQ(outcomes.size(), 2u);
  for (const auto& outcome : outcomes)
    EXPECT_EQ(outcome.result, Delivery::delivered) << outcome.reason;
  EXPECT_EQ(heads(), std::vector<std::string>{"POST /base/studies"});
  const auto body = last_request().body;
  EXPECT_NE(body.find("\r\n\r\nfirst pixels\r\n--"), std::string::npos);
  EXPECT_NE(body.find("\r\n\r\nsecond pixels\r\n--"), std::string::npos);
}

TEST_F(UplinksTest, AnInstanceOfACorrectedPatientGoesAsItIsWrittenAnew) {
  serve([](auto& connection, const auto&) {
    reply(
        connection, "200 OK",
        R"({"00081199":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":["1.2.3"]}},{"00081155":{"vr":"UI","Value":["1.2.4"]}}]}})",
        "Content-Type: application/dicom+json\r\n");
  });
  const std::string anew = part10_head("1.2.4") + "pixels under another name";
  write_anew_ = [&](Holdings&, std::int64_t row, bool) -> core::Result<std::optional<SentForm>> {
    if (row == 3) return core::Error(core::Code::invalid, "it cannot be decoded");
    if (row != 2) return std::optional<SentForm>();
    return std::optional(SentForm{anew, false});
  };
  open();
  stow();
  store(facts("1.2", "1.2.3"), "first pixels");
  store(facts("1.2", "1.2.4"), "second pixels");
  store(facts("1.2", "1.2.5"), "third pixels");
  const auto outcomes = deliver(claim("pacs").rows);
  ASSERT_EQ(outcomes.size(), 3u);
  EXPECT_EQ(outcomes[0].result, Delivery::refused);
  EXPECT_EQ(outcomes[0].reason, "it cannot be decoded");
  for (const std::size_t sent : {1U, 2U})
    EXPECT_EQ(outcomes[sent].result, Delivery::delivered) << outcomes[sent].reason;
  const auto body = last_request().body;
  EXPECT_NE(body.find("first pixels"), std::string::npos);
  EXPECT_NE(body.find(anew), std::string::npos);
  EXPECT_EQ(body.find("second pixels"), std::string::npos);
  EXPECT_EQ(text("SELECT instance || digest FROM sent_form"), core::cat(2, *digest_of_file(anew)));
}

TEST_F(UplinksTest, WhatThePacsRefusesCompressedGoesAsItIsAndSoDoesAllThatFollows) {
  serve([](auto& connection, const auto& request) {
    if (request.body.find("squeezed") != std::string::npos)
      return reply(connection, "415 Unsupported Media Type", "", "");
    const char* uid = request.body.find("first") != std::string::npos ? "1.2.3" : "1.2.4";
    reply(connection, "200 OK",
          core::cat(R"({"00081199":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":[")", uid,
                    R"("]}}]}})"),
          "Content-Type: application/dicom+json\r\n");
  });
  int compressed = 0;
  write_anew_ = [&](Holdings&, std::int64_t, bool compresses) {
    compressed += compresses ? 1 : 0;
    std::optional<SentForm> form;
    if (compresses) form = SentForm{part10_head("1.2.3") + "squeezed", true};
    return core::Result<std::optional<SentForm>>(std::move(form));
  };
  open();
  uplink_ = make_stow_uplink("pacs", client(), held_, {nullptr, true});
  store(facts("1.2", "1.2.3"), "first pixels");
  const auto outcomes = deliver(claim("pacs").rows);
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].result, Delivery::delivered) << outcomes[0].reason;
  EXPECT_EQ(heads().size(), 2u);
  store(facts("1.2", "1.2.4"), "second pixels");
  EXPECT_EQ(deliver(claim("pacs").rows).back().result, Delivery::delivered);
  EXPECT_EQ(heads().size(), 3u);
  EXPECT_EQ(compressed, 1) << "it is not tried again";
}

TEST_F(UplinksTest, AnInstancePerhapsSentIsLookedForFirst) {
  serve([](auto& connection, const auto&) {
    reply(connection, "200 OK", R"([{"00080018":{"vr":"UI","Value":["1.2.3"]}}])",
          "Content-Type: application/dicom+json\r\n");
  });
  stow();
  store(facts("1.2", "1.2.3"), "pixels");
  auto rows = claim("pacs").rows;
  rows[0].perhaps_sent = true;
  const auto outcome = deliver(rows)[0];
  EXPECT_EQ(outcome.result, Delivery::delivered);
  EXPECT_TRUE(outcome.found_there);
  EXPECT_EQ(heads(),
            std::vector<std::string>{"GET /base/studies/1.2/instances?SOPInstanceUID=1.2.3"});
}

TEST_F(UplinksTest, SuccessWithoutAWordOfTheInstanceIsNoSuccess) {
  serve([](auto& connection, const auto& request) {
    if (request.head.starts_with("GET")) return reply(connection, "204 No Content", "", "");
    reply(connection, "200 OK", "{}", "Content-Type: application/dicom+json\r\n");
  });
  stow();
  store(facts("1.2", "1.2.3"), "pixels");
  EXPECT_EQ(deliver(claim("pacs").rows)[0].result, Delivery::failed);
}

TEST_F(UplinksTest, AGroupThatIsTooLargeIsHalved) {
  serve([](auto& connection, const auto& request) {
    const bool both = request.body.find("first") != std::string::npos &&
                      request.body.find("second") != std::string::npos;
    if (both) return reply(connection, "413 Payload Too Large", "", "");
    const char* uid = request.body.find("first") != std::string::npos ? "1.2.3" : "1.2.4";
    reply(connection, "200 OK",
          core::cat(R"({"00081199":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":[")", uid,
                    R"("]}}]}})"),
          "Content-Type: application/dicom+json\r\n");
  });
  stow();
  store(facts("1.2", "1.2.3"), "first pixels");
  store(facts("1.2", "1.2.4"), "second pixels");
  const auto outcomes = deliver(claim("pacs").rows);
  ASSERT_EQ(outcomes.size(), 2u);
  for (const auto& outcome : outcomes)
    EXPECT_EQ(outcome.result, Delivery::delivered) << outcome.reason;
  EXPECT_EQ(heads().size(), 3u);
}

TEST_F(UplinksTest, OneInstanceThePacsWillNotTakeDoesNotParkTheOthers) {
  for (const char* status : {"400 Bad Request", "413 Payload Too Large", "415 Unsupported",
                             "422 Unprocessable Entity"}) {
    serve([status](auto& connection, const auto& request) {
      if (request.body.find("bad pixels") != std::string::npos) {
        const bool is_proxy = status[2] == '3';
        return reply(connection, status, is_proxy ? "<html>too large</html>" : "",
                     is_proxy ? "Content-Type: text/html\r\n" : "");
      }
      std::string stored;
      for (int number = 1; number <= 16; ++number) {
        if (request.body.find(core::cat("pixels of ", number, ".")) == std::string::npos) continue;
        stored += core::cat(stored.empty() ? "" : ",", R"({"00081155":{"vr":"UI","Value":["1.2.)",
                            number, R"("]}})");
      }
      reply(connection, "200 OK", core::cat(R"({"00081199":{"vr":"SQ","Value":[)", stored, "]}}"),
            "Content-Type: application/dicom+json\r\n");
    });
    stow();
    for (int number = 1; number <= 16; ++number) {
      store(facts("1.2", core::cat("1.2.", number)),
            number == 6 ? "bad pixels" : core::cat("pixels of ", number, "."));
    }
    int refused = 0;
    const auto outcomes = deliver(claim("pacs", 16).rows);
    EXPECT_EQ(outcomes.size(), 16u);
    for (const auto& outcome : outcomes) {
      if (outcome.result == Delivery::refused) {
        ++refused;
      } else {
        EXPECT_EQ(outcome.result, Delivery::delivered) << status << ": " << outcome.reason;
      }
    }
    EXPECT_EQ(refused, 1) << status;
    TearDown();
    SetUp();
  }
}

TEST_F(UplinksTest, WhatFailedWhereOthersGotThroughGoesAlone) {
  serve([](auto& connection, const auto&) { reply(connection, "204 No Content", "", ""); });
  stow();
  store(facts("1.2", "1.2.3"), "first pixels");
  store(facts("1.2", "1.2.4"), "second pixels");
  store(facts("1.2", "1.2.5"), "third pixels");
  auto rows = claim("pacs").rows;
  rows[1].attempts = 1;
  (void)deliver(rows);
  std::vector<std::string> posts;
  for (const std::string& head : heads())
    if (head.starts_with("POST")) posts.push_back(head);
  EXPECT_EQ(posts.size(), 2u);
}

}  // namespace
}  // namespace gateway::sync
