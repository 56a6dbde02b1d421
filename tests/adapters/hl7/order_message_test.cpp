// Orders as messages: which are a device's, what is said of them, and what an answer means.
#include "adapters/hl7/order_message.h"

#include <gmock/gmock.h>

#include "adapters/hl7/message.h"
#include "adapters/hl7/order_rules.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

using core::Json;
using ::testing::HasSubstr;
using ::testing::Not;

Json parsed(std::string_view text) {
  auto json = Json::parse(text);
  EXPECT_TRUE(json.ok()) << json.error().message();
  return json.ok() ? *json : Json();
}

constexpr char kOrder[] =
    R"({"resourceType":"ServiceRequest","id":"s1","status":"active","intent":"order","priority":"stat",)"
    R"("identifier":[{"type":{"coding":[{"code":"PLAC"}]},"system":"urn:oid:2.25.7","value":"O-1"},)"
    R"({"type":{"coding":[{"code":"FILL"}]},"value":"F-9"}],"requisition":{"value":"G-3"},)"
    R"("category":[{"coding":[{"system":"http://snomed.info/sct","code":"108252007"}]}],)"
    R"("code":{"coding":[{"system":"http://loinc.org","code":"2345-7","display":"Glucose"},)"
    R"({"system":"http://his.example/tests","code":"GLU"}],"text":"Glucose, fasting"},)"
    R"("performer":[{"reference":"Organization/lab"},{"identifier":{"system":"urn:oid:2.25.8","value":"LAB2"}}],)"
    R"("subject":{"reference":"Patient/p1"},"occurrenceDateTime":"2026-03-01T09:30:00+01:00",)"
    R"("authoredOn":"2026-03-01T08:00:00Z","requester":{"identifier":{"value":"77"},"display":"Dr. Gil"},)"
    R"("reasonCode":[{"text":"thirst"}],"note":[{"text":"before | after\nlunch"}]})";
constexpr char kPatient[] =
    R"({"resourceType":"Patient","id":"p1","identifier":[{"type":{"coding":[{"code":"MR"}]},"system":"urn:oid:2.25.1",)"
    R"("value":"P1","period":{"start":"2020-01-01","end":"2027-12-31T00:00:00Z"}},{"use":"old","value":"P0"},)"
    R"({"system":"http://his.example/id","value":"X&1"}],"name":[{"family":"Roe","given":["Jane","Ann"],)"
    R"("prefix":["Dr."],"suffix":["III"]}],"gender":"female","birthDate":"1980-01-02"})";
constexpr char kSpecimen[] =
    R"({"resourceType":"Specimen","identifier":[{"system":"urn:oid:2.25.9","value":"S-5"}],)"
    R"("type":{"coding":[{"code":"SER"}]},"collection":{"collectedDateTime":"2026-03-01T09:00:00Z"}})";

