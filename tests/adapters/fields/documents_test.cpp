#include "adapters/fields/documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/fields/field_mapping.h"
#include "adapters/fields/file_kind.h"
#include "adapters/fields/xml.h"

namespace gateway::adapters::fields {
namespace {

using ::testing::HasSubstr;

std::string xml(std::string_view text) {
  const auto parsed = parse_xml(text);
  return parsed.ok() ? parsed->dump() : parsed.error().message();
}

TEST(Xml, BecomesNamesTextsAndLists) {
  EXPECT_EQ(xml("<a xmlns='urn:x'><b>1</b><c k='v'>t</c><b> 2 </b><d/></a>"),
            R"({"a":{"b":["1","2"],"c":{"@k":"v","#text":"t"},"d":""}})");
  EXPECT_EQ(xml("<?xml version='1.0' encoding='ISO-8859-1'?><a>M\xFCller</a>"),
            R"({"a":"Müller"})");
}

TEST(Xml, IsReadInTheEncodingItDeclares) {
  EXPECT_EQ(xml("<?xml version=\"1.0\" encoding=\"windows-1252\"?><a>M\xFCller \x80</a>"),
            R"({"a":"Müller €"})");
  EXPECT_EQ(
      xml("<?xml version='1.0' encoding='Windows-1251' standalone='yes'?><a k='\xC8'>\xE2</a>"),
      R"({"a":{"@k":"И","#text":"в"}})");
  EXPECT_EQ(xml("<?xml version='1.0' encoding='GB2312'?><a>\xD0\xBB</a>"), R"({"a":"谢"})");
  EXPECT_THAT(xml("<?xml version='1.0' encoding='x-nobody'?><a>\xFC</a>"),
              HasSubstr("no whole XML"));
}

TEST(Xml, AttributesThatDifferByTheirPrefixAloneAreBothThere) {
  const auto parsed = parse_xml(R"(<a:d a:id="1" b:id="2"/>)");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  EXPECT_EQ(parsed->dump(), R"({"d":{"@id":"1","@b:id":"2"}})");
}

TEST(Xml, DocumentTypesAndEntitiesAreRefused) {
  EXPECT_THAT(xml("<!DOCTYPE a [<!ENTITY b 'x'>]><a>&b;</a>"), HasSubstr("document type"));
  EXPECT_THAT(xml("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>"), HasSubstr("document type"));
  EXPECT_THAT(xml("<a>&b;</a>"), HasSubstr("no whole XML"));
}

TEST(Xml, DepthIsBoundedAndWhatBreaksOffIsNoWhole) {
  std::string deep;
  for (std::size_t i = 0; i <= kXmlDepthMax; ++i) deep += "<a>";
  EXPECT_THAT(xml(deep), HasSubstr("too deep"));
  EXPECT_THAT(xml("<a><b>1</b>"), HasSubstr("no whole XML"));
  EXPECT_THAT(xml(""), HasSubstr("no whole XML"));
}

TEST(Tables, EachRowIsADocumentOfItsOwnWithTheHeading) {
  profiles::FieldMap map;
  map.format = "csv";
  map.delimiter = ';';
  const std::string text = "id;t\n#1;\"37;0\n\"\nP2;36.6";
  const auto rows = cut_rows(map, text);
  ASSERT_TRUE(rows.ok());
  EXPECT_THAT(*rows, ::testing::ElementsAre("id;t\n#1;\"37;0\n\"\n", "id;t\nP2;36.6"));
  EXPECT_EQ(parse_document(map, (*rows)[1])->dump(), R"([{"id":"P2","t":"36.6"}])");
  EXPECT_THAT(parse_document(map, "a\n1;2\n").error().message(), HasSubstr("more cells"));
}

TEST(Tables, WhatSpreadsheetsAddIsNoMistake) {
  profiles::FieldMap map;
  map.format = "csv";
  map.delimiter = ',';
  const std::string text = "\xEF\xBB\xBFsep=;\r\nid;t\r\nP1;37,0;\r\nP2;36,6;;\r\n";
  const auto rows = cut_rows(map, text);
  ASSERT_TRUE(rows.ok()) << rows.error().message();
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_EQ(parse_document(map, (*rows)[0])->dump(), R"([{"id":"P1","t":"37,0"}])");
  EXPECT_EQ(parse_document(map, (*rows)[1])->dump(), R"([{"id":"P2","t":"36,6"}])");
  EXPECT_THAT(parse_document(map, "sep=;\na\n1;2\n").error().message(), HasSubstr("more cells"));
}

TEST(Pictures, EndWhereTheirFormatSays) {
  const auto ends = [](std::string_view bytes) { return reaches_end(FileKind::jpeg, bytes); };
  const std::string preview("\xFF\xE1\x00\x06\xFF\xD8\xFF\xD9", 8);
  const std::string scan(
      "\xFF\xDA\x00\x03\x01"
      "ab\xFF\x00\xFF\xD0zz",
      13);
  const std::string head = "\xFF\xD8" + preview + scan;
  EXPECT_TRUE(ends(head + "\xFF\xD9"));
  EXPECT_TRUE(ends(head + scan + "\xFF\xFF\xD9" + std::string(5'000, 'x'))) << "a phone's video";
  EXPECT_TRUE(ends("\xFF\xD8" + preview + std::string(3, '\0') + scan + "\xFF\xD9")) << "padding";
  EXPECT_FALSE(ends(head)) << "the preview's end is not the picture's";
  for (std::size_t cut = 0; cut < head.size(); ++cut)
    EXPECT_FALSE(ends(head.substr(0, cut))) << cut;
}

TEST(Tables, RowsThatMeasureTheSameOnceMoreAreOneDocument) {
  profiles::FieldMap map;
  map.format = "csv";
  map.patient_id = *profiles::FieldPath::parse("id");
  map.time = *profiles::FieldPath::parse("at");
  const auto rows = cut_rows(map,
                             "id,at,t\nP1,10:00,37.0\nP2,10:00,36.0\nP1,10:05,37.1\n"
                             "P1,10:00,38.0\r\nP1,10:00,37.0\n,10:00,36\n,10:00,37");
  ASSERT_TRUE(rows.ok());
  EXPECT_THAT(*rows, ::testing::ElementsAre("id,at,t\nP1,10:00,37.0\nP1,10:00,38.0\r\n",
                                            "id,at,t\nP2,10:00,36.0\n", "id,at,t\nP1,10:05,37.1\n",
                                            "id,at,t\n,10:00,36\n", "id,at,t\n,10:00,37"));
}

TEST(SentTime, DatesAreReadInTheOrderTheProfileSays) {
  using profiles::DateOrder;
  EXPECT_EQ(compact_time("2026-11-20T09:41:07", DateOrder::day_first), "20261120094107");
  EXPECT_EQ(compact_time("2026-11-20T09:41:07.25+02:00", DateOrder::year_first),
            "20261120094107.25+0200");
  EXPECT_EQ(compact_time("9/4/1961", DateOrder::day_first), "19610409");
  EXPECT_EQ(compact_time("9/4/1961 7:05", DateOrder::month_first), "196109040705");
  EXPECT_EQ(compact_time("20.11.26", DateOrder::day_first), "");
  EXPECT_EQ(compact_time("20261120", DateOrder::year_first), "20261120");
  EXPECT_EQ(compact_time("yesterday", DateOrder::year_first), "");
  EXPECT_EQ(compact_time("1790000000", DateOrder::unix_epoch).substr(0, 8), "20260921");
  EXPECT_EQ(compact_time("9999999999", DateOrder::unix_epoch), "") << "no time that we can hold";
  EXPECT_EQ(compact_time("9999999999999", DateOrder::unix_epoch), "");
}

TEST(FieldPaths, WalkByNamesPlacesAndTests) {
  const auto whole = core::Json::parse(R"({"a":{"b":[{"k":"x","v":1},{"k":"y","v":2.50}]}})");
  const core::Json context = core::Json::object();
  const profiles::FieldRow row{&*whole, &*whole, &context};
  const auto text = [&](const char* path) { return profiles::FieldPath::parse(path)->text(row); };
  EXPECT_EQ(text("a.b[k=y].v"), "2.50");
  EXPECT_EQ(text("/a.b[1].k"), "y");
  EXPECT_EQ(text("a.b[*].v"), "1");
  EXPECT_EQ(text("a.c.d"), "");
  for (const char* wrong : {"", "a..b", "a[", "a[x]", "a.", "[0]"})
    EXPECT_FALSE(profiles::FieldPath::parse(wrong).ok()) << wrong;
}

}  // namespace
}  // namespace gateway::adapters::fields
