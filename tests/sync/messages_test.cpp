// The pure parts of the uplinks: STOW answers, page links, multipart bodies, names.
#include <gtest/gtest.h>

#include <cstring>

#include "sync/fhir/person_name.h"
#include "sync/fhir/same_content.h"
#include "sync/fhir_pull.h"
#include "sync/multipart.h"
#include "sync/peer_answer.h"
#include "sync/replica.h"
#include "sync/stow.h"

namespace gateway::sync {
namespace {

using core::Json;

Json parsed(std::string_view text) {
  auto json = Json::parse(text);
  EXPECT_TRUE(json.ok()) << text;
  return *json;
}

TEST(StowAnswer, ReadsStoredAndFailedInstancesByUid) {
  const auto verdicts = read_stow_answer(parsed(R"({
    "00081199":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":["1.2.3"]}}]},
    "00081198":{"vr":"SQ","Value":[
      {"00081155":{"vr":"UI","Value":["1.2.4"]},"00081197":{"vr":"US","Value":[290]}},
      {"00081155":{"vr":"UI","Value":["1.2.5"]},"00081197":{"vr":"US","Value":[42752]}},
      {"00081155":{"vr":"UI","Value":["1.2.6"]},"00081197":{"vr":"US","Value":[273]}},
      {"00081155":{"vr":"UI","Value":["1.2.7"]}}]}})"));
  ASSERT_EQ(verdicts.size(), 5u);
  EXPECT_EQ(verdicts.at("1.2.3").verdict, StowVerdict::stored);
  EXPECT_EQ(verdicts.at("1.2.4").verdict, StowVerdict::refused);        // 0122H
  EXPECT_EQ(verdicts.at("1.2.5").verdict, StowVerdict::try_later);      // A700H
  EXPECT_EQ(verdicts.at("1.2.6").verdict, StowVerdict::already_there);  // 0111H
  EXPECT_EQ(verdicts.at("1.2.7").verdict, StowVerdict::try_later);
}

TEST(StowAnswer, SaysNothingOfWhatTheAnswerDoesNotName) {
  EXPECT_TRUE(read_stow_answer(parsed("{}")).empty());
  EXPECT_TRUE(read_stow_answer(parsed(R"("text")")).empty());
  EXPECT_TRUE(read_stow_answer(parsed(R"({"00081199":{"Value":[{}]}})")).empty());
}

TEST(PageTarget, KeepsTheQueryUnderOurOwnBase) {
  EXPECT_EQ(*page_target("http://inside:8080/fhir?_getpages=ab&_getpagesoffset=100"),
            "?_getpages=ab&_getpagesoffset=100");
  EXPECT_EQ(*page_target("https://his/fhir/Patient?page=2"), "/Patient?page=2");
  EXPECT_FALSE(page_target("https://his/fhir/next").ok());
}

TEST(PeerAnswer, TellsAPortalsPageFromData) {
  core::net::HttpResponse page{200, {{"Content-Type", "text/html; charset=utf-8"}}, "<html>"};
  EXPECT_NE(not_serving(page, "json").find("HTML"), std::string::npos);
  core::net::HttpResponse data{200, {{"Content-Type", "application/fhir+json"}}, "{}"};
  EXPECT_EQ(not_serving(data, "json"), "");
  EXPECT_NE(not_serving({401, {}, ""}, "json"), "");
  EXPECT_NE(not_serving({503, {}, ""}, "json"), "");
  EXPECT_EQ(not_serving({404, {}, ""}, "json"), "");
}

TEST(PeerAnswer, ReadsRetryAfterInSecondsAndLimitsIt) {
  EXPECT_EQ(retry_after({503, {{"Retry-After", "7"}}, ""}), core::Milliseconds(7'000));
  EXPECT_EQ(retry_after({503, {{"Retry-After", "999999"}}, ""}), core::Milliseconds(3'600'000));
  EXPECT_EQ(retry_after({503, {{"Retry-After", "-1"}}, ""}), std::nullopt);
  EXPECT_EQ(retry_after({503, {{"Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT"}}, ""}),
            std::nullopt);
}

class TextReader final : public crypto::SealedReader {
 public:
  explicit TextReader(std::string text) : text_(std::move(text)) {}
  std::uint64_t size() const override { return text_.size(); }
  core::Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> bytes) override {
    const std::size_t count = std::min<std::size_t>(bytes.size(), text_.size() - offset);
    std::memcpy(bytes.data(), text_.data() + offset, count);
    return count;
  }

 private:
  std::string text_;
};

TEST(Multipart, IsTheSameBytesWhateverTheReadSize) {
  const std::string wanted =
      "--B\r\nContent-Type: application/dicom\r\n\r\nfirst"
      "\r\n--B\r\nContent-Type: application/dicom\r\n\r\n"
      "\r\n--B\r\nContent-Type: application/dicom\r\n\r\nthird\r\n--B--\r\n";
  for (std::size_t step = 1; step < 70; ++step) {
    std::vector<std::unique_ptr<crypto::SealedReader>> parts;
    for (const char* text : {"first", "", "third"})
      parts.push_back(std::make_unique<TextReader>(text));
    MultipartSource source(std::move(parts), "application/dicom", "B");
    EXPECT_EQ(source.size(), wanted.size());
    std::string body;
    std::vector<std::byte> buffer(step);
    while (true) {
      const auto got = source.read(buffer);
      ASSERT_TRUE(got.ok());
      if (*got == 0) break;
      body.append(reinterpret_cast<const char*>(buffer.data()), *got);
    }
    EXPECT_EQ(body, wanted);
  }
}

TEST(PersonName, GoesBetweenPnAndHumanName) {
  const Json name = fhir::human_name_from_pn("Ñandú^José^María^Dr.^Jr.");
  EXPECT_EQ(name.dump(),
            R"({"family":"Ñandú","given":["José","María"],"prefix":["Dr."],"suffix":["Jr."]})");
  EXPECT_EQ(fhir::pn_from_human_names(Json::array({name})), "Ñandú^José^María^Dr.^Jr.");
  EXPECT_TRUE(fhir::human_name_from_pn("").is_null());
  EXPECT_EQ(fhir::pn_from_human_names(parsed(
                R"([{"use":"old","family":"A"},{"use":"official","family":"B","given":["C"]}])")),
            "B^C");
  EXPECT_EQ(fhir::pn_from_human_names(parsed(R"([{"text":"Ana Ruiz"}])")), "Ana Ruiz");
  EXPECT_EQ(fhir::pn_from_human_names(parsed(R"([{"family":"A^B=C\\D"}])")), "A B C D");
}

TEST(PersonName, AgreesByFoldedFamilyAndGivenAndNeverGuesses) {
  EXPECT_TRUE(fhir::names_agree("NUNEZ^JOSE", "Núñez^José^María"));
  EXPECT_TRUE(fhir::names_agree("Nunez^J", "Nunez^Jose"));
  EXPECT_TRUE(fhir::names_agree("", "Nunez^Jose"));
  EXPECT_TRUE(fhir::names_agree("Nunez", "Nunez^Jose"));
  EXPECT_FALSE(fhir::names_agree("Nunez^Maria", "Nunez^Jose"));
  EXPECT_FALSE(fhir::names_agree("Perez^Jose", "Nunez^Jose"));
}

TEST(Reference, OnlyRelativeLiteralOnesAreFollowed) {
  EXPECT_EQ(parse_reference("Patient/12")->text(), "Patient/12");
  EXPECT_EQ(parse_reference("Patient/a/_history/3")->id, "a");
  for (const char* bad : {"", "Patient", "/1", "Patient/", "http://h/Patient/1", "urn:uuid:x",
                          "Patient/a b", "Patient/../x"}) {
    EXPECT_FALSE(parse_reference(bad)) << bad;
  }
}

TEST(SameContent, IgnoresMetaNarrativeAndMemberOrderOnly) {
  EXPECT_TRUE(same_content(parsed(R"({"a":1,"meta":{"versionId":"1"},"b":{"c":1,"d":2}})"),
                           parsed(R"({"b":{"d":2,"c":1},"a":1,"text":{"status":"generated"}})")));
  EXPECT_FALSE(same_content(parsed(R"({"a":1.50})"), parsed(R"({"a":1.5})")));
  EXPECT_FALSE(same_content(parsed(R"({"a":[1,2]})"), parsed(R"({"a":[2,1]})")));
}

}  // namespace
}  // namespace gateway::sync