OrderFacts facts() {
  return {parsed(kOrder), parsed(kPatient), {parsed(kSpecimen)}, "http://his.example/id"};
}
std::string message(OrderForm form, const OrderFacts& of = facts()) {
  OrderHeader header;
  header.form = form;
  header.receiver = "lab";
  header.control_id = "0123456789abcdef0123";
  header.now = core::Wall(std::chrono::seconds(1'772'359'200));  // 2026-03-01T10:00:00Z
  return order_message(header, "NW", order_segments(form, of));
}

TEST(OrderMessage, AnOmlSaysWhatIsOrderedForWhomAndFromWhichTube) {
  EXPECT_EQ(
      message(OrderForm::oml),
      "MSH|^~\\&|clinic-gateway||lab||20260301100000+0000||OML^O21^OML_O21|0123456789abcdef0123|P"
      "|2.5.1||||||UNICODE UTF-8\r"
      "PID|1||X\\T\\1^^^&http://his.example/id&URI~P1^^^&2.25.1&ISO^MR^^20200101^20271231||"
      "Roe^Jane^Ann^III^Dr.||"
      "19800102|F\r"
      "ORC|NW|O-1^^2.25.7^ISO|F-9|G-3|||||20260301080000+0000|||77^Dr. Gil\r"
      "TQ1|1||||||20260301093000+0100||S\r"
      "OBR|1|O-1^^2.25.7^ISO|F-9|2345-7^Glucose^LN^GLU^^http://his.example/tests^^^Glucose, "
      "fasting||||||||||||77^Dr. Gil|||||||||||||||^thirst\r"
      "NTE|1||before \\F\\ after lunch\r"
      "SPM|1|S-5&&2.25.9&ISO||SER|||||||||||||20260301090000+0000\r");
}

TEST(OrderMessage, AnOrmSaysTheSameInFieldsAndKnowsNoTubes) {
  const std::string text = message(OrderForm::orm);
  EXPECT_THAT(text, HasSubstr("|ORM^O01^ORM_O01|"));
  EXPECT_THAT(text, Not(HasSubstr("TQ1|")));
  EXPECT_THAT(text, Not(HasSubstr("SPM|")));
  const auto read = Message::parse(text);
  ASSERT_TRUE(read.ok());
  const Segment* const orc = (*read)->find("ORC");
  const Segment* const obr = (*read)->find("OBR");
  ASSERT_TRUE(orc != nullptr && obr != nullptr);
  EXPECT_EQ(orc->field(7).component(4).text(), "20260301093000+0100");
  EXPECT_EQ(obr->field(5).first(), "S");
  EXPECT_EQ(obr->field(6).first(), "20260301093000+0100");
  EXPECT_EQ(obr->field(16).component(2).text(), "Dr. Gil");
  EXPECT_EQ(obr->field(27).component(6).text(), "S");
  EXPECT_EQ(obr->field(31).component(2).text(), "thirst");
}

TEST(OrderMessage, WhatHasNoNumberHasTheIdOfItsResource) {
  OrderFacts of = facts();
  of.order.erase("identifier");
  of.patient.erase("identifier");
  EXPECT_THAT(message(OrderForm::oml, of), HasSubstr("PID|1||p1||"));
  EXPECT_THAT(message(OrderForm::oml, of), HasSubstr("ORC|NW|s1||"));
}

TEST(OrderMessage, ANumberGoesBackAsItCame) {
  OrderFacts of = facts();
  of.order.set("identifier",
               parsed(R"([{"type":{"coding":[{"code":"PLAC"}]},)"
                      R"("system":"urn:clinic-gateway:device:his:PLAC","value":"7"}])"));
  EXPECT_EQ(placer_number(of.order), "7");
  of.order.set("identifier",
               parsed(R"([{"system":"urn:clinic-gateway:issuer:oid:2.25.1:HIS","value":"7"}])"));
  EXPECT_EQ(placer_number(of.order), "7^HIS");
  of.order.set("identifier", parsed(R"([{"system":"http://his.example#HIS","value":"7"}])"));
  EXPECT_EQ(placer_number(of.order), "7^HIS^http://his.example#HIS^URI");
  of.order.set("code",
               parsed(R"({"coding":[{"system":"urn:clinic-gateway:device:his:99LAB",)"
                      R"("code":"G"},{"system":"urn:clinic-gateway:device:his","code":"H"}]})"));
  EXPECT_THAT(message(OrderForm::oml, of), HasSubstr("|G^^99LAB^H^^L|"));
}

TEST(OrderMessage, WhatWasSaidIsFoundInTheMessage) {
  for (const OrderForm form : {OrderForm::oml, OrderForm::orm})
    EXPECT_EQ(segments_of(message(form)), order_segments(form, facts()));
}

TEST(OrderMessage, TheControlCodeGoesByTheStatusAndByWhatTheDeviceHas) {
  struct Case {
    const char* status;
    const char* taken;
    const char* control;
  };
  const Case cases[] = {
      {"active", "", "NW"},    {"active", "NW", "XO"},  {"active", "XO", "XO"},
      {"active", "CA", "NW"},  {"revoked", "", ""},     {"revoked", "NW", "CA"},
      {"revoked", "CA", ""},   {"on-hold", "NW", "CA"}, {"on-hold", "", ""},
      {"completed", "NW", ""}, {"completed", "", ""},   {"entered-in-error", "XO", "CA"},
      {"draft", "", ""},
  };
  for (const Case& one : cases) {
    Json order = parsed(kOrder);
    order.set("status", one.status);
    EXPECT_EQ(order_control(order, true, one.taken), one.control)
        << one.status << " after " << one.taken;
  }
  Json order = parsed(kOrder);
  EXPECT_EQ(order_control(order, false, "NW"), "CA") << "it is another's now";
  EXPECT_EQ(order_control(order, false, ""), "");
  order.set("intent", "plan");
  EXPECT_EQ(order_control(order, true, ""), "");
  order.set("status", "completed");
  EXPECT_EQ(order_control(order, false, "NW"), "") << "it is done";
}

TEST(OrderMessage, AnOrderIsForWhomEveryListNames) {
  const Json order = parsed(kOrder);
  EXPECT_TRUE((OrderFilter{{"108252007"}, {}, {}}.fits(order)));
  EXPECT_TRUE((OrderFilter{{"http://snomed.info/sct|108252007"}, {"GLU"}, {}}.fits(order)));
  EXPECT_TRUE((OrderFilter{{}, {}, {"Organization/lab"}}.fits(order)));
  EXPECT_TRUE((OrderFilter{{}, {}, {"other", "urn:oid:2.25.8|LAB2"}}.fits(order)));
  EXPECT_TRUE((OrderFilter{{}, {"http://loinc.org|"}, {}}.fits(order)));
  EXPECT_FALSE((OrderFilter{{}, {"http://snomed.info/sct|"}, {}}.fits(order)));
  EXPECT_FALSE((OrderFilter{{"108252007"}, {"718-7"}, {}}.fits(order)));
  EXPECT_FALSE((OrderFilter{{"http://loinc.org|108252007"}, {}, {}}.fits(order)));
  EXPECT_FALSE((OrderFilter{{}, {}, {"Organization/lab2"}}.fits(order)));
}

std::string answer_of(const char* code, const char* more = "") {
  return core::cat("MSH|^~\\&|LAB||GW||20260301||ORL^O22|9|P|2.5.1\rMSA|", code, "|c1", more, "\r");
}

TEST(OrderMessage, AnAnswerIsWhatItSaysToOurControlId) {
  using What = OrderAnswer::What;
  EXPECT_EQ(read_order_answer(answer_of("AA"), "c1")->what, What::taken);
  EXPECT_EQ(read_order_answer(answer_of("CA"), "c1")->what, What::taken);
  EXPECT_EQ(read_order_answer(answer_of("AE"), "c1")->what, What::again);
  EXPECT_EQ(read_order_answer(answer_of("CE"), "c1")->what, What::again);
  EXPECT_EQ(read_order_answer(answer_of("AR"), "c1")->what, What::refused);
  EXPECT_EQ(read_order_answer(answer_of("AR", "|no such test"), "c1")->words, "no such test");
  EXPECT_EQ(read_order_answer(answer_of("AE", "\rERR||||E||||busy"), "c1")->words, "busy");
  const auto unable = read_order_answer(answer_of("AA", "\rORC|UA|O-1"), "c1");
  EXPECT_EQ(unable->what, What::refused);
  EXPECT_EQ(unable->code, "AA, ORC-1 UA");
  const auto odd = read_order_answer(answer_of("Roe"), "c1");
  EXPECT_EQ(odd->what, What::again);
  EXPECT_EQ(odd->code, "what is no code") << "it is written into logs";
  EXPECT_FALSE(read_order_answer(answer_of("AA"), "c2").has_value()) << "of another message";
  EXPECT_FALSE(read_order_answer("MSH|^~\\&|LAB\r", "c1").has_value());
  EXPECT_FALSE(read_order_answer("nonsense", "c1").has_value());
}

}  // namespace
}  // namespace gateway::adapters::hl7
